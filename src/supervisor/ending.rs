//! How a generation ended, told once, when nothing of it is left: for whoever asks later.

use core::time::Duration;

use super::cause::Cause;
use super::event::Exit;
use super::state::Why;
use super::unit::{End, Unit};

/// Times are since boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    pub generation: u64,
    /// `None`: its program never ran.
    pub started_at: Option<Duration>,
    pub ended_at: Duration,
    /// `None`: it never ran, or nobody saw how it ended.
    pub exit: Option<Exit>,
    /// The kernel killed in it for want of memory, whatever it ended of.
    pub oom: bool,
    pub cause: Cause,
}

impl Unit {
    pub(super) fn ending(&self, why: Why, now: Duration) -> Ending {
        let (ended_at, oom) = match &self.end {
            Some(End::Exited { oom, at, .. }) => (*at, oom.is_some()),
            Some(End::NotStarted { at, .. } | End::Unseen { at }) => (*at, false),
            None => (now, false),
        };
        Ending {
            generation: self.generation,
            started_at: self.started_at,
            ended_at,
            exit: self.exit(),
            oom,
            cause: self.cause_of_end(why),
        }
    }
}

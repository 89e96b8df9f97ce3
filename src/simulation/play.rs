//! How one generation of a container behaves, and what goes wrong with what is done to it.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::HealthCheck;
use crate::supervisor::{Exit, Fault, Notice, Probed, StartFailure};

/// Longer than any simulation.
pub const NEVER: Duration = Duration::MAX;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Play {
    /// So long after it began to wait for a connection, somebody connects; `None`: nobody.
    pub connects: Option<Duration>,
    /// A socket of it cannot be opened.
    pub deaf: bool,
    /// How long the start takes to be answered ([`NEVER`]: it hangs), and with what.
    pub start: Duration,
    pub fails: Option<Fault>,
    /// Its process waits at the barrier when the start fails or hangs, as against before there is one.
    pub reaches_barrier: bool,
    /// The start is answered at once by what is wrong with the image.
    pub unusable: bool,
    /// When and how it ends by itself.
    pub ends: Option<(Duration, Exit)>,
    /// That end is one for want of memory.
    pub oom: bool,
    /// How long it takes to end after its stop signal; `None`: it ignores it.
    pub obeys: Option<Duration>,
    /// How long it takes to be gone after a kill, and after that to be emptied; `None`: for ever.
    pub dies: Option<Duration>,
    pub empties: Option<Duration>,
    /// How often emptying it fails before it works.
    pub clean_failures: u32,
    /// What it says of itself, so long after its first instruction.
    pub says: Vec<(Duration, Notice)>,
    /// How often it gives a sign of life.
    pub beats: Option<Duration>,
    /// So long after its first instruction it stands still: says nothing more, and no probe passes.
    pub hangs: Option<Duration>,
    /// The nth probe of a generation gets the nth answer, the last one repeats; `None`: none at all.
    pub probes: Vec<Option<Probed>>,
    /// How long an answer takes.
    pub answers_in: Duration,
    /// Its image has a health check.
    pub check: Option<HealthCheck>,
    /// What becomes of signals to its main process, and of kills of its cgroup.
    pub signal: Delivery,
    pub kill: Delivery,
}

/// What becomes of something that is sent to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    AtOnce,
    Late(Duration),
    /// Nobody ever hears of it again.
    Lost,
    /// So often, then it works; the agent says so.
    Fails(u32),
}

impl Default for Play {
    /// Starts in 10 ms, runs for ever, is well, obeys in 100 ms.
    fn default() -> Self {
        Self {
            connects: None,
            deaf: false,
            start: Duration::from_millis(10),
            fails: None,
            reaches_barrier: true,
            unusable: false,
            ends: None,
            oom: false,
            obeys: Some(Duration::from_millis(100)),
            dies: Some(Duration::from_millis(1)),
            empties: Some(Duration::from_millis(1)),
            clean_failures: 0,
            says: Vec::new(),
            beats: None,
            hangs: None,
            probes: Vec::from([Some(Probed::Passed)]),
            answers_in: Duration::from_millis(5),
            check: None,
            signal: Delivery::AtOnce,
            kill: Delivery::AtOnce,
        }
    }
}

impl Play {
    pub fn exits(after: Duration, code: i32) -> Self {
        Self { ends: Some((after, Exit::Code(code))), ..Self::default() }
    }
}

impl Delivery {
    /// The next one is what this says; afterwards one failure less is left.
    pub(super) fn take(&mut self) -> Self {
        let now = *self;
        if let Self::Fails(times) = now {
            *self = match times.checked_sub(1) {
                Some(left) if left > 0 => Self::Fails(left),
                Some(_) | None => Self::AtOnce,
            };
        }
        now
    }
}

/// What every start that fails in a simulation says.
pub fn failure(fault: Fault) -> StartFailure {
    StartFailure {
        step: "exec".to_string(),
        object: "/app".to_string(),
        errno: 2,
        text: "No such file or directory".to_string(),
        fault,
    }
}

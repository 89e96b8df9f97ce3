//! Cgroups of sessions that are over: removed once they are empty, which may be a moment after the end, or after a
//! supervisor that died in between.
//!
//! What a program left behind may live there for as long as its container: then the next `exec` looks again, or the
//! container takes it along.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::time::Duration;

use super::Sessions;
use crate::agent::cgroups;
use crate::linux::cgroup;

/// Who is killed is gone by then; with twice the time after each look, the last is after 13 s.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LOOKS: u32 = 8;

#[derive(Default)]
pub struct Left {
    /// Containers in which there may be some.
    within: BTreeSet<String>,
    /// When they are looked at, for the so many-th time.
    look: Option<(Duration, u32)>,
}

impl Left {
    pub fn deadline(&self) -> Option<Duration> {
        self.look.map(|(at, _)| at)
    }
}

impl Sessions {
    /// Removes what is empty in this container, and looks again for what is not.
    pub fn left_in(&mut self, name: String, now: Duration) {
        if !self.sweep(&name) {
            self.left.within.insert(name);
            self.left.look = Some((now.saturating_add(FIRST_LOOK), 1));
        }
    }

    pub fn look_for_left(&mut self, now: Duration) {
        let Some((_, looks)) = self.left.look.filter(|(at, _)| *at <= now) else { return };
        let mut within = core::mem::take(&mut self.left.within);
        within.retain(|name| !self.sweep(name));
        self.left.look = None;
        if looks < LOOKS && !within.is_empty() {
            let pause = FIRST_LOOK.saturating_mul(1 << looks.min(LOOKS));
            self.left = Left { within, look: Some((now.saturating_add(pause), looks.saturating_add(1))) };
        }
    }

    /// Whether all of those that are over are gone; those of sessions that there are stay.
    pub fn sweep(&self, name: &str) -> bool {
        let Ok(outer) = cgroup::open_path(&cgroups::path(name)) else { return true };
        let groups = cgroup::below(outer.as_fd()).unwrap_or_default();
        let over =
            groups.iter().filter(|group| group.starts_with(super::GROUP) && !self.has_group(name, group));
        let mut gone = true;
        for group in over {
            // EBUSY: something is there still.
            gone &= cgroup::remove(outer.as_fd(), group).is_ok();
        }
        gone
    }
}

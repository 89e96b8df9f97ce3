//! What the watch knows of a shutdown: by when it has to be over, and what its jobs may take of it.

use alloc::collections::BTreeMap;
use core::time::Duration;

use super::{Closing, View, Watch};
use crate::config::{KILL_WAIT, LONGEST_RESERVE};
use crate::simulation::core::Core;
use crate::supervisor::{StateKind, Wanted};

impl Watch {
    pub(super) fn shut_down<C: Core>(&mut self, view: &View<'_, C>, deadline: Duration) {
        let told_at = view.now;
        let reserve = (deadline.saturating_sub(told_at) / 10).min(LONGEST_RESERVE);
        let kill_at = deadline.saturating_sub(reserve);
        let until = kill_at.saturating_sub(self.longest_stop(view)).max(told_at);
        let wanted = self.shadows.values().any(|shadow| shadow.declared.job && shadow.wanted == Wanted::Up);
        let (done, jobs) = match self.shutdown {
            None => (false, Some(until).filter(|_| wanted && !self.safe)),
            Some(earlier) => (earlier.done, earlier.jobs.map(|_| until)),
        };
        self.shutdown = Some(Closing { deadline, kill_at, done, jobs });
        for shadow in self.shadows.values_mut() {
            shadow.start_owed = false;
            if jobs.is_none() {
                shadow.wanted = Wanted::Down;
            }
        }
        self.see_stops_begin(view);
    }

    /// The jobs are over as soon as something is not wanted any more that was: from then on nothing is.
    pub(super) fn see_stops_begin<C: Core>(&mut self, view: &View<'_, C>) {
        if !self.runs_jobs() {
            return;
        }
        let wanted = |name: &str| view.core.status(name).map(|status| status.wanted);
        let mut up = self.shadows.iter().filter(|(_, shadow)| shadow.wanted == Wanted::Up);
        let begun = up.any(|(name, _)| wanted(name) == Some(Wanted::Down));
        if begun || self.shadows.keys().all(|name| wanted(name) == Some(Wanted::Down)) {
            self.shutdown.iter_mut().for_each(|shutdown| shutdown.jobs = None);
            self.shadows.values_mut().for_each(|shadow| shadow.wanted = Wanted::Down);
        }
    }

    pub(super) fn runs_jobs(&self) -> bool {
        self.shutdown.is_some_and(|shutdown| shutdown.jobs.is_some())
    }

    /// Of those that run, along the longest chain.
    fn longest_stop<C: Core>(&self, view: &View<'_, C>) -> Duration {
        let mut ways: BTreeMap<&str, Duration> = BTreeMap::new();
        // No chain is longer than there are containers.
        for _ in 0..self.shadows.len() {
            for (name, shadow) in self.shadows.iter().filter(|(_, shadow)| !shadow.declared.job) {
                let runs = view.kind(name) == Some(StateKind::Running);
                let own = if runs { shadow.declared.grace.saturating_add(KILL_WAIT) } else { Duration::ZERO };
                let below =
                    shadow.declared.depends_on.keys().filter_map(|on| ways.get(on.as_str())).max().copied();
                ways.insert(name, below.unwrap_or_default().saturating_add(own));
            }
        }
        ways.into_values().max().unwrap_or_default()
    }
}

//! The loop's times: when it has to look again, and what it does then.

use std::time::Duration;

use orlop::supervisor::Event;

use super::Agent;
use super::launch::Run;
use super::power::Ending;

impl Agent {
    /// When something has to be done, whatever happens; since boot.
    pub fn deadline(&self) -> Option<Duration> {
        let starts = self.runs.values().filter_map(Run::deadline);
        let deaf = self.runs.values().filter_map(|run| run.notices.as_ref()?.deadline());
        let helpers = self.logs.helper_deadline().into_iter().chain(self.consoles.deadline());
        let helpers = helpers.chain(self.saving.deadline()).chain(self.boot.devices.deadline());
        let helpers = helpers.chain(self.streams_deadline()).chain(self.errands.deadline());
        let helpers = helpers.chain(self.sessions.deadline()).chain(self.probes.deadline());
        let helpers = helpers
            .chain(self.forwarding.deadline())
            .chain(self.keeping.deadline())
            .chain(self.past.deadline())
            .chain(self.gates.deadline())
            .chain(self.reloading.deadline())
            .chain(self.lasting.deadline())
            .chain(self.lasting.next_due().filter(|_| self.keeping.listens()));
        let helpers = helpers.chain(self.rises.deadline(self.boot.complete));
        let helpers = helpers.chain(self.power.as_ref().and_then(Ending::deadline));
        let core = self.core.poll_timeout().into_iter().chain(self.server.poll_timeout());
        starts.chain(deaf).chain(helpers).chain(core).min()
    }

    pub fn times_have_come(&mut self, now: Duration) {
        self.late_errands(now);
        self.late_sessions(now);
        self.late_probes(now);
        self.hear_again(now);
        self.start_deadlines(now);
        self.late_disk(now);
        self.late_reload(now);
        self.save_again(now);
        self.look_at_gates(now);
        if self.core.poll_timeout().is_some_and(|at| at <= now) {
            self.events.push_back(Event::Tick);
        }
    }
}

//! The end of the machine, as the supervisor begins it.

use std::time::Duration;

use orlop::ledger::{Action, Frame};
use orlop::supervisor::Event;

use super::Agent;

impl Agent {
    /// Stops everything in order, then lets PID 1 end the machine.
    pub fn shut_down(&mut self, action: Action, deadline: Duration, now: Duration) {
        if self.power.is_some() {
            return;
        }
        let ours = now.saturating_add(self.config.host.poweroff_timeout);
        let deadline = deadline.min(ours).max(now);
        self.power = Some((action, deadline));
        self.keep_shutdown(action, deadline, now);
        self.ledger.send(Frame::Power { action, deadline_us: deadline.as_micros() as u64 });
        self.events.push_back(Event::Shutdown { deadline });
    }
}

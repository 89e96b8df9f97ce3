//! Feeds the machine's watchdog, while the supervisor answers or the machine ends in time.

use std::os::fd::AsFd;
use std::time::Duration;

use orlop::ledger::Watchdog;

use super::{Fds, Init};
use crate::linux::kmsg::{self, Level};
use crate::linux::watchdog;

impl Init {
    /// From a supervisor that has opened it, or that knows that one before it has.
    pub fn arm_watchdog(&mut self, timeout_ms: u64, fds: Fds, now: Duration) {
        match (&mut self.watchdog, fds.into_iter().flatten().next()) {
            (Some(watchdog), _) => watchdog.answers(now),
            (None, Some(device)) => {
                self.watchdog = Some(Watchdog::new(device, Duration::from_millis(timeout_ms), now));
            }
            (None, None) => {}
        }
    }

    pub fn keep_watch(&mut self, now: Duration) {
        let (serves, ends) = (self.keeper.has_served(), self.power.map(|power| power.latest));
        let Some(watchdog) = &mut self.watchdog else { return };
        let Some(turn) = watchdog.due(now, serves, ends) else { return };
        if turn.feed {
            watchdog::feed(watchdog.device.as_fd());
        }
        if turn.ask {
            self.telling.ping();
        }
        if turn.kill {
            kmsg::write_args(
                Level::Error,
                format_args!("the supervisor gives no sign of life: it is killed"),
            );
            self.kill_supervisor();
        }
    }
}

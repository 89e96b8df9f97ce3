//! Hands the machine's watchdog to PID 1, which feeds it while we answer.

use std::os::fd::AsFd;
use std::time::Duration;

use orlop::config::Watchdog;
use orlop::ledger::Frame;

use super::{Agent, records, say};
use crate::linux::kmsg::Level;
use crate::linux::{Errno, fs, watchdog};

/// How many milliseconds PID 1 was told, for the supervisor after this one: PID 1 keeps the device.
const KEPT: &str = "/run/orlop/watchdog";

impl Agent {
    /// PID 1 has the device of an earlier supervisor, and from here on asks this one.
    pub fn adopt_watchdog(&mut self) {
        match fs::read_text(KEPT).ok().and_then(|text| text.trim().parse().ok()) {
            Some(timeout_ms) => self.ledger.send(Frame::Watchdog { timeout_ms }),
            // It may be in the kernel already; else its driver is loaded later.
            None => self.arm_watchdog(|errno| errno != Errno::ENOENT),
        }
    }

    /// Its driver is loaded, or never will be.
    pub fn watchdog_loaded(&mut self) {
        if std::fs::exists(KEPT).is_ok_and(|armed| !armed) {
            self.arm_watchdog(|_| true);
        }
    }

    /// `tells`: whether this failure is worth a word.
    fn arm_watchdog(&mut self, tells: impl FnOnce(Errno) -> bool) {
        let Some(wanted) = self.config.host.watchdog.clone() else { return };
        let armed = self.hand_over(&wanted);
        match armed {
            Err(errno) if !tells(errno) => {}
            Err(errno) => {
                let text = format!("{}: {}", wanted.device, errno.desc());
                self.boot.phase("watchdog", || Err(text));
            }
            Ok(timeout) => {
                self.boot.phase("watchdog", || Ok(()));
                let seconds = timeout.as_secs();
                if timeout != wanted.timeout {
                    let text =
                        format!("watchdog: {} has a timeout of {seconds} s and no other", wanted.device);
                    say(Level::Warning, &text);
                }
                say(
                    Level::Info,
                    &format!("watchdog: {} resets the machine after {seconds} s", wanted.device),
                );
            }
        }
    }

    fn hand_over(&mut self, wanted: &Watchdog) -> Result<Duration, Errno> {
        // Under another init it is that one's to feed.
        if nix::unistd::getppid().as_raw() != 1 {
            return Err(Errno::EPERM);
        }
        let device = watchdog::open(&wanted.device)?;
        let timeout = watchdog::set_timeout(device.as_fd(), wanted.timeout)?;
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        self.ledger.send_with(Frame::Watchdog { timeout_ms }, device);
        if let Err(errno) = records::write_file(KEPT, &timeout_ms.to_string()) {
            say(Level::Error, &format!("{KEPT}: {}", errno.desc()));
        }
        Ok(timeout)
    }
}

//! Boot time as the time of day, the same text for the same moment whoever asks and whenever.
//!
//! The difference between the two clocks is kept, over restarts of the supervisor too, and taken
//! anew only when the clock was set: what is read twice may never be exactly equal.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::control::rfc3339;
use orlop::supervisor::Event;

use super::{Agent, Token, records, say};
use crate::linux::epoll::Interest;
use crate::linux::kmsg::Level;
use crate::linux::{fs, time};

const KEPT: &str = "/run/orlop/clock";
/// Slow corrections of the clock pass unnoticed for long; somebody who sets it means more than this.
const STEP: Duration = Duration::from_millis(500);

pub struct Clock {
    /// The time of day at boot; whole microseconds, as records have them.
    boot: Duration,
    /// Tells when it is set, where somebody waits for a time of it.
    watch: Option<OwnedFd>,
}

impl Clock {
    /// As the supervisor before had it, unless the clock was set since.
    pub fn new() -> Self {
        let mut clock = Self { boot: kept().unwrap_or_default(), watch: None };
        clock.look();
        clock
    }

    /// Looks whether the clock was set.
    pub fn look(&mut self) {
        let boot = whole_micros(time::wall().saturating_sub(time::since_boot()));
        if boot.abs_diff(self.boot) < STEP {
            return;
        }
        self.boot = boot;
        if let Err(errno) = records::write_file(KEPT, &boot.as_micros().to_string()) {
            say(Level::Error, &format!("{KEPT}: {}", errno.desc()));
        }
    }

    /// A time since boot for people.
    pub fn wall(&self, when: Duration) -> String {
        let then = self.boot.saturating_add(whole_micros(when));
        rfc3339(i64::try_from(then.as_secs()).unwrap_or(i64::MAX), then.subsec_nanos())
    }
}

impl Agent {
    /// How late it is, for those that run at times of the clock; told again whenever it is set.
    pub fn tell_clock(&mut self) {
        if self.core.wants_clock() {
            self.clock_was_set();
        }
    }

    pub fn clock_was_set(&mut self) {
        self.clock.look();
        self.events.push_back(Event::Clock { at_boot: self.clock.boot });
        // Before the old one goes: nothing that is set in between is missed.
        let watched = time::watch_settings().and_then(|watch| {
            self.epoll.add(watch.as_fd(), Interest::EPOLLIN, Token::Clock.number())?;
            Ok(watch)
        });
        if let Some(old) = self.clock.watch.take() {
            let _ = self.epoll.remove(old.as_fd());
        }
        match watched {
            Ok(watch) => self.clock.watch = Some(watch),
            Err(errno) => say(Level::Error, &format!("the clock: {}", errno.desc())),
        }
    }
}

fn kept() -> Option<Duration> {
    let fd = fs::open_regular(KEPT).ok()?;
    let text = String::from_utf8(fs::read_regular(fd.as_fd(), 64).ok()?).ok()?;
    Some(Duration::from_micros(text.parse().ok()?))
}

fn whole_micros(time: Duration) -> Duration {
    Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

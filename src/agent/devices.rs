//! The modules that no container waits for: when they are loaded, and how long the boot waits for them.
//!
//! They give way to the containers, of which the first wants the whole processor. A device that does
//! not answer holds up nothing else: its modules are loaded in a process of their own.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use orlop::config::Config;

use super::boot::Phase;
use super::modules::Loading;
use super::{Agent, Token, say};
use crate::linux::epoll::Interest;
use crate::linux::kmsg::Level;

const NAME: &str = "device modules";
/// A device that does not answer must not keep a boot from ever being complete: longer than the
/// resets of hardware take.
const LONGEST: Duration = Duration::from_secs(30);

#[derive(Default)]
pub struct Devices(State);

#[derive(Default)]
enum State {
    Waiting {
        until: Duration,
    },
    Loading(Loading),
    /// The boot is not kept waiting any longer; what still comes is welcome.
    Late(Loading),
    #[default]
    Over,
}

impl Devices {
    /// They are to be loaded, at the latest at `until`.
    pub fn wait(&mut self, until: Duration) {
        self.0 = State::Waiting { until };
    }

    /// At `next`, if that is earlier.
    pub fn hurry(&mut self, next: Duration) {
        if let State::Waiting { until } = &mut self.0 {
            *until = next.min(*until);
        }
    }

    /// Whether the boot is not complete without them.
    pub fn are_waited_for(&self) -> bool {
        match self.0 {
            State::Waiting { .. } | State::Loading(_) => true,
            State::Late(_) | State::Over => false,
        }
    }

    /// When [`Devices::step`] has something to do.
    pub fn deadline(&self) -> Option<Duration> {
        match &self.0 {
            State::Waiting { until } => Some(*until),
            State::Loading(loading) => Some(loading.since.saturating_add(LONGEST)),
            State::Late(_) | State::Over => None,
        }
    }

    /// Begins when it is time, or gives them up; the phase, when that is its end.
    fn step(&mut self, config: &Config, now: Duration) -> Option<Phase> {
        if self.deadline().is_none_or(|until| until > now) {
            return None;
        }
        match core::mem::take(&mut self.0) {
            State::Waiting { .. } => match Loading::begin(config, now) {
                Ok(loading) => self.0 = State::Loading(loading),
                Err(errno) => return Some(phase(now, now, Some(errno.desc().to_owned()))),
            },
            State::Loading(loading) => {
                let error = format!("not loaded after {} s, some device is slow", LONGEST.as_secs());
                let since = loading.since;
                self.0 = State::Late(loading);
                return Some(phase(since, now, Some(error)));
            }
            other @ (State::Late(_) | State::Over) => self.0 = other,
        }
        None
    }

    /// What to wait for, while there is something.
    fn report(&self) -> Option<BorrowedFd<'_>> {
        match &self.0 {
            State::Loading(loading) | State::Late(loading) => Some(loading.as_fd()),
            State::Waiting { .. } | State::Over => None,
        }
    }

    /// The phase, once all of them are loaded or have failed.
    fn hear(&mut self, now: Duration) -> Option<Phase> {
        let (State::Loading(loading) | State::Late(loading)) = &self.0 else { return None };
        let ended = phase(loading.since, now, loading.hear()?.err());
        self.0 = State::Over;
        Some(ended)
    }
}

fn phase(start: Duration, end: Duration, error: Option<String>) -> Phase {
    Phase { name: NAME.into(), start, end, error }
}

impl Agent {
    /// Begins with them once the containers are up.
    pub fn load_devices(&mut self, now: Duration) {
        if self.boot.devices.deadline().is_none_or(|until| until > now) {
            return;
        }
        match self.boot.devices.step(&self.config, now) {
            Some(phase) => self.boot.ended(phase),
            None => {
                self.boot.prepared();
                if let Some(report) = self.boot.devices.report()
                    && let Err(errno) = self.epoll.add(report, Interest::EPOLLIN, Token::Modules.number())
                {
                    say(Level::Error, &format!("{NAME}: {}", errno.desc()));
                }
            }
        }
    }

    /// The power button's is one of them.
    pub fn devices_loaded(&mut self, now: Duration) {
        let late = !self.boot.devices.are_waited_for();
        let Some(phase) = self.boot.devices.hear(now) else { return };
        match late {
            // That they were late is how the phase ended, and stays.
            true => {
                say(Level::Info, &format!("{NAME}: {}", phase.error.as_deref().unwrap_or("loaded at last")))
            }
            false => self.boot.ended(phase),
        }
        self.watch_buttons();
        self.watchdog_loaded();
    }
}

//! The end of the machine: latched once, done in order, and never something else than was asked.
//!
//! What can block (sync, unmount, reboot) is done by children with deadlines of their own.

use std::os::fd::AsFd;
use std::time::Duration;

use orlop::ledger::{Action, Frame};

use super::{Init, Place};
use crate::linux::clone::{Cloned, Parent, clone3};
use crate::linux::kmsg::{self, Level, Line};
use crate::linux::{cgroup, mount, power as machine, process, signal};

/// What wakes PID 1 by signal: deaths, and requests to end the machine.
pub const SIGNALS: [i32; 4] = [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGPWR];

/// For the supervisor to stop everything, until it names a deadline of its own.
const ORDERLY: Duration = Duration::from_secs(60);
/// For the last processes to die, the disks to be written and unmounted.
const UNMOUNT: Duration = Duration::from_secs(15);
/// For reboot(2) in a child; after that PID 1 asks itself.
const REBOOT: Duration = Duration::from_secs(5);

/// Ctrl-Alt-Del is SIGINT, a failing supply or `init` of old SIGPWR.
pub fn action_of(number: i32) -> Option<Action> {
    match number {
        libc::SIGTERM | libc::SIGPWR => Some(Action::PowerOff),
        libc::SIGINT => Some(Action::Reboot),
        _ => None,
    }
}

enum Stage {
    /// The supervisor stops the containers.
    Stopping,
    Unmounting {
        pid: i32,
    },
    Rebooting,
}

pub struct Power {
    action: Action,
    until: Duration,
    stage: Stage,
}

impl Power {
    pub fn deadline(&self) -> Duration {
        self.until
    }

    pub fn wanted(&self) -> (Action, u64) {
        (self.action, self.until.as_micros() as u64)
    }

    /// Whether it was the child that unmounts; then the next stage is due.
    pub fn child_ended(&mut self, of: i32, now: Duration) -> bool {
        match self.stage {
            Stage::Unmounting { pid } if pid == of => {
                self.until = now;
                true
            }
            Stage::Unmounting { .. } | Stage::Stopping | Stage::Rebooting => false,
        }
    }
}

impl Init {
    /// Latches what is asked; the first request decides what is done at the end.
    pub fn ask_for_power(&mut self, action: Action, now: Duration) {
        if self.power.is_some() {
            return;
        }
        let until = now.saturating_add(ORDERLY);
        self.power = Some(Power { action, until, stage: Stage::Stopping });
        // A supervisor that cannot take it now reads it in its Welcome, or the deadline decides.
        let _ = self.send(&Frame::Power { action, deadline_us: until.as_micros() as u64 }, &[]);
    }

    /// The supervisor was asked by a person, or names the deadline of the configuration.
    pub fn power_from_supervisor(&mut self, action: Action, deadline_us: u64, now: Duration) {
        let until = Duration::from_micros(deadline_us);
        match &mut self.power {
            None => self.power = Some(Power { action, until: until.max(now), stage: Stage::Stopping }),
            Some(power) => {
                if matches!(power.stage, Stage::Stopping) {
                    power.until = until;
                }
            }
        }
    }

    /// Everything has been stopped in order.
    pub fn end_now(&mut self, now: Duration) {
        if let Some(power) = &mut self.power
            && matches!(power.stage, Stage::Stopping)
        {
            power.until = now;
        }
    }

    pub fn power_timeout(&mut self, now: Duration) {
        let Some(power) = &mut self.power else { return };
        if power.until > now {
            return;
        }
        match power.stage {
            Stage::Stopping => {
                let pid = in_child(unmount_all);
                power.until = now.saturating_add(UNMOUNT);
                power.stage = Stage::Unmounting { pid };
            }
            Stage::Unmounting { .. } => {
                if self.place == Place::Guest {
                    process::exit_now(0);
                }
                let action = power.action;
                let line = Line::format(format_args!("the machine ends: {action:?}"));
                kmsg::write(Level::Info, line.bytes());
                in_child(|| reboot(action));
                power.until = now.saturating_add(REBOOT);
                power.stage = Stage::Rebooting;
            }
            Stage::Rebooting => reboot(power.action),
        }
    }
}

fn reboot(action: Action) {
    let _ = match action {
        Action::PowerOff => machine::power_off(),
        Action::Reboot => machine::restart(),
    };
}

/// Runs `work` in a child; its pid, or 0 when none could be made (the deadline then goes on).
fn in_child(work: impl FnOnce()) -> i32 {
    match clone3(Parent::Caller, 0, None) {
        Ok(Cloned::Parent { pid, .. }) => pid,
        Ok(Cloned::Child) => {
            signal::reset();
            work();
            process::exit_now(0)
        }
        Err(_) => 0,
    }
}

/// Kills what is left of the containers, writes the disks, and takes every mount away that can
/// be, in reverse order; what is busy becomes read-only by the sync that follows.
fn unmount_all() {
    if let Ok(containers) = cgroup::open_path("containers") {
        let _ = cgroup::kill(containers.as_fd());
    }
    machine::sync();
    for target in mount::points().iter().rev() {
        let _ = mount::unmount(target);
    }
    machine::sync();
}

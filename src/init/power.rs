//! The end of the machine. What can block (sync, unmount, reboot) is done by children.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::time::Duration;

use orlop::ledger::{Action, Due, Frame, GOING, Power, UNMOUNTING, WRITING};

use super::{Init, Place};
use crate::linux::clone::in_child;
use crate::linux::kmsg::{self, Level};
use crate::linux::{cgroup, insist, power as machine, process, time, unmount};

/// What wakes PID 1 by signal: deaths, and requests to end the machine.
pub const SIGNALS: [i32; 4] = [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGPWR];

/// Ctrl-Alt-Del is SIGINT; a failing supply or another init's tool sends SIGPWR.
pub fn action_of(number: i32) -> Option<Action> {
    match number {
        libc::SIGTERM | libc::SIGPWR => Some(Action::PowerOff),
        libc::SIGINT => Some(Action::Reboot),
        _ => None,
    }
}

impl Init {
    /// Latches what is asked; the first request decides what is done at the end.
    pub fn ask_for_power(&mut self, action: Action, now: Duration) {
        if self.power.is_none() {
            let power = Power::asked(action, None, now);
            self.power = Some(power);
            self.telling.power(Frame::Power { action, deadline_us: power.until_us() });
        }
    }

    /// The supervisor was asked by a person, or names the deadline of the configuration.
    pub fn power_from_supervisor(&mut self, action: Action, until: Duration, now: Duration) {
        match &mut self.power {
            None => self.power = Some(Power::asked(action, Some(until), now)),
            Some(power) => power.deadline(until),
        }
    }

    /// Takes the next step of the end when it is due.
    pub fn end_machine(&mut self, now: Duration) {
        let Some(power) = &mut self.power else { return };
        match power.due(now) {
            None => {}
            // The mounts, and what else there is, are another's.
            Some(_) if self.place == Place::Guest => process::exit_now(0),
            Some(Due::Unmount) => {
                power.unmounting(insist(|| in_child(unmount_all)).map_or(0, |child| child.0))
            }
            Some(Due::Reboot) => {
                let action = power.action;
                kmsg::write_args(Level::Info, format_args!("the machine ends: {action:?}"));
                // If there can be none, PID 1 asks itself later.
                let _ = in_child(|| reboot(action));
            }
            Some(Due::RebootItself) => reboot(power.action),
        }
    }
}

fn reboot(action: Action) {
    let _ = match action {
        Action::PowerOff => machine::power_off(),
        Action::Reboot => machine::restart(),
    };
}

/// Kills what is left of the containers, writes the disks, and takes away every mount that can be,
/// in reverse order.
fn unmount_all() {
    if let Ok(containers) = insist(|| cgroup::open_path("containers")) {
        let _ = insist(|| cgroup::kill(containers.as_fd()));
        // What they still had open would be busy, and what they still wrote would not be synced.
        let _ = cgroup::wait_until_empty(containers.as_fd(), GOING);
    }
    let until = |time: Duration| time::since_boot().saturating_add(time);
    unmount::write_all(until(WRITING)).iter().for_each(say);
    unmount::take_all_away(until(UNMOUNTING)).iter().for_each(say);
}

fn say(silent: &CString) {
    kmsg::write_args(Level::Error, format_args!("does not answer at the end of the machine: {silent:?}"));
}

//! What people at the consoles see: Orlop's lines of the kernel's log, PID 1's included, printed by
//! `orlop console`, for which nobody waits.
//!
//! The descriptor of the kernel's log is kept by PID 1: its read position is where the helper before stopped, so nothing is
//! shown twice. The helper reads by itself: no line hangs on a supervisor's life.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::config::LogLevel;
use orlop::ledger::{Child, Kind, Label};

use super::console;
use super::helpers::{Helper, Role};
use super::ledger::{Fds, Ledger};
use super::log_level;
use crate::linux::{Result, kmsg};

/// See `launch::cookie` for those above.
pub const KMSG: u64 = 2;

pub struct Consoles {
    helper: Helper,
    socket: Option<OwnedFd>,
    kmsg: OwnedFd,
    level: LogLevel,
    told: Told,
}

/// Whether the helper knows the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Yes,
    No,
}

impl Consoles {
    /// Goes on where the kernel's log was left, or begins it; the helper is started at `first`.
    ///
    /// # Errors
    /// ENOENT without /dev/kmsg.
    pub fn new(kept: Option<OwnedFd>, level: LogLevel, ledger: &mut Ledger, first: Duration) -> Result<Self> {
        let kmsg = match kept {
            Some(kmsg) => kmsg,
            None => {
                let kmsg = kmsg::open_reader()?;
                let child = Child { cookie: KMSG, kind: Kind::Listener, pid: 0, label: Label::new("kmsg") };
                ledger.register(child, &[kmsg.as_fd()])?;
                kmsg
            }
        };
        Ok(Self { helper: Helper::new(Role::Console, first), socket: None, kmsg, level, told: Told::No })
    }

    /// What is less urgent is not shown.
    pub fn level(&self) -> LogLevel {
        self.level
    }

    pub fn set_level(&mut self, level: LogLevel) {
        self.level = level;
        self.told = Told::No;
        self.tell_level();
    }

    pub fn helper(&mut self) -> &mut Helper {
        &mut self.helper
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.helper.deadline()
    }

    pub fn adopt(&mut self, child: &Child, fds: Fds, now: Duration) {
        if let Some(socket) = self.helper.adopt(child, fds, now) {
            self.is_heard_by(socket);
        }
    }

    /// Starts the helper when there is none.
    pub fn look_after(&mut self, starts: u32, ledger: &mut Ledger, now: Duration) {
        if let Some(socket) = self.helper.look_after(starts, Some(self.kmsg.as_fd()), ledger, now) {
            self.is_heard_by(socket);
        }
        self.tell_level();
    }

    fn is_heard_by(&mut self, socket: OwnedFd) {
        self.socket = Some(socket);
        self.told = Told::No;
        self.tell_level();
    }

    /// A helper that has stopped is told later.
    fn tell_level(&mut self) {
        let Some(socket) = self.socket.as_ref().filter(|_| self.told == Told::No) else { return };
        if console::tell_level(socket.as_fd(), log_level::urgency(self.level)).is_ok() {
            self.told = Told::Yes;
        }
    }
}

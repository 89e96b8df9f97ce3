//! What people at the consoles see: Orlop's lines of the kernel's log, PID 1's included, printed by
//! `orlop console`, for which nobody waits.
//!
//! The descriptor of the kernel's log is kept by PID 1: its read position is where the supervisor
//! before stopped, so nothing is shown twice and nothing is missed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::config::LogLevel;
use orlop::ledger::{Child, Kind, Label};
use orlop::log::{LONGEST_RECORD, Record, Speaker, split_priority};

use super::console::Console;
use super::helpers::{Helper, Role};
use super::ledger::{Fds, Ledger};
use super::log_level;
use crate::linux::{Errno, Result, kmsg, seqpacket};

/// See `launch::cookie` for those above.
pub const KMSG: u64 = 2;
/// Records looked at in one wake-up.
const RECORDS_PER_WAKE: usize = 64;

pub struct Consoles {
    helper: Helper,
    console: Console,
    kmsg: OwnedFd,
    level: LogLevel,
    reading: Reading,
    /// Where records are read to.
    record: Vec<u8>,
}

/// Of the kernel's log: begins with the first helper, so that what was said before is printed too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    NotYet,
    Begun,
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
        let (ours, _) = seqpacket::pair()?;
        Ok(Self {
            helper: Helper::new(Role::Console, first),
            console: Console::new(ours),
            kmsg,
            level,
            reading: Reading::NotYet,
            record: vec![0; LONGEST_RECORD],
        })
    }

    pub fn kmsg(&self) -> BorrowedFd<'_> {
        self.kmsg.as_fd()
    }

    /// What is less urgent is not shown.
    pub fn level(&self) -> LogLevel {
        self.level
    }

    pub fn set_level(&mut self, level: LogLevel) {
        self.level = level;
    }

    pub fn helper(&mut self) -> &mut Helper {
        &mut self.helper
    }

    /// `true` once: there is somebody to print for, and [`Consoles::kmsg`] is to be watched.
    pub fn begins_reading(&mut self) -> bool {
        let begins = self.reading == Reading::NotYet && self.helper.is_up();
        if begins {
            self.reading = Reading::Begun;
        }
        begins
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.helper.deadline()
    }

    pub fn adopt(&mut self, child: &Child, fds: Fds, now: Duration) {
        if let Some(socket) = self.helper.adopt(child, fds, now) {
            self.console.restart(socket);
        }
    }

    /// Starts the helper when there is none.
    pub fn look_after(&mut self, starts: u32, ledger: &mut Ledger, now: Duration) {
        if let Some(socket) = self.helper.look_after(starts, ledger, now) {
            self.console.restart(socket);
        }
    }

    /// Passes on what has come into the kernel's log, if somebody prints.
    pub fn pass_on(&mut self) {
        let level = log_level::urgency(self.level) as u32;
        for _ in 0..RECORDS_PER_WAKE {
            match nix::unistd::read(&self.kmsg, &mut self.record) {
                Ok(size) => {
                    if let Some(line) = line_of(self.record.get(..size).unwrap_or_default(), level) {
                        self.console.send(&line);
                    }
                }
                // What was overwritten before it was read; the next record is there.
                Err(Errno::EPIPE | Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }
}

/// What Orlop says, unless it is less urgent than that.
fn line_of(record: &[u8], level: u32) -> Option<String> {
    let record = Record::parse(record).filter(|record| record.speaker == Speaker::Orlop)?;
    let (priority, text) = split_priority(&record.message);
    (priority? & 7 <= level).then(|| String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consoles_show_what_orlop_says_as_it_was_written() {
        let line = |record: &str| line_of(record.as_bytes(), 6);
        assert_eq!(line("30,1,2,-;orlop: gr\\xc3\\xb6\\xc3\\x9fer\n KEY=x\n").as_deref(), Some("größer"));
        assert_eq!(line("31,1,2,-;orlop: less urgent\n"), None);
        // Whoever else may write there is no daemon of ours.
        assert_eq!(line("14,1,2,-;orlop: forged\n"), None);
        assert_eq!(line("no record"), None);
    }
}

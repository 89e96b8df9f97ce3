//! The loop's side of the helpers: starts them again, watches their sockets, hears of their ends.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use orlop::ledger::Frame;

use super::helpers::{Heard, Helper};
use super::{Agent, Token, say};
use crate::linux::epoll::{Epoll, Interest};
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result};

/// Where room is waited for.
#[derive(Default)]
pub struct Backlogs {
    ledger: bool,
    log: bool,
    pub forward: bool,
    pub keep: bool,
}

fn interest(is_behind: bool) -> Interest {
    if is_behind { Interest::EPOLLIN | Interest::EPOLLOUT } else { Interest::EPOLLIN }
}

/// `known`: whether room is waited for at that helper's socket.
fn watch_for_room(
    epoll: &Epoll,
    (socket, token): (BorrowedFd<'_>, Token),
    is_behind: bool,
    known: &mut bool,
) -> Result<()> {
    if is_behind != *known {
        match epoll.change(socket, interest(is_behind), token.number()) {
            // It ended, or is not started yet.
            Err(Errno::ENOENT) => {}
            other => {
                other?;
                *known = is_behind;
            }
        }
    }
    Ok(())
}

impl Agent {
    pub fn look_after_helpers(&mut self, now: Duration) {
        self.consoles.look_after(self.boot.starts, &mut self.ledger, now);
        if self.logs.look_after(self.boot.starts, &mut self.ledger, now)
            && let Err(errno) = self.watch_log()
        {
            say(Level::Error, &format!("log: {}", errno.desc()));
        }
        self.look_after_forwarder(now);
        self.look_after_keeper(now);
        self.tell_progress(now);
    }

    /// The logger's socket, also a new one: the old one left the epoll when it was closed.
    pub fn watch_log(&mut self) -> Result<()> {
        self.epoll.add(self.logs.socket(), Interest::EPOLLIN, Token::Log.number())?;
        self.backlogs.log = false;
        Ok(())
    }

    /// Waits for room where frames wait for it.
    pub fn watch_backlogs(&mut self) -> Result<()> {
        let is_behind = self.ledger.is_behind();
        if is_behind != self.backlogs.ledger {
            self.epoll.change(self.ledger.socket(), interest(is_behind), Token::Ledger.number())?;
            self.backlogs.ledger = is_behind;
        }
        let (backlogs, epoll) = (&mut self.backlogs, &self.epoll);
        let (logs, forward, keep) = (&self.logs, &self.forwarding.reader, &self.keeping.reader);
        let log = (logs.socket(), Token::Log);
        watch_for_room(epoll, log, logs.is_behind(), &mut backlogs.log)?;
        let forwarder = (forward.socket(), Token::Forward);
        watch_for_room(epoll, forwarder, forward.is_behind(), &mut backlogs.forward)?;
        watch_for_room(epoll, (keep.socket(), Token::Keep), keep.is_behind(), &mut backlogs.keep)?;
        Ok(())
    }

    /// What they gave way to is done.
    pub fn hurry_helpers(&mut self, next: Duration) {
        self.logs.helper().hurry(next);
        self.consoles.helper().hurry(next);
        self.forwarding.reader.helper.hurry(next);
    }

    /// There is more in some logs, or an output has ended.
    pub fn hear_logger(&mut self) {
        let woken = self.logs.hear(&mut self.ledger);
        self.wake_streams(&woken);
        self.forwarding.wake(&woken, &self.logs);
        self.keeping.wake(&woken, &self.logs);
        self.tell_attached();
    }

    /// Frames about a helper are its own business.
    pub fn is_of_a_helper(&mut self, frame: &Frame, now: Duration) -> bool {
        let of = |helper: &mut Helper| Some((helper.hear(frame, now)?, helper.name()));
        // PID 1 holds the sockets too: closing ours would not take them out.
        let heard = if let Some(heard) = of(self.logs.helper()) {
            if heard.0 == Heard::Ended {
                let _ = self.epoll.remove(self.logs.socket());
            }
            heard
        } else if let Some(heard) = of(&mut self.forwarding.reader.helper) {
            if heard.0 == Heard::Ended {
                let _ = self.epoll.remove(self.forwarding.reader.socket());
            }
            heard
        } else if let Some(heard) = of(&mut self.keeping.reader.helper) {
            if heard.0 == Heard::Ended {
                let _ = self.epoll.remove(self.keeping.reader.socket());
            }
            heard
        } else if let Some(heard) = of(self.consoles.helper()) {
            heard
        } else {
            return false;
        };
        if let ((Heard::Ended, name), Frame::Ended { cookie, ended }) = (heard, frame) {
            self.keep_helpers_end(name, *ended, now);
            self.ledger.send(Frame::Recorded { cookie: *cookie });
        }
        true
    }
}

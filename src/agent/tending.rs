//! The loop's side of the helpers: starts them again, watches their sockets, hears of their ends.

use std::time::Duration;

use orlop::ledger::Frame;

use super::helpers::Heard;
use super::{Agent, Token, say};
use crate::linux::epoll::Interest;
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result};

impl Agent {
    pub fn look_after_helpers(&mut self, now: Duration) {
        self.consoles.look_after(self.boot.starts, &mut self.ledger, now);
        self.watch_kmsg();
        if self.logs.look_after(self.boot.starts, &mut self.ledger, now)
            && let Err(errno) = self.watch_log()
        {
            say(Level::Error, &format!("log: {}", errno.desc()));
        }
    }

    pub fn watch_kmsg(&mut self) {
        if self.consoles.begins_reading()
            && let Err(errno) = self.epoll.add(self.consoles.kmsg(), Interest::EPOLLIN, Token::Kmsg.number())
        {
            say(Level::Error, &format!("console: {}", errno.desc()));
        }
    }

    /// The logger's socket, also a new one: the old one left the epoll when it was closed.
    pub fn watch_log(&self) -> Result<()> {
        self.epoll.add(self.logs.socket(), Interest::EPOLLIN, Token::Log.number())
    }

    pub fn flush_logs(&self) -> Result<()> {
        let interest =
            if self.logs.is_behind() { Interest::EPOLLIN | Interest::EPOLLOUT } else { Interest::EPOLLIN };
        match self.epoll.change(self.logs.socket(), interest, Token::Log.number()) {
            // Not started yet.
            Err(Errno::ENOENT) => Ok(()),
            other => other,
        }
    }

    /// Frames about a helper are its own business.
    pub fn is_of_a_helper(&mut self, frame: &Frame, now: Duration) -> bool {
        let heard = match self.logs.helper().hear(frame, now) {
            Some(heard) => {
                if heard == Heard::Ended {
                    // PID 1 holds the socket too: closing ours would not take it out.
                    let _ = self.epoll.remove(self.logs.socket());
                }
                Some(heard)
            }
            None => self.consoles.helper().hear(frame, now),
        };
        if let (Some(Heard::Ended), Frame::Ended { cookie, .. }) = (&heard, frame) {
            self.ledger.send(Frame::Recorded { cookie: *cookie });
        }
        heard.is_some()
    }
}

//! One console: what it has not taken yet, and its descriptor, opened again when it fails.

use std::os::fd::{AsFd, OwnedFd};

use crate::linux::epoll::{Epoll, Interest};
use crate::linux::{Errno, tty};

/// What waits for a console that has stopped, at most: a few screens.
const WAITING_MAX: usize = 16 << 10;

pub(super) struct Terminal {
    token: u64,
    path: String,
    /// `None`: not there, when it was last tried. The next line tries again.
    fd: Option<OwnedFd>,
    waiting: Vec<u8>,
    /// Lines that found no room.
    dropped: u64,
}

/// Whether a line was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Yes,
    No,
}

impl Terminal {
    pub(super) fn new((token, path): (u64, String)) -> Self {
        Self { token, path, fd: None, waiting: Vec::new(), dropped: 0 }
    }

    pub(super) fn token(&self) -> u64 {
        self.token
    }

    /// Whether something waits for room on a console that is there.
    pub(super) fn is_behind(&self) -> bool {
        self.fd.is_some() && !self.waiting.is_empty()
    }

    /// Prints a line, or keeps it for when there is room. A console that is not there needs no lines.
    pub(super) fn print(&mut self, line: &[u8], epoll: &Epoll) -> Kept {
        if self.fd.is_none() && !self.open(epoll) {
            return Kept::Yes;
        }
        if self.waiting.len() > WAITING_MAX {
            return Kept::No;
        }
        if self.dropped > 0 {
            let gap = gap(self.dropped);
            self.dropped = 0;
            self.push(gap.as_bytes());
        }
        self.push(line);
        self.go_on(epoll);
        Kept::Yes
    }

    pub(super) fn count_dropped(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    /// There is room again, or nobody is there any more.
    pub(super) fn woken(&mut self, events: Interest, epoll: &Epoll) {
        if events.intersects(Interest::EPOLLHUP | Interest::EPOLLERR) {
            self.close();
        } else {
            self.go_on(epoll);
        }
    }

    /// Prints what waits, as far as there is room.
    fn go_on(&mut self, epoll: &Epoll) {
        let Some(fd) = &self.fd else { return };
        let mut done = 0;
        let gone = loop {
            let Some(rest) = self.waiting.get(done..).filter(|rest| !rest.is_empty()) else { break false };
            match tty::print(fd.as_fd(), rest) {
                Ok(0) | Err(Errno::EAGAIN) => break false,
                Ok(count) => done = done.saturating_add(count),
                Err(Errno::EINTR) => {}
                Err(_) => break true,
            }
        };
        self.waiting.drain(..done.min(self.waiting.len()));
        let interest = if self.waiting.is_empty() { Interest::empty() } else { Interest::EPOLLOUT };
        if gone || epoll.change(fd.as_fd(), interest, self.token).is_err() {
            self.close();
        }
    }

    fn push(&mut self, line: &[u8]) {
        self.waiting.extend_from_slice(line);
        let raw = self.fd.as_ref().is_some_and(|fd| tty::wants_carriage_return(fd.as_fd()));
        self.waiting.extend_from_slice(if raw { b"\r\n" } else { b"\n" });
    }

    fn open(&mut self, epoll: &Epoll) -> bool {
        let opened = tty::open_to_print(&self.path);
        self.fd = opened.ok().filter(|fd| epoll.add(fd.as_fd(), Interest::empty(), self.token).is_ok());
        self.fd.is_some()
    }

    /// What waited is gone with the line that it was for.
    fn close(&mut self) {
        self.fd = None;
        self.waiting.clear();
    }
}

/// What stands in the place of lines that were not printed.
pub(super) fn gap(lines: u64) -> String {
    format!("({lines} lines were not shown: the console is slower than what there is to say)")
}

//! What a start says, in an order that can be acted upon.
//!
//! Setup tells that the container exists, and the container itself whatever comes next: on a busy
//! computer the second may be heard before the first.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::failure::{Failure, Result, at};
use crate::engine::{self, Report, Starting};
use crate::linux::{Errno, pidfd};

pub(crate) struct Reports<'a> {
    from: BorrowedFd<'a>,
    /// Who tells that the container exists, until that is told.
    setup: Option<BorrowedFd<'a>>,
    /// What came too early.
    early: VecDeque<Report>,
}

impl<'a> Reports<'a> {
    pub(crate) fn of(starting: &'a Starting) -> Self {
        let setup = Some(starting.setup.as_fd());
        Self { from: starting.report.as_fd(), setup, early: VecDeque::new() }
    }

    /// Of a container that is known.
    pub(crate) fn later(from: BorrowedFd<'a>) -> Self {
        Self { from, setup: None, early: VecDeque::new() }
    }

    /// Waits for the next.
    ///
    /// # Errors
    /// Setup was killed before it could tell.
    pub(crate) fn next(&mut self) -> Result<Report> {
        loop {
            if self.setup.is_none()
                && let Some(report) = self.early.pop_front()
            {
                return Ok(report);
            }
            // Looked at first: what it said before its end is there then.
            let setup_is_gone = self.setup.is_some_and(|it| pidfd::has_ended(it) == Ok(true));
            match engine::receive(self.from) {
                Ok(report @ Report::Container { .. }) => {
                    self.setup = None;
                    return Ok(report);
                }
                Ok(report @ (Report::Failed(_) | Report::Closed)) => return Ok(report),
                Ok(report) if self.setup.is_none() => return Ok(report),
                Ok(report) => self.early.push_back(report),
                // It died with something of ours unread.
                Err(Errno::ECONNRESET) => return Ok(Report::Closed),
                Err(Errno::EAGAIN) if setup_is_gone => {
                    return Err(Failure::new("what makes the container was killed"));
                }
                Err(Errno::EAGAIN) => self.wait()?,
                Err(errno) => return Err(at("the container")(errno)),
            }
        }
    }

    fn wait(&self) -> Result<()> {
        let mut waited = vec![PollFd::new(self.from, PollFlags::POLLIN)];
        waited.extend(self.setup.map(|it| PollFd::new(it, PollFlags::POLLIN)));
        match poll(&mut waited, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(at("poll")(errno)),
        }
    }
}

#[path = "reports_tests.rs"]
#[cfg(test)]
mod tests;

//! epoll(7) with tokens of the caller's choice. An instance can itself be watched by another one.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::sys::epoll::{Epoll as NixEpoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::{Errno, Result, insist};

/// What is waited for.
pub type Interest = EpollFlags;

/// Something to read, told once: all of it is read then. A child that was made before we closed it has it open
/// for a moment more, and of its end nobody is to be told again and again until then.
pub const NEWS: Interest = Interest::EPOLLIN.union(Interest::EPOLLET);

/// Enough to see every kind of event in a wake-up; the rest comes in the next.
pub const EVENTS_PER_WAKE: usize = 32;

#[derive(Debug)]
pub struct Epoll(NixEpoll);

impl Epoll {
    /// # Errors
    /// EMFILE, ENOMEM.
    pub fn new() -> Result<Self> {
        NixEpoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map(Self)
    }

    /// # Errors
    /// As epoll_ctl(2).
    pub fn add(&self, fd: BorrowedFd<'_>, interest: Interest, token: u64) -> Result<()> {
        self.0.add(fd, EpollEvent::new(interest, token))
    }

    /// # Errors
    /// As epoll_ctl(2).
    pub fn change(&self, fd: BorrowedFd<'_>, interest: Interest, token: u64) -> Result<()> {
        self.0.modify(fd, &mut EpollEvent::new(interest, token))
    }

    /// Needed before a close: a child that was cloned in between keeps the description open, and
    /// epoll would go on telling of it, to whom nobody can say any more that it should not.
    ///
    /// # Errors
    /// ENOENT when it is not there.
    pub fn remove(&self, fd: BorrowedFd<'_>) -> Result<()> {
        insist(|| self.0.delete(fd))
    }

    /// Waits for events, at most `timeout` (`None`: for ever; rounded up to whole milliseconds).
    ///
    /// # Errors
    /// As epoll_wait(2); EINTR is no error but no event.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Ready> {
        let timeout = match timeout {
            None => EpollTimeout::NONE,
            Some(time) => {
                let ms = time.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128) as i32;
                EpollTimeout::try_from(ms).unwrap_or(EpollTimeout::ZERO)
            }
        };
        let mut events = [EpollEvent::empty(); EVENTS_PER_WAKE];
        match self.0.wait(&mut events, timeout) {
            Ok(count) => Ok(Ready { events, count }),
            Err(Errno::EINTR) => Ok(Ready { events, count: 0 }),
            Err(errno) => Err(errno),
        }
    }
}

/// Readable while anything watched is ready.
impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

/// What one wake-up brought.
#[derive(Debug)]
pub struct Ready {
    events: [EpollEvent; EVENTS_PER_WAKE],
    count: usize,
}

impl Ready {
    pub fn iter(&self) -> impl Iterator<Item = (u64, Interest)> + '_ {
        self.events.iter().take(self.count).map(|event| (event.data(), event.events()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::{fd, seqpacket};

    /// How often of ten times its end is told, after it was closed here and is open elsewhere.
    fn told_of_the_end(interest: Interest) -> usize {
        let epoll = Epoll::new().unwrap();
        let (ours, theirs) = seqpacket::pair().unwrap();
        epoll.add(ours.as_fd(), interest, 7).unwrap();
        let of_a_child = fd::copy(ours.as_fd()).unwrap();
        drop((ours, theirs));
        let told = (0..10).filter(|_| epoll.wait(Some(Duration::ZERO)).unwrap().iter().count() == 1).count();
        drop(of_a_child);
        told
    }

    #[test]
    fn an_end_that_was_told_is_not_told_on_behalf_of_a_child() {
        assert_eq!(told_of_the_end(NEWS), 1);
        assert_eq!(told_of_the_end(Interest::EPOLLIN), 10, "what NEWS is for");
    }
}

//! An epoll instance: which descriptors can be read or written now.
//!
//! Descriptors are told apart by a token that the caller chooses; one that it does not know any
//! more is its own to ignore. An instance can itself be watched by another one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// What to wait for. A hang-up is told in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    Nothing,
    Read,
    Write,
    ReadAndWrite,
}

impl Interest {
    fn flags(self) -> EpollFlags {
        match self {
            Self::Nothing => EpollFlags::empty(),
            Self::Read => EpollFlags::EPOLLIN,
            Self::Write => EpollFlags::EPOLLOUT,
            Self::ReadAndWrite => EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT,
        }
    }
}

/// What can be done with a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) token: u64,
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// Both directions are over (EPOLLHUP), or it is broken (EPOLLERR).
    pub(crate) hung_up: bool,
}

#[derive(Debug)]
pub(crate) struct Readiness(Epoll);

impl Readiness {
    /// `epoll_create1(EPOLL_CLOEXEC)`, see epoll_create(2).
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
    }

    /// Level-triggered: told again until it is no longer so. EPOLL_CTL_ADD, see epoll_ctl(2).
    pub(crate) fn watch(&self, fd: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<()> {
        Ok(self.0.add(fd, EpollEvent::new(interest.flags(), token))?)
    }

    /// Edge-triggered, in both directions: told once for each change.
    pub(crate) fn watch_edges(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let flags = Interest::ReadAndWrite.flags() | EpollFlags::EPOLLET;
        Ok(self.0.add(fd, EpollEvent::new(flags, token))?)
    }

    /// EPOLL_CTL_MOD of one that is watched by level.
    pub(crate) fn change(&self, fd: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<()> {
        Ok(self.0.modify(fd, &mut EpollEvent::new(interest.flags(), token))?)
    }

    /// EPOLL_CTL_DEL. Needed before a close: a child that was cloned in between keeps the
    /// description open, and epoll would go on telling of it.
    pub(crate) fn forget(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(self.0.delete(fd)?)
    }

    /// At most `N` of those that are ready now, without waiting.
    pub(crate) fn ready<const N: usize>(&self) -> io::Result<Vec<Ready>> {
        self.ready_within::<N>(Duration::ZERO)
    }

    /// At most `N` of those that are ready, none when the time is over or a signal came. See
    /// epoll_wait(2).
    pub(crate) fn ready_within<const N: usize>(&self, time: Duration) -> io::Result<Vec<Ready>> {
        let mut events = [EpollEvent::empty(); N];
        // Milliseconds, rounded up so that a deadline has passed when this returns; over 24 days
        // it returns early, which its caller finds out.
        let millis = time.as_nanos().div_ceil(1_000_000);
        let timeout = EpollTimeout::try_from(millis).unwrap_or(EpollTimeout::MAX);
        let count = match self.0.wait(&mut events, timeout) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        let broken = EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        let ready = events.iter().take(count).map(|event| Ready {
            token: event.data(),
            read: event.events().contains(EpollFlags::EPOLLIN),
            write: event.events().contains(EpollFlags::EPOLLOUT),
            hung_up: event.events().intersects(broken),
        });
        Ok(ready.collect())
    }
}

/// Readable while anything watched is ready.
impl AsFd for Readiness {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

//! A socket to a collector: made, watched, given up and made again, never waited for.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::config::{Forward, Transport};

use crate::linux::epoll::{Epoll, Interest};
use crate::linux::{Errno, Result, internet};

/// Before the first try again; doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A link over which nothing has come through for so long is cut.
const SILENCE: Duration = Duration::from_secs(30);

/// What a collector may say to us, which nobody listens to.
const NOISE: usize = 4096;

#[derive(Debug)]
pub(super) enum State {
    Down { until: Duration },
    Connecting { socket: OwnedFd },
    Up { socket: OwnedFd },
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) to: Forward,
    token: u64,
    pub(super) state: State,
    pause: Duration,
}

impl Link {
    pub(super) fn new(to: Forward, token: u64) -> Self {
        Self { to, token, state: State::Down { until: Duration::ZERO }, pause: FIRST_PAUSE }
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::Down { until } => Some(until),
            State::Connecting { .. } | State::Up { .. } => None,
        }
    }

    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Up { socket } => Some(socket.as_fd()),
            State::Down { .. } | State::Connecting { .. } => None,
        }
    }

    /// Tries to connect, when it is time.
    pub(super) fn tend(&mut self, epoll: &Epoll, now: Duration) {
        match self.state {
            State::Down { until } if until <= now => {}
            State::Down { .. } | State::Connecting { .. } | State::Up { .. } => return,
        }
        let connected = match self.to.transport {
            Transport::Udp => internet::connect_udp(&self.to.to).map(|socket| State::Up { socket }),
            Transport::Tcp => {
                internet::connect_tcp(&self.to.to, SILENCE).map(|socket| State::Connecting { socket })
            }
        };
        let watched = connected.and_then(|state| {
            if let State::Up { socket } | State::Connecting { socket } = &state {
                let all = Interest::EPOLLIN | Interest::EPOLLOUT | Interest::EPOLLRDHUP | Interest::EPOLLET;
                epoll.add(socket.as_fd(), all, self.token)?;
            }
            Ok(state)
        });
        match watched {
            Ok(state) => self.state = state,
            Err(_) => self.give_up(now),
        }
    }

    /// The other side took something: the next trouble is a new one.
    pub(super) fn works(&mut self) {
        self.pause = FIRST_PAUSE;
    }

    pub(super) fn give_up(&mut self, now: Duration) {
        self.state = State::Down { until: now.saturating_add(self.pause) };
        self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
    }

    /// Something happened at the socket: whether it is, or has become, one to send by.
    ///
    /// # Errors
    /// Why it is none any more.
    pub(super) fn woken(&mut self, events: Interest) -> Result<bool> {
        let socket = match &self.state {
            State::Down { .. } => return Ok(false),
            State::Connecting { socket } | State::Up { socket } => socket,
        };
        if events.intersects(Interest::EPOLLERR | Interest::EPOLLHUP | Interest::EPOLLOUT) {
            internet::take_error(socket.as_fd())?;
        }
        if matches!(self.state, State::Connecting { .. }) && !events.contains(Interest::EPOLLOUT) {
            return Ok(false);
        }
        if events.contains(Interest::EPOLLIN) {
            let mut noise = [0; NOISE];
            match crate::linux::fd::read(socket.as_fd(), &mut noise) {
                Ok(0) if self.to.transport == Transport::Tcp => return Err(Errno::EPIPE),
                Ok(_) | Err(Errno::EAGAIN) => {}
                Err(errno) => return Err(errno),
            }
        }
        if events.contains(Interest::EPOLLRDHUP) {
            return Err(Errno::EPIPE);
        }
        let before = core::mem::replace(&mut self.state, State::Down { until: Duration::ZERO });
        self.state = match before {
            State::Connecting { socket } => State::Up { socket },
            other @ (State::Up { .. } | State::Down { .. }) => other,
        };
        Ok(true)
    }
}

//! A socket to a collector: made, watched, given up and made again, never waited for.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::config::{Forward, Transport};

use super::on_its_way::REFUSED_WITHIN;
use crate::linux::epoll::{Epoll, Interest};
use crate::linux::{Errno, Result, internet};

/// Before the first try again; doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A link over which nothing has come through for so long is cut.
const SILENCE: Duration = Duration::from_secs(30);

/// One that was down and has lasted for so long works again: one that comes and goes is said to be down once.
const STEADY: Duration = REFUSED_WITHIN;
/// Of the kernel, for what a stream has not delivered: what a ring holds, which is there until then. At 20 ms to the other
/// side it is 12 MB a second.
const MEMORY: usize = 256 << 10;

/// What a collector may say to us, which nobody listens to.
const NOISE: usize = 4096;

#[derive(Debug)]
pub(super) enum State {
    Down { until: Duration },
    Connecting { socket: OwnedFd },
    Up { socket: OwnedFd, since: Duration },
}

/// What people know of a link: it works, unless they were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Works,
    IsDown,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) to: Forward,
    token: u64,
    pub(super) state: State,
    pause: Duration,
    told: Told,
    /// To be told: why it is down, or 0.
    news: Option<i32>,
}

impl Link {
    pub(super) fn new(to: Forward, token: u64) -> Self {
        let state = State::Down { until: Duration::ZERO };
        Self { to, token, state, pause: FIRST_PAUSE, told: Told::Works, news: None }
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::Down { until } => Some(until),
            State::Up { since, .. } if self.told == Told::IsDown => Some(since.saturating_add(STEADY)),
            State::Connecting { .. } | State::Up { .. } => None,
        }
    }

    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Up { socket, .. } => Some(socket.as_fd()),
            State::Down { .. } | State::Connecting { .. } => None,
        }
    }

    /// Tries to connect, when it is time.
    pub(super) fn tend(&mut self, epoll: &Epoll, now: Duration) {
        match self.state {
            State::Down { until } if until <= now => {}
            State::Up { since, .. } if since.saturating_add(STEADY) <= now => return self.lasts(),
            State::Down { .. } | State::Connecting { .. } | State::Up { .. } => return,
        }
        let connected = match self.to.transport {
            Transport::Udp => {
                internet::connect_udp(&self.to.to).map(|socket| State::Up { socket, since: now })
            }
            Transport::Tcp => {
                internet::connect_tcp(&self.to.to, SILENCE, MEMORY).map(|socket| State::Connecting { socket })
            }
        };
        let watched = connected.and_then(|state| {
            if let State::Up { socket, .. } | State::Connecting { socket } = &state {
                let all = Interest::EPOLLIN | Interest::EPOLLOUT | Interest::EPOLLRDHUP | Interest::EPOLLET;
                epoll.add(socket.as_fd(), all, self.token)?;
            }
            Ok(state)
        });
        match watched {
            Ok(state) => self.state = state,
            Err(errno) => self.give_up(errno, now),
        }
    }

    /// The other side took something: the next trouble is a new one.
    pub(super) fn works(&mut self) {
        self.pause = FIRST_PAUSE;
    }

    fn lasts(&mut self) {
        if self.told == Told::IsDown {
            (self.told, self.news) = (Told::Works, Some(0));
        }
    }

    /// What people should be told, once.
    pub(super) fn news(&mut self) -> Option<i32> {
        self.news.take()
    }

    pub(super) fn give_up(&mut self, why: Errno, now: Duration) {
        if self.told == Told::Works {
            (self.told, self.news) = (Told::IsDown, Some(why as i32));
        }
        self.state = State::Down { until: now.saturating_add(self.pause) };
        self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
    }

    /// Something happened at the socket: whether it is, or has become, one to send by.
    ///
    /// # Errors
    /// Why it is none any more.
    pub(super) fn woken(&mut self, events: Interest, now: Duration) -> Result<bool> {
        let socket = match &self.state {
            State::Down { .. } => return Ok(false),
            State::Connecting { socket } | State::Up { socket, .. } => socket,
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
            State::Connecting { socket } => State::Up { socket, since: now },
            other @ (State::Up { .. } | State::Down { .. }) => other,
        };
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_link_that_comes_and_goes_is_said_to_be_down_once_and_to_work_once_it_lasts() {
        let epoll = Epoll::new().unwrap();
        let to = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut link = Link::new(Forward { transport: Transport::Udp, to }, 1);
        let mut now = Duration::from_secs(100);
        link.tend(&epoll, now);
        assert_eq!((link.socket().is_some(), link.news(), link.deadline()), (true, None, None));
        for expected in [Some(Errno::ECONNREFUSED as i32), None, None] {
            link.give_up(Errno::ECONNREFUSED, now);
            assert_eq!(link.news(), expected);
            now = link.deadline().unwrap();
            link.tend(&epoll, now);
            assert_eq!(link.news(), None);
        }
        now = link.deadline().unwrap();
        link.tend(&epoll, now);
        assert_eq!((link.news(), link.deadline()), (Some(0), None));
        link.tend(&epoll, now.saturating_mul(2));
        assert_eq!(link.news(), None);
        link.give_up(Errno::EPIPE, now);
        assert_eq!(link.news(), Some(Errno::EPIPE as i32));
    }
}

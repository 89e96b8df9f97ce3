//! A socket to a collector: made, watched, given up and made again, never waited for.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::config::{Collector, TlsCollector};

use super::on_its_way::REFUSED_WITHIN;
use super::pump::{Pump, Speaker};
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

/// For a session of TLS to be made: to look up a name, to connect, to agree.
const AGREED_WITHIN: Duration = Duration::from_secs(90);

/// For the files that a session of TLS takes to come. Whoever gives none at all is of an earlier release.
const FILES_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) enum State {
    Down {
        until: Duration,
    },
    /// For the files of a session of TLS, which may be others each time.
    Asking {
        until: Duration,
    },
    Connecting {
        by: Socket,
        until: Option<Duration>,
    },
    Up {
        by: Socket,
        since: Duration,
    },
}

#[derive(Debug)]
pub(super) enum Socket {
    /// To the collector.
    Own(OwnedFd),
    /// To who speaks TLS with it.
    Pumped(Pump),
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Own(socket) => socket.as_fd(),
            Self::Pumped(pump) => pump.link(),
        }
    }
}

/// What is wrong with a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    Errno(Errno),
    /// In the words of a pump.
    Said(String),
}

impl From<Errno> for Why {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// What people know of a link: it works, unless they were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Works,
    IsDown,
}

/// What people should be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    Works,
    IsDown(Why),
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) to: Collector,
    /// Of TLS, as it was given last.
    speaker: Option<Speaker>,
    asks: bool,
    token: u64,
    pub(super) state: State,
    pause: Duration,
    told: Told,
    /// The reason that was told last, in the words of a pump: another one is worth telling.
    reason: Option<String>,
    news: Option<News>,
}

impl Link {
    pub(super) fn new(to: Collector, speaker: Option<Speaker>, token: u64) -> Self {
        let state = State::Down { until: Duration::ZERO };
        Self {
            to,
            speaker,
            asks: false,
            token,
            state,
            pause: FIRST_PAUSE,
            told: Told::Works,
            reason: None,
            news: None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::Down { until } | State::Asking { until } => Some(until),
            State::Connecting { until, .. } => until,
            State::Up { since, .. } if self.told == Told::IsDown => Some(since.saturating_add(STEADY)),
            State::Up { .. } => None,
        }
    }

    /// What is sent by it is on its way.
    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Up { by, .. } => Some(by.as_fd()),
            State::Down { .. } | State::Asking { .. } | State::Connecting { .. } => None,
        }
    }

    /// Whether there is somebody who tells what has arrived.
    pub(super) fn tells(&self) -> bool {
        matches!(self.to, Collector::Tls(_))
    }

    /// Bytes of a stream that the other side has, of all that were written.
    pub(super) fn arrived(&self, written: u64) -> u64 {
        match &self.state {
            State::Up { by: Socket::Own(socket), .. } => {
                let waits = internet::unacknowledged(socket.as_fd()).unwrap_or(written);
                written.saturating_sub(waits)
            }
            State::Up { by: Socket::Pumped(pump), .. } => pump.arrived.min(written),
            State::Down { .. } | State::Asking { .. } | State::Connecting { .. } => 0,
        }
    }

    /// Whether it has begun to wait for files, once.
    pub(super) fn asks_for_files(&mut self) -> bool {
        core::mem::take(&mut self.asks)
    }

    /// What was asked for, or why it is not there.
    pub(super) fn files(&mut self, files: core::result::Result<Speaker, Why>, now: Duration) {
        let is_awaited = matches!(self.state, State::Asking { .. });
        match files {
            Ok(speaker) => {
                self.speaker = Some(speaker);
                if is_awaited {
                    self.state = State::Asking { until: now };
                }
            }
            Err(why) => {
                self.speaker = None;
                if is_awaited {
                    self.give_up(why, now);
                }
            }
        }
    }

    /// Who tells it does not know what was asked for.
    pub(super) fn told_again(&mut self, speaker: Option<Speaker>) {
        self.speaker = speaker.or(self.speaker.take());
        self.asks = matches!(self.state, State::Asking { .. });
    }

    /// Tries to connect, when it is time.
    pub(super) fn tend(&mut self, epoll: &Epoll, now: Duration) {
        match self.state {
            State::Down { until } if until <= now && matches!(self.to, Collector::Tls(_)) => {
                self.state = State::Asking { until: now.saturating_add(FILES_WITHIN) };
                self.asks = true;
                return;
            }
            State::Down { until } | State::Asking { until } if until <= now => {}
            State::Connecting { until: Some(until), .. } if until <= now => {
                return self.give_up(Why::Errno(Errno::ETIMEDOUT), now);
            }
            State::Up { since, .. } if since.saturating_add(STEADY) <= now => return self.lasts(),
            State::Down { .. } | State::Asking { .. } | State::Connecting { .. } | State::Up { .. } => return,
        }
        let watched = self.connect(now).and_then(|state| {
            if let State::Up { by, .. } | State::Connecting { by, .. } = &state {
                let all = Interest::EPOLLIN | Interest::EPOLLOUT | Interest::EPOLLRDHUP | Interest::EPOLLET;
                epoll.add(by.as_fd(), all, self.token)?;
            }
            Ok(state)
        });
        match watched {
            Ok(state) => self.state = state,
            Err(errno) => self.give_up(Why::Errno(errno), now),
        }
    }

    fn connect(&self, now: Duration) -> Result<State> {
        match &self.to {
            Collector::Udp(to) => {
                internet::connect_udp(to).map(|socket| State::Up { by: Socket::Own(socket), since: now })
            }
            Collector::Tcp(to) => internet::connect_tcp(to, SILENCE, MEMORY)
                .map(|socket| State::Connecting { by: Socket::Own(socket), until: None }),
            Collector::Tls(to) => self.speak(to).map(|pump| {
                let until = Some(now.saturating_add(AGREED_WITHIN));
                State::Connecting { by: Socket::Pumped(pump), until }
            }),
        }
    }

    /// Nobody has answered, when there is nothing to speak with.
    fn speak(&self, to: &TlsCollector) -> Result<Pump> {
        self.speaker.as_ref().ok_or(Errno::ETIMEDOUT)?.start(to)
    }

    /// The other side took something: the next trouble is a new one.
    pub(super) fn works(&mut self) {
        self.pause = FIRST_PAUSE;
    }

    fn lasts(&mut self) {
        if self.told == Told::IsDown {
            (self.told, self.reason, self.news) = (Told::Works, None, Some(News::Works));
        }
    }

    /// What people should be told, once.
    pub(super) fn news(&mut self) -> Option<News> {
        self.news.take()
    }

    pub(super) fn give_up(&mut self, why: Why, now: Duration) {
        let reason = match &why {
            Why::Said(reason) => Some(reason.clone()),
            Why::Errno(_) => None,
        };
        if self.told == Told::Works || (reason.is_some() && reason != self.reason) {
            (self.told, self.reason, self.news) = (Told::IsDown, reason, Some(News::IsDown(why)));
        }
        self.state = State::Down { until: now.saturating_add(self.pause) };
        self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
    }

    /// Why it is really down: a pump that has ended says more than its socket does.
    pub(super) fn last_words(&mut self, why: Why, now: Duration) -> Why {
        match (&why, &mut self.state) {
            (Why::Errno(_), State::Up { by: Socket::Pumped(_), .. }) => {
                self.woken(Interest::empty(), now).err().unwrap_or(why)
            }
            _ => why,
        }
    }

    /// Something happened at the socket: whether it is, or has become, one to send by.
    ///
    /// # Errors
    /// Why it is none any more.
    pub(super) fn woken(&mut self, events: Interest, now: Duration) -> core::result::Result<bool, Why> {
        let is_ready = match &mut self.state {
            State::Down { .. } | State::Asking { .. } => return Ok(false),
            State::Connecting { by: Socket::Own(socket), .. } if !events.contains(Interest::EPOLLOUT) => {
                if events.intersects(Interest::EPOLLERR | Interest::EPOLLHUP) {
                    internet::take_error(socket.as_fd())?;
                }
                false
            }
            State::Connecting { by: Socket::Own(socket), .. } | State::Up { by: Socket::Own(socket), .. } => {
                look_at(socket.as_fd(), events, &self.to)?;
                true
            }
            State::Connecting { by: Socket::Pumped(pump), .. }
            | State::Up { by: Socket::Pumped(pump), .. } => {
                pump.hear()?;
                pump.is_up
            }
        };
        let before = core::mem::replace(&mut self.state, State::Down { until: Duration::ZERO });
        self.state = match before {
            State::Connecting { by, .. } if is_ready => State::Up { by, since: now },
            other @ (State::Connecting { .. }
            | State::Up { .. }
            | State::Down { .. }
            | State::Asking { .. }) => other,
        };
        Ok(is_ready)
    }
}

fn look_at(socket: BorrowedFd<'_>, events: Interest, to: &Collector) -> Result<()> {
    if events.intersects(Interest::EPOLLERR | Interest::EPOLLHUP | Interest::EPOLLOUT) {
        internet::take_error(socket)?;
    }
    if events.contains(Interest::EPOLLIN) {
        let mut noise = [0; NOISE];
        match crate::linux::fd::read(socket, &mut noise) {
            Ok(0) if !matches!(to, Collector::Udp(_)) => return Err(Errno::EPIPE),
            Ok(_) | Err(Errno::EAGAIN) => {}
            Err(errno) => return Err(errno),
        }
    }
    if events.contains(Interest::EPOLLRDHUP) {
        return Err(Errno::EPIPE);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_link_that_comes_and_goes_is_said_to_be_down_once_and_to_work_once_it_lasts() {
        let epoll = Epoll::new().unwrap();
        let to = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut link = Link::new(Collector::Udp(to), None, 1);
        let mut now = Duration::from_secs(100);
        link.tend(&epoll, now);
        assert_eq!((link.socket().is_some(), link.news(), link.deadline()), (true, None, None));
        let refused = || Why::Errno(Errno::ECONNREFUSED);
        for expected in [Some(News::IsDown(refused())), None, None] {
            link.give_up(refused(), now);
            assert_eq!(link.news(), expected);
            now = link.deadline().unwrap();
            link.tend(&epoll, now);
            assert_eq!(link.news(), None);
        }
        now = link.deadline().unwrap();
        link.tend(&epoll, now);
        assert_eq!((link.news(), link.deadline()), (Some(News::Works), None));
        link.tend(&epoll, now.saturating_mul(2));
        assert_eq!(link.news(), None);
        link.give_up(Why::Errno(Errno::EPIPE), now);
        assert_eq!(link.news(), Some(News::IsDown(Why::Errno(Errno::EPIPE))));
    }

    #[test]
    fn another_reason_in_the_words_of_a_pump_is_told_and_the_same_is_not() {
        let collector = TlsCollector { host: "192.0.2.1".into(), port: 6514, server_name: None };
        let mut link = Link::new(Collector::Tls(collector), None, 1);
        let mut told = |why: &Why| {
            link.give_up(why.clone(), Duration::ZERO);
            link.news().is_some()
        };
        let [clock, expired] = ["the clock", "expired"].map(|text| Why::Said(text.into()));
        let cut = Why::Errno(Errno::EPIPE);
        let all = [&cut, &clock, &clock, &cut, &clock, &expired, &cut, &cut];
        assert_eq!(all.map(&mut told), [true, true, false, false, false, true, false, false]);
    }
}

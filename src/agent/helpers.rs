//! Helper processes: one role of this binary each, children of PID 1, started again when they die.
//!
//! A helper outlives the supervisor: PID 1 keeps its pidfd and our end of its socket.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::ledger::{Child, Ended, Frame, Kind, Label};

use super::ledger::{Fds, Ledger};
use super::say;
use crate::linux::clone::{Cloned, Parent, clone3, flags};
use crate::linux::kmsg::Level;
use crate::linux::{Result, cgroup, fd, pidfd, process, seqpacket, signal};

/// Where a helper finds its socket, and behind it what else it is given.
const HELPER_FD: i32 = 3;
/// A helper that lived this long was healthy.
const HEALTHY: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What a helper is for: the role of this binary that it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Log,
    Forward,
    Console,
    Keep,
}

impl Role {
    const ALL: [Self; 4] = [Self::Log, Self::Forward, Self::Console, Self::Keep];
    /// Each has as many numbers of its own: nobody is taken for another one, however often they died.
    const NUMBERS: u16 = 1 << 14;

    fn word(self) -> &'static CStr {
        match self {
            Self::Log => c"log",
            Self::Forward => c"forward",
            Self::Console => c"console",
            Self::Keep => c"keep",
        }
    }

    /// The number of the one that is started so many times after the first.
    fn number(self, starts: u16) -> u16 {
        let behind = Self::ALL.iter().take_while(|role| **role != self).count() as u16;
        behind * Self::NUMBERS + starts % Self::NUMBERS
    }
}

enum State {
    /// Waits at its barrier until PID 1 keeps it.
    Registering {
        pidfd: OwnedFd,
        barrier: OwnedFd,
        since: Duration,
    },
    Running {
        pidfd: OwnedFd,
        since: Duration,
    },
    Pausing {
        until: Duration,
    },
}

/// What a frame meant for a helper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    Kept,
    Ended,
}

pub struct Helper {
    role: Role,
    cookie: u64,
    /// By this supervisor.
    starts: u16,
    state: State,
    deaths: u32,
}

impl Helper {
    /// One that is started at `first`, or when it is looked after in a [`Helper::hurry`].
    pub fn new(role: Role, first: Duration) -> Self {
        Self { role, cookie: 0, starts: 0, state: State::Pausing { until: first }, deaths: 0 }
    }

    /// What its first start gave way to is done: it is made at `next`, if that is earlier.
    pub fn hurry(&mut self, next: Duration) {
        if let State::Pausing { until } = &mut self.state
            && self.deaths == 0
        {
            *until = next.min(*until);
        }
    }

    pub fn name(&self) -> &'static str {
        self.role.word().to_str().unwrap_or_default()
    }

    /// Takes over what PID 1 kept; the socket to it.
    pub fn adopt(&mut self, child: &Child, fds: Fds, now: Duration) -> Option<OwnedFd> {
        let [pidfd, socket, ..] = fds;
        let (pidfd, socket) = (pidfd?, socket?);
        self.cookie = child.cookie;
        self.state = State::Running { pidfd, since: now };
        Some(socket)
    }

    /// What PID 1 says about it; `None`: the frame is not about it.
    pub fn hear(&mut self, frame: &Frame, now: Duration) -> Option<Heard> {
        match *frame {
            Frame::Registered { cookie } if cookie == self.cookie => {
                self.registered();
                Some(Heard::Kept)
            }
            Frame::Gone { cookie } | Frame::Refused { cookie } if cookie == self.cookie => {
                self.ended(None, now);
                Some(Heard::Ended)
            }
            Frame::Ended { cookie, ended } if cookie == self.cookie => {
                self.ended(Some(ended), now);
                Some(Heard::Ended)
            }
            _ => None,
        }
    }

    pub fn is_up(&self) -> bool {
        match self.state {
            State::Registering { .. } | State::Running { .. } => true,
            State::Pausing { .. } => false,
        }
    }

    pub fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::Pausing { until } => Some(until),
            State::Registering { .. } | State::Running { .. } => None,
        }
    }

    /// Starts it when there is none and its time has come: our end of its new socket. `supervisor_starts`: so many
    /// supervisors there have been. `gift`: what it is given besides.
    pub fn look_after(
        &mut self,
        supervisor_starts: u32,
        gift: Option<BorrowedFd<'_>>,
        ledger: &mut Ledger,
        now: Duration,
    ) -> Option<OwnedFd> {
        let State::Pausing { until } = self.state else { return None };
        if until > now {
            return None;
        }
        let next = self.starts.wrapping_add(1);
        match self.spawn(cookie(supervisor_starts, self.role.number(next)), gift, ledger, now) {
            Ok(socket) => {
                self.starts = next;
                Some(socket)
            }
            Err(errno) => {
                say(Level::Error, &format!("{}: cannot be started: {}", self.name(), errno.desc()));
                self.pause(now);
                None
            }
        }
    }

    fn spawn(
        &mut self,
        cookie: u64,
        gift: Option<BorrowedFd<'_>>,
        ledger: &mut Ledger,
        now: Duration,
    ) -> Result<OwnedFd> {
        let (ours, theirs) = seqpacket::pair()?;
        let (wait, barrier) = fd::pipe()?;
        let group = cgroup::open_path("orlop").and_then(|orlop| cgroup::make(orlop.as_fd(), self.name()))?;
        match clone3(Parent::CallersParent, flags::INTO_CGROUP, Some(group.as_fd()))? {
            Cloned::Child => {
                drop(barrier);
                signal::reset();
                let _ = process::new_session();
                // Nobody opens it when the supervisor dies before PID 1 knows us.
                let may_go_on = matches!(fd::read(wait.as_fd(), &mut [0u8; 1]), Ok(1));
                let given = [theirs.as_fd()].into_iter().chain(gift);
                if !may_go_on || fd::place(given, HELPER_FD).is_err() {
                    process::exit_now(126);
                }
                let argv = [c"orlop".to_owned(), self.role.word().to_owned()];
                process::exec_path(c"/proc/self/exe", &argv, &[]);
                process::exit_now(127)
            }
            Cloned::Parent { pid, pidfd } => {
                let child = Child { cookie, kind: Kind::Helper, pid, label: Label::new(self.name()) };
                ledger.register(child, &[pidfd.as_fd(), ours.as_fd()])?;
                self.cookie = cookie;
                self.state = State::Registering { pidfd, barrier, since: now };
                Ok(ours)
            }
        }
    }

    /// PID 1 keeps it: it may go on.
    fn registered(&mut self) {
        let state = core::mem::replace(&mut self.state, State::Pausing { until: Duration::ZERO });
        self.state = match state {
            State::Registering { pidfd, barrier, since } => {
                if let Err(errno) = nix::unistd::write(&barrier, b"g") {
                    say(Level::Error, &format!("{}: {}", self.name(), errno.desc()));
                }
                State::Running { pidfd, since }
            }
            other @ (State::Running { .. } | State::Pausing { .. }) => other,
        };
    }

    /// It is dead, or was never kept.
    fn ended(&mut self, ended: Option<Ended>, now: Duration) {
        let lived = match self.state {
            State::Running { since, .. } | State::Registering { since, .. } => now.saturating_sub(since),
            State::Pausing { .. } => return,
        };
        if let Some(ended) = ended {
            let how = if ended.code == libc::CLD_EXITED { "exit code" } else { "signal" };
            say(Level::Error, &format!("{} ended: {how} {}", self.name(), ended.status));
        }
        if lived >= HEALTHY {
            self.deaths = 0;
        }
        self.pause(now);
    }

    fn pause(&mut self, now: Duration) {
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.deaths.min(10));
        self.deaths = self.deaths.saturating_add(1);
        // The first time at once: whoever waits for it waits no longer than for its start.
        let pause = if self.deaths == 1 { Duration::ZERO } else { doubled.min(LONGEST_PAUSE) };
        self.state = State::Pausing { until: now.saturating_add(pause) };
    }

    /// Sends it a signal.
    pub fn signal(&self, number: i32) {
        let State::Running { pidfd, .. } = &self.state else { return };
        if let Err(errno) = pidfd::send_signal(pidfd.as_fd(), number) {
            say(Level::Error, &format!("{}: {}", self.name(), errno.desc()));
        }
    }
}

/// A cookie for one more helper: unlike those of containers, rings and listeners, and of every
/// supervisor before.
fn cookie(supervisor_starts: u32, number: u16) -> u64 {
    const HELPERS: u64 = 1 << 16;
    HELPERS + (u64::from(supervisor_starts & 0x7f_ffff) << 16 | u64::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_helper_has_the_number_of_another_one_however_often_it_was_started() {
        let range = |role: Role| {
            let numbers = (0..=u16::MAX).map(|starts| role.number(starts));
            numbers.fold((u16::MAX, 0), |(least, most), it| (it.min(least), it.max(most)))
        };
        let ranges = Role::ALL.map(range);
        assert_eq!(ranges, [(0, 0x3fff), (0x4000, 0x7fff), (0x8000, 0xbfff), (0xc000, 0xffff)]);
        assert_eq!([0x3fff, 0x4000, u16::MAX].map(|it| Role::Console.number(it)), [0xbfff, 0x8000, 0xbfff]);
    }

    #[test]
    fn cookies_of_helpers_lie_between_listeners_and_containers() {
        let least = cookie(0, Role::Log.number(0));
        let most = cookie(u32::MAX, Role::Keep.number(u16::MAX));
        assert!(
            least > u64::from(u16::MAX) && most < crate::agent::launch::cookie(0, 0),
            "{least:x} {most:x}"
        );
        assert_ne!(cookie(1, u16::MAX), cookie(2, 0));
    }
}

//! What containers say of themselves: datagrams on a socket of their own, as sd_notify(3) sends them, and a line on
//! descriptor 3, or the one after its sockets, as s6 has it.
//!
//! Each generation has its own socket, in its own directory, so that who sends need not be asked, and nobody is
//! disturbed by what another one sends: a flood costs its own container's turn, and after that it is not heard
//! for a while. PID 1 keeps both ends of what is heard, so that no word is lost with a supervisor.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use orlop::config::{Container, Readiness};
use orlop::container::{NOTIFY_FILE, has_notify_socket};
use orlop::ledger::{Child, Frame, Kind, Label};
use orlop::supervisor::{Event, MAX_NOTICE, Notice, notices};

use super::launch::Run;
use super::ledger::{Fds, Ledger};
use super::{Agent, Token, records, say};
use crate::engine::Failure;
use crate::linux::epoll::Interest;
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result, datagram, fd};

/// Beside those of containers, of executed programs and of rings.
const COOKIES: u64 = 1 << 61;

/// Datagrams of one container in a turn of the loop.
const A_TURN: u32 = 32;
/// Datagrams that it may send at once, and how long it is not heard when it has sent more.
const BURST: u32 = 100;
const DEAF: Duration = Duration::from_secs(1);
/// Read of a line at once. It is not kept.
const PIECE: usize = 512;

pub struct Notices {
    socket: Option<OwnedFd>,
    line: Option<OwnedFd>,
    /// Since `since`.
    heard: u32,
    since: Duration,
    /// Not heard until then.
    deaf_until: Option<Duration>,
    /// People were told that it floods.
    is_told_of: bool,
}

impl Notices {
    /// For a container that says something of itself; and what its program gets to do so, after its sockets.
    ///
    /// # Errors
    /// [`Failure`] naming what could not be made.
    pub fn open(container: &Container) -> core::result::Result<(Option<Self>, Option<OwnedFd>), Failure> {
        let by_socket = has_notify_socket(container);
        let by_line = container.ready == Readiness::Fd;
        let fail = |step: &'static str| move |errno| Failure::new("notify", step, errno);
        let socket = by_socket.then(|| {
            let path = format!("{}/{NOTIFY_FILE}", records::directory(&container.name));
            datagram::listen(Path::new(&path)).map_err(|errno| Failure::new("notify", path, errno))
        });
        let (line, theirs) = match by_line {
            true => {
                let (ours, theirs) = fd::pipe().map_err(fail("pipe"))?;
                fd::nonblocking(ours.as_fd()).map_err(fail("pipe"))?;
                (Some(ours), Some(theirs))
            }
            false => (None, None),
        };
        let all = Self::new(socket.transpose()?, line);
        Ok((all, theirs))
    }

    /// As PID 1 has kept them.
    pub fn adopt(kept: Fds) -> Option<Self> {
        let (sockets, lines): (Vec<_>, Vec<_>) =
            kept.into_iter().flatten().partition(|fd| fd::is_socket(fd.as_raw_fd()));
        Self::new(sockets.into_iter().next(), lines.into_iter().next())
    }

    fn new(socket: Option<OwnedFd>, line: Option<OwnedFd>) -> Option<Self> {
        let is_any = socket.is_some() || line.is_some();
        let (heard, since, deaf_until, is_told_of) = (0, Duration::ZERO, None, false);
        is_any.then_some(Self { socket, line, heard, since, deaf_until, is_told_of })
    }

    /// Has PID 1 keep them.
    ///
    /// # Errors
    /// EMFILE.
    pub fn keep(&self, name: &str, cookie: u64, ledger: &mut Ledger) -> Result<()> {
        let child = Child { cookie: COOKIES | cookie, kind: Kind::Listener, pid: 0, label: Label::new(name) };
        let fds: Vec<_> = self.socket.iter().chain(&self.line).map(AsFd::as_fd).collect();
        ledger.register(child, &fds)
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.deaf_until
    }

    /// Whether one more may be heard.
    fn may_hear(&mut self, now: Duration) -> bool {
        if now.saturating_sub(self.since) >= DEAF {
            (self.heard, self.since) = (0, now);
        }
        self.heard = self.heard.saturating_add(1);
        self.heard <= BURST
    }
}

/// The run's cookie whose words an entry of PID 1's table is about.
pub fn of(child: &Child) -> Option<u64> {
    let is_ours = child.kind == Kind::Listener && child.cookie & COOKIES != 0 && child.cookie >> 62 == 0;
    is_ours.then_some(child.cookie & !COOKIES)
}

/// Nobody needs them any more.
fn release(cookie: u64, ledger: &mut Ledger) {
    ledger.send(Frame::Release { cookie: COOKIES | cookie });
}

impl Agent {
    /// What PID 1 kept, by the cookies of runs.
    pub fn adopt_notices(&mut self, mut kept: BTreeMap<u64, Fds>) {
        for run in self.runs.values_mut() {
            run.notices = kept.remove(&run.cookie).and_then(Notices::adopt);
        }
        let keys: Vec<u32> = self.runs.keys().copied().collect();
        for key in keys {
            self.watch_notices(key);
        }
        for cookie in kept.into_keys() {
            release(cookie, &mut self.ledger);
        }
    }

    /// Begins to listen.
    pub fn watch_notices(&mut self, key: u32) {
        let Some(run) = self.runs.get(&key) else { return };
        let Some(all) = &run.notices else { return };
        let add = |fd: &OwnedFd, token: Token| self.epoll.add(fd.as_fd(), Interest::EPOLLIN, token.number());
        let socket = all.socket.as_ref().map_or(Ok(()), |fd| add(fd, Token::Notices(key)));
        let line = all.line.as_ref().map_or(Ok(()), |fd| add(fd, Token::Line(key)));
        if let Err(errno) = socket.and(line) {
            say(Level::Error, &format!("{}: notify: {}", run.name, errno.desc()));
        }
    }

    /// It sent something. What it sends beyond its turn waits for the next one.
    pub fn hear_notices(&mut self, key: u32, now: Duration) {
        let mut buffer = [0; MAX_NOTICE];
        for _ in 0..A_TURN {
            let Some(run) = self.runs.get_mut(&key) else { return };
            let Some(all) = run.notices.as_mut() else { return };
            let Some(socket) = all.socket.as_ref() else { return };
            let Ok(received) = datagram::peek(socket.as_fd(), &mut buffer) else { return };
            let said = received.map(notices).unwrap_or_default();
            let is_flood = !all.may_hear(now);
            let (name, generation) = (run.name.clone(), run.generation);
            self.events.extend(said.into_iter().map(|notice| {
                let name = name.clone();
                Event::Notified { name, generation, notice }
            }));
            // What it means is recorded before it is gone: else it would be gone with this supervisor.
            self.settle(now);
            if let Some(socket) = self.runs.get(&key).and_then(|run| run.notices.as_ref()?.socket.as_ref()) {
                datagram::discard(socket.as_fd());
            }
            if is_flood {
                return self.go_deaf(key, now);
            }
        }
    }

    fn go_deaf(&mut self, key: u32, now: Duration) {
        let Some(run) = self.runs.get_mut(&key) else { return };
        let Some(all) = run.notices.as_mut() else { return };
        if let Some(socket) = &all.socket {
            let _ = self.epoll.remove(socket.as_fd());
        }
        if !core::mem::replace(&mut all.is_told_of, true) {
            let text = format!("{}: it sends more than {BURST} messages a second, and waits", run.name);
            say(Level::Warning, &text);
        }
        all.deaf_until = Some(now.saturating_add(DEAF));
    }

    /// Those who were not heard for a while are heard again.
    pub fn hear_again(&mut self, now: Duration) {
        for (key, run) in &mut self.runs {
            let Some(all) =
                run.notices.as_mut().filter(|all| all.deaf_until.is_some_and(|until| until <= now))
            else {
                continue;
            };
            all.deaf_until = None;
            if let Some(socket) = &all.socket {
                let _ = self.epoll.add(socket.as_fd(), Interest::EPOLLIN, Token::Notices(*key).number());
            }
        }
    }

    /// Something came on descriptor 3: what, does not matter, but for the end of a line.
    pub fn hear_line(&mut self, key: u32, now: Duration) {
        let Some(run) = self.runs.get_mut(&key) else { return };
        let Some(line) = run.notices.as_ref().and_then(|all| all.line.as_ref()) else { return };
        let mut buffer = [0; PIECE];
        let is_over = match fd::read(line.as_fd(), &mut buffer) {
            Ok(0) => {
                // One that is ready has said so, to a supervisor before this one if not to this one.
                if !self.core.status(&run.name).is_some_and(|status| status.ready) {
                    let text =
                        format!("{}: it closed descriptor 3, and did not say that it is ready", run.name);
                    say(Level::Warning, &text);
                }
                true
            }
            Ok(count) if buffer.iter().take(count).any(|byte| *byte == b'\n') => {
                let (name, generation, notice) = (run.name.clone(), run.generation, Notice::Ready);
                self.events.push_back(Event::Notified { name, generation, notice });
                true
            }
            Ok(_) | Err(Errno::EAGAIN) => false,
            Err(_) => true,
        };
        if is_over {
            let _ = self.epoll.remove(line.as_fd());
            if let Some(all) = &mut run.notices {
                all.line = None;
            }
        }
        // It is not said twice: what it means is recorded before anything else is done.
        self.settle(now);
    }

    /// The container is gone.
    pub fn forget_notices(&mut self, run: &Run) {
        let Some(all) = &run.notices else { return };
        for fd in all.socket.iter().chain(&all.line) {
            // ENOENT: it was not listened to just now.
            let _ = self.epoll.remove(fd.as_fd());
        }
        release(run.cookie, &mut self.ledger);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_heard_a_hundred_times_a_second() {
        let (reader, _writer) = fd::pipe().unwrap();
        let mut all = Notices::new(None, Some(reader)).unwrap();
        let at = Duration::from_millis;
        assert_eq!((0..1000).filter(|n| all.may_hear(at(5000 + n / 2))).count(), 100);
        assert_eq!((0..1000).filter(|_| all.may_hear(at(6100))).count(), 100);
    }
}

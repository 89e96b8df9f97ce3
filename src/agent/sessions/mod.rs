//! Processes that are executed in containers for clients, from the call to the last of them.
//!
//! The supervisor starts one, has PID 1 keep it, and gives its streams and the client's connection to a
//! relay: from then on no byte of either is its business. It passes signals one way and the end the other, over
//! a link whose end PID 1 keeps too, so that a session outlives a supervisor. A process whose relay is gone is
//! killed with all that it started.

mod attach;
mod begin;
mod left;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::control::Error;
use orlop::ledger::{Child, Ended, Frame};
use orlop::supervisor::{Event, Exit};

use crate::agent::control::{CallId, ClientId};
use crate::agent::ledger::{Fds, exit_of};
use crate::agent::relay::{self, End, Parts, Word};
use crate::agent::{Agent, Token, cgroups, say, serving};
use crate::linux::epoll::Interest;
use crate::linux::kmsg::Level;
use crate::linux::{Errno, cgroup, pidfd, time};

/// At once; each is two processes.
const SESSIONS: usize = 32;
/// Of one relay that are heard before others have their turn.
const WORDS: u32 = 16;
/// From the call to the program's first instruction; a client waits no longer than half a minute.
const START: Duration = Duration::from_secs(25);
/// A relay's link may be closed a moment before its port is free, and one that has lost its supervisor lets its
/// client take what is left: how long after it ports are looked for, once and again after twice the time, as
/// often as this. Together 41 s, more than such a relay's patience.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LOOKS: u32 = 11;
/// Cookies of sessions: unlike those of containers and rings.
const EXECS: u64 = 1 << 62;
/// What fits below that bit.
const MOST_STARTS: u32 = (1 << 30) - 1;

/// How their cgroups' names begin.
const GROUP: &str = "exec-";

#[derive(Default)]
pub struct Sessions {
    all: BTreeMap<u32, Session>,
    next: u32,
    /// Counts those that this supervisor has begun.
    count: u32,
    /// Ports are looked for then, for the so many-th time.
    look: Option<(Duration, u32)>,
    left: left::Left,
}

struct Session {
    /// The container's name.
    name: String,
    cookie: u64,
    /// Our end of the link to its relay.
    link: OwnedFd,
    stage: Stage,
}

enum Stage {
    Starting(Box<Start>),
    Running {
        pidfd: OwnedFd,
    },
    /// It has ended, and its relay knows.
    Ended,
    /// Its relay is gone; it is killed, and its end is awaited.
    Killed,
    /// A container's own streams, of this run.
    Attached {
        slot: u32,
        generation: u64,
        end: Option<End>,
    },
}

/// What there is of one before its program runs.
pub struct Start {
    pub call: CallId,
    /// Of what makes the process.
    pub report: OwnedFd,
    pub until: Duration,
    /// Of the process; the terminal comes later.
    pub parts: Parts,
    /// The relay's end of the link.
    pub theirs: OwnedFd,
    pidfd: Option<OwnedFd>,
    /// PID 1 keeps it.
    is_kept: bool,
    /// It waits at the barrier.
    is_ready: bool,
}

impl Start {
    pub fn new(call: CallId, report: OwnedFd, parts: Parts, theirs: OwnedFd, now: Duration) -> Self {
        let until = now.saturating_add(START);
        Self { call, report, until, parts, theirs, pidfd: None, is_kept: false, is_ready: false }
    }
}

impl Sessions {
    /// A port may be that of a relay which the supervisor before had, and whose end nobody will tell.
    pub fn new(has_busy_ports: bool, now: Duration) -> Self {
        let look = has_busy_ports.then(|| (now.saturating_add(FIRST_LOOK), 1));
        Self { look, ..Self::default() }
    }

    pub fn is_full(&self) -> Option<Error> {
        let error = || Error::Busy { what: "sessions".into(), limit: SESSIONS as u64 };
        (self.all.len() >= SESSIONS).then(error)
    }

    pub fn deadline(&self) -> Option<Duration> {
        let looks = self.look.map(|(at, _)| at);
        self.all
            .values()
            .filter_map(|session| Some(session.start()?.until))
            .chain(looks)
            .chain(self.left.deadline())
            .min()
    }

    /// A cookie that no session had, of no supervisor.
    pub fn cookie(&mut self, supervisor_starts: u32) -> u64 {
        self.count = self.count.wrapping_add(1);
        EXECS | u64::from(supervisor_starts & MOST_STARTS) << 32 | u64::from(self.count)
    }

    /// Whether this cgroup of a container is one of a session that there is.
    fn has_group(&self, name: &str, of: &str) -> bool {
        self.all.values().any(|session| session.name == name && group(session.cookie) == of)
    }

    fn find(&self, cookie: u64) -> Option<u32> {
        self.all.iter().find(|(_, session)| session.cookie == cookie).map(|(key, _)| *key)
    }
}

/// The name of a session's cgroup, below its container's.
pub fn group(cookie: u64) -> String {
    format!("{GROUP}{}-{}", (cookie & !EXECS) >> 32, cookie & 0xffff_ffff)
}

impl Session {
    fn start(&self) -> Option<&Start> {
        match &self.stage {
            Stage::Starting(start) => Some(start),
            Stage::Running { .. } | Stage::Ended | Stage::Killed | Stage::Attached { .. } => None,
        }
    }

    fn start_mut(&mut self) -> Option<&mut Start> {
        match &mut self.stage {
            Stage::Starting(start) => Some(start),
            Stage::Running { .. } | Stage::Ended | Stage::Killed | Stage::Attached { .. } => None,
        }
    }

    fn group(&self) -> String {
        format!("{}/{}", cgroups::path(&self.name), group(self.cookie))
    }

    /// Everything that it has started, too.
    fn kill(&self) {
        match cgroup::open_path(&self.group()).and_then(|group| cgroup::kill(group.as_fd())) {
            // With its container.
            Ok(()) | Err(Errno::ENOENT | Errno::ENODEV) => {}
            Err(errno) => say(Level::Error, &format!("{}: cgroup.kill: {}", self.group(), errno.desc())),
        }
    }
}

impl Agent {
    /// One of an earlier supervisor.
    pub fn adopt_session(&mut self, child: &Child, ended: Option<Ended>, fds: Fds) {
        let [pidfd, link, ..] = fds;
        let (Some(pidfd), Some(link)) = (pidfd, link) else { return };
        let key = self.sessions.next;
        self.sessions.next = key.wrapping_add(1);
        let name = child.label.as_str().to_owned();
        let session = Session { name, cookie: child.cookie, link, stage: Stage::Running { pidfd } };
        self.sessions.all.insert(key, session);
        self.watch_link(key);
        if let Some(ended) = ended {
            self.session_ended(key, ended);
        }
    }

    fn watch_link(&mut self, key: u32) {
        let Some(session) = self.sessions.all.get(&key) else { return };
        let watched = self.epoll.add(session.link.as_fd(), Interest::EPOLLIN, Token::Session(key).number());
        if let Err(errno) = watched {
            say(Level::Error, &format!("{}: {}", session.name, errno.desc()));
        }
    }

    /// What PID 1 says; `false`: it is not about a session.
    pub fn is_of_a_session(&mut self, frame: &Frame, now: Duration) -> bool {
        let (Frame::Registered { cookie }
        | Frame::Gone { cookie }
        | Frame::Refused { cookie }
        | Frame::Ended { cookie, .. }) = *frame
        else {
            return false;
        };
        let Some(key) = self.sessions.find(cookie) else {
            // One that was given up: nobody waits for its end.
            if cookie & EXECS != 0 && matches!(frame, Frame::Ended { .. }) {
                self.ledger.send(Frame::Recorded { cookie });
            }
            return cookie & EXECS != 0 && cookie >> 63 == 0;
        };
        match *frame {
            Frame::Registered { .. } => self.session_may_go(key, now, |start| start.is_kept = true),
            Frame::Gone { .. } => self.session_cut_off(key, "it ended before it was ready", now),
            Frame::Refused { .. } => self.session_cut_off(key, "the table of children is full", now),
            Frame::Ended { ended, .. } => {
                // The report first: that the program was executed, or which step failed.
                self.session_report(key, now);
                self.session_ended(key, ended);
            }
            _ => {}
        }
        true
    }

    /// Kills what there is and forgets it. An end that PID 1 still tells is nobody's.
    fn end_session(&mut self, key: u32) {
        let Some(session) = self.sessions.all.get(&key) else { return };
        session.kill();
        self.forget_session(key);
    }

    /// With its cgroup, as soon as that is empty.
    fn forget_session(&mut self, key: u32) {
        if let Some(session) = self.sessions.all.remove(&key) {
            self.sessions.left_in(session.name, time::since_boot());
        }
    }

    fn session_ended(&mut self, key: u32, ended: Ended) {
        let Some(session) = self.sessions.all.get_mut(&key) else { return };
        let cookie = session.cookie;
        let end = end_of(ended);
        match session.stage {
            Stage::Running { .. } => {
                // EPIPE: its relay is gone, and that is heard of next.
                let _ = relay::send_end(session.link.as_fd(), end);
                session.stage = Stage::Ended;
            }
            Stage::Starting(_) | Stage::Ended | Stage::Attached { .. } => {}
            Stage::Killed => self.forget_session(key),
        }
        self.ledger.send(Frame::Recorded { cookie });
    }

    /// A relay has something to say, or is gone.
    pub fn session_ready(&mut self, key: u32) {
        // What is left is told of again.
        for _ in 0..WORDS {
            let Some(session) = self.sessions.all.get_mut(&key) else { return };
            match (relay::receive(session.link.as_fd()), &session.stage) {
                (Ok(Word::Signal(number)), Stage::Running { pidfd }) => {
                    let pidfd: BorrowedFd<'_> = pidfd.as_fd();
                    // ESRCH: it has just ended.
                    let _ = pidfd::send_signal(pidfd, number);
                }
                (Ok(Word::Signal(signal)), Stage::Attached { .. }) => {
                    // As a person's: what follows is its own doing.
                    self.events.push_back(Event::Kill { name: session.name.clone(), signal });
                }
                (Ok(Word::Signal(_)), _) | (Err(Errno::EBADMSG), _) => {}
                (Ok(Word::Over) | Err(Errno::ECONNRESET | Errno::EPIPE), _) => return self.relay_gone(key),
                (Err(_), _) => return,
            }
        }
    }

    fn relay_gone(&mut self, key: u32) {
        let Some(session) = self.sessions.all.get_mut(&key) else { return };
        // PID 1 may hold it too: closing ours would not take it out.
        let _ = self.epoll.remove(session.link.as_fd());
        match session.stage {
            Stage::Running { .. } => {
                session.stage = Stage::Killed;
                session.kill();
            }
            Stage::Ended => self.forget_session(key),
            Stage::Attached { .. } => drop(self.sessions.all.remove(&key)),
            Stage::Starting(_) | Stage::Killed => {}
        }
        self.look_for_ports(0, time::since_boot());
    }

    /// A relay that is gone may have had one.
    fn look_for_ports(&mut self, looks: u32, now: Duration) {
        let is_busy = serving::open_ports(&self.config, &mut self.server).unwrap_or_else(|error| {
            say(Level::Error, &format!("control: {error}"));
            true
        });
        let pause = FIRST_LOOK.saturating_mul(1 << looks.min(LOOKS));
        self.sessions.look = (is_busy && looks < LOOKS).then(|| (now.saturating_add(pause), looks + 1));
    }

    /// A client is gone before it was answered.
    pub fn forget_sessions_of(&mut self, client: ClientId) {
        let of_it = |session: &Session| session.start().is_some_and(|start| start.call.client == client);
        let keys = self.sessions.all.iter().filter(|(_, session)| of_it(session));
        let keys: Vec<u32> = keys.map(|(key, _)| *key).collect();
        for key in keys {
            self.end_session(key);
        }
    }
}

fn end_of(ended: Ended) -> End {
    match exit_of(ended) {
        Exit::Code(code) => End::Exited(code),
        Exit::Signal(signal) => End::Killed(signal),
    }
}

//! Sessions that begin: from the engine's report to the relay.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::ledger::{Child, Kind, Label};

use super::{START, Session, Stage, Start};
use crate::agent::{Agent, Token, relay, say};
use crate::engine::{self, Failure, Report};
use crate::linux::epoll::NEWS;
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result};

impl Agent {
    /// One more, whose process is being made.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub fn add_session(&mut self, name: String, cookie: u64, link: OwnedFd, start: Start) -> Result<()> {
        let key = self.sessions.next;
        self.sessions.next = key.wrapping_add(1);
        let report = start.report.as_fd();
        self.epoll.add(report, NEWS, Token::SessionReport(key).number())?;
        let stage = Stage::Starting(Box::new(start));
        self.sessions.all.insert(key, Session { name, cookie, link, stage });
        Ok(())
    }

    /// Something came from a start.
    pub fn session_report(&mut self, key: u32, now: Duration) {
        while let Some(start) = self.sessions.all.get(&key).and_then(Session::start) {
            match engine::receive(start.report.as_fd()) {
                Ok(Report::Container { pid, pidfd }) => self.session_made(key, pid, pidfd, now),
                Ok(Report::Terminal(terminal)) => {
                    if let Some(start) = self.sessions.all.get_mut(&key).and_then(Session::start_mut) {
                        start.parts.terminal = Some(terminal);
                    }
                }
                Ok(Report::Ready) => self.session_may_go(key, now, |start| start.is_ready = true),
                Ok(Report::Failed(failure)) => return self.session_failed(key, &failure, now),
                Ok(Report::Closed) => return self.session_runs(key, now),
                // Nothing is done to a process that joins, and its filter is the container's.
                Ok(Report::Meets | Report::Listener(_)) => {}
                Err(Errno::EAGAIN) => return,
                Err(errno) => return self.session_failed(key, &Failure::new("report", "", errno), now),
            }
        }
    }

    /// As [`Agent::add_session`], of a process that is ours and waits for its word: there is nothing to report
    /// before.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub fn add_helper(
        &mut self,
        name: String,
        cookie: u64,
        (link, mut start): (OwnedFd, Start),
        (pid, pidfd): (i32, OwnedFd),
        now: Duration,
    ) -> Result<()> {
        start.is_ready = true;
        let key = self.sessions.next;
        self.add_session(name, cookie, link, start)?;
        self.session_made(key, pid, pidfd, now);
        Ok(())
    }

    fn session_made(&mut self, key: u32, pid: i32, pidfd: OwnedFd, now: Duration) {
        let Some(session) = self.sessions.all.get_mut(&key) else { return };
        let label = Label::new(&session.name);
        let child = Child { cookie: session.cookie, kind: Kind::Exec, pid, label };
        let sent = self.ledger.register(child, &[pidfd.as_fd(), session.link.as_fd()]);
        if let Some(start) = session.start_mut() {
            start.pidfd = Some(pidfd);
        }
        if let Err(errno) = sent {
            self.session_failed(key, &Failure::new("register", "PID 1", errno), now);
        }
    }

    /// A report of the failed step may be waiting; it says more than we know.
    pub(super) fn session_cut_off(&mut self, key: u32, why: &str, now: Duration) {
        self.session_report(key, now);
        self.session_failed(key, &Failure::said("register", why), now);
    }

    /// Opens the barrier once it is kept and ready.
    pub(super) fn session_may_go(&mut self, key: u32, now: Duration, note: fn(&mut Start)) {
        let Some(start) = self.sessions.all.get_mut(&key).and_then(Session::start_mut) else { return };
        note(start);
        if start.is_kept && start.is_ready {
            match engine::send_go(start.report.as_fd(), b"") {
                // It failed meanwhile, and its report says how.
                Ok(()) | Err(Errno::EPIPE) => {}
                Err(errno) => self.session_failed(key, &Failure::new("barrier", "", errno), now),
            }
        }
    }

    /// The program runs, or all are dead: in that case the end tells.
    fn session_runs(&mut self, key: u32, now: Duration) {
        let Some(session) = self.sessions.all.get_mut(&key) else { return };
        let Stage::Starting(start) = core::mem::replace(&mut session.stage, Stage::Ended) else { return };
        let (Some(pidfd), true, true) = (start.pidfd.as_ref(), start.is_kept, start.is_ready) else {
            session.stage = Stage::Starting(start);
            return self.session_failed(key, &Failure::said("setup", "it was killed"), now);
        };
        let Ok(pidfd) = pidfd.try_clone() else {
            session.stage = Stage::Starting(start);
            return self.session_failed(key, &Failure::new("pidfd", "", Errno::EMFILE), now);
        };
        session.stage = Stage::Running { pidfd };
        let (call, name) = (start.call, session.name.clone());
        let begun = match self.server.hand_over(call) {
            Some(client) => relay::start(&start.theirs, &client, &start.parts),
            // It has left; so the link, whose other end nobody has, tells.
            None => Ok(()),
        };
        if let Err(errno) = begun {
            say(Level::Error, &format!("{name}: relay: {}", errno.desc()));
        }
        drop(start);
        self.watch_link(key);
    }

    /// Gives a start up, and says why.
    fn session_failed(&mut self, key: u32, failure: &Failure, now: Duration) {
        let Some(session) = self.sessions.all.get(&key) else { return };
        let Some(start) = session.start() else { return };
        let (call, name) = (start.call, session.name.clone());
        self.not_begun(call, &name, failure.clone(), now);
        self.end_session(key);
    }

    /// Starts that take too long, and ports that were not free.
    pub fn late_sessions(&mut self, now: Duration) {
        self.sessions.look_for_left(now);
        if let Some((_, looks)) = self.sessions.look.filter(|(at, _)| *at <= now) {
            self.look_for_ports(looks, now);
        }
        let is_late = |session: &Session| session.start().is_some_and(|start| start.until <= now);
        let late = self.sessions.all.iter().filter(|(_, session)| is_late(session));
        let late: Vec<u32> = late.map(|(key, _)| *key).collect();
        for key in late {
            let why = format!("not started within {} s", START.as_secs());
            self.session_failed(key, &Failure::said("deadline", why), now);
        }
    }
}

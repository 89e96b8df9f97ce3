//! The supervisor's side of logging: gives every container a ring and every run its pipes, keeps
//! both in PID 1's hands, and reads rings for whoever asks.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::config::Config;
use orlop::ledger::{Child, Frame, Kind, Label};
use orlop::log::{FromLogger, KERNEL, OWN, PipeKey, Stream, share};

use super::helpers::{Helper, Role};
use super::ledger::{Fds, Ledger};
use super::log::{Link, RingFile};
use super::{launch, say};
use crate::linux::kmsg::{self, Level};
use crate::linux::{Errno, Result, seqpacket};

/// Cookies of rings: unlike those of everything else.
const RINGS: u64 = 1 << 63;

/// Cookies of sockets for syslog(3): the container's own, marked.
const SYSLOGS: u64 = 1 << 62;

/// The cookie of a container's socket for syslog(3), by its own.
pub fn syslog_of(cookie: u64) -> u64 {
    SYSLOGS | cookie
}

/// The reverse, for what is none too.
pub fn of_syslog(cookie: u64) -> Option<u64> {
    (cookie & RINGS == 0 && cookie & SYSLOGS > 0).then_some(cookie & !SYSLOGS)
}

/// What is no container's, as people call it (no container has such a name), its ring, and the memory of that: all
/// that Debian's kernel says while it boots, with room for later; and some hundred lines of our own.
pub const OTHERS: [(&str, u64, u64); 2] = [("@kernel", KERNEL, 128 << 10), ("@orlop", OWN, 64 << 10)];

pub struct Logs {
    helper: Helper,
    link: Link,
    /// Ended runs whose pipes still hold output: PID 1 keeps the pipes until they are empty.
    owed: Vec<(u64, u64, u64)>,
    /// Runs that have a socket for syslog(3), which PID 1 keeps too.
    with_syslog: BTreeSet<(u64, u64)>,
    /// Of rings, as people call them.
    names: BTreeMap<u64, String>,
}

impl Logs {
    /// The logger is started at `first`.
    ///
    /// # Errors
    /// EMFILE.
    pub fn new(first: Duration) -> Result<Self> {
        let (ours, _) = seqpacket::pair()?;
        Ok(Self {
            helper: Helper::new(Role::Log, first),
            link: Link::new(ours),
            owed: Vec::new(),
            with_syslog: BTreeSet::new(),
            names: BTreeMap::new(),
        })
    }

    pub fn socket(&self) -> BorrowedFd<'_> {
        self.link.socket()
    }

    pub fn is_behind(&self) -> bool {
        self.link.is_behind()
    }

    pub fn helper(&mut self) -> &mut Helper {
        &mut self.helper
    }

    pub fn helper_deadline(&self) -> Option<Duration> {
        self.helper.deadline()
    }

    /// A logger of an earlier supervisor goes on; it is told everything once more.
    pub fn adopt_logger(&mut self, child: &Child, fds: Fds, now: Duration) {
        if let Some(socket) = self.helper.adopt(child, fds, now) {
            self.link.restart(socket);
        }
    }

    /// Rings for all containers: those kept in PID 1's hands, and new ones.
    pub fn make_rings(
        &mut self,
        config: &Config,
        slots: &BTreeMap<String, u32>,
        kept: &mut Rings,
        ledger: &mut Ledger,
    ) {
        let wanted: Vec<u64> = config.containers.values().map(|container| container.log.memory).collect();
        let sizes = share(config.host.log_memory, &wanted);
        for (container, size) in config.containers.values().zip(sizes) {
            let Some(slot) = slots.get(&container.name).copied() else { continue };
            self.make_ring((&container.name, slot.into(), size), container.log.rate, kept, ledger);
        }
        for other in OTHERS {
            self.make_ring(other, None, kept, ledger);
        }
        // Of containers that go down since they are not declared any more: what they still say has its place.
        // What is no ring is for those whose it is.
        let others = kept.split_off(&OWN.saturating_add(1));
        for (id, fd) in core::mem::replace(kept, others) {
            if let Ok(ring) = RingFile::adopt(fd) {
                self.link.add_ring(id, ring, None);
            }
        }
        match kmsg::open_reader() {
            Ok(kmsg) => self.link.set_kmsg(kmsg),
            Err(errno) => say(Level::Error, &format!("/dev/kmsg: {}", errno.desc())),
        }
    }

    fn make_ring(
        &mut self,
        (name, id, size): (&str, u64, u64),
        rate: Option<u64>,
        kept: &mut Rings,
        ledger: &mut Ledger,
    ) {
        self.names.insert(id, name.to_owned());
        let ring = match kept.remove(&id) {
            Some(fd) => RingFile::adopt(fd),
            None => RingFile::create(size).and_then(|ring| {
                let label = Label::new(name);
                let child = Child { cookie: ring_cookie(id), kind: Kind::Ring, pid: 0, label };
                ledger.register(child, &[ring.as_fd()])?;
                Ok(ring)
            }),
        };
        match ring {
            Ok(ring) => self.link.add_ring(id, ring, rate),
            Err(errno) => say(Level::Error, &format!("{name}: no memory for its log: {}", errno.desc())),
        }
    }

    /// Rings for containers that have none yet, and the rates of all others. A ring that is there keeps its size, and one
    /// whose container is not declared any more what is in it, until the next boot.
    pub fn follow_config(&mut self, config: &Config, slots: &BTreeMap<String, u32>, ledger: &mut Ledger) {
        let known = config.containers.values().filter_map(|it| Some((*slots.get(&it.name)?, it.log.rate)));
        let (old, new): (Vec<_>, Vec<_>) = known.partition(|(slot, _)| self.ring(u64::from(*slot)).is_some());
        for (slot, rate) in old {
            self.link.set_rate(u64::from(slot), rate);
        }
        let wanted: Vec<u64> = config.containers.values().map(|container| container.log.memory).collect();
        let sizes = share(config.host.log_memory, &wanted);
        for (container, size) in config.containers.values().zip(sizes) {
            let slot = slots.get(&container.name).copied();
            if let Some(slot) = slot.filter(|slot| new.iter().any(|(fresh, _)| fresh == slot)) {
                let none = &mut Rings::new();
                self.make_ring((&container.name, slot.into(), size), container.log.rate, none, ledger);
            }
        }
    }

    pub fn add_pipes(&mut self, slot: u32, generation: u64, [out, err]: [OwnedFd; 2]) {
        let id = u64::from(slot);
        self.link.add_pipe(PipeKey { id, generation, stream: Stream::Stdout }, out);
        self.link.add_pipe(PipeKey { id, generation, stream: Stream::Stderr }, err);
    }

    pub fn add_syslog(&mut self, slot: u32, generation: u64, socket: OwnedFd) {
        self.with_syslog.insert((u64::from(slot), generation));
        self.link.add_pipe(syslog_key(slot, generation), socket);
    }

    /// All processes of a run are gone: what they said is read to its end.
    pub fn ended(&mut self, slot: u32, generation: u64) {
        self.link.drain(syslog_key(slot, generation));
    }

    /// Of a run with a terminal: a pipe, and what it is filled from.
    pub fn add_terminal(&mut self, slot: u32, generation: u64, pipe: OwnedFd, terminal: OwnedFd) {
        let key = PipeKey { id: u64::from(slot), generation, stream: Stream::Stdout };
        self.link.add_terminal(key, pipe, terminal);
    }

    /// Whether output of that run may still come.
    pub fn has_pipes(&self, slot: u32, generation: u64) -> bool {
        self.link.has_pipes(u64::from(slot), generation)
    }

    /// A run's end is recorded. PID 1 may forget it, and close its pipes, once they are empty.
    pub fn recorded(&mut self, slot: u32, generation: u64, cookie: u64, ledger: &mut Ledger) {
        self.ended(slot, generation);
        self.owed.push((u64::from(slot), generation, cookie));
        self.settle_owed(ledger);
    }

    /// PID 1 did not take that, and never will: what it keeps beside a run that it did not take is of no use.
    pub fn not_kept(&mut self, cookie: u64, why: &str, ledger: &mut Ledger) {
        if let Some(what) = self.kept_beside(cookie) {
            return say(Level::Warning, &format!("{what} is lost with this supervisor: {why}"));
        }
        let (slot, generation) = launch::parts(cookie);
        if self.with_syslog.contains(&(u64::from(slot), generation)) {
            self.recorded(slot, generation, cookie, ledger);
        }
    }

    /// All that ended runs have said is in their rings.
    pub fn are_gathered(&self) -> bool {
        self.owed.is_empty()
    }

    fn settle_owed(&mut self, ledger: &mut Ledger) {
        let link = &self.link;
        self.owed.retain(|(id, generation, cookie)| {
            let waits = link.has_pipes(*id, *generation);
            if !waits {
                if self.with_syslog.remove(&(*id, *generation)) {
                    // First, so that nobody finds it alone.
                    ledger.send(Frame::Release { cookie: syslog_of(*cookie) });
                }
                ledger.send(Frame::Recorded { cookie: *cookie });
            }
            waits
        });
    }

    /// What the logger says; the ids of rings with more to read for those who follow.
    pub fn hear(&mut self, ledger: &mut Ledger) -> Vec<u64> {
        let mut woken = Vec::new();
        self.link.flush();
        while let Ok(Some(frame)) = self.link.receive() {
            match frame {
                FromLogger::Wake { id } => woken.push(id),
                FromLogger::PipeClosed(_) | FromLogger::Pong { .. } => {}
                FromLogger::Trouble { id, errno } => {
                    let (name, why) = (self.name(id), Errno::from_raw(errno).desc());
                    say(Level::Error, &format!("log of {name}: {why}"));
                }
            }
        }
        self.settle_owed(ledger);
        woken
    }

    /// Starts the logger when there is none. `true`: on a new socket.
    pub fn look_after(&mut self, starts: u32, ledger: &mut Ledger, now: Duration) -> bool {
        let started = self.helper.look_after(starts, None, ledger, now);
        started.map(|socket| self.link.restart(socket)).is_some()
    }

    pub fn crash(&self, signal: i32) {
        self.helper.signal(signal);
    }

    /// Whose ring that is.
    pub fn name(&self, id: u64) -> &str {
        self.names.get(&id).map_or("nobody", String::as_str)
    }

    /// What PID 1 keeps for logs under this cookie; `None`: it is of something else.
    fn kept_beside(&self, cookie: u64) -> Option<String> {
        match slot_of(cookie) {
            PLACES if is_ring(cookie) => Some(String::from("how far logs were forwarded")),
            KEPT if is_ring(cookie) => Some(String::from("how far logs are on the disk")),
            id if is_ring(cookie) => Some(format!("log of {}", self.name(id))),
            _ => {
                let (slot, _) = launch::parts(of_syslog(cookie)?);
                Some(format!("/dev/log of {}", self.name(slot.into())))
            }
        }
    }

    /// Of a container that is its slot.
    pub fn ring(&self, id: u64) -> Option<&RingFile> {
        self.link.ring(id)
    }

    /// Asks to be woken when the ring has more than has been seen.
    pub fn follow(&mut self, id: u64, seen: u64) {
        self.link.follow(id, seen);
    }
}

fn syslog_key(slot: u32, generation: u64) -> PipeKey {
    PipeKey { id: u64::from(slot), generation, stream: Stream::Syslog }
}

/// Rings that PID 1 kept, by slot.
pub type Rings = BTreeMap<u64, OwnedFd>;

/// Among the rings' numbers: how far they were forwarded.
pub const PLACES: u64 = OWN + 1;
/// And how far they are on the disk.
pub const KEPT: u64 = OWN + 2;

/// The cookie of a ring, by its number.
pub fn ring_cookie(id: u64) -> u64 {
    RINGS | id
}

fn is_ring(cookie: u64) -> bool {
    cookie & RINGS > 0
}

/// The slot of a ring by its cookie.
pub fn slot_of(cookie: u64) -> u64 {
    cookie & !RINGS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pid_1_did_not_keep_has_a_name() {
        let mut logs = Logs::new(Duration::ZERO).unwrap();
        logs.names.extend([(7, String::from("web")), (KERNEL, String::from("@kernel"))]);
        let said = |cookie| logs.kept_beside(cookie);
        assert_eq!(said(ring_cookie(7)).as_deref(), Some("log of web"));
        assert_eq!(said(ring_cookie(KERNEL)).as_deref(), Some("log of @kernel"));
        assert_eq!(said(ring_cookie(PLACES)).as_deref(), Some("how far logs were forwarded"));
        assert_eq!(said(ring_cookie(KEPT)).as_deref(), Some("how far logs are on the disk"));
        let run = launch::cookie(7, 3);
        assert_eq!(said(syslog_of(run)).as_deref(), Some("/dev/log of web"));
        assert_eq!(said(run), None);
    }
}

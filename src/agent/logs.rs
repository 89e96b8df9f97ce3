//! The supervisor's side of logging: gives every container a ring and every run its pipes, keeps
//! both in PID 1's hands, and reads rings for whoever asks.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::config::{Config, Container};
use orlop::ledger::{Child, Frame, Kind, Label};
use orlop::log::{FromLogger, PipeKey, Stream, share};

use super::helpers::{self, Helper};
use super::ledger::{Fds, Ledger};
use super::log::{Link, RingFile};
use super::say;
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result, seqpacket};

/// Cookies of rings: unlike those of everything else.
const RINGS: u64 = 1 << 63;

pub struct Logs {
    helper: Helper,
    link: Link,
    /// Ended runs whose pipes still hold output: PID 1 keeps the pipes until they are empty.
    owed: Vec<(u64, u64, u64)>,
    /// A socket whose other end nobody has, until the logger is started.
    spawned: u16,
}

impl Logs {
    /// The logger is started at `first`.
    ///
    /// # Errors
    /// EMFILE.
    pub fn new(first: Duration) -> Result<Self> {
        let (ours, _) = seqpacket::pair()?;
        Ok(Self { helper: Helper::new(c"log", first), link: Link::new(ours), owed: Vec::new(), spawned: 0 })
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
            let ring = kept.remove(&u64::from(slot));
            self.make_ring(container, slot, size, ring, ledger);
        }
        // Of containers that go down since they are not declared any more: what they still say has its place.
        for (id, fd) in core::mem::take(kept) {
            if let Ok(ring) = RingFile::adopt(fd) {
                self.link.add_ring(id, ring, None);
            }
        }
    }

    fn make_ring(
        &mut self,
        container: &Container,
        slot: u32,
        size: u64,
        kept: Option<OwnedFd>,
        ledger: &mut Ledger,
    ) {
        let id = u64::from(slot);
        let ring = match kept {
            Some(fd) => RingFile::adopt(fd),
            None => RingFile::create(size).and_then(|ring| {
                let label = Label::new(&container.name);
                let child = Child { cookie: RINGS | id, kind: Kind::Ring, pid: 0, label };
                ledger.register(child, &[ring.as_fd()])?;
                Ok(ring)
            }),
        };
        match ring {
            Ok(ring) => self.link.add_ring(id, ring, container.log.rate),
            Err(errno) => {
                say(Level::Error, &format!("{}: no memory for its log: {}", container.name, errno.desc()))
            }
        }
    }

    /// Rings for containers that have none yet, and the rates of all others. A ring that is there keeps its size, and one
    /// whose container is not declared any more what is in it, until the next boot.
    pub fn follow_config(&mut self, config: &Config, slots: &BTreeMap<String, u32>, ledger: &mut Ledger) {
        let known = config.containers.values().filter_map(|it| Some((*slots.get(&it.name)?, it.log.rate)));
        let (old, new): (Vec<_>, Vec<_>) = known.partition(|(slot, _)| self.ring(*slot).is_some());
        for (slot, rate) in old {
            self.link.set_rate(u64::from(slot), rate);
        }
        let wanted: Vec<u64> = config.containers.values().map(|container| container.log.memory).collect();
        let sizes = share(config.host.log_memory, &wanted);
        for (container, size) in config.containers.values().zip(sizes) {
            let slot = slots.get(&container.name).copied();
            if let Some(slot) = slot.filter(|slot| new.iter().any(|(fresh, _)| fresh == slot)) {
                self.make_ring(container, slot, size, None, ledger);
            }
        }
    }

    pub fn add_pipes(&mut self, slot: u32, generation: u64, [out, err]: [OwnedFd; 2]) {
        let id = u64::from(slot);
        self.link.add_pipe(PipeKey { id, generation, stream: Stream::Stdout }, out);
        self.link.add_pipe(PipeKey { id, generation, stream: Stream::Stderr }, err);
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
        self.owed.push((u64::from(slot), generation, cookie));
        self.settle_owed(ledger);
    }

    fn settle_owed(&mut self, ledger: &mut Ledger) {
        let link = &self.link;
        self.owed.retain(|(id, generation, cookie)| {
            let waits = link.has_pipes(*id, *generation);
            if !waits {
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
                    say(Level::Error, &format!("log {id}: {}", Errno::from_raw(errno).desc()));
                }
            }
        }
        self.settle_owed(ledger);
        woken
    }

    /// Starts the logger when there is none. `true`: on a new socket.
    pub fn look_after(&mut self, starts: u32, ledger: &mut Ledger, now: Duration) -> bool {
        let cookie = helpers::cookie(starts, self.spawned.wrapping_add(1));
        match self.helper.look_after(cookie, ledger, now) {
            Some(socket) => {
                self.spawned = self.spawned.wrapping_add(1);
                self.link.restart(socket);
                true
            }
            None => false,
        }
    }

    pub fn crash(&self, signal: i32) {
        self.helper.signal(signal);
    }

    pub fn ring(&self, slot: u32) -> Option<&RingFile> {
        self.link.ring(u64::from(slot))
    }

    /// Asks to be woken when the ring has more than has been seen.
    pub fn follow(&mut self, slot: u32, seen: u64) {
        self.link.follow(u64::from(slot), seen);
    }
}

/// Rings that PID 1 kept, by slot.
pub type Rings = BTreeMap<u64, OwnedFd>;

/// The slot of a ring by its cookie.
pub fn slot_of(cookie: u64) -> u64 {
    cookie & !RINGS
}

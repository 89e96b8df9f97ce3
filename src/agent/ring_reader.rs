//! A helper that reads the logs' rings: what it should know, told to it without ever waiting and told again to its
//! successor, and wakes when there is more in a log.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::config::Config;
use orlop::ledger::{Child, Kind, Label};

use super::helpers::{Helper, Role};
use super::ledger::{Fds, Ledger};
use super::logs::{self, Logs, OTHERS};
use super::{Token, say};
use crate::linux::epoll::{Epoll, Interest};
use crate::linux::kmsg::Level;
use crate::linux::{Result, memfd, seqpacket};

/// A packet to such a helper.
pub trait Packet: Clone + PartialEq {
    fn encode(&self) -> Vec<u8>;
    /// A log by its name, with its ring.
    fn ring(id: u64, name: String) -> Self;
    /// There is more in this ring.
    fn wake(id: u64) -> Self;
    fn carries(&self) -> Carries;
}

/// What goes with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    Nothing,
    /// The memory of how far each ring was read.
    Places,
    /// This ring, to be read only.
    Ring(u64),
}

pub struct RingReader<P> {
    pub helper: Helper,
    socket: OwnedFd,
    /// All that a new one is told.
    all: Vec<P>,
    places: Option<OwnedFd>,
    /// In order, for want of room; with what else goes with it.
    unsent: VecDeque<(P, Vec<OwnedFd>)>,
    /// Rings that it waits for.
    follows: BTreeSet<u64>,
}

impl<P: Packet> RingReader<P> {
    /// The helper is started at `first`, if it is wanted.
    ///
    /// # Errors
    /// EMFILE.
    pub fn new(role: Role, first: Duration) -> Result<Self> {
        // The other end nobody has, until there is a helper.
        let (socket, _) = seqpacket::pair()?;
        Ok(Self {
            helper: Helper::new(role, first),
            socket,
            all: Vec::new(),
            places: None,
            unsent: VecDeque::new(),
            follows: BTreeSet::new(),
        })
    }

    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub fn is_behind(&self) -> bool {
        !self.unsent.is_empty()
    }

    pub fn adopt(&mut self, child: &Child, fds: Fds, now: Duration) {
        if let Some(socket) = self.helper.adopt(child, fds, now) {
            self.socket = socket;
        }
    }

    /// The places that PID 1 kept, or a new memory of them, which it will keep under the number of a ring.
    ///
    /// # Errors
    /// EMFILE, ENOMEM; as a packet to PID 1.
    pub fn has_places(
        &mut self,
        kept: Option<OwnedFd>,
        (id, memory): (u64, fn() -> Result<OwnedFd>),
        ledger: &mut Ledger,
    ) -> Result<()> {
        let register = || {
            let places = memory()?;
            let label = Label::new(self.helper.name());
            let child = Child { cookie: logs::ring_cookie(id), kind: Kind::Ring, pid: 0, label };
            ledger.register(child, &[places.as_fd()])?;
            Ok(places)
        };
        self.places = Some(kept.map_or_else(register, Ok)?);
        Ok(())
    }

    /// What every new one is told, behind what was known before; to be sent now to one that is up.
    pub fn know(&mut self, packets: impl IntoIterator<Item = P>) {
        let before = self.all.len();
        self.all.extend(packets);
        if self.helper.is_up() {
            self.unsent.extend(self.all.iter().skip(before).cloned().map(alone));
        }
    }

    /// Not to be told any more.
    pub fn forget(&mut self, is_gone: impl Fn(&P) -> bool) {
        self.all.retain(|packet| !is_gone(packet));
    }

    pub fn knows(&self, packet: &P) -> bool {
        self.all.contains(packet)
    }

    /// The logs of all containers, and of what is none.
    pub fn know_rings(&mut self, config: &Config, slots: &BTreeMap<String, u32>) {
        let others = OTHERS.iter().map(|(name, id, _)| P::ring(*id, (*name).to_owned()));
        self.know(rings(config, slots).chain(others));
    }

    /// The logs of containers that were not there before.
    pub fn know_new_rings(&mut self, config: &Config, slots: &BTreeMap<String, u32>) {
        let fresh: Vec<P> = rings(config, slots).filter(|packet| !self.knows(packet)).collect();
        self.know(fresh);
    }

    /// To the one that is there, and no other.
    pub fn tell(&mut self, packets: impl IntoIterator<Item = P>) {
        self.unsent.extend(packets.into_iter().map(alone));
    }

    /// As that, with these descriptors.
    pub fn tell_with(&mut self, packet: P, files: Vec<OwnedFd>) {
        self.unsent.push_back((packet, files));
    }

    /// Whether there is one that waits for room.
    pub fn is_about_to_tell(&self, is_it: impl Fn(&P) -> bool) -> bool {
        self.unsent.iter().any(|(packet, _)| is_it(packet))
    }

    /// Tells everything: to a new one, or to one of whom it is not known what it was told.
    pub fn tell_all(&mut self) {
        self.unsent = self.all.iter().cloned().map(alone).collect();
        self.follows.clear();
    }

    /// Sends what there is room for.
    pub fn send(&mut self, logs: &Logs) {
        while let Some((packet, files)) = self.unsent.front() {
            let ring;
            let carried = match packet.carries() {
                Carries::Nothing => None,
                Carries::Places => self.places.as_ref(),
                Carries::Ring(id) => {
                    // To be read only: it is nobody's but the logger's to write.
                    ring = logs.ring(id).and_then(|ring| memfd::read_only(ring.as_fd()).ok());
                    if ring.is_none() {
                        self.unsent.pop_front();
                        continue;
                    }
                    ring.as_ref()
                }
            };
            let fds: Vec<BorrowedFd<'_>> = files.iter().chain(carried).map(AsFd::as_fd).collect();
            match seqpacket::send(self.socket.as_fd(), &packet.encode(), &fds) {
                Ok(()) => drop(self.unsent.pop_front()),
                // Full, or nobody is there: the next is told all of it anyway.
                Err(_) => return,
            }
        }
    }

    /// These rings have more.
    pub fn wake(&mut self, woken: &[u64]) {
        let asked = woken.iter().filter(|id| self.follows.remove(id));
        self.unsent.extend(asked.map(|id| alone(P::wake(*id))));
    }

    /// It asks to be woken when the ring has more than has been seen.
    pub fn follow(&mut self, id: u64, after: u64, logs: &mut Logs) {
        if logs.ring(id).is_some() {
            self.follows.insert(id);
            logs.follow(id, after);
        }
    }

    /// What it has said, a portion of it; what nobody understands is passed over.
    pub fn hear<F>(&self, decode: fn(&[u8]) -> Option<F>) -> Vec<F> {
        /// Packets in one turn of the loop.
        const A_TURN: usize = 64;
        /// Larger than every packet of these helpers.
        const LARGEST: usize = 1024;
        let mut bytes = [0; LARGEST];
        let mut receive = || match seqpacket::receive(self.socket.as_fd(), &mut bytes) {
            Ok((size @ 1.., _)) => Some(decode(bytes.get(..size).unwrap_or_default())),
            Ok(_) | Err(_) => None,
        };
        core::iter::from_fn(&mut receive).take(A_TURN).flatten().collect()
    }

    /// Starts it when there is none: `true`, on a new socket, on which it is to be told everything.
    pub fn look_after(&mut self, starts: u32, ledger: &mut Ledger, now: Duration) -> bool {
        let started = self.helper.look_after(starts, None, ledger, now);
        started.map(|socket| self.socket = socket).is_some()
    }

    /// Its socket, also a new one: the old one left the epoll when it was closed.
    pub fn watch(&self, epoll: &Epoll, token: Token) {
        if let Err(errno) = epoll.add(self.socket(), Interest::EPOLLIN, token.number()) {
            say(Level::Error, &format!("{}: {}", self.helper.name(), errno.desc()));
        }
    }
}

fn alone<P>(packet: P) -> (P, Vec<OwnedFd>) {
    (packet, Vec::new())
}

fn rings<P: Packet>(config: &Config, slots: &BTreeMap<String, u32>) -> impl Iterator<Item = P> {
    config.containers.keys().filter_map(|name| {
        let id = u64::from(*slots.get(name)?);
        Some(P::ring(id, name.clone()))
    })
}

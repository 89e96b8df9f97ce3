//! The supervisor's side of the disk: what `orlop keep` should know, told to it without ever waiting and told again to its
//! successor; how the disk is; and the two times when somebody waits for it, the boot and the end.
//!
//! Nothing here opens a path that a disk can answer for.

mod flush;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::config::{Config, Disk};
use orlop::keep::{FromKeeper, KEEP_FRAME_MAX, Mirror, ToKeeper};
use orlop::ledger::{Child, Kind, Label};

use self::flush::Flush;
use super::helpers::{self, Helper};
use super::ledger::{Fds, Ledger};
use super::logs::{self, Logs, OTHERS};
use super::{Agent, Token, keep, say};
use crate::linux::epoll::Interest;
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result, memfd, seqpacket};

/// Helpers of this kind have numbers from here on.
const COUNT: u16 = 0xc000;

/// How the disk is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The keeper has not said anything yet.
    Silent,
    Mounted,
    /// It is not there, and why.
    Missing(String),
    /// It is there, and what should be on it is not written.
    Trouble(String),
}

pub struct Keeping {
    helper: Helper,
    socket: OwnedFd,
    spawned: u16,
    disk: Option<Disk>,
    /// All that a new one is told.
    all: Vec<ToKeeper>,
    places: Option<OwnedFd>,
    /// In order, for want of room.
    unsent: VecDeque<ToKeeper>,
    /// Rings that it waits for.
    follows: BTreeSet<u64>,
    state: State,
    /// How many of `all` the keeper was told.
    told: usize,
    flush: Flush,
}

impl Keeping {
    /// # Errors
    /// EMFILE.
    pub fn new() -> Result<Self> {
        let (socket, _) = seqpacket::pair()?;
        Ok(Self {
            // At once: a boot may wait for it.
            helper: Helper::new(c"keep", Duration::ZERO),
            socket,
            spawned: 0,
            disk: None,
            all: Vec::new(),
            places: None,
            unsent: VecDeque::new(),
            follows: BTreeSet::new(),
            state: State::Silent,
            told: 0,
            flush: Flush::No,
        })
    }

    pub fn helper(&mut self) -> &mut Helper {
        &mut self.helper
    }

    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub fn is_behind(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// The disk that is declared, and how it is.
    pub fn disk(&self) -> Option<(&Disk, &State)> {
        self.disk.as_ref().map(|disk| (disk, &self.state))
    }

    fn is_wanted(&self) -> bool {
        self.disk.is_some() && !matches!(self.flush, Flush::Done)
    }

    pub fn deadline(&self) -> Option<Duration> {
        let helper = self.helper.deadline().filter(|_| self.is_wanted());
        let flush = match self.flush {
            Flush::Gathering { until } | Flush::Asked { until } => Some(until),
            Flush::No | Flush::Done => None,
        };
        helper.into_iter().chain(flush).min()
    }

    /// It can be told of changes.
    pub fn listens(&self) -> bool {
        self.helper.is_up() && !self.is_behind()
    }

    pub fn adopt(&mut self, child: &Child, fds: Fds, now: Duration) {
        if let Some(socket) = self.helper.adopt(child, fds, now) {
            self.socket = socket;
        }
    }

    /// Which disk, and how far logs are on it, as PID 1 kept that: the keeper is started.
    pub fn begin_disk(&mut self, config: &Config, kept: Option<OwnedFd>, ledger: &mut Ledger) {
        let Some(disk) = config.host.disk.clone() else { return };
        let places = kept.map_or_else(
            || {
                let places = keep::memory()?;
                let cookie = logs::ring_cookie(logs::KEPT);
                let child = Child { cookie, kind: Kind::Ring, pid: 0, label: Label::new("keep") };
                ledger.register(child, &[places.as_fd()])?;
                Ok(places)
            },
            Ok,
        );
        match places {
            Ok(places) => self.places = Some(places),
            // What was written may be written once more by the next keeper, and that is all.
            Err(errno) => {
                let errno: Errno = errno;
                say(Level::Error, &format!("disk: {}", errno.desc()));
            }
        }
        self.all.extend([ToKeeper::Places, ToKeeper::disk(&disk)]);
        self.disk = Some(disk);
    }

    /// What is kept on it, besides what [`super::lasting`] has.
    pub fn begin(&mut self, config: &Config, slots: &BTreeMap<String, u32>) {
        if self.disk.is_none() {
            return;
        }
        let others = OTHERS.iter().map(|(name, id, _)| (*id, (*name).to_owned()));
        let others = others.map(|(id, name)| ToKeeper::Ring { id, name });
        self.all.extend(rings(config, slots).chain(others));
    }

    /// What has come to be known since the keeper was told everything.
    pub fn tell_rest(&mut self, logs: &Logs) {
        if self.helper.is_up() {
            self.unsent.extend(self.all.iter().skip(self.told).cloned());
            self.told = self.all.len();
            self.send(logs);
        }
    }

    /// The logs of containers that were not there before. The disk stays what it is.
    pub fn follow_config(&mut self, config: &Config, slots: &BTreeMap<String, u32>, logs: &Logs) {
        if !self.is_wanted() {
            return;
        }
        let fresh: Vec<ToKeeper> = rings(config, slots).filter(|packet| !self.all.contains(packet)).collect();
        self.all.extend(fresh);
        self.tell_rest(logs);
    }

    /// Tells everything: to a new one, or to one of whom it is not known what it was told.
    fn tell_all(&mut self, logs: &Logs) {
        self.unsent = self.all.iter().cloned().collect();
        self.told = self.all.len();
        if matches!(self.flush, Flush::Asked { .. }) {
            self.unsent.extend([ToKeeper::Mirror(Mirror::All), ToKeeper::Flush]);
        }
        self.follows.clear();
        self.send(logs);
    }

    fn send(&mut self, logs: &Logs) {
        while let Some(packet) = self.unsent.front() {
            let ring;
            let fd = match packet {
                ToKeeper::Places => match &self.places {
                    Some(places) => Some(places.as_fd()),
                    None => {
                        self.unsent.pop_front();
                        continue;
                    }
                },
                ToKeeper::Ring { id, .. } => {
                    // To be read only: it is nobody's but the logger's to write.
                    ring = logs.ring(*id).and_then(|ring| memfd::read_only(ring.as_fd()).ok());
                    let Some(ring) = &ring else {
                        self.unsent.pop_front();
                        continue;
                    };
                    Some(ring.as_fd())
                }
                ToKeeper::Disk { .. } | ToKeeper::Mirror(_) | ToKeeper::Wake { .. } | ToKeeper::Flush => None,
            };
            let fds: Vec<BorrowedFd<'_>> = fd.into_iter().collect();
            match seqpacket::send(self.socket.as_fd(), &packet.encode(), &fds) {
                Ok(()) => drop(self.unsent.pop_front()),
                // Full, or nobody is there: the next is told all of it anyway.
                Err(_) => return,
            }
        }
    }

    /// These rings have more.
    pub fn wake(&mut self, woken: &[u64], logs: &Logs) {
        let asked = woken.iter().filter(|id| self.follows.remove(id));
        self.unsent.extend(asked.map(|id| ToKeeper::Wake { id: *id }));
        self.send(logs);
    }

    /// One packet of its, if there is one.
    fn receive(&self) -> Option<FromKeeper> {
        let mut bytes = [0; KEEP_FRAME_MAX];
        loop {
            let Ok((size @ 1.., _)) = seqpacket::receive(self.socket.as_fd(), &mut bytes) else {
                return None;
            };
            if let Some(packet) = FromKeeper::decode(bytes.get(..size).unwrap_or_default()) {
                return Some(packet);
            }
        }
    }

    /// Starts it when there is none, and a disk. `true`: on a new socket.
    fn look_after(&mut self, starts: u32, ledger: &mut Ledger, logs: &Logs, now: Duration) -> bool {
        if !self.is_wanted() {
            return false;
        }
        let next = COUNT | (self.spawned.wrapping_add(1) & !COUNT);
        match self.helper.look_after(helpers::cookie(starts, next), ledger, now) {
            Some(socket) => {
                (self.socket, self.spawned) = (socket, self.spawned.wrapping_add(1));
                self.tell_all(logs);
                true
            }
            None => false,
        }
    }

    pub fn crash(&self, signal: i32) {
        self.helper.signal(signal);
    }
}

fn rings(config: &Config, slots: &BTreeMap<String, u32>) -> impl Iterator<Item = ToKeeper> {
    config.containers.keys().filter_map(|name| {
        let id = u64::from(*slots.get(name)?);
        Some(ToKeeper::Ring { id, name: name.clone() })
    })
}

impl Agent {
    /// One of an earlier supervisor goes on; it is told everything once more.
    pub fn keeper_adopted(&mut self) {
        if self.keeping.helper.is_up() {
            self.keeping.tell_all(&self.logs);
            self.lasting.tell_all();
            self.watch_keeper();
        }
    }

    pub fn look_after_keeper(&mut self, now: Duration) {
        if self.keeping.look_after(self.boot.starts, &mut self.ledger, &self.logs, now) {
            self.lasting.tell_all();
            self.watch_keeper();
        }
        self.go_on_flushing(now);
    }

    /// Files that are to be copied, as long as the keeper has time to read of them.
    pub fn tell_changes(&mut self, now: Duration) {
        if self.keeping.listens() {
            self.keeping.unsent.extend(self.lasting.due(now).into_iter().map(ToKeeper::Mirror));
            self.keeping.send(&self.logs);
        }
    }

    fn watch_keeper(&mut self) {
        let watched = self.epoll.add(self.keeping.socket(), Interest::EPOLLIN, Token::Keep.number());
        if let Err(errno) = watched {
            say(Level::Error, &format!("disk: {}", errno.desc()));
        }
        self.backlogs.keep = false;
    }

    /// What the keeper waits for, and what it has met.
    pub fn hear_keeper(&mut self, now: Duration) {
        /// Packets in one turn of the loop.
        const A_TURN: u32 = 64;
        self.keeping.send(&self.logs);
        for _ in 0..A_TURN {
            let Some(packet) = self.keeping.receive() else { return };
            match packet {
                FromKeeper::Follow { id, after } => {
                    if self.logs.ring(id).is_some() {
                        self.keeping.follows.insert(id);
                        self.logs.follow(id, after);
                    }
                }
                FromKeeper::Mounted => self.disk_is_there(),
                FromKeeper::Restored { why } => self.restored(&why, now),
                FromKeeper::OnDisk { number } => self.is_on_disk(number),
                FromKeeper::Missing { why } => {
                    say(Level::Error, &format!("disk: {why}; what it would keep is lost at a power-off"));
                    self.keeping.state = State::Missing(why);
                }
                FromKeeper::Trouble { why } if why.is_empty() => {
                    say(Level::Info, "disk: it is written again");
                    self.keeping.state = State::Mounted;
                }
                FromKeeper::Trouble { why } => {
                    say(Level::Error, &format!("disk: {why}; trying again"));
                    self.keeping.state = State::Trouble(why);
                }
                FromKeeper::Note { text } => say(Level::Warning, &format!("disk: {text}")),
                FromKeeper::Flushed => self.flushed(),
            }
        }
    }

    fn disk_is_there(&mut self) {
        // A keeper that follows one in trouble has its own to find.
        if let (State::Silent | State::Missing(_) | State::Trouble(_), Some(disk)) =
            (&self.keeping.state, &self.keeping.disk)
        {
            say(Level::Info, &format!("disk: {} is at {}", disk.device, keep::POINT));
            self.keeping.state = State::Mounted;
        }
    }

    /// The boot has waited for long enough. Why it did, in words.
    pub fn disk_is_late(&mut self) -> String {
        match (&self.keeping.state, &self.keeping.disk) {
            (State::Missing(why) | State::Trouble(why), _) => why.clone(),
            (State::Silent | State::Mounted, Some(disk)) => {
                let why = format!("{}: no answer within {} s", disk.device, disk.timeout.as_secs());
                if self.keeping.state == State::Silent {
                    self.keeping.state = State::Missing(why.clone());
                }
                why
            }
            (State::Silent | State::Mounted, None) => "there is none".to_owned(),
        }
    }
}

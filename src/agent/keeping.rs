//! The supervisor's side of the disk: what `orlop keep` should know, told to it without ever waiting and told again to its
//! successor; how the disk is; and the two times when somebody waits for it, the boot and the end.
//!
//! Nothing here opens a path that a disk can answer for.

mod flush;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::Duration;

use orlop::config::{Config, Disk};
use orlop::keep::{FromKeeper, Mirror, ToKeeper};

use self::flush::Flush;
use super::helpers::Role;
use super::ledger::Ledger;
use super::logs::{self, Logs};
use super::ring_reader::{Carries, Packet, RingReader};
use super::{Agent, Token, keep, say};
use crate::linux::Result;
use crate::linux::kmsg::Level;

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
    pub reader: RingReader<ToKeeper>,
    disk: Option<Disk>,
    state: State,
    flush: Flush,
}

impl Packet for ToKeeper {
    fn encode(&self) -> Vec<u8> {
        self.encode()
    }

    fn ring(id: u64, name: String) -> Self {
        Self::Ring { id, name }
    }

    fn wake(id: u64) -> Self {
        Self::Wake { id }
    }

    fn carries(&self) -> Carries {
        match self {
            Self::Places => Carries::Places,
            Self::Ring { id, .. } => Carries::Ring(*id),
            Self::Disk { .. } | Self::Mirror(_) | Self::Wake { .. } | Self::Flush => Carries::Nothing,
        }
    }
}

impl Keeping {
    /// # Errors
    /// EMFILE.
    pub fn new() -> Result<Self> {
        // At once: a boot may wait for it.
        let reader = RingReader::new(Role::Keep, Duration::ZERO)?;
        Ok(Self { reader, disk: None, state: State::Silent, flush: Flush::No })
    }

    /// The disk that is declared, and how it is.
    pub fn disk(&self) -> Option<(&Disk, &State)> {
        self.disk.as_ref().map(|disk| (disk, &self.state))
    }

    fn is_wanted(&self) -> bool {
        self.disk.is_some() && !matches!(self.flush, Flush::Done)
    }

    pub fn deadline(&self) -> Option<Duration> {
        let helper = self.reader.helper.deadline().filter(|_| self.is_wanted());
        let flush = match self.flush {
            Flush::Gathering { until } | Flush::Asked { until } => Some(until),
            Flush::No | Flush::Done => None,
        };
        helper.into_iter().chain(flush).min()
    }

    /// It can be told of changes.
    pub fn listens(&self) -> bool {
        self.reader.helper.is_up() && !self.reader.is_behind()
    }

    /// Which disk, and how far logs are on it, as PID 1 kept that: the keeper is started.
    pub fn begin_disk(&mut self, config: &Config, kept: Option<OwnedFd>, ledger: &mut Ledger) {
        let Some(disk) = config.host.disk.clone() else { return };
        match self.reader.has_places(kept, (logs::KEPT, keep::memory), ledger) {
            Ok(()) => self.reader.know([ToKeeper::Places]),
            // What was written may be written once more by the next keeper, and that is all.
            Err(errno) => say(Level::Error, &format!("disk: {}", errno.desc())),
        }
        self.reader.know([ToKeeper::disk(&disk)]);
        self.disk = Some(disk);
    }

    /// What is kept on it, besides what [`super::lasting`] has.
    pub fn begin(&mut self, config: &Config, slots: &BTreeMap<String, u32>, logs: &Logs) {
        if self.disk.is_some() {
            self.reader.know_rings(config, slots);
            self.send(logs);
        }
    }

    /// The logs of containers that were not there before. The disk stays what it is.
    pub fn follow_config(&mut self, config: &Config, slots: &BTreeMap<String, u32>, logs: &Logs) {
        if self.is_wanted() {
            self.reader.know_new_rings(config, slots);
            self.send(logs);
        }
    }

    /// Tells everything: to a new one, or to one of whom it is not known what it was told.
    fn tell_all(&mut self, logs: &Logs) {
        self.reader.tell_all();
        if matches!(self.flush, Flush::Asked { .. }) {
            self.reader.tell([ToKeeper::Mirror(Mirror::All), ToKeeper::Flush]);
        }
        self.send(logs);
    }

    fn send(&mut self, logs: &Logs) {
        self.reader.send(logs);
    }

    /// These rings have more.
    pub fn wake(&mut self, woken: &[u64], logs: &Logs) {
        self.reader.wake(woken);
        self.send(logs);
    }

    /// Starts it when there is none, and a disk. `true`: on a new socket.
    fn look_after(&mut self, starts: u32, ledger: &mut Ledger, logs: &Logs, now: Duration) -> bool {
        let is_new = self.is_wanted() && self.reader.look_after(starts, ledger, now);
        if is_new {
            self.tell_all(logs);
        }
        is_new
    }
}

impl Agent {
    /// One of an earlier supervisor goes on; it is told everything once more.
    pub fn keeper_adopted(&mut self) {
        if self.keeping.reader.helper.is_up() {
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
            self.keeping.reader.tell(self.lasting.due(now).into_iter().map(ToKeeper::Mirror));
            self.keeping.send(&self.logs);
        }
    }

    fn watch_keeper(&mut self) {
        self.keeping.reader.watch(&self.epoll, Token::Keep);
        self.backlogs.keep = false;
    }

    /// What the keeper waits for, and what it has met.
    pub fn hear_keeper(&mut self, now: Duration) {
        self.keeping.send(&self.logs);
        for packet in self.keeping.reader.hear(FromKeeper::decode) {
            match packet {
                FromKeeper::Follow { id, after } => self.keeping.reader.follow(id, after, &mut self.logs),
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

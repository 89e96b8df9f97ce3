//! The supervisor's side of forwarding: what `orlop forward` should know, told to it without ever waiting and told again
//! to its successor, and wakes when there is more in a log.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::config::{Collector, Config, TlsFiles};
use orlop::ledger::{Child, Kind, Label};
use orlop::log::{FORWARD_FRAME_MAX, FromForwarder, ToForwarder};

use super::helpers::{self, Helper};
use super::ledger::{Fds, Ledger};
use super::logs::{self, Logs, OTHERS, Rings};
use super::{Agent, Token, files, forward, say};
use crate::linux::epoll::Interest;
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result, fs, insist, memfd, seqpacket};

/// The program that speaks TLS; `orlop-image` puts it there where a collector needs it.
const SPEAKER: &str = "/orlop/bin/orlop-tls";
/// Helpers of this kind have numbers from here on; the logger's are below, the consoles' above.
const COUNT: u16 = 0x4000;

pub struct Forwarding {
    helper: Helper,
    socket: OwnedFd,
    spawned: u16,
    /// All that a new one is told; nothing when there is no collector.
    all: Vec<ToForwarder>,
    places: Option<OwnedFd>,
    /// The files of those that are spoken to by TLS, and what they are beside.
    tls: Vec<(Collector, TlsFiles)>,
    config_dir: String,
    /// In order, for want of room.
    unsent: VecDeque<ToForwarder>,
    /// Rings that it waits for.
    follows: BTreeSet<u64>,
}

impl Forwarding {
    /// The helper is started at `first`, if there is a collector.
    ///
    /// # Errors
    /// EMFILE.
    pub fn new(first: Duration) -> Result<Self> {
        let (socket, _) = seqpacket::pair()?;
        Ok(Self {
            helper: Helper::new(c"forward", first),
            socket,
            spawned: 0,
            all: Vec::new(),
            places: None,
            tls: Vec::new(),
            config_dir: String::new(),
            unsent: VecDeque::new(),
            follows: BTreeSet::new(),
        })
    }

    fn is_wanted(&self) -> bool {
        self.places.is_some()
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

    pub fn deadline(&self) -> Option<Duration> {
        self.helper.deadline().filter(|_| self.is_wanted())
    }

    pub fn adopt(&mut self, child: &Child, fds: Fds, now: Duration) {
        if let Some(socket) = self.helper.adopt(child, fds, now) {
            self.socket = socket;
        }
    }

    /// What is to be sent where; goes on from the places that PID 1 kept.
    pub fn begin(
        &mut self,
        (config, config_dir): (&Config, &str),
        slots: &BTreeMap<String, u32>,
        kept: &mut Rings,
        ledger: &mut Ledger,
    ) {
        if config.host.log_forward.is_empty() {
            return;
        }
        let places = kept.remove(&logs::PLACES).map_or_else(
            || {
                let places = forward::memory()?;
                let label = Label::new("forward");
                let child =
                    Child { cookie: logs::ring_cookie(logs::PLACES), kind: Kind::Ring, pid: 0, label };
                ledger.register(child, &[places.as_fd()])?;
                Ok(places)
            },
            Ok,
        );
        match places {
            Ok(places) => self.places = Some(places),
            Err(errno) => {
                let errno: Errno = errno;
                return say(Level::Error, &format!("forward: {}", errno.desc()));
            }
        }
        self.all.extend([ToForwarder::Host(config.host.hostname.clone()), ToForwarder::Places]);
        let collectors = config.host.log_forward.iter();
        self.all.extend(collectors.clone().map(|forward| ToForwarder::To(forward.to.clone())));
        self.tls =
            collectors.filter_map(|forward| Some((forward.to.clone(), forward.files.clone()?))).collect();
        self.config_dir = config_dir.to_owned();
        let others = OTHERS.iter().map(|(name, id, _)| (*id, (*name).to_owned()));
        let others = others.map(|(id, name)| ToForwarder::Ring { id, name });
        self.all.extend(rings(config, slots).chain(others));
    }

    /// The machine's name, and the logs of containers that were not there before. Collectors stay who they are.
    pub fn follow_config(&mut self, config: &Config, slots: &BTreeMap<String, u32>, logs: &Logs) {
        if !self.is_wanted() {
            return;
        }
        let host = ToForwarder::Host(config.host.hostname.clone());
        let fresh = [host].into_iter().chain(rings(config, slots));
        let fresh: Vec<ToForwarder> = fresh.filter(|packet| !self.all.contains(packet)).collect();
        let is_host = |packet: &ToForwarder| matches!(packet, ToForwarder::Host(_));
        if fresh.first().is_some_and(is_host) {
            self.all.retain(|packet| !is_host(packet));
        }
        self.all.extend(fresh.iter().cloned());
        if self.helper.is_up() {
            self.unsent.extend(fresh);
            self.flush(logs);
        }
    }

    /// Tells everything: to a new one, or to one of whom it is not known what it was told.
    fn tell_all(&mut self, logs: &Logs) {
        self.unsent = self.all.iter().cloned().collect();
        self.follows.clear();
        self.flush(logs);
    }

    fn flush(&mut self, logs: &Logs) {
        while let Some(packet) = self.unsent.front() {
            let (ring, opened);
            let fds: Vec<BorrowedFd<'_>> = match packet {
                ToForwarder::Places => self.places.iter().map(AsFd::as_fd).collect(),
                ToForwarder::To(to) => {
                    opened = self.open(to);
                    match &opened {
                        Ok(files) => files.iter().map(AsFd::as_fd).collect(),
                        Err(why) => {
                            say(Level::Error, &format!("forward: {to}: {why}"));
                            self.unsent.pop_front();
                            continue;
                        }
                    }
                }
                ToForwarder::Ring { id, .. } => {
                    // To be read only: it is nobody's but the logger's to write.
                    ring = logs.ring(*id).and_then(|ring| memfd::read_only(ring.as_fd()).ok());
                    let Some(ring) = &ring else {
                        self.unsent.pop_front();
                        continue;
                    };
                    vec![ring.as_fd()]
                }
                ToForwarder::Host(_) | ToForwarder::Wake { .. } => Vec::new(),
            };
            match seqpacket::send(self.socket.as_fd(), &packet.encode(), &fds) {
                Ok(()) => drop(self.unsent.pop_front()),
                // Full, or nobody is there: the next is told all of it anyway.
                Err(_) => return,
            }
        }
    }

    /// What the forwarder cannot open itself: of TLS the program that speaks it, and the files; of others nothing.
    fn open(&self, to: &Collector) -> core::result::Result<Vec<OwnedFd>, String> {
        let Some((_, TlsFiles { ca, own })) = self.tls.iter().find(|(known, _)| known == to) else {
            return Ok(Vec::new());
        };
        let named = |what: &str, path: &str| {
            let opened = insist(|| fs::open_regular(path));
            opened.map_err(|errno| format!("{what}: {path}: {}", errno.desc()))
        };
        let beside = |key: &str, path: &str| named(key, &files::beside(&self.config_dir, path));
        let program = named("who speaks TLS", SPEAKER)?;
        let mut opened = vec![program, beside("ca", ca)?];
        if let Some((cert, key)) = own {
            opened.extend([beside("cert", cert)?, beside("key", key)?]);
        }
        Ok(opened)
    }

    /// These rings have more.
    pub fn wake(&mut self, woken: &[u64], logs: &Logs) {
        let asked = woken.iter().filter(|id| self.follows.remove(id));
        self.unsent.extend(asked.map(|id| ToForwarder::Wake { id: *id }));
        self.flush(logs);
    }

    /// What it waits for, and what it has met.
    pub fn hear(&mut self, logs: &mut Logs) {
        /// Packets in one turn of the loop.
        const A_TURN: u32 = 64;
        self.flush(logs);
        let mut bytes = [0; FORWARD_FRAME_MAX];
        for _ in 0..A_TURN {
            let Ok((size @ 1.., _)) = seqpacket::receive(self.socket.as_fd(), &mut bytes) else { return };
            match FromForwarder::decode(bytes.get(..size).unwrap_or_default()) {
                Some(FromForwarder::Follow(follow)) if logs.ring(follow.id).is_some() => {
                    self.follows.insert(follow.id);
                    logs.follow(follow.id, follow.after);
                }
                Some(FromForwarder::Link { to, errno: 0 }) => {
                    say(Level::Info, &format!("forward: {to}: works again"));
                }
                Some(FromForwarder::Link { to, errno }) => {
                    let why = Errno::from_raw(errno).desc();
                    say(Level::Warning, &format!("forward: {to}: {why}; trying again"));
                }
                Some(FromForwarder::Said { to, why }) => {
                    say(Level::Warning, &format!("forward: {to}: {why}; trying again"));
                }
                Some(FromForwarder::Trouble { id, errno }) => {
                    let (name, why) = (logs.name(id), Errno::from_raw(errno).desc());
                    say(Level::Error, &format!("forward: log of {name}: {why}"));
                }
                Some(FromForwarder::Follow(_)) | None => {}
            }
        }
    }

    /// Starts it when there is none, and somebody to send to. `true`: on a new socket.
    fn look_after(&mut self, starts: u32, ledger: &mut Ledger, logs: &Logs, now: Duration) -> bool {
        if !self.is_wanted() {
            return false;
        }
        let next = COUNT | (self.spawned.wrapping_add(1) & (COUNT - 1));
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

fn rings(config: &Config, slots: &BTreeMap<String, u32>) -> impl Iterator<Item = ToForwarder> {
    config.containers.keys().filter_map(|name| {
        let id = u64::from(*slots.get(name)?);
        Some(ToForwarder::Ring { id, name: name.clone() })
    })
}

impl Agent {
    /// One of an earlier supervisor goes on; it is told everything once more.
    pub fn forwarder_adopted(&mut self) {
        if self.forwarding.helper.is_up() {
            self.forwarding.tell_all(&self.logs);
            self.watch_forwarder();
        }
    }

    pub fn look_after_forwarder(&mut self, now: Duration) {
        if self.forwarding.look_after(self.boot.starts, &mut self.ledger, &self.logs, now) {
            self.watch_forwarder();
        }
    }

    fn watch_forwarder(&mut self) {
        let watched = self.epoll.add(self.forwarding.socket(), Interest::EPOLLIN, Token::Forward.number());
        if let Err(errno) = watched {
            say(Level::Error, &format!("forward: {}", errno.desc()));
        }
        self.backlogs.forward = false;
    }
}

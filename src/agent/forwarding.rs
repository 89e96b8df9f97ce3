//! The supervisor's side of forwarding: what `orlop forward` should know, told to it without ever waiting and told again
//! to its successor, and wakes when there is more in a log.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::Duration;

use orlop::config::{Collector, Config, TlsFiles};
use orlop::log::{FromForwarder, ToForwarder};

use super::helpers::Role;
use super::ledger::Ledger;
use super::logs::{self, Logs, Rings};
use super::ring_reader::{Carries, Packet, RingReader};
use super::{Agent, Token, files, forward, say};
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result, fs};

/// The program that speaks TLS; `orlop-image` puts it there where a collector needs it.
const SPEAKER: &str = "/orlop/bin/orlop-tls";

pub struct Forwarding {
    pub reader: RingReader<ToForwarder>,
    /// There is a collector, and a memory of what it has.
    is_wanted: bool,
    /// Of those that are spoken to by TLS.
    files: Files,
}

/// The files of collectors, and the folder that they are beside.
struct Files {
    speaker: &'static str,
    of: Vec<(Collector, TlsFiles)>,
    config_dir: String,
}

impl Packet for ToForwarder {
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
            Self::Host(_) | Self::To(_) | Self::Files(_) | Self::NoFiles { .. } | Self::Wake { .. } => {
                Carries::Nothing
            }
        }
    }
}

impl Forwarding {
    /// The helper is started at `first`, if there is a collector.
    ///
    /// # Errors
    /// EMFILE.
    pub fn new(first: Duration) -> Result<Self> {
        let reader = RingReader::new(Role::Forward, first)?;
        Ok(Self {
            reader,
            is_wanted: false,
            files: Files { speaker: SPEAKER, of: Vec::new(), config_dir: String::new() },
        })
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.reader.helper.deadline().filter(|_| self.is_wanted)
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
        let kept = kept.remove(&logs::PLACES);
        if let Err(errno) = self.reader.has_places(kept, (logs::PLACES, forward::memory), ledger) {
            return say(Level::Error, &format!("forward: {}", errno.desc()));
        }
        self.is_wanted = true;
        let collectors = config.host.log_forward.iter();
        let of = collectors.clone().filter_map(|forward| Some((forward.to.clone(), forward.files.clone()?)));
        self.files = Files { speaker: SPEAKER, of: of.collect(), config_dir: config_dir.to_owned() };
        self.reader.know([ToForwarder::Host(config.host.hostname.clone()), ToForwarder::Places]);
        self.reader.know(collectors.map(|forward| ToForwarder::To(forward.to.clone())));
        self.reader.know_rings(config, slots);
    }

    /// The machine's name, and the logs of containers that were not there before. Collectors stay who they are.
    pub fn follow_config(&mut self, config: &Config, slots: &BTreeMap<String, u32>, logs: &Logs) {
        if !self.is_wanted {
            return;
        }
        let host = ToForwarder::Host(config.host.hostname.clone());
        if !self.reader.knows(&host) {
            self.reader.forget(|packet| matches!(packet, ToForwarder::Host(_)));
            self.reader.know([host]);
        }
        self.reader.know_new_rings(config, slots);
        self.reader.send(logs);
    }

    /// Tells everything: to a new one, or to one of whom it is not known what it was told.
    fn tell_all(&mut self, logs: &Logs) {
        self.reader.tell_all();
        self.reader.send(logs);
    }

    /// These rings have more.
    pub fn wake(&mut self, woken: &[u64], logs: &Logs) {
        self.reader.wake(woken);
        self.reader.send(logs);
    }

    /// What it waits for, and what it has met.
    pub fn hear(&mut self, logs: &mut Logs) {
        self.reader.send(logs);
        for packet in self.reader.hear(FromForwarder::decode) {
            match packet {
                FromForwarder::Follow(follow) => self.reader.follow(follow.id, follow.after, logs),
                FromForwarder::Files(to) => self.hand_files(to),
                FromForwarder::Link { to, errno: 0 } => {
                    say(Level::Info, &format!("forward: {to}: works again"));
                }
                FromForwarder::Link { to, errno } => {
                    let why = Errno::from_raw(errno).desc();
                    say(Level::Warning, &format!("forward: {to}: {why}; trying again"));
                }
                FromForwarder::Said { to, why } => {
                    say(Level::Warning, &format!("forward: {to}: {why}; trying again"));
                }
                FromForwarder::Trouble { id, errno } => {
                    let (name, why) = (logs.name(id), Errno::from_raw(errno).desc());
                    say(Level::Error, &format!("forward: log of {name}: {why}"));
                }
            }
        }
        self.reader.send(logs);
    }

    /// The files of a collector as they are now: they may be others than they were for the session before.
    fn hand_files(&mut self, to: Collector) {
        let is_answer = |packet: &ToForwarder| match packet {
            ToForwarder::Files(answered) | ToForwarder::NoFiles { to: answered, .. } => *answered == to,
            ToForwarder::Host(_)
            | ToForwarder::Places
            | ToForwarder::To(_)
            | ToForwarder::Ring { .. }
            | ToForwarder::Wake { .. } => false,
        };
        if self.reader.is_about_to_tell(is_answer) {
            return;
        }
        match self.files.open(&to) {
            Ok(files) => self.reader.tell_with(ToForwarder::Files(to), files),
            Err(why) => self.reader.tell([ToForwarder::NoFiles { to, why }]),
        }
    }

    /// Starts it when there is none, and somebody to send to. `true`: on a new socket.
    fn look_after(&mut self, starts: u32, ledger: &mut Ledger, logs: &Logs, now: Duration) -> bool {
        let is_new = self.is_wanted && self.reader.look_after(starts, ledger, now);
        if is_new {
            self.tell_all(logs);
        }
        is_new
    }
}

impl Files {
    /// What the forwarder cannot open itself: the program that speaks TLS, and what it is to read.
    fn open(&self, to: &Collector) -> core::result::Result<Vec<OwnedFd>, String> {
        let known = self.of.iter().find(|(known, _)| known == to);
        let Some((_, TlsFiles { ca, own })) = known else {
            return Err("nobody declares this collector".to_owned());
        };
        let named = |what: &str, path: &str| {
            // Not insisted upon: the forwarder asks again.
            let opened = fs::open_from_others(path);
            opened.map_err(|errno| format!("{what}: {path}: {}", errno.desc()))
        };
        let beside = |key: &str, path: &str| named(key, &files::beside(&self.config_dir, path));
        let program = named("who speaks TLS", self.speaker)?;
        let mut opened = vec![program, beside("ca", ca)?];
        if let Some((cert, key)) = own {
            opened.extend([beside("cert", cert)?, beside("key", key)?]);
        }
        Ok(opened)
    }
}

impl Agent {
    /// One of an earlier supervisor goes on; it is told everything once more.
    pub fn forwarder_adopted(&mut self) {
        if self.forwarding.reader.helper.is_up() {
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
        self.forwarding.reader.watch(&self.epoll, Token::Forward);
        self.backlogs.forward = false;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use orlop::config::TlsCollector;

    use super::*;

    #[test]
    fn files_are_those_of_the_moment_in_which_they_are_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let to = |port| Collector::Tls(TlsCollector { host: "192.0.2.1".into(), port, server_name: None });
        let mut forwarding = Forwarding::new(Duration::ZERO).unwrap();
        let of = vec![(to(6514), TlsFiles { ca: "ca.pem".into(), own: None })];
        forwarding.files = Files { speaker: "/bin/sh", of, config_dir: path("") };
        let answers = |forwarding: &mut Forwarding, to: Collector, answer: &ToForwarder| {
            forwarding.reader.tell_all();
            forwarding.hand_files(to);
            forwarding.reader.is_about_to_tell(|packet| packet == answer)
        };
        let none = |to, why: &str| ToForwarder::NoFiles { to, why: why.into() };
        let missing = format!("ca: {}: No such file or directory", path("ca.pem"));
        assert!(answers(&mut forwarding, to(6514), &none(to(6514), &missing)));
        assert!(answers(&mut forwarding, to(1), &none(to(1), "nobody declares this collector")));
        for text in ["of this year", "of the next year"] {
            std::fs::write(path("new"), text).unwrap();
            std::fs::rename(path("new"), path("ca.pem")).unwrap();
            assert!(answers(&mut forwarding, to(6514), &ToForwarder::Files(to(6514))));
            let mut read = String::new();
            let opened = forwarding.files.open(&to(6514)).unwrap().pop().unwrap();
            std::fs::File::from(opened).read_to_string(&mut read).unwrap();
            assert_eq!(read, text);
        }
        // Who asks and does not listen is answered once.
        std::fs::remove_file(path("ca.pem")).unwrap();
        forwarding.hand_files(to(6514));
        assert!(!forwarding.reader.is_about_to_tell(|packet| *packet == none(to(6514), &missing)));
    }
}

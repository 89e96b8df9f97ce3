//! The forwarder's loop: packets from the supervisor, links to collectors. One wait, bounded work after it.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::config::Collector;
use orlop::log::{FORWARD_FRAME_MAX, ToForwarder};

use super::destination::Destination;
use super::link::Why;
use super::places::{self, Places};
use super::pump::Speaker;
use super::talk::Talk;
use crate::agent::log::RingFile;
use crate::linux::epoll::{Epoll, Interest};
use crate::linux::{Errno, Result, seqpacket, time};

/// The control socket's token; destinations have the following ones.
const CONTROL: u64 = 0;

/// Packets heard in one wake-up.
const PACKETS_PER_WAKE: u32 = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Again,
    /// Nobody is at the other end of the socket, nor ever will be.
    Over,
}

/// What is sent, and in whose name.
#[derive(Default)]
pub(super) struct Rings {
    pub(super) host: String,
    pub(super) all: BTreeMap<u64, (String, RingFile)>,
}

pub(super) struct Forwarder {
    control: OwnedFd,
    epoll: Epoll,
    rings: Rings,
    places: Option<Places>,
    destinations: Vec<Destination>,
    talk: Talk,
}

impl Forwarder {
    pub(super) fn new(control: OwnedFd) -> Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(control.as_fd(), Interest::EPOLLIN, CONTROL)?;
        Ok(Self {
            control,
            epoll,
            rings: Rings::default(),
            places: None,
            destinations: Vec::new(),
            talk: Talk::default(),
        })
    }

    /// Waits once and handles what came.
    pub(super) fn turn(&mut self) -> Result<Turn> {
        let now = time::since_boot();
        let deadline = self.destinations.iter().filter_map(Destination::deadline).min();
        let timeout = match self.destinations.iter().any(Destination::has_work) {
            true => Some(Duration::ZERO),
            false => deadline.map(|at| at.saturating_sub(now)),
        };
        let ready = self.epoll.wait(timeout)?;
        let now = time::since_boot();
        for (token, events) in ready.iter() {
            if token == CONTROL {
                if self.hear(now)? == Turn::Over {
                    return Ok(Turn::Over);
                }
            } else if let (Some(destination), Some(places)) = (
                usize::try_from(token)
                    .ok()
                    .and_then(|token| self.destinations.get_mut(token.checked_sub(1)?)),
                &mut self.places,
            ) {
                destination.woken(events, &self.rings, places, now);
            }
        }
        if let Some(places) = &mut self.places {
            for destination in &mut self.destinations {
                destination.work((&self.rings, places), &self.epoll, now, &mut self.talk);
            }
        }
        self.ask()?;
        Ok(Turn::Again)
    }

    fn hear(&mut self, now: Duration) -> Result<Turn> {
        let mut packet = [0; FORWARD_FRAME_MAX];
        for _ in 0..PACKETS_PER_WAKE {
            let (size, [fd, ca, cert, key]) = match seqpacket::receive(self.control.as_fd(), &mut packet) {
                Ok((0, _)) => return Ok(Turn::Over),
                Ok(received) => received,
                Err(Errno::EAGAIN | Errno::EINTR) => return Ok(Turn::Again),
                Err(errno) => return Err(errno),
            };
            match (ToForwarder::decode(packet.get(..size).unwrap_or_default()), fd) {
                (Some(ToForwarder::Host(host)), _) => self.rings.host = host,
                (Some(ToForwarder::Places), Some(fd)) if self.places.is_none() => {
                    // Without those that others keep, this one's own do: a death costs more, and that is all.
                    let places = Places::adopt(fd).or_else(|_| Places::adopt(places::memory()?))?;
                    self.places = Some(places);
                }
                (Some(ToForwarder::To(to)), fd) => {
                    let token = self.destinations.len() as u64 + 1;
                    // A supervisor of an earlier release is not asked for files: it gives them here.
                    let speaker = speaker([fd, ca, cert, key]);
                    match self.destination(&to) {
                        Some(known) => known.told_again(speaker),
                        None => self.destinations.push(Destination::new(to, speaker, token)),
                    }
                }
                (Some(ToForwarder::Files(to)), fd) => {
                    // Too many for us, it may be.
                    self.files(&to, speaker([fd, ca, cert, key]).ok_or(Why::Errno(Errno::EMFILE)), now);
                }
                (Some(ToForwarder::NoFiles { to, why }), _) => self.files(&to, Err(Why::Said(why)), now),
                (Some(ToForwarder::Ring { id, name }), Some(fd)) => self.ring(id, name, RingFile::adopt(fd)?),
                (Some(ToForwarder::Wake { id }), _) => {
                    self.destinations.iter_mut().for_each(|destination| destination.wake(id));
                }
                (Some(ToForwarder::Places | ToForwarder::Ring { .. }) | None, _) => {}
            }
        }
        Ok(Turn::Again)
    }

    fn files(&mut self, to: &Collector, files: core::result::Result<Speaker, Why>, now: Duration) {
        if let Some(destination) = self.destination(to) {
            destination.files(files, now);
        }
    }

    fn destination(&mut self, to: &Collector) -> Option<&mut Destination> {
        self.destinations.iter_mut().find(|known| known.is(to))
    }

    /// Told again by another supervisor, who does not know what we wait for: we look, and ask once more.
    fn ring(&mut self, id: u64, name: String, ring: RingFile) {
        let Some(places) = &self.places else { return };
        let is_known = self.rings.all.get(&id).is_some_and(|(_, known)| known.identity() == ring.identity());
        for destination in &mut self.destinations {
            if is_known {
                destination.wake(id);
            } else {
                destination.add(id, &ring, places);
            }
        }
        if !is_known {
            self.rings.all.insert(id, (name, ring));
        }
    }

    fn ask(&mut self) -> Result<()> {
        if self.talk.is_empty() {
            return Ok(());
        }
        self.talk.flush(self.control.as_fd());
        let more = if self.talk.is_empty() { Interest::empty() } else { Interest::EPOLLOUT };
        self.epoll.change(self.control.as_fd(), Interest::EPOLLIN | more, CONTROL)
    }
}

/// Of the program that speaks TLS, and the files that it reads.
fn speaker([program, ca, cert, key]: seqpacket::Fds) -> Option<Speaker> {
    let (program, ca) = program.zip(ca)?;
    Some(Speaker { program, files: [Some(ca), cert, key].into_iter().flatten().collect() })
}

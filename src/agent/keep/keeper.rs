//! The keeper's loop: packets from the supervisor, devices that come, the disk. One wait, bounded work after it; what the disk
//! does in between may take as long as it likes.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::keep::{FromKeeper, KEEP_FRAME_MAX, Search, ToKeeper};

use super::disk::Wanted;
use super::mirror::Mirroring;
use super::places::Places;
use super::segments::{Segments, quota};
use super::writer::{Word, Writer, this_boot};
use super::{POINT, places, store};
use crate::agent::log::RingFile;
use crate::linux::epoll::{Epoll, Interest};
use crate::linux::uevent::Uevents;
use crate::linux::{Errno, Result, seqpacket, time};

const CONTROL: u64 = 0;
const DEVICES: u64 = 1;

/// Packets heard in one wake-up.
const PACKETS_PER_WAKE: u32 = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Again,
    /// Nobody is at the other end of the socket, nor ever will be.
    Over,
}

enum Stage {
    /// Nobody has said which disk it is.
    Idle,
    Looking {
        wanted: Wanted,
        search: Search,
        told: Option<String>,
    },
    Mounted(Box<Writer>),
    /// All is written, and let go of.
    Over,
}

pub(super) struct Keeper {
    control: OwnedFd,
    epoll: Epoll,
    uevents: Option<Uevents>,
    stage: Stage,
    mirroring: Mirroring,
    places: Option<OwnedFd>,
    /// Of before the disk was there.
    rings: BTreeMap<u64, (String, RingFile)>,
    unsent: VecDeque<FromKeeper>,
}

impl Keeper {
    pub(super) fn new(control: OwnedFd) -> Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(control.as_fd(), Interest::EPOLLIN, CONTROL)?;
        let uevents = Uevents::open().ok();
        if let Some(uevents) = &uevents {
            epoll.add(uevents.as_fd(), Interest::EPOLLIN, DEVICES)?;
        }
        Ok(Self {
            control,
            epoll,
            uevents,
            stage: Stage::Idle,
            mirroring: Mirroring::new(POINT),
            places: None,
            rings: BTreeMap::new(),
            unsent: VecDeque::new(),
        })
    }

    /// Waits once and handles what came.
    pub(super) fn turn(&mut self) -> Result<Turn> {
        let timeout = self.deadline().map(|at| at.saturating_sub(time::since_boot()));
        let ready = self.epoll.wait(timeout)?;
        let now = time::since_boot();
        for (token, _) in ready.iter() {
            if token == CONTROL {
                if self.hear(now)? == Turn::Over {
                    return Ok(Turn::Over);
                }
            } else if let Some(uevents) = &self.uevents
                && uevents.are_about_disks()
                && let Stage::Looking { search, .. } = &mut self.stage
            {
                search.news(now);
            }
        }
        self.look(now)?;
        if !matches!(self.stage, Stage::Over) {
            self.unsent.extend(self.mirroring.work(now));
        }
        if let Stage::Mounted(writer) = &mut self.stage {
            writer.work(now);
        }
        self.tell();
        self.send()?;
        Ok(Turn::Again)
    }

    fn deadline(&self) -> Option<Duration> {
        let looking = match &self.stage {
            Stage::Looking { search, .. } => Some(search.at()),
            Stage::Mounted(writer) => writer.deadline(),
            Stage::Idle | Stage::Over => None,
        };
        looking.into_iter().chain(self.mirroring.deadline()).min()
    }

    fn hear(&mut self, now: Duration) -> Result<Turn> {
        let mut packet = [0; KEEP_FRAME_MAX];
        for _ in 0..PACKETS_PER_WAKE {
            let (size, [fd, ..]) = match seqpacket::receive(self.control.as_fd(), &mut packet) {
                Ok((0, _)) => return Ok(Turn::Over),
                Ok(received) => received,
                Err(Errno::EAGAIN | Errno::EINTR) => return Ok(Turn::Again),
                Err(errno) => return Err(errno),
            };
            match (ToKeeper::decode(packet.get(..size).unwrap_or_default()), fd) {
                (Some(ToKeeper::Disk { device, kind, logs }), _) => {
                    self.disk(Wanted { device, kind, logs }, now);
                }
                (Some(ToKeeper::Places), Some(fd)) => drop(self.places.get_or_insert(fd)),
                (Some(ToKeeper::Ring { id, name }), Some(fd)) => {
                    self.ring(id, name, RingFile::adopt(fd)?, now)
                }
                (Some(ToKeeper::Wake { id }), _) => {
                    if let Stage::Mounted(writer) = &mut self.stage {
                        writer.wake(id, now);
                    }
                }
                (Some(ToKeeper::Mirror(what)), _) => self.mirroring.changed(what),
                (Some(ToKeeper::Flush), _) => self.end(now),
                (Some(ToKeeper::Places | ToKeeper::Ring { .. }) | None, _) => {}
            }
        }
        Ok(Turn::Again)
    }

    /// Told by every supervisor; the first word counts.
    fn disk(&mut self, wanted: Wanted, now: Duration) {
        match &mut self.stage {
            Stage::Idle => {
                self.stage = Stage::Looking { wanted, search: Search::new(now), told: None };
            }
            Stage::Looking { search, told, .. } => {
                (*search, *told) = (Search::new(now), None);
            }
            Stage::Mounted(_) | Stage::Over => {
                self.unsent.push_back(FromKeeper::Mounted);
                self.unsent.extend(self.mirroring.restored());
            }
        }
    }

    fn ring(&mut self, id: u64, name: String, ring: RingFile, now: Duration) {
        match &mut self.stage {
            Stage::Mounted(writer) => writer.ring(id, name, ring, now),
            Stage::Idle | Stage::Looking { .. } => drop(self.rings.insert(id, (name, ring))),
            Stage::Over => {}
        }
    }

    /// All is written, and the disk let go of. Logs first: of them there is no other copy.
    fn end(&mut self, now: Duration) {
        if let Stage::Mounted(writer) = &mut self.stage {
            writer.finish(now);
            self.tell();
            self.unsent.extend(self.mirroring.finish(now));
        }
        self.stage = Stage::Over;
        self.unsent.push_back(FromKeeper::Flushed);
    }

    /// Looks for the disk, when it is time.
    fn look(&mut self, now: Duration) -> Result<()> {
        let Stage::Looking { wanted, search, told } = &mut self.stage else { return Ok(()) };
        if search.at() > now {
            return Ok(());
        }
        let found = wanted.mounted().and_then(|root| {
            let begun = store::begin(&root).and_then(|store| {
                // What it has is read also if nothing can be written on it.
                self.mirroring.begin();
                begin(&root, store.logs, wanted.logs, &mut self.places)
            });
            begun.map_err(|why| format!("{}: {why}", wanted.device))
        });
        match found {
            Ok(writer) => {
                super::confine()?;
                if let Some(uevents) = self.uevents.take() {
                    self.epoll.remove(uevents.as_fd())?;
                }
                self.stage = Stage::Mounted(Box::new(writer));
                for (id, (name, ring)) in core::mem::take(&mut self.rings) {
                    self.ring(id, name, ring, now);
                }
                self.unsent.push_back(FromKeeper::Mounted);
            }
            Err(why) => {
                search.missed(now);
                if told.as_ref() != Some(&why) {
                    *told = Some(why.clone());
                    self.unsent.push_back(FromKeeper::Missing { why });
                }
            }
        }
        Ok(())
    }

    /// What the writer has to say.
    fn tell(&mut self) {
        let Stage::Mounted(writer) = &mut self.stage else { return };
        self.unsent.extend(writer.words().into_iter().map(|word| match word {
            Word::Follow { id, after } => FromKeeper::Follow { id, after },
            Word::Trouble(why) => FromKeeper::Trouble { why },
            Word::Note(text) => FromKeeper::Note { text },
        }));
    }

    fn send(&mut self) -> Result<()> {
        while let Some(packet) = self.unsent.front() {
            match seqpacket::send(self.control.as_fd(), &packet.encode(), &[]) {
                Ok(()) => drop(self.unsent.pop_front()),
                Err(_) => break,
            }
        }
        let more = if self.unsent.is_empty() { Interest::empty() } else { Interest::EPOLLOUT };
        self.epoll.change(self.control.as_fd(), Interest::EPOLLIN | more, CONTROL)
    }
}

/// What is written on a disk that is mounted.
fn begin(
    root: &OwnedFd,
    directory: OwnedFd,
    logs: u64,
    places: &mut Option<OwnedFd>,
) -> core::result::Result<Writer, String> {
    let fail = |errno: Errno| format!("logs: {}", errno.desc());
    let boot = this_boot().map_err(fail)?;
    let segments = Segments::open(directory, &boot, quota(root.as_fd(), logs)).map_err(fail)?;
    // Without those that others keep, this one's own do: a death costs more, and that is all.
    let kept = places.take().map_or_else(|| Err(Errno::ENOENT), Places::adopt);
    let places = kept.or_else(|_| Places::adopt(places::memory()?)).map_err(fail)?;
    Ok(Writer::new(segments, places))
}

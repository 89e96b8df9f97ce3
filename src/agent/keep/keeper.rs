//! The keeper's loop: packets from the supervisor, devices that come, the disk. One wait, bounded work after it; what the disk
//! does in between may take as long as it likes.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::keep::{FromKeeper, KEEP_FRAME_MAX, ToKeeper};

use super::disk::Wanted;
use super::mirror::Mirroring;
use super::{POINT, store};
use crate::linux::epoll::{Epoll, Interest};
use crate::linux::uevent::Uevents;
use crate::linux::{Errno, Result, seqpacket, time};

const CONTROL: u64 = 0;
const DEVICES: u64 = 1;

/// Packets heard in one wake-up.
const PACKETS_PER_WAKE: u32 = 64;
/// A disk that is not there is looked for again when the kernel tells of a device, and so often anyway: what was
/// wrong with it may be mended.
const AGAIN: Duration = Duration::from_secs(10);

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
        at: Duration,
        told: Option<String>,
    },
    Mounted {
        root: OwnedFd,
    },
    /// All is written, and let go of.
    Over,
}

pub(super) struct Keeper {
    control: OwnedFd,
    epoll: Epoll,
    uevents: Option<Uevents>,
    stage: Stage,
    mirroring: Mirroring,
    unsent: std::collections::VecDeque<FromKeeper>,
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
            unsent: std::collections::VecDeque::new(),
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
            } else if let Some(uevents) = &self.uevents {
                uevents.drain();
                if let Stage::Looking { at, .. } = &mut self.stage {
                    *at = now;
                }
            }
        }
        self.look(now)?;
        if !matches!(self.stage, Stage::Over) {
            self.unsent.extend(self.mirroring.work(now));
        }
        self.flush_words()?;
        Ok(Turn::Again)
    }

    fn deadline(&self) -> Option<Duration> {
        let looking = match &self.stage {
            Stage::Looking { at, .. } => Some(*at),
            Stage::Idle | Stage::Mounted { .. } | Stage::Over => None,
        };
        looking.into_iter().chain(self.mirroring.deadline()).min()
    }

    fn hear(&mut self, now: Duration) -> Result<Turn> {
        let mut packet = [0; KEEP_FRAME_MAX];
        for _ in 0..PACKETS_PER_WAKE {
            let (size, [_fd, ..]) = match seqpacket::receive(self.control.as_fd(), &mut packet) {
                Ok((0, _)) => return Ok(Turn::Over),
                Ok(received) => received,
                Err(Errno::EAGAIN | Errno::EINTR) => return Ok(Turn::Again),
                Err(errno) => return Err(errno),
            };
            match ToKeeper::decode(packet.get(..size).unwrap_or_default()) {
                Some(ToKeeper::Disk { device, kind, logs }) => self.disk(Wanted { device, kind, logs }, now),
                Some(ToKeeper::Mirror(what)) => self.mirroring.changed(what),
                Some(ToKeeper::Flush) => {
                    self.unsent.extend(self.mirroring.finish(now));
                    self.stage = Stage::Over;
                    self.unsent.push_back(FromKeeper::Flushed);
                }
                Some(ToKeeper::Places | ToKeeper::Ring { .. } | ToKeeper::Wake { .. }) | None => {}
            }
        }
        Ok(Turn::Again)
    }

    /// Told by every supervisor; the first word counts.
    fn disk(&mut self, wanted: Wanted, now: Duration) {
        match &mut self.stage {
            Stage::Idle => self.stage = Stage::Looking { wanted, at: now, told: None },
            Stage::Looking { at, told, .. } => {
                (*at, *told) = (now, None);
            }
            Stage::Mounted { .. } | Stage::Over => {
                self.unsent.push_back(FromKeeper::Mounted);
                self.unsent.extend(self.mirroring.restored());
            }
        }
    }

    /// Looks for the disk, when it is time.
    fn look(&mut self, now: Duration) -> Result<()> {
        let Stage::Looking { wanted, at, told } = &mut self.stage else { return Ok(()) };
        if *at > now {
            return Ok(());
        }
        let found = wanted.mounted().and_then(|root| {
            store::begin(&root).map_err(|why| format!("{}: {why}", wanted.device))?;
            Ok(root)
        });
        match found {
            Ok(root) => {
                super::confine()?;
                if let Some(uevents) = self.uevents.take() {
                    self.epoll.remove(uevents.as_fd())?;
                }
                self.stage = Stage::Mounted { root };
                self.mirroring.begin();
                self.unsent.push_back(FromKeeper::Mounted);
            }
            Err(why) => {
                *at = now.saturating_add(AGAIN);
                if told.as_ref() != Some(&why) {
                    *told = Some(why.clone());
                    self.unsent.push_back(FromKeeper::Missing { why });
                }
            }
        }
        Ok(())
    }

    fn flush_words(&mut self) -> Result<()> {
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

//! PID 1's side of the ledger: hears frames, answers each, and tells what it keeps.
//!
//! Sending never blocks: what does not fit waits in the table itself (`told`), in one pending
//! answer, or in the place reached in telling a new supervisor everything.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use orlop::ledger::{Child, FRAME_BYTES, Frame, Mode, State, VERSION};

use super::{Fds, Init, LEDGER};
use crate::linux::epoll::Interest;
use crate::linux::{Errno, Result, pidfd, seqpacket, wait};

/// Frames heard in one wake-up.
const FRAMES_PER_WAKE: usize = 64;

/// How far the supervisor of now has been told what there is.
#[derive(Default)]
pub struct Telling {
    step: Step,
    /// The answer to the last frame, while it does not fit.
    answer: Option<Frame>,
    pub upgrade_failed: Option<Frame>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// No Hello yet.
    #[default]
    Silent,
    Welcome,
    Phase(usize),
    Entry(usize),
    /// Everything; ends are told as they come.
    Done,
}

impl Telling {
    pub fn stop(&mut self) {
        self.step = Step::Silent;
        self.answer = None;
    }
}

impl Init {
    /// Reads frames while their answers can be sent.
    pub fn hear(&mut self, now: Duration) {
        for _ in 0..FRAMES_PER_WAKE {
            if self.telling.answer.is_some() || !matches!(self.telling.step, Step::Silent | Step::Done) {
                return;
            }
            let mut bytes = [0u8; FRAME_BYTES];
            let Ok((size, fds)) = seqpacket::receive(self.ours.as_fd(), &mut bytes) else { return };
            if let Ok(frame) = Frame::decode(bytes.get(..size).unwrap_or_default()) {
                self.handle(frame, fds, now);
                self.talk();
            }
        }
    }

    fn handle(&mut self, frame: Frame, mut fds: Fds, now: Duration) {
        match frame {
            Frame::Hello { oldest, .. } if oldest <= VERSION => self.telling.step = Step::Welcome,
            Frame::Register(child) => self.telling.answer = Some(self.register(child, fds)),
            Frame::Recorded { cookie } => drop(self.table.recorded(cookie)),
            Frame::Release { cookie } => drop(self.table.release(cookie)),
            Frame::Alive => self.supervisor_serves(),
            Frame::Power { action, deadline_us } => self.power_from_supervisor(action, deadline_us, now),
            Frame::PowerDone => self.end_now(now),
            Frame::Upgrade => {
                if let Some(executable) = fds.iter_mut().find_map(Option::take) {
                    self.upgrade(executable);
                }
            }
            Frame::Resume => self.respawn.resume(),
            Frame::Count => self.telling.answer = Some(Frame::Counted { orphans: self.orphans }),
            // Ours to send, or of another release.
            Frame::Hello { .. }
            | Frame::Welcome { .. }
            | Frame::Phase(_)
            | Frame::Entry { .. }
            | Frame::Registered { .. }
            | Frame::Gone { .. }
            | Frame::Refused { .. }
            | Frame::Ended { .. }
            | Frame::UpgradeFailed { .. }
            | Frame::Counted { .. }
            | Frame::Unknown { .. } => {}
        }
    }

    /// The pidfd decides whether the child is the one meant: its number may be another's by now.
    fn register(&mut self, child: Child, fds: Fds) -> Frame {
        let cookie = child.cookie;
        if child.pid != 0 {
            let is_it = fds.first().and_then(Option::as_ref).is_some_and(|given| {
                wait::is_our_child(given.as_fd()) && same_process(given.as_fd(), child.pid).unwrap_or(false)
            });
            if !is_it {
                return Frame::Gone { cookie };
            }
        }
        match self.table.insert(child, fds) {
            Ok(()) => Frame::Registered { cookie },
            Err(_) => Frame::Refused { cookie },
        }
    }

    /// Sends what waits, as far as the socket takes it.
    pub fn talk(&mut self) {
        let waits = self.send_all() == Err(Errno::EAGAIN);
        let interest = if waits { Interest::EPOLLIN | Interest::EPOLLOUT } else { Interest::EPOLLIN };
        let _ = self.epoll.change(self.ours.as_fd(), interest, LEDGER);
    }

    fn send_all(&mut self) -> Result<()> {
        if self.telling.step == Step::Silent {
            return Ok(());
        }
        self.tell_everything()?;
        if let Some(frame) = self.telling.answer {
            self.send(&frame, &[])?;
            self.telling.answer = None;
        }
        if let Some(frame) = self.telling.upgrade_failed {
            self.send(&frame, &[])?;
            self.telling.upgrade_failed = None;
        }
        let ours = self.ours.as_fd();
        for entry in self.table.entries_mut().iter_mut().filter(|entry| !entry.told) {
            if let State::Ended(ended) = entry.state {
                let frame = Frame::Ended { cookie: entry.child.cookie, ended };
                seqpacket::send(ours, &frame.encode(), &[])?;
                entry.told = true;
            }
        }
        Ok(())
    }

    fn tell_everything(&mut self) -> Result<()> {
        loop {
            self.telling.step = match self.telling.step {
                Step::Silent | Step::Done => return Ok(()),
                Step::Welcome => {
                    let frame = Frame::Welcome {
                        starts: self.starts,
                        orphans: self.orphans,
                        safe: self.respawn.mode() == Mode::Safe,
                        phases: self.phases.len() as u16,
                        entries: self.table.entries().len() as u16,
                        power: self.power.as_ref().map(super::Power::wanted),
                    };
                    self.send(&frame, &[])?;
                    Step::Phase(0)
                }
                Step::Phase(at) => match self.phases.get(at) {
                    Some(phase) => {
                        self.send(&Frame::Phase(*phase), &[])?;
                        Step::Phase(at.saturating_add(1))
                    }
                    None => Step::Entry(0),
                },
                Step::Entry(at) => {
                    let ours = self.ours.as_fd();
                    let Some(entry) = self.table.entries_mut().get_mut(at) else {
                        self.telling.step = Step::Done;
                        return Ok(());
                    };
                    let ended = match entry.state {
                        State::Alive => None,
                        State::Ended(ended) => Some(ended),
                    };
                    let frame = Frame::Entry { child: entry.child, ended };
                    send_with(ours, &frame, &entry.fds)?;
                    entry.told = ended.is_some();
                    Step::Entry(at.saturating_add(1))
                }
            };
        }
    }

    pub fn send(&self, frame: &Frame, fds: &[BorrowedFd<'_>]) -> Result<()> {
        seqpacket::send(self.ours.as_fd(), &frame.encode(), fds)
    }
}

fn send_with(to: BorrowedFd<'_>, frame: &Frame, fds: &Fds) -> Result<()> {
    let mut borrowed = [to; seqpacket::MAX_FDS];
    let mut count = 0usize;
    for fd in fds.iter().flatten() {
        if let Some(place) = borrowed.get_mut(count) {
            *place = fd.as_fd();
            count = count.saturating_add(1);
        }
    }
    seqpacket::send(to, &frame.encode(), borrowed.get(..count).unwrap_or_default())
}

fn same_process(given: BorrowedFd<'_>, pid: i32) -> Result<bool> {
    let by_number = pidfd::open(pid)?;
    Ok(pidfd::inode(by_number.as_fd())? == pidfd::inode(given)?)
}

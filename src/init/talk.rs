//! PID 1's side of the ledger: hears frames, answers each, and tells what it keeps.

use std::os::fd::AsFd;
use std::time::Duration;

use orlop::ledger::{Child, FRAME_BYTES, Frame, Mode, VERSION, Wants};

use super::{Fds, Init, LEDGER};
use crate::linux::epoll::Interest;
use crate::linux::{Errno, Result, pidfd, seqpacket};

/// Frames heard in one wake-up.
const FRAMES_PER_WAKE: usize = 64;

impl Init {
    /// Reads frames while their answers have a place.
    pub fn hear(&mut self, now: Duration) {
        for _ in 0..FRAMES_PER_WAKE {
            if !self.telling.can_hear() {
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
            Frame::Hello { oldest, pid, .. } if oldest <= VERSION => self.telling.hello(pid),
            Frame::Register(child) => {
                let answer = self.register(child, fds);
                self.telling.answer(answer);
            }
            Frame::Recorded { cookie } => drop(self.table.recorded(cookie)),
            Frame::Release { cookie } => drop(self.table.release(cookie)),
            Frame::Alive => self.supervisor_serves(now),
            Frame::Watchdog { timeout_ms } => self.arm_watchdog(timeout_ms, fds, now),
            Frame::Power { action, deadline_us } => {
                self.power_from_supervisor(action, Duration::from_micros(deadline_us), now);
            }
            Frame::PowerDone => self.power.iter_mut().for_each(|power| power.stopped(now)),
            Frame::Upgrade => {
                if let Some(executable) = fds.iter_mut().find_map(Option::take) {
                    self.upgrade(executable);
                }
            }
            Frame::Resume => self.keeper.resume(),
            Frame::Count => self.telling.answer(Frame::Counted { orphans: self.orphans }),
            // Ours to send, or of another release.
            #[rustfmt::skip]
            Frame::Hello { .. } | Frame::Welcome { .. } | Frame::Phase(_) | Frame::Entry { .. }
            | Frame::Registered { .. } | Frame::Gone { .. } | Frame::Refused { .. }
            | Frame::Ended { .. } | Frame::UpgradeFailed { .. } | Frame::Counted { .. }
            | Frame::Ping | Frame::Unknown { .. } => {}
        }
    }

    /// The pidfd decides whether the child is the one meant: its number may be another's by now.
    fn register(&mut self, child: Child, fds: Fds) -> Frame {
        let cookie = child.cookie;
        let given = fds.first().and_then(Option::as_ref).map(AsFd::as_fd);
        if child.pid != 0 && !given.is_some_and(|given| pidfd::is_our_child(given, child.pid)) {
            return Frame::Gone { cookie };
        }
        match self.table.insert(child, fds) {
            Ok(()) => Frame::Registered { cookie },
            Err(_) => Frame::Refused { cookie },
        }
    }

    /// Sends what waits, as far as the socket takes it; for how long to wait before it is tried again, if nothing says.
    pub fn talk(&mut self) -> Option<Duration> {
        let full = self.send_all().map_err(|errno| errno == Errno::EAGAIN);
        let Wants { to_hear, room, again } = self.telling.wants(full);
        let hear = if to_hear { Interest::EPOLLIN } else { Interest::empty() };
        let room = if room { Interest::EPOLLOUT } else { Interest::empty() };
        let _ = self.epoll.change(self.ours.as_fd(), hear | room, LEDGER);
        again
    }

    fn send_all(&mut self) -> Result<()> {
        let welcome = Frame::Welcome {
            starts: self.keeper.starts,
            orphans: self.orphans,
            safe: self.keeper.mode() == Mode::Safe,
            phases: self.phases.len() as u16,
            entries: self.table.entries().len() as u16,
            power: self.power.map(|power| (power.action, power.until_us())),
            to: self.telling.to,
        };
        while let Some(next) = self.telling.next(&self.table, &self.phases, welcome) {
            let entry = next.fds_of.and_then(|at| self.table.entries().get(at));
            seqpacket::send_with(self.ours.as_fd(), &next.frame.encode(), entry.map(|entry| &entry.fds))?;
            self.telling.sent(&next, &mut self.table, self.phases.len());
        }
        Ok(())
    }
}

//! The supervisor's side of the ledger.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::ledger::{Action, Child, Ended, FRAME_BYTES, Frame, Phase, VERSION};
use orlop::supervisor::Exit;

use crate::linux::{Errno, Result, fd, seqpacket, time};

/// Where PID 1 leaves our end.
const LEDGER_FD: i32 = 3;

/// The fds of an entry, in the order of its kind.
pub type Fds = seqpacket::Fds;

/// Heard from PID 1 in one turn, and for how long, since each end may be followed by a start: however many have ended,
/// who asks something has an answer between them.
const FRAMES_PER_WAKE: usize = 32;
const TURN: Duration = Duration::from_millis(5);

/// Counts what is heard in the turn that began then. There is at least one; the rest is told of again in the next turn.
pub fn a_turn(began: Duration) -> impl Iterator<Item = usize> {
    (0..FRAMES_PER_WAKE)
        .take_while(move |heard| *heard == 0 || time::since_boot().saturating_sub(began) < TURN)
}

/// What PID 1 told a supervisor that had just started.
#[derive(Debug)]
pub struct Table {
    pub starts: u32,
    pub safe: bool,
    pub power: Option<(Action, u64)>,
    /// How the executable ended that was tried before this one came back.
    pub upgrade_failed: Option<(i32, i32)>,
    pub phases: Vec<Phase>,
    pub entries: Vec<(Child, Option<Ended>, Fds)>,
}

pub struct Ledger {
    socket: OwnedFd,
    /// Frames and their fds that did not fit; sent in order when PID 1 has read.
    unsent: VecDeque<(Frame, Vec<OwnedFd>)>,
}

impl Ledger {
    /// Takes the socket over and asks for the table. What an earlier supervisor had left unread is
    /// thrown away: all of it is in the table.
    ///
    /// # Errors
    /// EBADF when nobody left us a socket; EPIPE when PID 1 is gone.
    pub fn open() -> Result<(Self, Table)> {
        let socket = fd::inherited(LEDGER_FD)?;
        let ledger = Self { socket, unsent: VecDeque::new() };
        let pid = nix::unistd::getpid().as_raw();
        let hello = Frame::Hello { oldest: VERSION, newest: VERSION, pid };
        loop {
            match seqpacket::send(ledger.socket.as_fd(), &hello.encode(), &[]) {
                Ok(()) => break,
                // Full of what the last one had sent; PID 1 is reading it.
                Err(Errno::EAGAIN) => seqpacket::wait_writable(ledger.socket.as_fd())?,
                Err(errno) => return Err(errno),
            }
        }
        let table = ledger.read_table(pid)?;
        Ok((ledger, table))
    }

    fn read_table(&self, pid: i32) -> Result<Table> {
        let (mut table, mut entries_left, mut phases_left) = loop {
            if let (Frame::Welcome { starts, safe, phases, entries, power, to, .. }, _) =
                self.next_blocking()?
                && to == pid
            {
                let table = Table {
                    starts,
                    safe,
                    power,
                    upgrade_failed: None,
                    phases: Vec::new(),
                    entries: Vec::new(),
                };
                break (table, entries, phases);
            }
        };
        while phases_left > 0 || entries_left > 0 {
            match self.next_blocking()? {
                (Frame::Power { action, deadline_us }, _) => table.power = Some((action, deadline_us)),
                (Frame::UpgradeFailed { code, status }, _) => table.upgrade_failed = Some((code, status)),
                (Frame::Phase(phase), _) => {
                    table.phases.push(phase);
                    phases_left = phases_left.saturating_sub(1);
                }
                (Frame::Entry { child, ended }, fds) => {
                    table.entries.push((child, ended, fds));
                    entries_left = entries_left.saturating_sub(1);
                }
                // Of a newer PID 1; nothing else that it says comes in between.
                _ => {}
            }
        }
        Ok(table)
    }

    fn next_blocking(&self) -> Result<(Frame, Fds)> {
        loop {
            let mut bytes = [0u8; FRAME_BYTES];
            let (size, fds) = seqpacket::receive_blocking(self.socket.as_fd(), &mut bytes)?;
            if size == 0 {
                return Err(Errno::EPIPE);
            }
            if let Ok(frame) = Frame::decode(bytes.get(..size).unwrap_or_default()) {
                return Ok((frame, fds));
            }
        }
    }

    /// The next frame, if there is one.
    ///
    /// # Errors
    /// EAGAIN when there is none, EBADMSG when it makes no sense, EPIPE when PID 1 is gone.
    pub fn receive(&self) -> Result<Frame> {
        let mut bytes = [0u8; FRAME_BYTES];
        let (size, _) = seqpacket::receive(self.socket.as_fd(), &mut bytes)?;
        if size == 0 {
            return Err(Errno::EPIPE);
        }
        Frame::decode(bytes.get(..size).unwrap_or_default()).map_err(|_| Errno::EBADMSG)
    }

    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether frames wait for room.
    pub fn is_behind(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Sends a frame, or keeps it until PID 1 has read.
    pub fn send(&mut self, frame: Frame) {
        self.unsent.push_back((frame, Vec::new()));
        self.flush();
    }

    /// The same, of a frame that hands something over.
    pub fn send_with(&mut self, frame: Frame, fd: OwnedFd) {
        self.unsent.push_back((frame, vec![fd]));
        self.flush();
    }

    pub fn flush(&mut self) {
        while let Some((frame, fds)) = self.unsent.front() {
            let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
            match seqpacket::send(self.socket.as_fd(), &frame.encode(), &fds) {
                Ok(()) => drop(self.unsent.pop_front()),
                Err(_) => return,
            }
        }
    }

    /// Asks PID 1 to keep a child and its fds, now or when it has read what went before; the answer
    /// comes as a frame.
    ///
    /// # Errors
    /// EMFILE: nothing is registered then.
    pub fn register(&mut self, child: Child, fds: &[BorrowedFd<'_>]) -> Result<()> {
        let frame = Frame::Register(child);
        if self.unsent.is_empty() {
            match seqpacket::send(self.socket.as_fd(), &frame.encode(), fds) {
                Err(Errno::EAGAIN) => {}
                other => return other,
            }
        }
        let copies = fds.iter().map(|fd| fd::copy(*fd)).collect::<Result<_>>()?;
        self.unsent.push_back((frame, copies));
        Ok(())
    }

    /// Hands PID 1 a new executable for the supervisor.
    ///
    /// # Errors
    /// EAGAIN when PID 1 is behind.
    pub fn upgrade(&self, executable: BorrowedFd<'_>) -> Result<()> {
        seqpacket::send(self.socket.as_fd(), &Frame::Upgrade.encode(), &[executable])
    }
}

/// How PID 1's word for an end is the core's.
pub fn exit_of(ended: Ended) -> Exit {
    if ended.code == libc::CLD_EXITED { Exit::Code(ended.status) } else { Exit::Signal(ended.status) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orlop::ledger::{Kind, Label};

    #[test]
    fn a_turn_has_an_end_and_hears_one_however_late_it_is() {
        assert_eq!(a_turn(time::since_boot().saturating_sub(TURN)).count(), 1);
        assert_eq!(a_turn(time::since_boot().saturating_add(TURN * 1000)).count(), FRAMES_PER_WAKE);
    }

    fn welcome(to: i32, starts: u32, entries: u16) -> Frame {
        Frame::Welcome { starts, orphans: 0, safe: false, phases: 0, entries, power: None, to }
    }

    fn entry(cookie: u64) -> Frame {
        let child = Child { cookie, kind: Kind::Container, pid: 9, label: Label::new("web") };
        Frame::Entry { child, ended: None }
    }

    fn check(frames: &[Frame], expected: &[u64], power: Option<(Action, u64)>) {
        let (ours, theirs) = seqpacket::pair().unwrap();
        for frame in frames {
            seqpacket::send(theirs.as_fd(), &frame.encode(), &[]).unwrap();
        }
        let table = Ledger { socket: ours, unsent: VecDeque::new() }.read_table(5).unwrap();
        let cookies: Vec<u64> = table.entries.iter().map(|(child, ..)| child.cookie).collect();
        assert_eq!((cookies.as_slice(), table.starts, table.power), (expected, 2, power));
    }

    #[test]
    fn what_a_dead_supervisor_was_told_is_not_taken_for_ours() {
        check(&[welcome(4, 1, 1), entry(1), welcome(5, 2, 2), entry(1), entry(2)], &[1, 2], None);
    }

    #[test]
    fn a_request_to_end_the_machine_is_heard_in_the_midst_of_the_table() {
        let power = Frame::Power { action: Action::Reboot, deadline_us: 7 };
        check(&[welcome(5, 2, 1), power, entry(1)], &[1], Some((Action::Reboot, 7)));
    }

    #[test]
    fn more_children_than_the_socket_holds_are_registered_in_order() {
        const CHILDREN: u64 = 1000;
        let (ours, theirs) = seqpacket::pair().unwrap();
        let mut ledger = Ledger { socket: ours, unsent: VecDeque::new() };
        let null = fd::null().unwrap();
        for cookie in 0..CHILDREN {
            let child = Child { cookie, kind: Kind::Ring, pid: 0, label: Label::new("web") };
            ledger.register(child, &[null.as_fd()]).unwrap();
        }
        assert!(ledger.is_behind());
        for expected in 0..CHILDREN {
            let mut bytes = [0; FRAME_BYTES];
            let (_, fds) = seqpacket::receive(theirs.as_fd(), &mut bytes).unwrap();
            let frame = Frame::decode(&bytes).unwrap();
            assert!(matches!(frame, Frame::Register(child) if child.cookie == expected));
            assert!(fds[0].is_some());
            ledger.flush();
        }
        assert!(!ledger.is_behind());
    }
}

//! The supervisor's side of the ledger.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::ledger::{Action, Child, Ended, FRAME_BYTES, Frame, Phase, VERSION};

use crate::linux::{Errno, Result, fd, seqpacket};

/// Where PID 1 leaves our end.
const LEDGER_FD: i32 = 3;

/// The fds of an entry, in the order of its kind.
pub type Fds = seqpacket::Fds;

/// What PID 1 told a supervisor that had just started.
#[derive(Debug)]
pub struct Table {
    pub starts: u32,
    pub safe: bool,
    pub power: Option<(Action, u64)>,
    pub phases: Vec<Phase>,
    pub entries: Vec<(Child, Option<Ended>, Fds)>,
}

pub struct Ledger {
    socket: OwnedFd,
    /// Frames that did not fit; sent in order when PID 1 has read.
    unsent: VecDeque<Frame>,
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
        let hello = Frame::Hello { oldest: VERSION, newest: VERSION };
        loop {
            match seqpacket::send(ledger.socket.as_fd(), &hello.encode(), &[]) {
                Ok(()) => break,
                // Full of what the last one had sent; PID 1 is reading it.
                Err(Errno::EAGAIN) => seqpacket::wait_writable(ledger.socket.as_fd())?,
                Err(errno) => return Err(errno),
            }
        }
        let table = ledger.read_table()?;
        Ok((ledger, table))
    }

    fn read_table(&self) -> Result<Table> {
        let (mut table, mut entries_left, mut phases_left) = loop {
            if let (Frame::Welcome { starts, safe, phases, entries, power, .. }, _) = self.next_blocking()? {
                let table = Table { starts, safe, power, phases: Vec::new(), entries: Vec::new() };
                break (table, entries, phases);
            }
        };
        while phases_left > 0 || entries_left > 0 {
            match self.next_blocking()? {
                (Frame::Phase(phase), _) => {
                    table.phases.push(phase);
                    phases_left = phases_left.saturating_sub(1);
                }
                (Frame::Entry { child, ended }, fds) => {
                    table.entries.push((child, ended, fds));
                    entries_left = entries_left.saturating_sub(1);
                }
                // Of a newer PID 1; nothing else comes in between.
                _ => {}
            }
        }
        Ok(table)
    }

    fn next_blocking(&self) -> Result<(Frame, Fds)> {
        let mut bytes = [0u8; FRAME_BYTES];
        let (size, fds) = seqpacket::receive_blocking(self.socket.as_fd(), &mut bytes)?;
        if size == 0 {
            return Err(Errno::EPIPE);
        }
        let frame = Frame::decode(bytes.get(..size).unwrap_or_default()).map_err(|_| Errno::EBADMSG)?;
        Ok((frame, fds))
    }

    /// The next frame, if there is one.
    ///
    /// # Errors
    /// EAGAIN when there is none.
    pub fn receive(&self) -> Result<Frame> {
        let mut bytes = [0u8; FRAME_BYTES];
        let (size, _) = seqpacket::receive(self.socket.as_fd(), &mut bytes)?;
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
        self.unsent.push_back(frame);
        self.flush();
    }

    pub fn flush(&mut self) {
        while let Some(frame) = self.unsent.front() {
            match seqpacket::send(self.socket.as_fd(), &frame.encode(), &[]) {
                Ok(()) => drop(self.unsent.pop_front()),
                Err(_) => return,
            }
        }
    }

    /// Asks PID 1 to keep a child and its fds; the answer comes as a frame.
    ///
    /// # Errors
    /// EAGAIN when PID 1 is behind: nothing is registered then.
    pub fn register(&self, child: Child, fds: &[BorrowedFd<'_>]) -> Result<()> {
        seqpacket::send(self.socket.as_fd(), &Frame::Register(child).encode(), fds)
    }

    /// Hands PID 1 a new executable for the supervisor.
    ///
    /// # Errors
    /// EAGAIN when PID 1 is behind.
    pub fn upgrade(&self, executable: BorrowedFd<'_>) -> Result<()> {
        seqpacket::send(self.socket.as_fd(), &Frame::Upgrade.encode(), &[executable])
    }
}

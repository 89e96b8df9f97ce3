//! The process's side of a relay: its input that waits, and its output that is read.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::control::stream::{FromMachine, MAX_DATA};

use crate::linux::epoll::{Epoll, Interest};
use crate::linux::{Errno, Result, fd, pty, splice};

/// Tokens of what is watched here begin with this; the input's is the first.
pub(super) const FIRST_TOKEN: u64 = 2;
const INPUT: u64 = FIRST_TOKEN;

/// What Ctrl-D types: a terminal has no other end of input.
const END_OF_TRANSMISSION: u8 = 4;

/// Read of a terminal after the end at most: as much as its buffers hold.
const TERMINAL_REST: u64 = 64 << 10;

/// What a descriptor is to the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Input,
    Output,
    ErrorOutput,
    Terminal,
    /// The terminal, whose output somebody else reads.
    Keys,
}

impl Way {
    pub(super) fn of_letter(letter: char) -> Option<Self> {
        match letter {
            'i' => Some(Self::Input),
            'o' => Some(Self::Output),
            'e' => Some(Self::ErrorOutput),
            't' => Some(Self::Terminal),
            'k' => Some(Self::Keys),
            _ => None,
        }
    }

    pub(super) fn letter(self) -> char {
        match self {
            Self::Input => 'i',
            Self::Output => 'o',
            Self::ErrorOutput => 'e',
            Self::Terminal => 't',
            Self::Keys => 'k',
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Process {
    input: Option<OwnedFd>,
    input_is_watched: bool,
    is_terminal: bool,
    /// Its input ends with a key: the terminal is for this session alone.
    ends_with_key: bool,
    /// Input that the process has not taken.
    pending: Vec<u8>,
    at_end: bool,
    sources: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    fd: OwnedFd,
    way: Way,
    token: u64,
    is_watched: bool,
    is_ready: bool,
    /// What is still to be read of it; all that comes while the process lives.
    left: Option<u64>,
}

impl Process {
    pub(super) fn set_input(&mut self, fd: OwnedFd) {
        self.input = Some(fd);
    }

    pub(super) fn set_output(&mut self, fd: OwnedFd) {
        self.add(fd, Way::Output);
    }

    pub(super) fn set_error_output(&mut self, fd: OwnedFd) {
        self.add(fd, Way::ErrorOutput);
    }

    pub(super) fn set_terminal(&mut self, terminal: OwnedFd) -> Result<()> {
        (self.is_terminal, self.ends_with_key) = (true, true);
        // A descriptor of its own for each direction: they are watched apart.
        self.input = Some(fd::copy(terminal.as_fd())?);
        self.add(terminal, Way::Terminal);
        Ok(())
    }

    pub(super) fn set_keys(&mut self, terminal: OwnedFd) {
        self.is_terminal = true;
        self.input = Some(terminal);
    }

    fn add(&mut self, fd: OwnedFd, way: Way) {
        let token = INPUT + 1 + self.sources.len() as u64;
        self.sources.push(Source { fd, way, token, is_watched: false, is_ready: false, left: None });
    }

    /// From here on nothing of it waits.
    ///
    /// # Errors
    /// EBADF.
    pub(super) fn begin(&self) -> Result<()> {
        let all = self.sources.iter().map(|source| &source.fd).chain(&self.input);
        all.map(AsFd::as_fd).try_for_each(fd::nonblocking)
    }

    pub(super) fn resize(&self, rows: u16, columns: u16) {
        if let (true, Some(terminal)) = (self.is_terminal, &self.input) {
            // A terminal that is gone has no size.
            let _ = pty::resize(terminal.as_fd(), rows, columns);
        }
    }

    pub(super) fn give(&mut self, data: &[u8]) {
        self.pending.extend_from_slice(data);
    }

    pub(super) fn end_input(&mut self) {
        if !self.at_end && self.ends_with_key {
            self.pending.push(END_OF_TRANSMISSION);
        }
        self.at_end = true;
    }

    /// Writes what waits, as far as the process takes it; how much of it needs no place any more.
    pub(super) fn write(&mut self, epoll: &Epoll) -> usize {
        let mut written = 0;
        while let (Some(input), true) = (&self.input, written < self.pending.len()) {
            match nix::unistd::write(input, self.pending.get(written..).unwrap_or_default()) {
                Ok(count) => written += count,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                // Nobody reads any more.
                Err(_) => self.close_input(epoll),
            }
        }
        if self.input.is_none() {
            written = self.pending.len();
        }
        self.pending.drain(..written);
        if self.at_end && self.pending.is_empty() && !self.is_terminal {
            self.close_input(epoll);
        }
        written
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    fn close_input(&mut self, epoll: &Epoll) {
        if let (Some(input), true) = (self.input.take(), self.input_is_watched) {
            // It is in the set, and others may hold it.
            let _ = epoll.remove(input.as_fd());
        }
        self.input_is_watched = false;
    }

    /// Watches what there is something to do for. Not interested is not enough: a hang-up is told
    /// anyway, again and again.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub(super) fn watch(&mut self, epoll: &Epoll, has_room: bool) -> Result<()> {
        if let Some(input) = &self.input {
            let wanted = !self.pending.is_empty();
            set(epoll, input.as_fd(), (INPUT, Interest::EPOLLOUT), wanted, &mut self.input_is_watched)?;
        }
        for source in &mut self.sources {
            let wanted = has_room && !source.is_ready && source.left.is_none();
            let watched = &mut source.is_watched;
            set(epoll, source.fd.as_fd(), (source.token, Interest::EPOLLIN), wanted, watched)?;
        }
        Ok(())
    }

    pub(super) fn ready(&mut self, token: u64) {
        for source in self.sources.iter_mut().filter(|source| source.token == token) {
            source.is_ready = true;
        }
    }

    /// The process has ended. What is there is still read, and nothing that somebody else may write later.
    pub(super) fn ended(&mut self) {
        for source in &mut self.sources {
            let left = match source.way {
                Way::Terminal => TERMINAL_REST,
                Way::Input | Way::Output | Way::ErrorOutput | Way::Keys => {
                    splice::bytes_in_pipe(source.fd.as_fd()).unwrap_or(0)
                }
            };
            source.left = Some(left);
            source.is_ready = true;
        }
    }

    /// Reads once of each that is ready, while `say` has room.
    pub(super) fn read(&mut self, epoll: &Epoll, mut say: impl FnMut(FromMachine) -> bool) {
        let mut buffer = [0; MAX_DATA];
        let mut has_room = true;
        self.sources.retain_mut(|source| {
            if !source.is_ready || !has_room {
                return true;
            }
            match source.read(&mut buffer) {
                Got::Data(data) => {
                    has_room = say(match source.way {
                        Way::ErrorOutput => FromMachine::ErrorOutput(data),
                        Way::Input | Way::Output | Way::Terminal | Way::Keys => FromMachine::Output(data),
                    });
                    true
                }
                Got::Nothing => true,
                Got::End => {
                    if source.is_watched {
                        let _ = epoll.remove(source.fd.as_fd());
                    }
                    false
                }
            }
        });
    }

    /// Whether all of its output is read.
    pub(super) fn is_drained(&self) -> bool {
        self.sources.is_empty()
    }
}

enum Got {
    Data(Vec<u8>),
    Nothing,
    End,
}

impl Source {
    fn read(&mut self, buffer: &mut [u8; MAX_DATA]) -> Got {
        let most = self.left.map_or(MAX_DATA, |left| left.min(MAX_DATA as u64) as usize);
        match fd::read(self.fd.as_fd(), buffer.get_mut(..most).unwrap_or_default()) {
            Ok(0) => Got::End,
            Ok(count) => {
                self.left = self.left.map(|left| left.saturating_sub(count as u64));
                // Looked at again when epoll says so; after the end, until there is nothing.
                self.is_ready = self.left.is_some();
                Got::Data(buffer.get(..count).unwrap_or_default().to_vec())
            }
            Err(Errno::EAGAIN) if self.left.is_none() => {
                self.is_ready = false;
                Got::Nothing
            }
            // EIO: the terminal that nobody has open any more.
            Err(_) => Got::End,
        }
    }
}

fn set(
    epoll: &Epoll,
    fd: BorrowedFd<'_>,
    (token, interest): (u64, Interest),
    wanted: bool,
    watched: &mut bool,
) -> Result<()> {
    match (wanted, *watched) {
        (true, false) => epoll.add(fd, interest, token)?,
        (false, true) => epoll.remove(fd)?,
        (true, true) | (false, false) => {}
    }
    *watched = wanted;
    Ok(())
}

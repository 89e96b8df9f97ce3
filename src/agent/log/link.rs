//! The supervisor's side: what the logger should know, told to it without ever waiting, and told
//! again to its successor. Reading a ring needs no logger: `orlop::log::Reader` on [`Link::ring`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::log::{FRAME_LEN, FromLogger, PipeKey, ToLogger};

use super::RingFile;
use crate::linux::{Errno, Result, seqpacket};

pub(crate) struct Link {
    socket: OwnedFd,
    rings: BTreeMap<u64, (RingFile, Option<u64>)>,
    /// The terminal, too, of one that is filled from it.
    pipes: BTreeMap<PipeKey, (OwnedFd, Option<OwnedFd>)>,
    /// Those of messages that nobody can write to any more.
    over: BTreeSet<PipeKey>,
    follows: BTreeMap<u64, u64>,
    kmsg: Option<OwnedFd>,
    /// In order; what has become pointless meanwhile is left out when its turn comes.
    unsent: VecDeque<ToLogger>,
}

impl Link {
    /// `socket` is the other end of the one that the logger has, or will have.
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            rings: BTreeMap::new(),
            pipes: BTreeMap::new(),
            over: BTreeSet::new(),
            follows: BTreeMap::new(),
            kmsg: None,
            unsent: VecDeque::new(),
        }
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether frames wait for room: then wait for EPOLLOUT as well, and [`Self::flush`].
    pub(crate) fn is_behind(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Tells everything again: to a new logger, once the old one is dead, on its socket. Also after
    /// a crash of the supervisor, when it is not known what was told.
    pub(crate) fn restart(&mut self, socket: OwnedFd) {
        self.socket = socket;
        self.unsent.clear();
        let rings = self.rings.iter().map(|(id, (_, rate))| ToLogger::Ring { id: *id, rate: *rate });
        let pipes = self.pipes.iter().map(|(key, (_, terminal))| match terminal {
            Some(_) => ToLogger::Terminal(*key),
            None => ToLogger::Pipe(*key),
        });
        let follows = self.follows.iter().map(|(id, after)| ToLogger::Follow { id: *id, after: *after });
        let kmsg = self.kmsg.is_some().then_some(ToLogger::Kmsg);
        let over = self.over.iter().copied().map(ToLogger::Drain);
        self.unsent.extend(rings.chain(kmsg).chain(pipes).chain(over).chain(follows));
        self.flush();
    }

    /// A container's ring, before its pipes; or its new rate.
    pub(crate) fn add_ring(&mut self, id: u64, file: RingFile, rate: Option<u64>) {
        self.rings.insert(id, (file, rate));
        self.send(ToLogger::Ring { id, rate });
    }

    /// As [`Self::add_ring`], of one that is there.
    pub(crate) fn set_rate(&mut self, id: u64, rate: Option<u64>) {
        let Some((_, known)) = self.rings.get_mut(&id) else { return };
        if *known != rate {
            *known = rate;
            self.send(ToLogger::Ring { id, rate });
        }
    }

    /// The kernel's log, to be read into its rings, which come before. Where it is read from is the logger's affair.
    pub(crate) fn set_kmsg(&mut self, kmsg: OwnedFd) {
        self.kmsg = Some(kmsg);
        self.send(ToLogger::Kmsg);
    }

    /// The ring, to read or to have PID 1 keep it.
    pub(crate) fn ring(&self, id: u64) -> Option<&RingFile> {
        self.rings.get(&id).map(|(file, _)| file)
    }

    /// The read end of an output pipe, or a socket of messages. Ours is held until the logger says that it closed.
    pub(crate) fn add_pipe(&mut self, key: PipeKey, fd: OwnedFd) {
        self.pipes.insert(key, (fd, None));
        self.send(ToLogger::Pipe(key));
    }

    /// As [`Self::add_pipe`], of a pipe that the logger fills from this terminal.
    pub(crate) fn add_terminal(&mut self, key: PipeKey, fd: OwnedFd, terminal: OwnedFd) {
        self.pipes.insert(key, (fd, Some(terminal)));
        self.send(ToLogger::Terminal(key));
    }

    /// Nobody can write there any more: it is closed once it is empty. Of what is no socket of messages, or closed
    /// already, nothing.
    pub(crate) fn drain(&mut self, key: PipeKey) {
        if self.pipes.contains_key(&key) && self.over.insert(key) {
            self.send(ToLogger::Drain(key));
        }
    }

    /// Whether output of that run may still come.
    pub(crate) fn has_pipes(&self, id: u64, generation: u64) -> bool {
        self.pipes.keys().any(|key| key.id == id && key.generation == generation)
    }

    /// Asks for one `Wake`, when there is more than a reader has seen (`Reader::seen`).
    pub(crate) fn follow(&mut self, id: u64, after: u64) {
        // Several may follow; until one wake serves them all, a new logger hears of who has seen least.
        self.follows.entry(id).and_modify(|known| *known = after.min(*known)).or_insert(after);
        self.send(ToLogger::Follow { id, after });
    }

    /// Asks for a `Pong`: then all that was sent before has been obeyed.
    #[cfg(test)]
    pub(crate) fn ping(&mut self, token: u64) {
        self.send(ToLogger::Ping { token });
    }

    /// What the logger has to say; `None`: nothing now, or nobody is there to say it.
    ///
    /// # Errors
    /// As recvmsg(2), for a socket that is of no use any more.
    pub(crate) fn receive(&mut self) -> Result<Option<FromLogger>> {
        let mut bytes = [0; FRAME_LEN];
        loop {
            let size = match seqpacket::receive(self.socket.as_fd(), &mut bytes) {
                Ok((0, _)) | Err(Errno::EAGAIN) => return Ok(None),
                Ok((size, _)) => size,
                Err(errno) => return Err(errno),
            };
            let Some(frame) = FromLogger::decode(bytes.get(..size).unwrap_or_default()) else { continue };
            match frame {
                FromLogger::Wake { id } => drop(self.follows.remove(&id)),
                FromLogger::PipeClosed(key) => {
                    self.pipes.remove(&key);
                    self.over.remove(&key);
                }
                FromLogger::Trouble { .. } | FromLogger::Pong { .. } => {}
            }
            return Ok(Some(frame));
        }
    }

    /// Sends what waits, as far as there is room.
    pub(crate) fn flush(&mut self) {
        while let Some(frame) = self.unsent.front() {
            let pipe = |key| {
                let (pipe, terminal): &(OwnedFd, Option<OwnedFd>) = self.pipes.get(key)?;
                Some([Some(pipe.as_fd()), terminal.as_ref().map(AsFd::as_fd)])
            };
            let (wants, fds) = match frame {
                ToLogger::Ring { id, .. } => {
                    (true, self.rings.get(id).map(|(file, _)| [Some(file.as_fd()), None]))
                }
                ToLogger::Pipe(key) | ToLogger::Terminal(key) => (true, pipe(key)),
                ToLogger::Kmsg => (true, self.kmsg.as_ref().map(|kmsg| [Some(kmsg.as_fd()), None])),
                ToLogger::Follow { .. } | ToLogger::Ping { .. } | ToLogger::Drain(_) => (false, None),
            };
            let fds: Vec<BorrowedFd<'_>> = fds.into_iter().flatten().flatten().collect();
            let sent = match wants && fds.is_empty() {
                // Pointless by now.
                true => Ok(()),
                false => seqpacket::send(self.socket.as_fd(), &frame.encode(), &fds),
            };
            match sent {
                Ok(()) => drop(self.unsent.pop_front()),
                // Full, or nobody is there: the next logger is told all of it anyway.
                Err(_) => return,
            }
        }
    }

    fn send(&mut self, frame: ToLogger) {
        self.unsent.push_back(frame);
        self.flush();
    }
}

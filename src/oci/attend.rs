//! Waiting for a process of a container: signals go to it, orphans are taken in, and between its
//! terminal and ours everything is carried both ways.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::failure::{Failure, Result, at};
use crate::linux::{Errno, pidfd, pty, signal, terminal_mode, wait};

/// What a pipe takes without waiting once it says that it takes anything (PIPE_BUF, pipe(7)).
const PIECE: usize = 4096;
/// What is left in a terminal when the process has ended: no more than this is waited for.
const LAST_PIECES: u32 = 1024;
/// For each of them, milliseconds.
const LAST_PATIENCE: u16 = 10_000;

/// Signals are held from here on, so that none is lost before there is somebody to send it to.
pub(crate) struct Attendant {
    signals: OwnedFd,
}

impl Attendant {
    /// Before the process is made.
    ///
    /// # Errors
    /// EMFILE.
    pub(crate) fn new() -> Result<Self> {
        let all: Vec<i32> = (1..=signal::LAST).collect();
        Ok(Self { signals: signal::block_all_and_read(&all).map_err(at("signals"))? })
    }

    /// Until it ends; its exit code, or 128 and the signal that ended it.
    ///
    /// # Errors
    /// It is not ours to wait for.
    pub(crate) fn attend(&self, pid: i32, process: &OwnedFd, terminal: Option<OwnedFd>) -> Result<i32> {
        let mut relay = terminal.map(Relay::new).transpose()?;
        // It may have ended before its end could be signalled.
        let mut ended = reap(pid)?;
        while ended.is_none() {
            let mut waited = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            if let Some(relay) = &relay {
                relay.wait_for(&mut waited);
            }
            match poll(&mut waited, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(at("poll")(errno)),
            }
            let ready = Ready::of(&waited);
            if let Some(relay) = &mut relay {
                relay.carry(&ready);
            }
            if !ready.reads(self.signals.as_raw_fd()) {
                continue;
            }
            ended = self.signals(pid, process, relay.as_ref())?;
        }
        if let Some(relay) = &mut relay {
            relay.last();
        }
        Ok(ended.unwrap_or_default())
    }

    /// Acts on those that came; the exit code when the process has ended.
    fn signals(&self, pid: i32, process: &OwnedFd, relay: Option<&Relay>) -> Result<Option<i32>> {
        let mut children = false;
        for (number, _) in signal::read(&self.signals) {
            match (number, relay) {
                (libc::SIGCHLD, _) => children = true,
                (libc::SIGWINCH, Some(relay)) => relay.resize(),
                // Ours: nobody reads what we say; and what means nothing to anybody.
                (libc::SIGPIPE | libc::SIGURG, _) => {}
                // It may have ended already.
                (number, _) => drop(pidfd::send_signal(process.as_fd(), number)),
            }
        }
        if children { reap(pid) } else { Ok(None) }
    }
}

/// Takes in all that have ended; the exit code of this one when it is among them.
fn reap(pid: i32) -> Result<Option<i32>> {
    loop {
        match wait::reap_any() {
            Ok(Some(reaped)) if reaped.pid == pid => {
                let by_itself = reaped.code == libc::CLD_EXITED;
                return Ok(Some(if by_itself { reaped.status } else { 128 + reaped.status }));
            }
            // Orphans, and ours that did their part.
            Ok(Some(_)) => {}
            Ok(None) => return Ok(None),
            Err(Errno::ECHILD) => return Err(Failure::new("the container's process is not our child")),
            Err(errno) => return Err(at("wait")(errno)),
        }
    }
}

/// What poll(2) said.
struct Ready(Vec<(i32, PollFlags)>);

impl Ready {
    fn of(waited: &[PollFd<'_>]) -> Self {
        let found =
            waited.iter().map(|it| (it.as_fd().as_raw_fd(), it.revents().unwrap_or(PollFlags::empty())));
        Self(found.collect())
    }

    fn has(&self, fd: i32, flags: PollFlags) -> bool {
        self.0.iter().any(|(number, found)| *number == fd && found.intersects(flags))
    }

    /// Data, or the end of it.
    fn reads(&self, fd: i32) -> bool {
        self.has(fd, PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR)
    }

    fn writes(&self, fd: i32) -> bool {
        self.has(fd, PollFlags::POLLOUT | PollFlags::POLLHUP | PollFlags::POLLERR)
    }
}

/// A terminal whose output we carry: to what is none itself lines go as they were written.
pub(crate) fn ours(terminal: OwnedFd) -> OwnedFd {
    if !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        pty::keep_lines(terminal.as_fd());
    }
    terminal
}

/// Our terminal and the container's.
struct Relay {
    /// The other end of the container's.
    theirs: OwnedFd,
    /// What ours was set to, if it is one.
    saved: Option<terminal_mode::Saved>,
    /// On its way in, and whether more may come.
    inward: Vec<u8>,
    listens: bool,
    /// On its way out, and whether more may come.
    outward: Vec<u8>,
    speaks: bool,
}

impl Relay {
    fn new(theirs: OwnedFd) -> Result<Self> {
        fcntl(&theirs, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(at("terminal"))?;
        let saved = terminal_mode::make_raw(stdin()).ok();
        let relay =
            Self { theirs, saved, inward: Vec::new(), listens: true, outward: Vec::new(), speaks: true };
        relay.resize();
        Ok(relay)
    }

    /// As large as ours.
    fn resize(&self) {
        if let Ok((rows, columns)) = terminal_mode::size(stdin()).or_else(|_| terminal_mode::size(stdout())) {
            let _ = pty::resize(self.theirs.as_fd(), rows, columns);
        }
    }

    fn wait_for<'a>(&'a self, waited: &mut Vec<PollFd<'a>>) {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::POLLIN, self.speaks && self.outward.is_empty());
        flags.set(PollFlags::POLLOUT, self.speaks && !self.inward.is_empty());
        if !flags.is_empty() {
            waited.push(PollFd::new(self.theirs.as_fd(), flags));
        }
        if self.listens && self.inward.is_empty() {
            waited.push(PollFd::new(stdin(), PollFlags::POLLIN));
        }
        if !self.outward.is_empty() {
            waited.push(PollFd::new(stdout(), PollFlags::POLLOUT));
        }
    }

    fn carry(&mut self, ready: &Ready) {
        let theirs = self.theirs.as_raw_fd();
        if self.outward.is_empty() && ready.reads(theirs) {
            self.hear();
        }
        if !self.inward.is_empty() && ready.writes(theirs) {
            match nix::unistd::write(&self.theirs, &self.inward) {
                Ok(written) => drop(self.inward.drain(..written)),
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(_) => self.speaks = false,
            }
        }
        if !self.outward.is_empty() && ready.writes(stdout().as_raw_fd()) {
            self.say();
        }
        if self.listens && self.inward.is_empty() && ready.reads(stdin().as_raw_fd()) {
            self.listens = fill(stdin(), &mut self.inward);
        }
    }

    /// From the container.
    fn hear(&mut self) {
        self.speaks = fill(self.theirs.as_fd(), &mut self.outward);
    }

    /// To whoever called us. One that has left hears nothing more, and the container goes on.
    fn say(&mut self) {
        match nix::unistd::write(stdout(), &self.outward) {
            Ok(written) => drop(self.outward.drain(..written)),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(_) => self.outward.clear(),
        }
    }

    /// What was written before the end. Others may still have the terminal: they are not waited for.
    fn last(&mut self) {
        for _ in 0..LAST_PIECES {
            while !self.outward.is_empty() {
                // Who does not read is not waited for without end.
                let mut ours = [PollFd::new(stdout(), PollFlags::POLLOUT)];
                match poll(&mut ours, LAST_PATIENCE) {
                    Ok(0) => return,
                    Ok(_) | Err(_) => self.say(),
                }
            }
            if !self.speaks {
                return;
            }
            self.hear();
            if self.outward.is_empty() {
                return;
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(saved) = &self.saved {
            let _ = terminal_mode::restore(stdin(), saved);
        }
    }
}

/// Reads once. Whether more may come.
fn fill(from: BorrowedFd<'_>, into: &mut Vec<u8>) -> bool {
    let mut buffer = [0u8; PIECE];
    match nix::unistd::read(from, &mut buffer) {
        Ok(0) => false,
        Ok(size) => {
            into.extend_from_slice(buffer.get(..size).unwrap_or_default());
            true
        }
        Err(Errno::EAGAIN | Errno::EINTR) => true,
        // EIO: the last process has closed the terminal.
        Err(_) => false,
    }
}

fn stdin() -> BorrowedFd<'static> {
    crate::linux::fd::standard_input()
}

fn stdout() -> BorrowedFd<'static> {
    crate::linux::fd::standard_output()
}

//! What a start tells its maker, and hears from it: messages over one socket.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::linux::{Errno, Result, seqpacket};

/// Which step failed, on what, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub step: String,
    pub object: String,
    /// 0: the object says it all.
    pub errno: i32,
}

impl Failure {
    pub fn new(step: impl Into<String>, object: impl Into<String>, errno: Errno) -> Self {
        Self { step: step.into(), object: object.into(), errno: errno as i32 }
    }

    /// What makes an error the failure of this step.
    pub fn of<'a>(step: &'static str, object: &'a str) -> impl FnOnce(Errno) -> Self + use<'a> {
        move |errno| Self::new(step, object, errno)
    }

    pub fn said(step: impl Into<String>, object: impl Into<String>) -> Self {
        Self { step: step.into(), object: object.into(), errno: 0 }
    }
}

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.step.as_ref())?;
        if !self.object.is_empty() {
            write!(f, ": {}", self.object)?;
        }
        if self.errno == 0 { Ok(()) } else { write!(f, ": {}", Errno::from_raw(self.errno).desc()) }
    }
}

/// What came over the socket of a start.
#[derive(Debug)]
pub enum Report {
    Failed(Failure),
    /// The container exists.
    Container {
        pid: i32,
        pidfd: OwnedFd,
    },
    /// Its namespaces are there, and it waits for what is done to them.
    Meets,
    /// The other end of its terminal.
    Terminal(OwnedFd),
    /// Where its filter asks.
    Listener(OwnedFd),
    /// All its steps are done; it waits at the barrier.
    Ready,
    /// Exec closed the last end, or everybody is dead.
    Closed,
}

/// Longer objects (a path, a name) are cut.
const OBJECT: usize = 900;
/// The state of a container, with its annotations, for hooks.
const WORDS: usize = 128 << 10;

pub fn send_failure(to: BorrowedFd<'_>, failure: &Failure) {
    let object: String = failure.object.chars().take(OBJECT).collect();
    let text = format!("F{}\0{}\0{object}", failure.errno, failure.step);
    // With nobody there to hear it, there is nobody to tell.
    let _ = seqpacket::send(to, text.as_bytes(), &[]);
}

pub fn send_container(to: BorrowedFd<'_>, pid: i32, pidfd: BorrowedFd<'_>) -> Result<()> {
    seqpacket::send(to, format!("C{pid}").as_bytes(), &[pidfd])
}

pub fn send_meets(to: BorrowedFd<'_>) -> Result<()> {
    seqpacket::send(to, b"M", &[])
}

pub fn send_terminal(to: BorrowedFd<'_>, end: BorrowedFd<'_>) -> Result<()> {
    seqpacket::send(to, b"T", &[end])
}

pub fn send_listener(to: BorrowedFd<'_>, listener: BorrowedFd<'_>) -> Result<()> {
    seqpacket::send(to, b"L", &[listener])
}

pub fn send_ready(to: BorrowedFd<'_>) -> Result<()> {
    seqpacket::send(to, b"R", &[])
}

/// Lets a container go on from where it waits, with the state that hooks are told.
///
/// # Errors
/// EPIPE when it is dead.
pub fn send_go(to: BorrowedFd<'_>, state: &[u8]) -> Result<()> {
    let mut words = Vec::from(*b"go");
    words.extend_from_slice(state);
    seqpacket::send(to, &words, &[])
}

/// Reads what is there.
///
/// # Errors
/// EAGAIN when nothing is.
pub fn receive(from: BorrowedFd<'_>) -> Result<Report> {
    let mut buffer = [0u8; 4096];
    let (size, mut fds) = seqpacket::receive(from, &mut buffer)?;
    let text = String::from_utf8_lossy(buffer.get(..size).unwrap_or_default());
    let mut fd = || fds.iter_mut().find_map(Option::take).ok_or(Errno::EBADMSG);
    let mut letters = text.chars();
    match letters.next() {
        None => Ok(Report::Closed),
        Some('C') => {
            let pid = letters.as_str().parse().map_err(|_| Errno::EBADMSG)?;
            Ok(Report::Container { pid, pidfd: fd()? })
        }
        Some('M') => Ok(Report::Meets),
        Some('T') => Ok(Report::Terminal(fd()?)),
        Some('L') => Ok(Report::Listener(fd()?)),
        Some('R') => Ok(Report::Ready),
        Some('F') => {
            let mut parts = letters.as_str().splitn(3, '\0');
            let errno = parts.next().and_then(|part| part.parse().ok()).ok_or(Errno::EBADMSG)?;
            let step = parts.next().unwrap_or_default().to_owned();
            let object = parts.next().unwrap_or_default().to_owned();
            Ok(Report::Failed(Failure { step, object, errno }))
        }
        Some(_) => Err(Errno::EBADMSG),
    }
}

/// Waits to be let go, and is told the state for hooks. `None`: whoever made us is gone, and so should
/// we be.
pub fn wait_for_go(from: BorrowedFd<'_>) -> Option<Vec<u8>> {
    // Most have no state to tell: so much memory is not touched for nothing.
    let mut buffer = vec![0u8; seqpacket::wait_for_size(from).ok()?.min(WORDS)];
    match seqpacket::receive_blocking(from.as_fd(), &mut buffer) {
        Ok((size, _)) => buffer.get(..size)?.strip_prefix(b"go").map(<[u8]>::to_vec),
        Err(_) => None,
    }
}

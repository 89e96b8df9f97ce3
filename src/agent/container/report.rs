//! What setup and the container tell the supervisor before the program runs.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::linux::{Errno, Result, seqpacket};

/// A step that did not work: which, on what, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub step: String,
    pub object: String,
    /// 0 when the reason is in `object` alone.
    pub errno: i32,
}

impl Failure {
    pub fn new(step: &str, object: impl Into<String>, errno: Errno) -> Self {
        Self { step: step.into(), object: object.into(), errno: errno as i32 }
    }

    /// A reason that is no errno.
    pub fn said(step: &str, object: impl Into<String>) -> Self {
        Self { step: step.into(), object: object.into(), errno: 0 }
    }
}

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.step, self.object)?;
        if self.errno == 0 { Ok(()) } else { write!(f, ": {}", Errno::from_raw(self.errno).desc()) }
    }
}

/// What came over the socket of a start.
#[derive(Debug)]
pub enum Report {
    Failed(Failure),
    /// The container exists and waits at the barrier once its steps are done.
    Container {
        pid: i32,
        pidfd: OwnedFd,
    },
    /// Exec closed the last end, or everybody is dead.
    Closed,
}

/// Longer objects (a path, a name) are cut.
const OBJECT: usize = 512;

pub fn send_failure(to: BorrowedFd<'_>, failure: &Failure) {
    let object: String = failure.object.chars().take(OBJECT).collect();
    let text = format!("F{}\0{}\0{object}", failure.errno, failure.step);
    // With nobody there to hear it, there is nobody to tell.
    let _ = seqpacket::send(to, text.as_bytes(), &[]);
}

pub fn send_container(to: BorrowedFd<'_>, pid: i32, pidfd: BorrowedFd<'_>) -> Result<()> {
    seqpacket::send(to, format!("C{pid}").as_bytes(), &[pidfd])
}

/// Reads what is there.
///
/// # Errors
/// EAGAIN when nothing is.
pub fn receive(from: BorrowedFd<'_>) -> Result<Report> {
    let mut buffer = [0u8; 4096];
    let (size, mut fds) = seqpacket::receive(from, &mut buffer)?;
    let text = String::from_utf8_lossy(buffer.get(..size).unwrap_or_default());
    if size == 0 {
        return Ok(Report::Closed);
    }
    if let Some(pid) = text.strip_prefix('C') {
        let pidfd = fds.iter_mut().find_map(Option::take).ok_or(Errno::EBADMSG)?;
        return Ok(Report::Container { pid: pid.parse().map_err(|_| Errno::EBADMSG)?, pidfd });
    }
    let mut parts = text.strip_prefix('F').ok_or(Errno::EBADMSG)?.splitn(3, '\0');
    let errno = parts.next().and_then(|part| part.parse().ok()).ok_or(Errno::EBADMSG)?;
    let step = parts.next().unwrap_or_default().to_owned();
    let object = parts.next().unwrap_or_default().to_owned();
    Ok(Report::Failed(Failure { step, object, errno }))
}

/// Waits at the barrier. `false`: the supervisor is gone, and so should we be.
pub fn wait_for_go(from: BorrowedFd<'_>) -> bool {
    let mut buffer = [0u8; 8];
    matches!(seqpacket::receive_blocking(from.as_fd(), &mut buffer), Ok((size, _)) if size > 0)
}

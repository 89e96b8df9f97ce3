//! Terminals as places to print on.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::Result;

/// Opens a terminal for printing: it does not become ours (O_NOCTTY), and neither the opening (a
/// serial line without a carrier) nor a write waits.
///
/// # Errors
/// ENOENT, ENODEV, EIO: there is none behind this name.
pub fn open_to_print(path: &str) -> Result<OwnedFd> {
    let flags = OFlag::O_WRONLY | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    open(path, flags, Mode::empty())
}

/// Whether this is a terminal that leaves a line feed as it is, so that a carriage return has to come
/// with it (termios(3): no OPOST or no ONLCR).
#[must_use]
pub fn wants_carriage_return(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: all-zero is a valid termios.
    let mut termios: libc::termios = unsafe { core::mem::zeroed() };
    // SAFETY: the structure lives across the call.
    let answer = unsafe { libc::tcgetattr(fd.as_raw_fd(), &raw mut termios) };
    let both = libc::OPOST | libc::ONLCR;
    answer == 0 && termios.c_oflag & both != both
}

/// Writes what there is room for.
///
/// # Errors
/// EAGAIN: none now. EIO: the line was hung up.
pub fn print(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize> {
    nix::unistd::write(fd, bytes)
}

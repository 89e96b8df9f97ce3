//! Pseudo-terminals of a devpts that is named by a descriptor (ioctl_tty(2), pts(4)).

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::{Result, check, check_fd};

/// Both ends: the one that the engine's side reads and writes, and the terminal itself. `ptmx` is an
/// open /dev/pts/ptmx.
///
/// # Errors
/// ENOSPC when there are too many.
pub fn open(ptmx: OwnedFd) -> Result<(OwnedFd, OwnedFd)> {
    const TIOCGPTPEER: libc::c_ulong = 0x5441;
    let unlock: libc::c_int = 0;
    // SAFETY: it takes a pointer to an int, which lives across the call.
    check(unsafe { libc::ioctl(ptmx.as_raw_fd(), libc::TIOCSPTLCK as _, &raw const unlock) }.into())?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: it takes flags of open(2) and returns a new descriptor.
    let terminal = check_fd(unsafe { libc::ioctl(ptmx.as_raw_fd(), TIOCGPTPEER as _, flags) }.into())?;
    Ok((ptmx, terminal))
}

/// Sets rows and columns; whoever runs in it is told by SIGWINCH.
///
/// # Errors
/// ENOTTY.
pub fn resize(terminal: BorrowedFd<'_>, rows: u16, columns: u16) -> Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the structure lives across the call.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ as _, &raw const size) }.into())
        .map(drop)
}

/// Makes it the controlling terminal of our session, which must have none.
///
/// # Errors
/// EPERM.
pub fn control(terminal: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: a plain number.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY as _, 0) }.into()).map(drop)
}

/// The ends of lines that are written come out as they are. One that cannot be told so is left as it was.
pub fn keep_lines(terminal: BorrowedFd<'_>) {
    // SAFETY: all-zero is a valid termios, which lives across the calls.
    unsafe {
        let mut termios: libc::termios = core::mem::zeroed();
        if libc::tcgetattr(terminal.as_raw_fd(), &raw mut termios) == 0 {
            termios.c_oflag &= !libc::ONLCR;
            libc::tcsetattr(terminal.as_raw_fd(), libc::TCSANOW, &raw const termios);
        }
    }
}

/// What is written comes out as it is.
#[cfg(test)]
pub fn make_raw(terminal: BorrowedFd<'_>) {
    // SAFETY: all-zero is a valid termios, which lives across the calls.
    unsafe {
        let mut termios: libc::termios = core::mem::zeroed();
        assert_eq!(libc::tcgetattr(terminal.as_raw_fd(), &raw mut termios), 0);
        libc::cfmakeraw(&raw mut termios);
        assert_eq!(libc::tcsetattr(terminal.as_raw_fd(), libc::TCSANOW, &raw const termios), 0);
    }
}

//! The terminal that a person sits at, while its keys go to somebody else (termios(3)).

use std::os::fd::{AsRawFd, BorrowedFd};

use super::{Result, check};

/// What a terminal was set to before.
pub struct Saved(libc::termios);

/// Every key as it comes, and none acted upon.
///
/// # Errors
/// ENOTTY when it is no terminal.
pub fn make_raw(terminal: BorrowedFd<'_>) -> Result<Saved> {
    // SAFETY: all-zero is a valid termios.
    let mut termios: libc::termios = unsafe { core::mem::zeroed() };
    // SAFETY: the structure lives across the calls.
    unsafe {
        check(libc::tcgetattr(terminal.as_raw_fd(), &raw mut termios).into())?;
        let saved = Saved(termios);
        libc::cfmakeraw(&raw mut termios);
        check(libc::tcsetattr(terminal.as_raw_fd(), libc::TCSANOW, &raw const termios).into())?;
        Ok(saved)
    }
}

/// As it was.
///
/// # Errors
/// EIO: it is gone.
pub fn restore(terminal: BorrowedFd<'_>, saved: &Saved) -> Result<()> {
    // SAFETY: the structure lives across the call. Ours may be a background process by now, in which
    // case SIGTTOU must be blocked or ignored.
    check(unsafe { libc::tcsetattr(terminal.as_raw_fd(), libc::TCSANOW, &raw const saved.0) }.into())?;
    Ok(())
}

/// Rows and columns.
///
/// # Errors
/// ENOTTY when it is no terminal.
pub fn size(terminal: BorrowedFd<'_>) -> Result<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the structure lives across the call.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ as _, &raw mut size) }.into())?;
    Ok((size.ws_row, size.ws_col))
}

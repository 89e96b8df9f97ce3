//! What a terminal says of itself.

use std::os::fd::{AsFd, AsRawFd};

/// Columns of the terminal behind a descriptor; `None` when it is none, or does not know.
/// TIOCGWINSZ, see ioctl_tty(2).
pub(crate) fn columns(terminal: &impl AsFd) -> Option<usize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    let fd = terminal.as_fd().as_raw_fd();
    // SAFETY: TIOCGWINSZ writes one winsize to its argument, which lives until the call returns.
    let result = unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
}

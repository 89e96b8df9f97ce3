//! Moving bytes out of pipes without reading them.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::{Result, check};

/// Moves up to `len` bytes that are in `pipe` to the file position of `file`, and advances that, in
/// one call (splice(2) without an offset). The process may be killed at any instant: the position
/// then still says exactly how many bytes have left the pipe, because the kernel acts on a signal
/// only after it has accounted for what it copied. 0: the pipe is empty and nobody can write to it.
///
/// # Errors
/// EAGAIN: the pipe is empty. ENOMEM, ENOSPC: no memory for the file; nothing was moved.
pub(crate) fn to_position(pipe: BorrowedFd<'_>, file: BorrowedFd<'_>, len: usize) -> Result<usize> {
    let none = core::ptr::null_mut::<libc::loff_t>();
    // SAFETY: no offsets are given, and both descriptors are open.
    let moved =
        unsafe { libc::splice(pipe.as_raw_fd(), none, file.as_raw_fd(), none, len, libc::SPLICE_F_NONBLOCK) };
    check(moved as libc::c_long).map(|moved| usize::try_from(moved).unwrap_or(0))
}

/// How many bytes are in a pipe (FIONREAD, pipe(7)).
///
/// # Errors
/// ENOTTY when it is no pipe.
pub(crate) fn bytes_in_pipe(pipe: BorrowedFd<'_>) -> Result<u64> {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int.
    check(unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut count) }.into())?;
    Ok(u64::try_from(count).unwrap_or(0))
}

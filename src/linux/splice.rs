//! Moving bytes out of pipes without reading them.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

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

/// Moves up to `len` bytes that can be read of `from` (a terminal's other end, non-blocking) into `pipe`, in one
/// call: whoever is killed leaves them in one of the two. 0: there is nothing, and never will be.
///
/// # Errors
/// EAGAIN: there is nothing now, or no room for it. EIO: nobody has the terminal open.
pub(crate) fn into_pipe(from: BorrowedFd<'_>, pipe: BorrowedFd<'_>, len: usize) -> Result<usize> {
    let none = core::ptr::null_mut::<libc::loff_t>();
    // SAFETY: no offsets are given, and both descriptors are open.
    let moved =
        unsafe { libc::splice(from.as_raw_fd(), none, pipe.as_raw_fd(), none, len, libc::SPLICE_F_NONBLOCK) };
    check(moved as libc::c_long).map(|moved| usize::try_from(moved).unwrap_or(0))
}

/// The other end of a pipe whose read end this is, opened anew (by way of /proc/self/fd).
///
/// # Errors
/// ENOENT without /proc.
pub(crate) fn write_end(read_end: BorrowedFd<'_>) -> Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", read_end.as_raw_fd());
    open(path.as_str(), OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;
    use crate::linux::{Errno, fd, pty};

    #[test]
    fn a_terminal_is_moved_into_a_pipe_until_nobody_has_it() {
        let ptmx = std::fs::OpenOptions::new().read(true).write(true).open("/dev/ptmx").unwrap();
        let (engine, terminal) = pty::open(ptmx.into()).unwrap();
        fd::nonblocking(engine.as_fd()).unwrap();
        let (read, write) = fd::pipe().unwrap();
        drop(write);
        let write = write_end(read.as_fd()).unwrap();
        let step = || into_pipe(engine.as_fd(), write.as_fd(), 1 << 16);
        assert_eq!(step(), Err(Errno::EAGAIN));
        let mut terminal = std::fs::File::from(terminal);
        terminal.write_all(b"one\ntwo").unwrap();
        assert_eq!(step(), Ok(8));
        let mut buffer = [0; 16];
        assert_eq!(fd::read(read.as_fd(), &mut buffer), Ok(8));
        assert_eq!(&buffer[..8], b"one\r\ntwo");
        terminal.write_all(b"last").unwrap();
        drop(terminal);
        assert_eq!(step(), Ok(4));
        assert_eq!(step(), Err(Errno::EIO));
        drop(write);
        assert_eq!(
            (fd::read(read.as_fd(), &mut buffer), fd::read(read.as_fd(), &mut [0; 4])),
            (Ok(4), Ok(0))
        );
    }
}

//! pidfds: the identity of a process, which a number is not.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::{Result, check, check_fd, insist};

/// pidfd_open(2).
///
/// # Errors
/// ESRCH when there is no such process.
pub fn open(pid: i32) -> Result<OwnedFd> {
    // SAFETY: plain numbers.
    check_fd(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// pidfd_send_signal(2); any signal of 1–64, 0 only looks.
///
/// # Errors
/// ESRCH when the process is reaped.
pub fn send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> Result<()> {
    // SAFETY: no siginfo is passed.
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, 0usize, 0) })?;
    Ok(())
}

/// The inode of the process in pidfs (6.9), unique while the machine runs.
///
/// # Errors
/// As fstat(2).
pub fn inode(pidfd: BorrowedFd<'_>) -> Result<u64> {
    Ok(nix::sys::stat::fstat(pidfd)?.st_ino)
}

/// Whether it is that of our child of this number, dead or alive.
#[must_use]
pub fn is_our_child(given: BorrowedFd<'_>, pid: i32) -> bool {
    let same = || Ok::<bool, super::Errno>(inode(open(pid)?.as_fd())? == inode(given)?);
    super::wait::is_our_child(given) && insist(same).unwrap_or(false)
}

/// The user namespace of a living process.
///
/// # Errors
/// ESRCH for a zombie.
pub fn user_namespace(pidfd: BorrowedFd<'_>) -> Result<OwnedFd> {
    namespace(pidfd, 9)
}

/// A namespace of a living process, by the kind's number in pidfd.h: PIDFD_GET_…_NAMESPACE is
/// `_IO(0xFF, number)` (6.11).
///
/// # Errors
/// ESRCH for a zombie.
pub fn namespace(pidfd: BorrowedFd<'_>, number: u8) -> Result<OwnedFd> {
    let request = 0xFF00 | libc::c_ulong::from(number);
    // SAFETY: these ioctls take no argument and return a new descriptor.
    let fd = unsafe { libc::ioctl(pidfd.as_raw_fd(), request as _, 0) };
    check_fd(fd.into())
}

/// Whether the process, with all its threads, has ended; true for a zombie.
///
/// # Errors
/// As poll(2).
pub fn has_ended(pidfd: BorrowedFd<'_>) -> Result<bool> {
    ends_within(pidfd, core::time::Duration::ZERO)
}

/// Waits for the end of a process, which need not be a child, at most so long. Whether it came.
///
/// # Errors
/// As poll(2).
pub fn ends_within(pidfd: BorrowedFd<'_>, patience: core::time::Duration) -> Result<bool> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let deadline = super::time::since_boot().saturating_add(patience);
    loop {
        let left = deadline.saturating_sub(super::time::since_boot());
        let left = PollTimeout::try_from(left.as_millis()).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(pidfd, PollFlags::POLLIN)], left) {
            Ok(ready) => return Ok(ready > 0),
            Err(super::Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

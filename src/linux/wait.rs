//! waitid(2), raw: nix's wait functions return EINVAL for a child that died of a real-time
//! signal, after the kernel has reaped it, and the child is lost.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::{Result, check, insist};

/// A child that has ended and is now reaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaped {
    pub pid: i32,
    /// `CLD_EXITED`, `CLD_KILLED` or `CLD_DUMPED`.
    pub code: i32,
    /// Exit code, or signal number (any of 1–64).
    pub status: i32,
    pub user_us: u64,
    pub system_us: u64,
    /// KiB.
    pub max_rss: u64,
}

fn waitid(idtype: libc::idtype_t, id: libc::id_t, options: i32) -> Result<Option<Reaped>> {
    // SAFETY: both are plain data that the kernel fills.
    let (mut info, mut usage): (libc::siginfo_t, libc::rusage) = unsafe { core::mem::zeroed() };
    // SAFETY: the pointers live across the call. The fifth argument exists in the syscall only.
    check(unsafe { libc::syscall(libc::SYS_waitid, idtype, id, &raw mut info, options, &raw mut usage) })?;
    // SAFETY: with WNOHANG and nothing dead the kernel leaves the zeroes in place.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return Ok(None);
    }
    let micros = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    Ok(Some(Reaped {
        pid,
        code: info.si_code,
        status,
        user_us: micros(usage.ru_utime),
        system_us: micros(usage.ru_stime),
        max_rss: usage.ru_maxrss as u64,
    }))
}

/// Reaps one dead child of any kind (`__WALL`), without blocking. `None`: none is dead.
///
/// # Errors
/// ECHILD when there is no child at all.
pub fn reap_any() -> Result<Option<Reaped>> {
    waitid(libc::P_ALL, 0, libc::WEXITED | libc::WNOHANG | libc::__WALL)
}

/// Reaps this child if it is dead, without blocking.
///
/// # Errors
/// As [`wait_for`].
pub fn reap_one(pidfd: BorrowedFd<'_>) -> Result<Option<Reaped>> {
    let options = libc::WEXITED | libc::WNOHANG | libc::__WALL;
    waitid(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, options)
}

/// Waits until this child ends, and reaps it.
///
/// # Errors
/// ECHILD when it is not our child or was reaped already; EINTR.
pub fn wait_for(pidfd: BorrowedFd<'_>) -> Result<Option<Reaped>> {
    waitid(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, libc::WEXITED | libc::__WALL)
}

/// Whether this child can still be waited for; leaves it as it is.
#[must_use]
pub fn is_our_child(pidfd: BorrowedFd<'_>) -> bool {
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    insist(|| waitid(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, options)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::sys::wait::{Id, WaitPidFlag};

    use super::*;
    use crate::linux::forked::Forked;
    use crate::linux::{pidfd, process};

    #[test]
    fn a_child_that_is_stopped_or_goes_on_has_not_ended() {
        let child = Forked::run(|| {
            loop {
                process::pause();
            }
        });
        let pidfd = pidfd::open(child.pid()).unwrap();
        for (signal, seen) in
            [(libc::SIGSTOP, WaitPidFlag::WSTOPPED), (libc::SIGCONT, WaitPidFlag::WCONTINUED)]
        {
            pidfd::send_signal(pidfd.as_fd(), signal).unwrap();
            // Looked at, and left to be told again.
            nix::sys::wait::waitid(Id::PIDFd(pidfd.as_fd()), seen | WaitPidFlag::WNOWAIT).unwrap();
            assert_eq!(reap_one(pidfd.as_fd()), Ok(None), "signal {signal}");
        }
        pidfd::send_signal(pidfd.as_fd(), libc::SIGKILL).unwrap();
        let ended = wait_for(pidfd.as_fd()).unwrap().unwrap();
        assert_eq!((ended.pid, ended.code, ended.status), (child.pid(), libc::CLD_KILLED, libc::SIGKILL));
        // Its number is somebody else's from here on.
        core::mem::forget(child);
    }
}

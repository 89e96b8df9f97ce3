//! clone3(2). Ours because no crate has CLONE_INTO_CGROUP right (absent on musl, 0 on gnu) and
//! std's spawn can neither place a child in a cgroup nor make it a child of PID 1.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{Result, check};

/// Flags of clone3(2), as in linux/sched.h; 64 bits wide, unlike libc's.
pub mod flags {
    pub const NEWTIME: u64 = 0x80;
    pub const PIDFD: u64 = 0x1000;
    pub const PARENT: u64 = 0x8000;
    pub const NEWNS: u64 = 0x2_0000;
    pub const NEWCGROUP: u64 = 0x0200_0000;
    pub const NEWUTS: u64 = 0x0400_0000;
    pub const NEWIPC: u64 = 0x0800_0000;
    pub const NEWUSER: u64 = 0x1000_0000;
    pub const NEWPID: u64 = 0x2000_0000;
    pub const NEWNET: u64 = 0x4000_0000;
    pub const INTO_CGROUP: u64 = 0x2_0000_0000;
}

/// Which side of the clone this is.
#[derive(Debug)]
pub enum Cloned {
    Parent { pid: i32, pidfd: OwnedFd },
    Child,
}

/// Whose child the new process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    /// The caller's; its death raises SIGCHLD.
    Caller,
    /// The caller's parent's (CLONE_PARENT). PID 1 itself cannot: EINVAL.
    CallersParent,
}

/// Runs `work` in a child of the caller and ends it; its pid and pidfd.
///
/// # Errors
/// As [`clone3`].
pub fn in_child(work: impl FnOnce()) -> Result<(i32, OwnedFd)> {
    match clone3(Parent::Caller, 0, None)? {
        Cloned::Parent { pid, pidfd } => Ok((pid, pidfd)),
        Cloned::Child => {
            super::signal::reset();
            work();
            super::process::exit_now(0)
        }
    }
}

/// Makes a process in new `namespaces` (flags above), in `cgroup` when given.
///
/// Like fork: the child has a copy of the memory. This program has one thread, so the child may
/// allocate; it must end by exec or `_exit`, and should close what it does not need.
///
/// # Errors
/// As clone3(2): EAGAIN for pids.max, EBUSY for a cgroup with controllers enabled below it.
pub fn clone3(parent: Parent, namespaces: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Cloned> {
    let mut pidfd: i32 = -1;
    // SAFETY: all-zero is a valid clone_args: no flag, no stack, no TLS.
    let mut args: libc::clone_args = unsafe { core::mem::zeroed() };
    args.flags = namespaces | flags::PIDFD;
    args.pidfd = (&raw mut pidfd) as u64;
    match parent {
        Parent::Caller => args.exit_signal = libc::SIGCHLD as u64,
        // The kernel wants no exit signal here: the child inherits the caller's own.
        Parent::CallersParent => args.flags |= flags::PARENT,
    }
    if let Some(cgroup) = cgroup {
        args.flags |= flags::INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: the arguments live across the call; without CLONE_VM the child has its own memory,
    // and there is no second thread whose locks it could inherit.
    let pid = check(unsafe {
        libc::syscall(libc::SYS_clone3, &raw mut args, core::mem::size_of::<libc::clone_args>())
    })?;
    if pid == 0 {
        return Ok(Cloned::Child);
    }
    // SAFETY: CLONE_PIDFD made this descriptor for us.
    Ok(Cloned::Parent { pid: pid as i32, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
}

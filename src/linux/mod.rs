//! Every syscall and every `unsafe`: one typed, documented function per kernel operation.
//!
//! No policy, no configuration, no logging. Safe crates are used where they fit (nix); what they
//! lack or get wrong is here with the reason. Fds are `OwnedFd` and `BorrowedFd`, always CLOEXEC.

#![allow(unsafe_code)]

pub mod allocator;
pub mod bpf;
pub mod capability;
pub mod cgroup;
pub mod clone;
pub mod data_file;
pub mod datagram;
pub mod directory;
pub mod epoll;
pub mod exe;
pub mod fd;
#[cfg(test)]
pub mod forked;
pub mod fs;
pub mod input;
pub mod insist;
pub mod internet;
pub mod kmsg;
pub mod label;
pub mod listen;
pub mod mark;
pub mod memfd;
pub mod module;
pub mod mount;
pub mod namespace;
pub mod netlink;
pub mod node;
pub mod peek;
pub mod pidfd;
pub mod power;
pub mod proc;
pub mod process;
pub mod program;
pub mod pty;
pub mod scheduling;
pub mod seccomp;
pub mod seqpacket;
pub mod signal;
pub mod socket;
pub mod splice;
pub mod sysctl;
pub mod terminal;
pub mod terminal_mode;
#[cfg(test)]
pub mod testing;
pub mod time;
pub mod tty;
pub mod uevent;
pub mod unmount;
pub mod wait;
pub mod watchdog;

pub use insist::insist;
pub use nix::Result;
pub use nix::errno::Errno;

/// The value of a raw syscall, or its errno.
fn check(value: libc::c_long) -> Result<libc::c_long> {
    if value < 0 { Err(Errno::last()) } else { Ok(value) }
}

/// As [`check`], for a syscall that returns a new file descriptor.
fn check_fd(value: libc::c_long) -> Result<std::os::fd::OwnedFd> {
    use std::os::fd::{FromRawFd, OwnedFd};
    let fd = i32::try_from(check(value)?).map_err(|_| Errno::EOVERFLOW)?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What std says went wrong, as an errno.
#[must_use]
pub fn errno_of(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

/// A path as the kernel takes it.
///
/// # Errors
/// EINVAL when it contains a NUL.
pub fn c_path(path: &str) -> Result<std::ffi::CString> {
    std::ffi::CString::new(path).map_err(|_| Errno::EINVAL)
}

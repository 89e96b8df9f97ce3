//! Namespaces that are entered or mapped after a process exists.

use std::os::fd::{AsFd, BorrowedFd};

use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;

use super::{Errno, Result};

/// Enters a user namespace: full capabilities there, none outside.
///
/// # Errors
/// EINVAL when it is our own already.
pub fn enter_user(namespace: BorrowedFd<'_>) -> Result<()> {
    setns(namespace, CloneFlags::CLONE_NEWUSER)
}

/// A mount namespace of our own, with a copy of all mounts.
///
/// # Errors
/// EPERM.
pub fn new_mount() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)
}

/// Maps ids 0 … `count` - 1 inside the user namespace of `pid` to `first` … outside.
///
/// # Errors
/// EPERM; EINVAL for a range that is mapped already.
pub fn map_range(pid: i32, first: u32, count: u32) -> Result<()> {
    let map = format!("0 {first} {count}\n");
    for file in ["uid_map", "gid_map"] {
        let path = format!("/proc/{pid}/{file}");
        let fd = open(path.as_str(), OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        if nix::unistd::write(fd.as_fd(), map.as_bytes())? != map.len() {
            return Err(Errno::EIO);
        }
    }
    Ok(())
}

/// Brings the loopback interface of this network namespace up (SIOCSIFFLAGS).
///
/// # Errors
/// EPERM.
pub fn loopback_up() -> Result<()> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
    use std::os::fd::AsRawFd;
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: all-zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { core::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(*b"lo") {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the request lives across the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    super::check(done.into())?;
    Ok(())
}

//! What is asked of the kernel: the one door of this program to `unsafe`.
#![allow(unsafe_code)]

use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::socket::{setsockopt, sockopt};

type Result<T> = nix::Result<T>;

/// A collector that has acknowledged nothing for so long is given up: as the forwarder does.
const SILENCE: Duration = Duration::from_secs(30);
/// Of the kernel, for what the collector has not acknowledged, likewise.
const MEMORY: usize = 256 << 10;
/// A session takes three, and looking up a name two more.
const DESCRIPTORS: u64 = 16;
/// Far more than a bundle of all public authorities takes.
const ADDRESS_SPACE: u64 = 128 << 20;

/// Takes over a descriptor that it was started with.
///
/// # Errors
/// EBADF when nothing is there.
pub(crate) fn inherited(number: RawFd) -> Result<OwnedFd> {
    // SAFETY: only looks at the number.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(Errno::last());
    }
    // SAFETY: it is open, and by the contract with whoever started us it is ours alone. Each is taken once.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// It is nobody already. From here on it starts no process, writes no file, and nobody with its ids looks into it.
///
/// # Errors
/// None known.
pub(crate) fn confine() -> Result<()> {
    prctl::set_name(c"orlop-tls")?;
    prctl::set_no_new_privs()?;
    prctl::set_dumpable(false)?;
    let limits = [
        (Resource::RLIMIT_NPROC, 0),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_NOFILE, DESCRIPTORS),
        (Resource::RLIMIT_AS, ADDRESS_SPACE),
    ];
    limits.into_iter().try_for_each(|(resource, most)| setrlimit(resource, most, most))
}

/// # Errors
/// None known of a TCP socket.
pub(crate) fn tune(tcp: &TcpStream) -> Result<()> {
    setsockopt(tcp, sockopt::KeepAlive, &true)?;
    let silence = u32::try_from(SILENCE.as_millis()).unwrap_or(u32::MAX);
    setsockopt(tcp, sockopt::TcpUserTimeout, &silence)?;
    setsockopt(tcp, sockopt::SndBuf, &(MEMORY / 2))
}

/// Bytes that the other side has not acknowledged (SIOCOUTQ, tcp(7)).
///
/// # Errors
/// None known of a TCP socket.
pub(crate) fn unacknowledged(tcp: &TcpStream) -> Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: TIOCOUTQ, which is SIOCOUTQ, writes one int.
    if unsafe { libc::ioctl(tcp.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) } < 0 {
        return Err(Errno::last());
    }
    Ok(u64::try_from(bytes).unwrap_or_default())
}

/// Waits for one of them, or so long; what is there to be done with each.
///
/// # Errors
/// ENOMEM.
pub(crate) fn wait(
    (one, wanted): (&impl AsFd, PollFlags),
    (other, wanted_too): (&impl AsFd, PollFlags),
    most: Option<Duration>,
) -> Result<[PollFlags; 2]> {
    // A part of a millisecond more, or the time would not have come.
    let most = most.map_or(PollTimeout::NONE, |most| {
        PollTimeout::try_from(most.as_millis().saturating_add(1)).unwrap_or(PollTimeout::MAX)
    });
    let mut fds = [PollFd::new(one.as_fd(), wanted), PollFd::new(other.as_fd(), wanted_too)];
    match poll(&mut fds, most) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(errno),
    }
    Ok(fds.map(|fd| fd.revents().unwrap_or(PollFlags::empty())))
}

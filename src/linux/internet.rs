//! Sockets of the Internet, on which nobody waits.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrStorage, connect, getsockopt, send, setsockopt,
    socket, sockopt,
};

use super::{Errno, Result, check};

/// Whether an interface that has a carrier has an address that others can reach (netdevice(7)).
#[must_use]
pub fn is_online() -> bool {
    let Ok(mut found) = getifaddrs() else { return false };
    let wanted = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_LOWER_UP;
    found.any(|interface| {
        let has_carrier = interface.flags.contains(wanted);
        let is_loopback = interface.flags.contains(InterfaceFlags::IFF_LOOPBACK);
        has_carrier && !is_loopback && interface.address.as_ref().is_some_and(is_reachable)
    })
}

fn is_reachable(address: &SockaddrStorage) -> bool {
    if let Some(v4) = address.as_sockaddr_in() {
        let ip = v4.ip();
        return !ip.is_link_local() && !ip.is_loopback() && !ip.is_unspecified();
    }
    address.as_sockaddr_in6().is_some_and(|v6| {
        let ip = v6.ip();
        !ip.is_unicast_link_local() && !ip.is_loopback() && !ip.is_unspecified()
    })
}

fn open(kind: SockType, to: &SocketAddr) -> Result<OwnedFd> {
    let family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    socket(family, kind, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)
}

/// A socket whose datagrams go there.
///
/// # Errors
/// ENETUNREACH without a way there.
pub fn connect_udp(to: &SocketAddr) -> Result<OwnedFd> {
    let fd = open(SockType::Datagram, to)?;
    connect(fd.as_raw_fd(), &SockaddrStorage::from(*to))?;
    Ok(fd)
}

/// Begins to connect: EPOLLOUT says that it has come to something, [`take_error`] to what. The other side is given up
/// when it has acknowledged nothing for so long (TCP_USER_TIMEOUT). At most `memory` bytes of the kernel's wait to be
/// acknowledged (SO_SNDBUF, which the kernel doubles).
///
/// # Errors
/// ENETUNREACH without a way there.
pub fn connect_tcp(to: &SocketAddr, silence: Duration, memory: usize) -> Result<OwnedFd> {
    let fd = open(SockType::Stream, to)?;
    setsockopt(&fd, sockopt::KeepAlive, &true)?;
    let silence = u32::try_from(silence.as_millis()).unwrap_or(u32::MAX);
    setsockopt(&fd, sockopt::TcpUserTimeout, &silence)?;
    setsockopt(&fd, sockopt::SndBuf, &(memory / 2))?;
    match connect(fd.as_raw_fd(), &SockaddrStorage::from(*to)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(fd),
        Err(errno) => Err(errno),
    }
}

/// What went wrong since this was last asked (SO_ERROR).
///
/// # Errors
/// That.
pub fn take_error(socket: BorrowedFd<'_>) -> Result<()> {
    match getsockopt(&socket, sockopt::SocketError)? {
        0 => Ok(()),
        errno => Err(Errno::from_raw(errno)),
    }
}

/// Sends as much as there is room for.
///
/// # Errors
/// EAGAIN when there is none.
pub fn send_some(socket: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize> {
    send(socket.as_fd().as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT)
}

/// Bytes of a stream that the other side has not acknowledged (SIOCOUTQ, tcp(7)).
///
/// # Errors
/// None known of an open TCP socket.
pub fn unacknowledged(socket: BorrowedFd<'_>) -> Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: TIOCOUTQ, which is SIOCOUTQ, writes one int.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) }.into())?;
    Ok(u64::try_from(bytes).unwrap_or_default())
}

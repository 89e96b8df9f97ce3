//! Unix stream sockets, and reading and writing without waiting.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr, accept4, bind, getsockopt, listen, send,
    setsockopt, socket, socketpair, sockopt,
};
use nix::sys::stat::{Mode, fchmod};
use nix::sys::time::{TimeVal, TimeValLike};

/// Who is at the other end, as the kernel saw it when the connection was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) pid: i32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Connections that wait to be accepted: all clients that are allowed at once, and as many again.
const BACKLOG: i32 = 128;

/// Two ends of a stream, CLOEXEC, both waiting.
///
/// # Errors
/// EMFILE, ENOMEM.
pub fn pair() -> super::Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
}

/// A listening socket at `path` that only its owner can connect to. One left behind by a process
/// before this one is replaced; anything else at the path is an error (EADDRINUSE).
///
/// The mode is set on the socket before it has a name, which bind(2) then takes over: there is no
/// moment in which others could connect, whatever the umask.
pub(crate) fn listen_private(path: &Path) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    fchmod(&fd, Mode::S_IRUSR | Mode::S_IWUSR)?;
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    bind(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    listen(&fd, Backlog::new(BACKLOG)?)?;
    Ok(fd)
}

/// Says who may connect to the socket at `path`: its group and its mode. What is there is narrowed first, so
/// that at no moment more than these may.
pub(crate) fn admit(path: &Path, group: u32, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    std::os::unix::fs::lchown(path, None, Some(group))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// A connection to the socket at `path`, close-on-exec. The time limits the wait for a place in the
/// listener's queue (`WouldBlock` after it), not what is sent later.
pub(crate) fn connect(path: &Path, time: Duration) -> io::Result<OwnedFd> {
    let fd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let limit = TimeVal::milliseconds(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
    setsockopt(&fd, sockopt::SendTimeout, &limit)?;
    nix::sys::socket::connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    setsockopt(&fd, sockopt::SendTimeout, &TimeVal::seconds(0))?;
    Ok(fd)
}

/// The next connection, non-blocking and close-on-exec; `WouldBlock` when there is none. See accept(2).
pub(crate) fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = accept4(listener.as_raw_fd(), flags)?;
    // SAFETY: accept4 made this descriptor just now, and nothing else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// SO_PEERCRED, see unix(7).
pub(crate) fn credentials(socket: BorrowedFd<'_>) -> io::Result<Credentials> {
    let peer = getsockopt(&socket, sockopt::PeerCredentials)?;
    Ok(Credentials { pid: peer.pid(), uid: peer.uid(), gid: peer.gid() })
}

/// The other groups of who is at the other end, when the connection was made: SO_PEERGROUPS, see unix(7).
pub(crate) fn groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut groups = vec![0u32; 32];
    loop {
        let mut bytes =
            libc::socklen_t::try_from(groups.len().saturating_mul(4)).unwrap_or(libc::socklen_t::MAX);
        // SAFETY: the kernel writes at most `bytes` bytes to `groups`, which has as many, and their number or the
        // one that it wants to `bytes`; both live across the call.
        let done = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut bytes,
            )
        };
        let count = usize::try_from(bytes).unwrap_or(0) / 4;
        if done == 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        // NGROUPS_MAX (credentials(7)) is the most that anybody has.
        if error.raw_os_error() != Some(libc::ERANGE) || count <= groups.len() || count > 65_536 {
            return Err(error);
        }
        groups.resize(count, 0);
    }
}

/// read(2), again after a signal. 0 is the end, or for a virtio port the absence of its host.
pub(crate) fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match nix::unistd::read(fd, buffer) {
            Err(nix::errno::Errno::EINTR) => {}
            result => return Ok(result?),
        }
    }
}

/// send(2) on a socket without waiting and without SIGPIPE, again after a signal.
pub(crate) fn send_now(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    loop {
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        match send(socket.as_raw_fd(), bytes, flags) {
            Err(nix::errno::Errno::EINTR) => {}
            result => return Ok(result?),
        }
    }
}

/// write(2) on a descriptor that is non-blocking and no socket or pipe, again after a signal.
pub(crate) fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match nix::unistd::write(fd, bytes) {
            Err(nix::errno::Errno::EINTR) => {}
            result => return Ok(result?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use crate::linux::testing::as_user;

    #[test]
    fn a_connection_waits_no_longer_than_it_may() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let listener = listen_private(&path).unwrap();
        let mut waiting = Vec::new();
        // Until the queue is full.
        let refused = loop {
            match connect(&path, Duration::from_millis(1)) {
                Ok(fd) => waiting.push(fd),
                Err(error) => break error,
            }
            assert!(waiting.len() < 1000);
        };
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        accept(listener.as_fd()).unwrap();
        connect(&path, Duration::from_millis(1)).unwrap();
    }

    #[test]
    fn the_socket_is_for_whom_it_is_said_to_be() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let _listener = listen_private(&path).unwrap();
        for (group, mode) in [(900, 0o660), (7, 0o666), (0, 0o600)] {
            admit(&path, group, mode).unwrap();
            let found = fs::metadata(&path).unwrap();
            assert_eq!((found.gid(), found.mode() & 0o777), (group, mode));
        }
    }

    #[test]
    fn all_groups_of_a_peer_are_told_however_many() {
        for count in [0u32, 3, 32, 33, 1000] {
            let wanted: Vec<u32> = (5000..5000 + count).collect();
            let (one, _other) = as_user(0, &wanted, || UnixStream::pair().unwrap());
            assert_eq!(super::groups(one.as_fd()).unwrap(), wanted);
        }
    }

    #[test]
    fn the_socket_is_private_and_replaces_only_a_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        for _ in 0..2 {
            let listener = listen_private(&path).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let client = UnixStream::connect(&path).unwrap();
            let server = accept(listener.as_fd()).unwrap();
            let peer = credentials(server.as_fd()).unwrap();
            assert_eq!(peer.pid, i32::try_from(std::process::id()).unwrap());
            assert_eq!(accept(listener.as_fd()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            drop(client);
            assert_eq!(read(server.as_fd(), &mut [0; 8]).unwrap(), 0);
            assert_eq!(send_now(server.as_fd(), b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        }
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        assert_eq!(listen_private(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }
}

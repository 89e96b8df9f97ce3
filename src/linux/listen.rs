//! Sockets that are listened on for others, who accept.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrLike, SockaddrStorage, UnixAddr, bind, getsockname,
    getsockopt, listen, setsockopt, socket, sockopt,
};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat};

use super::{Errno, Result, errno_of};

/// Where a socket stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Local {
    Tcp(SocketAddr),
    Udp(SocketAddr),
    Unix(PathBuf),
}

/// A stream socket that takes connections; as many wait as net.core.somaxconn allows. `[::]` is IPv4, too.
///
/// # Errors
/// EADDRINUSE; EADDRNOTAVAIL of an address that the machine has not.
pub fn tcp(at: &SocketAddr) -> Result<OwnedFd> {
    let fd = internet(SockType::Stream, at)?;
    // Connections of the one before that are closing do not keep anybody from listening.
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    bind(fd.as_raw_fd(), &SockaddrStorage::from(*at))?;
    listen(&fd, Backlog::MAXALLOWABLE)?;
    Ok(fd)
}

/// A datagram socket.
///
/// # Errors
/// As [`tcp`].
pub fn udp(at: &SocketAddr) -> Result<OwnedFd> {
    let fd = internet(SockType::Datagram, at)?;
    bind(fd.as_raw_fd(), &SockaddrStorage::from(*at))?;
    Ok(fd)
}

fn internet(kind: SockType, at: &SocketAddr) -> Result<OwnedFd> {
    let family = if at.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let fd = socket(family, kind, SockFlag::SOCK_CLOEXEC, None)?;
    if at.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &false)?;
    }
    Ok(fd)
}

/// A stream socket at `path`, and its folder, if there is none. A socket that stands there is replaced. Until its
/// owner and mode are set, only root can connect.
///
/// # Errors
/// EADDRINUSE when something else stands there.
pub fn unix(path: &Path, mode: u32, owner: (u32, u32)) -> Result<OwnedFd> {
    let fd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // bind(2) gives the file the socket's mode.
    fchmod(&fd, Mode::S_IRUSR | Mode::S_IWUSR)?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(errno_of)?;
    }
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        std::fs::remove_file(path).map_err(errno_of)?;
    }
    bind(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    give(path, mode, owner)?;
    listen(&fd, Backlog::MAXALLOWABLE)?;
    Ok(fd)
}

/// Whether one of these takes nobody any more: whoever has a copy of it may have said so, to all who have one, by
/// shutdown(2), or made another use of it.
///
/// # Errors
/// As poll(2) and getsockopt(2).
pub fn is_shut(fd: BorrowedFd<'_>) -> Result<bool> {
    let mut polled = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLRDHUP, revents: 0 };
    // SAFETY: one entry, which outlives the call.
    Errno::result(unsafe { libc::poll(&raw mut polled, 1, 0) })?;
    let is_stream = getsockopt(&fd, sockopt::SockType)? == SockType::Stream;
    let takes = !is_stream || getsockopt(&fd, sockopt::AcceptConn)?;
    Ok(!takes || polled.revents & (libc::POLLHUP | libc::POLLRDHUP) != 0)
}

/// Whose the socket's file is, and who may connect. Whoever may write in its folder may have put anything in its place:
/// nothing but a socket is changed, and no link followed.
///
/// # Errors
/// ENOENT: somebody took it away.
pub fn give(path: &Path, mode: u32, (user, group): (u32, u32)) -> Result<()> {
    let file = open(path, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())?;
    if fstat(&file)?.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFSOCK.bits() {
        return Err(Errno::ENOENT);
    }
    let here = format!("/proc/self/fd/{}", file.as_raw_fd());
    std::os::unix::fs::chown(&here, Some(user), Some(group)).map_err(errno_of)?;
    std::fs::set_permissions(&here, std::fs::Permissions::from_mode(mode)).map_err(errno_of)
}

/// Where it stands.
///
/// # Errors
/// EINVAL of what is none of these, or has no name.
pub fn local(fd: BorrowedFd<'_>) -> Result<Local> {
    let name: SockaddrStorage = getsockname(fd.as_raw_fd())?;
    let at: SocketAddr = match name.family() {
        Some(AddressFamily::Inet) => SocketAddrV4::from(*name.as_sockaddr_in().ok_or(Errno::EINVAL)?).into(),
        Some(AddressFamily::Inet6) => {
            SocketAddrV6::from(*name.as_sockaddr_in6().ok_or(Errno::EINVAL)?).into()
        }
        Some(AddressFamily::Unix) => {
            let path = name.as_unix_addr().and_then(UnixAddr::path).ok_or(Errno::EINVAL)?;
            return Ok(Local::Unix(path.to_owned()));
        }
        Some(_) | None => return Err(Errno::EINVAL),
    };
    match getsockopt(&fd, sockopt::SockType)? {
        SockType::Stream => Ok(Local::Tcp(at)),
        SockType::Datagram => Ok(Local::Udp(at)),
        _ => Err(Errno::EINVAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_socket_knows_where_it_stands() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let stream = tcp(&free).unwrap();
        assert_eq!(local(stream.as_fd()), Ok(Local::Tcp(free)));
        assert_eq!(tcp(&free).unwrap_err(), Errno::EADDRINUSE);
        let datagram = udp(&free).unwrap();
        assert_eq!(local(datagram.as_fd()), Ok(Local::Udp(free)));
        std::net::TcpStream::connect(free).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/socket");
        let own = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
        let first = unix(&path, 0o640, own).unwrap();
        assert_eq!(local(first.as_fd()), Ok(Local::Unix(path.clone())));
        let again = unix(&path, 0o640, own).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        std::os::unix::net::UnixStream::connect(&path).unwrap();
        drop(again);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "").unwrap();
        assert_eq!(unix(&path, 0o640, own).unwrap_err(), Errno::EADDRINUSE);
    }

    #[test]
    fn one_that_a_copy_of_it_has_shut_is_known() {
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        let folder = tempfile::tempdir().unwrap();
        let owner = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
        let local = unix(&folder.path().join("it.sock"), 0o600, owner).unwrap();
        for fd in [tcp(&here).unwrap(), udp(&here).unwrap(), local] {
            assert_eq!(is_shut(fd.as_fd()), Ok(false));
            // Of one that is not connected the kernel says so, and does it.
            let _ = nix::sys::socket::shutdown(fd.as_raw_fd(), nix::sys::socket::Shutdown::Both);
            assert_eq!(is_shut(fd.as_fd()), Ok(true));
        }
    }

    #[test]
    fn what_was_put_in_the_place_of_a_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("it.sock"));
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let owner = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
        for path in [&link, &file, &folder.path().join("none")] {
            assert!(matches!(give(path, 0o666, owner), Err(Errno::ENOENT | Errno::ELOOP)), "{path:?}");
        }
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
    }
}

//! Sockets that are listened on for others, who accept.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrLike, SockaddrStorage, UnixAddr, bind, getsockname,
    getsockopt, listen, setsockopt, socket, sockopt,
};
use nix::sys::stat::{Mode, fchmod};

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
pub fn unix(path: &Path, mode: u32, (user, group): (u32, u32)) -> Result<OwnedFd> {
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
    lchown(path, Some(user), Some(group)).map_err(errno_of)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(errno_of)?;
    listen(&fd, Backlog::MAXALLOWABLE)?;
    Ok(fd)
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
}

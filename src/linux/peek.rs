//! Datagrams read so that whoever is killed meanwhile is followed by one who knows what was read.
//!
//! A datagram is looked at (MSG_PEEK) and taken out later. How many bytes were looked at beyond those taken out is kept
//! by the socket itself (SO_PEEK_OFF, socket(7)): looking adds to it, taking out subtracts.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::{Errno, Result, check};

/// Looks at what follows what was looked at, up to the end of its datagram: how many bytes that is, of which those are in
/// `buffer` that it has room for, and were looked at. 0: an empty datagram, which is passed over from here on.
///
/// # Errors
/// EAGAIN when there is nothing more.
pub fn look(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    receive(socket, buffer, libc::MSG_PEEK)
}

/// Takes the first datagram out: its size.
///
/// # Errors
/// EAGAIN when there is none.
pub fn take_out(socket: BorrowedFd<'_>) -> Result<usize> {
    receive(socket, &mut [], 0)
}

fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8], how: libc::c_int) -> Result<usize> {
    let flags = how | libc::MSG_TRUNC | libc::MSG_DONTWAIT;
    loop {
        // SAFETY: the kernel writes at most `buffer.len()` bytes there.
        let size = unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags) };
        match check(size as libc::c_long) {
            Err(Errno::EINTR) => {}
            size => return Ok(usize::try_from(size?).unwrap_or_default()),
        }
    }
}

/// Bytes looked at and not taken out.
///
/// # Errors
/// EOPNOTSUPP when it is no such socket.
pub fn looked_at(socket: BorrowedFd<'_>) -> Result<u64> {
    let mut bytes: libc::c_int = 0;
    let mut size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the option is one int.
    let status = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEEK_OFF,
            (&raw mut bytes).cast(),
            &raw mut size,
        )
    };
    check(status.into())?;
    u64::try_from(bytes).map_err(|_| Errno::EOPNOTSUPP)
}

/// From here on, so many bytes were looked at. Before the first look it is called once: else nothing is counted.
///
/// # Errors
/// EOPNOTSUPP when it is no such socket; EOVERFLOW.
pub fn set_looked_at(socket: BorrowedFd<'_>, bytes: u64) -> Result<()> {
    let bytes = libc::c_int::try_from(bytes).map_err(|_| Errno::EOVERFLOW)?;
    // SAFETY: the option is one int.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEEK_OFF,
            (&raw const bytes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    check(status.into()).map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::linux::datagram;

    #[test]
    fn the_socket_knows_what_was_looked_at_and_not_taken_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let socket = datagram::listen(&path).unwrap();
        assert_eq!(looked_at(socket.as_fd()), Err(Errno::EOPNOTSUPP));
        set_looked_at(socket.as_fd(), 0).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        sender.connect(&path).unwrap();
        for text in ["first", "", "a second one"] {
            sender.send(text.as_bytes()).unwrap();
        }
        let fd = socket.as_fd();
        let mut buffer = [0; 8];
        assert_eq!(look(fd, &mut buffer), Ok(5));
        assert_eq!((&buffer[..5], looked_at(fd)), (&b"first"[..], Ok(5)));
        assert_eq!(look(fd, &mut buffer), Ok(0));
        assert_eq!(look(fd, &mut buffer), Ok(12), "all of it, of which a part");
        assert_eq!((&buffer, looked_at(fd)), (b"a second", Ok(13)));
        assert_eq!(look(fd, &mut buffer), Ok(4));
        assert_eq!((&buffer[..4], looked_at(fd)), (&b" one"[..], Ok(17)));
        assert_eq!(look(fd, &mut buffer), Err(Errno::EAGAIN));
        // Another who comes after this one looks where he wants to.
        set_looked_at(fd, 5 + 8).unwrap();
        assert_eq!(look(fd, &mut buffer), Ok(4));
        assert_eq!([take_out(fd), take_out(fd)], [Ok(5), Ok(0)]);
        assert_eq!(looked_at(fd), Ok(12));
        assert_eq!([take_out(fd), take_out(fd)], [Ok(12), Err(Errno::EAGAIN)]);
        assert_eq!(looked_at(fd), Ok(0));
        let (pipe, _) = super::super::fd::pipe().unwrap();
        assert_eq!(looked_at(pipe.as_fd()), Err(Errno::ENOTSOCK));
    }
}

//! Unix datagram sockets that are only read, without waiting.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, bind, recv, socket};
use nix::sys::stat::{Mode, umask};

use super::{Errno, Result};

/// A socket at `path` that everybody who reaches it can send to. What stood there is replaced.
///
/// # Errors
/// As bind(2).
pub fn listen(path: &Path) -> Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
    match nix::unistd::unlink(path) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno),
    }
    // bind(2) takes what nobody may from the mask, and there is one thread here.
    let mask = umask(Mode::from_bits_truncate(0o111));
    let bound = UnixAddr::new(path).and_then(|address| bind(fd.as_raw_fd(), &address));
    umask(mask);
    bound.map(|()| fd)
}

/// The next datagram, in `buffer`, which stays there until it is discarded; `None`: one that does not fit, or is
/// empty. Of descriptors that came with it none is taken.
///
/// # Errors
/// EAGAIN when there is none.
pub fn peek<'b>(socket: BorrowedFd<'_>, buffer: &'b mut [u8]) -> Result<Option<&'b [u8]>> {
    // With MSG_TRUNC the length is the datagram's own.
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC | MsgFlags::MSG_PEEK;
    let length = recv(socket.as_raw_fd(), buffer, flags)?;
    Ok(buffer.get(..length).filter(|_| length > 0))
}

/// Takes the next datagram away, and closes the descriptors that came with it.
pub fn discard(socket: BorrowedFd<'_>) {
    // EAGAIN: there is none.
    let _ = recv(socket.as_raw_fd(), &mut [], MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    fn take<'b>(socket: BorrowedFd<'_>, buffer: &'b mut [u8]) -> Result<Option<&'b [u8]>> {
        let first = peek(socket, buffer).map(|found| found.map(<[u8]>::to_vec));
        let second = peek(socket, buffer);
        assert_eq!(first, second.map(|found| found.map(<[u8]>::to_vec)), "it stays until it is taken");
        discard(socket);
        second
    }

    #[test]
    fn datagrams_come_whole_or_not_at_all_and_bring_no_descriptors() {
        let path = std::env::temp_dir().join(format!("orlop-datagram-{}", std::process::id()));
        let socket = listen(&path).unwrap();
        let again = listen(&path).unwrap();
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).unwrap());
        assert_eq!(mode & 0o777, 0o666, "whatever the mask is");
        let sender = UnixDatagram::unbound().unwrap();
        let mut buffer = [0; 8];
        assert_eq!(take(again.as_fd(), &mut buffer), Err(Errno::EAGAIN));
        for (sent, expected) in [
            (&b"READY=1"[..], Some(&b"READY=1"[..])),
            (b"123456789", None),
            (b"", None),
            (b"12345678", Some(b"12345678")),
        ] {
            sender.send_to(sent, &path).unwrap();
            assert_eq!(take(again.as_fd(), &mut buffer), Ok(expected));
        }
        // Gifts are not taken, however many.
        sender.connect(&path).unwrap();
        let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = open();
        for count in [1, 100] {
            let gift = nix::sys::socket::ControlMessage::ScmRights(&[0; 100][..count]);
            let text = [std::io::IoSlice::new(b"hello")];
            nix::sys::socket::sendmsg::<()>(sender.as_raw_fd(), &text, &[gift], MsgFlags::empty(), None)
                .unwrap();
            assert_eq!(take(again.as_fd(), &mut buffer), Ok(Some(&b"hello"[..])));
        }
        assert_eq!(open(), before);
        drop(socket);
        std::fs::remove_file(&path).unwrap();
    }
}

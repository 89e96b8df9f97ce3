//! SOCK_SEQPACKET pairs that carry one frame and a few fds a message, and never block.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg,
    socketpair,
};

use super::{Errno, Result};

/// As many as one message may carry.
pub const MAX_FDS: usize = 4;

/// A pair of non-blocking ends.
///
/// # Errors
/// EMFILE, ENOMEM.
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)
}

/// Sends one message, or nothing.
///
/// # Errors
/// EAGAIN when the other side is behind, EPIPE when it is gone.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()> {
    let mut raw: [RawFd; MAX_FDS] = [-1; MAX_FDS];
    for (to, from) in raw.iter_mut().zip(fds) {
        *to = from.as_raw_fd();
    }
    let raw = raw.get(..fds.len()).ok_or(Errno::E2BIG)?;
    let rights = [ControlMessage::ScmRights(raw)];
    let control: &[ControlMessage<'_>] = if fds.is_empty() { &[] } else { &rights };
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], control, flags, None)?;
    Ok(())
}

/// The fds that came with a message.
pub type Fds = [Option<OwnedFd>; MAX_FDS];

/// Receives one message into `buffer`: its size and its fds. Size 0: the other side has gone.
///
/// # Errors
/// EAGAIN when there is none.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<(usize, Fds)> {
    receive_with(socket, buffer, MsgFlags::MSG_DONTWAIT)
}

/// As [`receive`], but waits.
///
/// # Errors
/// As recvmsg(2).
pub fn receive_blocking(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<(usize, Fds)> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    loop {
        match receive(socket, buffer) {
            Err(Errno::EAGAIN) => {
                match poll(&mut [PollFd::new(socket, PollFlags::POLLIN)], PollTimeout::NONE) {
                    Ok(_) | Err(Errno::EINTR) => {}
                    Err(errno) => return Err(errno),
                }
            }
            other => return other,
        }
    }
}

/// Waits until something can be sent.
///
/// # Errors
/// As poll(2).
pub fn wait_writable(socket: BorrowedFd<'_>) -> Result<()> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    match poll(&mut [PollFd::new(socket, PollFlags::POLLOUT)], PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn receive_with(socket: BorrowedFd<'_>, buffer: &mut [u8], flags: MsgFlags) -> Result<(usize, Fds)> {
    // Space for MAX_FDS descriptors and one cmsghdr, as CMSG_SPACE computes it; no allocation.
    let mut space = [0u8; 64];
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = flags | MsgFlags::MSG_CMSG_CLOEXEC;
    match receive_message(socket, &mut parts, &mut space, flags) {
        // Said once, before all that waits, when the other side went with something of ours unread
        // (unix_release_sock): what it sent last must be heard, and its end comes after that.
        Err(Errno::ECONNRESET) => receive_message(socket, &mut parts, &mut space, flags),
        other => other,
    }
}

fn receive_message(
    socket: BorrowedFd<'_>,
    parts: &mut [IoSliceMut<'_>],
    space: &mut [u8],
    flags: MsgFlags,
) -> Result<(usize, Fds)> {
    let message = recvmsg::<()>(socket.as_raw_fd(), parts, Some(space), flags)?;
    let mut fds: Fds = [const { None }; MAX_FDS];
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = control {
            let mut places = fds.iter_mut();
            for raw in received {
                // SAFETY: the kernel has just installed this descriptor for us; one that finds no
                // place is closed here.
                let fd = unsafe { OwnedFd::from_raw_fd(raw) };
                if let Some(place) = places.next() {
                    *place = Some(fd);
                }
            }
        }
    }
    Ok((message.bytes, fds))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn last_words_are_heard_though_ours_were_not() {
        let (ours, theirs) = pair().unwrap();
        send(theirs.as_fd(), b"why", &[]).unwrap();
        send(ours.as_fd(), b"go", &[]).unwrap();
        drop(theirs);
        let mut buffer = [0; 8];
        assert_eq!(receive(ours.as_fd(), &mut buffer).unwrap().0, 3);
        assert_eq!(buffer.get(..3), Some(&b"why"[..]));
        assert_eq!(receive(ours.as_fd(), &mut buffer).unwrap().0, 0);
    }
}

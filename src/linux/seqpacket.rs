//! SOCK_SEQPACKET pairs that carry one frame and a few fds a message, and never block.

use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair};

use super::{Errno, Result, check};

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

/// A socket that waits for connections under this name in a directory. The name is there afterwards.
///
/// # Errors
/// EADDRINUSE when it is taken.
pub fn listen(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    use nix::sys::socket::{Backlog, bind, listen, socket};
    let kind = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, kind, None)?;
    bind(socket.as_raw_fd(), &address(directory, name)?)?;
    listen(&socket, Backlog::new(1)?)?;
    Ok(socket)
}

/// Connects to such a socket.
///
/// # Errors
/// ECONNREFUSED when nobody waits there any more, ENOENT.
pub fn connect(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    use nix::sys::socket::{connect, socket};
    let kind = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, kind, None)?;
    connect(socket.as_raw_fd(), &address(directory, name)?)?;
    Ok(socket)
}

/// Waits for somebody who connects.
///
/// # Errors
/// As accept(2).
pub fn accept(socket: BorrowedFd<'_>) -> Result<OwnedFd> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    loop {
        // SAFETY: no address is asked for; the kernel returns a new descriptor.
        let value = unsafe {
            libc::accept4(
                socket.as_raw_fd(),
                core::ptr::null_mut(),
                core::ptr::null_mut(),
                libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
            )
        };
        match super::check_fd(value.into()) {
            Err(Errno::EAGAIN | Errno::ECONNABORTED | Errno::EINTR) => {
                match poll(&mut [PollFd::new(socket, PollFlags::POLLIN)], PollTimeout::NONE) {
                    Ok(_) | Err(Errno::EINTR) => {}
                    Err(errno) => return Err(errno),
                }
            }
            other => return other,
        }
    }
}

/// By way of the descriptor, so that a long path is no matter.
fn address(directory: BorrowedFd<'_>, name: &str) -> Result<nix::sys::socket::UnixAddr> {
    let path = format!("/proc/self/fd/{}/{name}", directory.as_raw_fd());
    nix::sys::socket::UnixAddr::new(path.as_str())
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

/// As [`send`], with those of the fds that there are.
///
/// # Errors
/// As [`send`].
pub fn send_with(socket: BorrowedFd<'_>, bytes: &[u8], fds: Option<&Fds>) -> Result<()> {
    let mut borrowed = [socket; MAX_FDS];
    let present = fds.into_iter().flatten().flatten();
    let count = borrowed.iter_mut().zip(present).map(|(place, fd)| *place = fd.as_fd()).count();
    send(socket, bytes, borrowed.get(..count).unwrap_or_default())
}

/// Receives one message into `buffer`: its size and its fds, or none of them when there is no room for
/// all. Size 0: the other side has gone.
///
/// # Errors
/// EAGAIN when there is none.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<(usize, Fds)> {
    receive_with(socket, buffer, libc::MSG_DONTWAIT)
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

/// Waits for a message that is received later: its size, 0 when the other side has gone.
///
/// # Errors
/// As recv(2).
pub fn wait_for_size(socket: BorrowedFd<'_>) -> Result<usize> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let flags = libc::MSG_PEEK | libc::MSG_TRUNC | libc::MSG_DONTWAIT;
    loop {
        // SAFETY: no byte is written to nowhere; the kernel says how many there are.
        let size = unsafe { libc::recv(socket.as_raw_fd(), core::ptr::null_mut(), 0, flags) };
        match check(size as libc::c_long) {
            Err(Errno::EAGAIN) => {
                match poll(&mut [PollFd::new(socket, PollFlags::POLLIN)], PollTimeout::NONE) {
                    Ok(_) | Err(Errno::EINTR) => {}
                    Err(errno) => return Err(errno),
                }
            }
            Err(Errno::EINTR) => {}
            // Said once; see `receive_with`.
            Err(Errno::ECONNRESET) => {}
            size => return Ok(usize::try_from(size?).unwrap_or_default()),
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

fn receive_with(socket: BorrowedFd<'_>, buffer: &mut [u8], flags: libc::c_int) -> Result<(usize, Fds)> {
    match receive_message(socket, buffer, flags) {
        // Said once, before all that waits, when the other side went with something of ours unread
        // (unix_release_sock): what it sent last must be heard, and its end comes after that.
        Err(Errno::ECONNRESET) => receive_message(socket, buffer, flags),
        other => other,
    }
}

/// Room for MAX_FDS descriptors and their cmsghdr, aligned as one.
#[repr(C, align(8))]
struct Space([u8; 64]);

/// recvmsg(2) itself: nix's reports descriptors that were cut off as an error, and leaves those that
/// came open for ever.
fn receive_message(socket: BorrowedFd<'_>, buffer: &mut [u8], flags: libc::c_int) -> Result<(usize, Fds)> {
    let mut space = Space([0; 64]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all-zero is a valid msghdr: no name, no parts, no control data.
    let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut space).cast();
    message.msg_controllen = core::mem::size_of::<Space>() as _;
    let flags = flags | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: `message` describes `buffer` and `space`, which live across the call.
    let size = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    let size = usize::try_from(check(size as libc::c_long)?).unwrap_or_default();
    // SAFETY: the kernel has filled `message`, and nobody has taken its descriptors yet.
    let fds = unsafe { take_fds(&message) };
    // More than fit, or than we may have open: half of what a frame needs is as good as nothing.
    Ok((size, if message.msg_flags & libc::MSG_CTRUNC == 0 { fds } else { Fds::default() }))
}

/// The first descriptors of a message; what finds no place is closed.
///
/// # Safety
/// `message` is as recvmsg(2) left it, and its descriptors are nobody's yet.
#[allow(clippy::unnecessary_cast, reason = "32 bits in musl, 64 in glibc")]
unsafe fn take_fds(message: &libc::msghdr) -> Fds {
    let mut fds = Fds::default();
    let mut places = fds.iter_mut();
    // SAFETY: the kernel made the control data; these are cmsg(3)'s own ways through it.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while let Some(control) = header.as_ref() {
            if (control.cmsg_level, control.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                let data = libc::CMSG_DATA(header).cast::<RawFd>();
                let bytes = (control.cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
                for index in 0..bytes / core::mem::size_of::<RawFd>() {
                    let fd = OwnedFd::from_raw_fd(data.add(index).read_unaligned());
                    if let Some(place) = places.next() {
                        *place = Some(fd);
                    }
                }
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    fds
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

    #[test]
    fn descriptors_that_are_too_many_come_not_at_all_and_stay_open_nowhere() {
        for count in [1, MAX_FDS, 5, 20] {
            let (ours, theirs) = pair().unwrap();
            let (read, write) = super::super::fd::pipe().unwrap();
            let raw = vec![write.as_raw_fd(); count];
            let rights = [ControlMessage::ScmRights(&raw)];
            let parts = [IoSlice::new(b"x")];
            sendmsg::<()>(theirs.as_raw_fd(), &parts, &rights, MsgFlags::empty(), None).unwrap();
            drop(write);
            let (size, fds) = receive(ours.as_fd(), &mut [0; 8]).unwrap();
            let wanted = if count > 12 { 0 } else { count.min(MAX_FDS) };
            assert_eq!((size, fds.iter().flatten().count()), (1, wanted), "{count}");
            drop(fds);
            // With a writer left this would wait for it.
            fcntl_nonblocking(&read);
            assert_eq!(nix::unistd::read(&read, &mut [0; 1]), Ok(0), "{count}: one is still open");
        }
    }

    #[test]
    fn the_size_of_a_message_is_known_before_it_is_received() {
        let (ours, theirs) = pair().unwrap();
        send(theirs.as_fd(), b"go and more", &[]).unwrap();
        send(theirs.as_fd(), b"go", &[]).unwrap();
        for expected in [11, 2] {
            assert_eq!(wait_for_size(ours.as_fd()), Ok(expected));
            assert_eq!(receive(ours.as_fd(), &mut [0; 16]).unwrap().0, expected);
        }
        drop(theirs);
        assert_eq!(wait_for_size(ours.as_fd()), Ok(0));
    }

    fn fcntl_nonblocking(fd: &OwnedFd) {
        nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).unwrap();
    }
}

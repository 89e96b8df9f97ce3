//! What the kernel says when devices come and go (NETLINK_KOBJECT_UEVENT). Only that something did is of interest here.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use netlink_sys::protocols::NETLINK_KOBJECT_UEVENT;
use netlink_sys::{Socket, SocketAddr};

use super::{Result, errno_of};

/// The kernel's own messages; those of udev are another group.
const KERNEL: u32 = 1;
/// More than one has.
const LARGEST: usize = 8 << 10;

#[derive(Debug)]
pub(crate) struct Uevents(Socket);

impl Uevents {
    /// # Errors
    /// EMFILE, ENOMEM.
    pub(crate) fn open() -> Result<Self> {
        let mut socket = Socket::new(NETLINK_KOBJECT_UEVENT).map_err(errno_of)?;
        socket.set_non_blocking(true).map_err(errno_of)?;
        socket.bind(&SocketAddr::new(0, KERNEL)).map_err(errno_of)?;
        Ok(Self(socket))
    }

    /// Takes all that there are. That some were lost is news as well.
    pub(crate) fn drain(&self) {
        let mut buffer = Vec::with_capacity(LARGEST);
        loop {
            buffer.clear();
            match self.0.recv(&mut buffer, 0) {
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => return,
                Ok(_) | Err(_) => {}
            }
        }
    }
}

impl AsFd for Uevents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the socket is open for as long as `self` is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.0.as_raw_fd()) }
    }
}

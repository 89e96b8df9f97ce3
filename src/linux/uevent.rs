//! What the kernel says when devices come and go (NETLINK_KOBJECT_UEVENT). Only that a disk did is of interest here.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use netlink_sys::protocols::NETLINK_KOBJECT_UEVENT;
use netlink_sys::{Socket, SocketAddr};

use super::{Result, errno_of};

/// The kernel's own messages; those of udev are another group.
const KERNEL: u32 = 1;
/// More than one has.
const LARGEST: usize = 8 << 10;
/// Taken at once; the rest is there at the next wake-up.
const MOST: u32 = 256;

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

    /// Takes what there is, and says whether any of it is about a disk or a part of one. That some were lost may be about
    /// one as well.
    pub(crate) fn are_about_disks(&self) -> bool {
        let mut buffer = Vec::with_capacity(LARGEST);
        let mut are = false;
        for _ in 0..MOST {
            buffer.clear();
            match self.0.recv(&mut buffer, 0) {
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => break,
                Ok(_) => are |= is_about_a_disk(&buffer),
                Err(_) => are = true,
            }
        }
        are
    }
}

/// `ACTION@PATH`, and then words, each with a zero behind it.
fn is_about_a_disk(message: &[u8]) -> bool {
    message.split(|byte| *byte == 0).any(|word| word == b"SUBSYSTEM=block")
}

impl AsFd for Uevents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the socket is open for as long as `self` is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.0.as_raw_fd()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_known_by_its_subsystem() {
        let check = |message: &[u8], expected| assert_eq!(is_about_a_disk(message), expected);
        check(
            b"add@/devices/x/vda\0ACTION=add\0DEVPATH=/devices/x/vda\0SUBSYSTEM=block\0DEVNAME=vda\0",
            true,
        );
        check(b"change@/devices/x\0ACTION=change\0SUBSYSTEM=power_supply\0", false);
        check(b"add@/devices/x\0SUBSYSTEM=blocks\0", false);
        check(b"", false);
    }
}

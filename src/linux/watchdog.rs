//! A watchdog of the machine, as linux/watchdog.h has them: it resets the machine unless it is fed in time.
//!
//! Opening one starts it. It is never stopped: closing it without the letter `V` leaves it running.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::{OFlag, open as open_file};
use nix::sys::stat::Mode;

use super::{Result, check};

/// `_IOWR('W', 6, int)` and `_IOR('W', 7, int)`.
const WDIOC_SETTIMEOUT: u32 = 0xC004_5706;
const WDIOC_GETTIMEOUT: u32 = 0x8004_5707;

/// Opens the device, and with that starts it.
///
/// # Errors
/// ENOENT and ENODEV when there is none, EBUSY when somebody has it.
pub fn open(path: &str) -> Result<OwnedFd> {
    open_file(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())
}

/// Asks for a timeout, in whole seconds, and returns the one that is in force: a device has its own limits.
///
/// # Errors
/// ENOTTY: it is no watchdog.
pub fn set_timeout(device: BorrowedFd<'_>, timeout: Duration) -> Result<Duration> {
    let mut seconds = i32::try_from(timeout.as_secs()).unwrap_or(i32::MAX);
    // SAFETY: the kernel reads and writes one int. One whose timeout is fixed refuses, and then says what it is.
    let _ = unsafe { libc::ioctl(device.as_raw_fd(), WDIOC_SETTIMEOUT as _, &raw mut seconds) };
    // SAFETY: the kernel writes one int.
    check(unsafe { libc::ioctl(device.as_raw_fd(), WDIOC_GETTIMEOUT as _, &raw mut seconds) }.into())?;
    Ok(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

/// Feeds it. That it could not be fed shows by itself.
pub fn feed(device: BorrowedFd<'_>) {
    let _ = nix::unistd::write(device, b"f");
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::linux::{Errno, fd};

    #[test]
    fn what_is_no_watchdog_is_refused() {
        let null = fd::null().unwrap();
        assert_eq!(set_timeout(null.as_fd(), Duration::from_secs(1)), Err(Errno::ENOTTY));
        assert_eq!(open("/dev/nothing-here").err(), Some(Errno::ENOENT));
    }
}

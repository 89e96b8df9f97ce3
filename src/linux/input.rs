//! Input devices (linux/input.h): what one is called, which keys it has, what was pressed.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// linux/input-event-codes.h.
const EV_KEY: u16 = 1;
const KEY_POWER: u16 = 116;
/// The highest key's number, KEY_MAX.
const KEY_BITS: usize = 0x2ff / 8 + 1;
/// 1 is a press, 0 a release, 2 a repeat.
const PRESSED: i32 = 1;

/// Events taken at one wake-up, at most: a press is two. What is left wakes us again.
const EVENTS: usize = 16;

/// Opens an input device for reading, close-on-exec and non-blocking.
pub(crate) fn open_input(path: &Path) -> io::Result<OwnedFd> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    Ok(file.into())
}

/// The device's name, EVIOCGNAME. ENOTTY: not an input device.
pub(crate) fn input_name(device: BorrowedFd<'_>) -> io::Result<String> {
    /// Names of 255 bytes and a NUL are more than any driver gives.
    const LENGTH: usize = 256;
    let mut name = [0_u8; LENGTH];
    let length = read_ioctl(device, 0x06, &mut name)?;
    let name = name.get(..length).unwrap_or(&name);
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}

/// Whether the device has a power key, EVIOCGBIT(EV_KEY). Keyboards have one too.
pub(crate) fn has_power_key(device: BorrowedFd<'_>) -> io::Result<bool> {
    let mut keys = [0_u8; KEY_BITS];
    read_ioctl(device, 0x20 + u32::from(EV_KEY), &mut keys)?;
    let (byte, bit) = (usize::from(KEY_POWER) / 8, KEY_POWER % 8);
    Ok(keys.get(byte).is_some_and(|keys| keys & (1 << bit) != 0))
}

/// Takes what the device has to say. True: the power key was pressed, once or more.
///
/// # Errors
/// ENODEV when the device is gone: stop watching it.
pub(crate) fn read_power_press(device: BorrowedFd<'_>) -> io::Result<bool> {
    let mut events = [0_u8; size_of::<libc::input_event>() * EVENTS];
    let length = match nix::unistd::read(device, &mut events) {
        Ok(length) => length,
        Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => return Ok(false),
        Err(errno) => return Err(errno.into()),
    };
    let events = events.get(..length).unwrap_or_default();
    Ok(events.chunks_exact(size_of::<libc::input_event>()).any(is_power_press))
}

/// Type, code and value are the last eight bytes of an event; the time before them differs in size
/// between architectures.
fn is_power_press(event: &[u8]) -> bool {
    let Some(&[t0, t1, c0, c1, v0, v1, v2, v3]) = event.last_chunk() else {
        return false;
    };
    u16::from_ne_bytes([t0, t1]) == EV_KEY
        && u16::from_ne_bytes([c0, c1]) == KEY_POWER
        && i32::from_ne_bytes([v0, v1, v2, v3]) == PRESSED
}

/// `_IOR('E', number, [u8; N])`: fills `buffer`, says how much of it.
fn read_ioctl<const N: usize>(
    device: BorrowedFd<'_>,
    number: u32,
    buffer: &mut [u8; N],
) -> io::Result<usize> {
    let request = libc::_IOR::<[u8; N]>(b'E'.into(), number);
    // SAFETY: the request's size field says N, so the kernel writes N bytes at most, to a buffer
    // that has as many and that nobody else sees meanwhile.
    let length = unsafe { libc::ioctl(device.as_raw_fd(), request, buffer.as_mut_ptr()) };
    usize::try_from(length).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;

    fn event(kind: u16, code: u16, value: i32) -> Vec<u8> {
        let mut bytes = vec![0xee; size_of::<libc::input_event>() - 8];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(code.to_ne_bytes());
        bytes.extend(value.to_ne_bytes());
        bytes
    }

    fn check(events: &[Vec<u8>], expected: bool) {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(&events.concat()).unwrap();
        assert_eq!(read_power_press(reader.as_fd()).unwrap(), expected, "{events:?}");
    }

    #[test]
    fn a_press_of_the_power_key_is_one_and_nothing_else_is() {
        let synchronise = || event(0, 0, 0);
        check(&[event(EV_KEY, KEY_POWER, 1), synchronise()], true);
        check(&[event(EV_KEY, 30, 1), synchronise(), event(EV_KEY, KEY_POWER, 1)], true);
        check(&[event(EV_KEY, KEY_POWER, 0), synchronise()], false);
        check(&[event(EV_KEY, KEY_POWER, 2)], false);
        check(&[event(EV_KEY, 30, 1)], false);
        check(&[event(4, KEY_POWER, 1)], false);
        check(&[vec![1, 0, 116]], false);
    }

    #[test]
    fn a_device_with_nothing_to_say_does_not_block() {
        let (reader, _writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_NONBLOCK).unwrap();
        assert!(!read_power_press(reader.as_fd()).unwrap());
    }

    #[test]
    fn what_is_no_input_device_has_no_name() {
        let null = open_input(Path::new("/dev/null")).unwrap();
        assert_eq!(input_name(null.as_fd()).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
        assert_eq!(has_power_key(null.as_fd()).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
    }
}

//! Terminals as places to print on.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::Result;

/// Opens a terminal for printing: it does not become ours (O_NOCTTY), and neither the opening (a
/// serial line without a carrier) nor a write waits.
///
/// # Errors
/// ENOENT, ENODEV, EIO: there is none behind this name.
pub(crate) fn open_to_print(path: &str) -> Result<OwnedFd> {
    let flags = OFlag::O_WRONLY | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    open(path, flags, Mode::empty())
}

/// Whether this is a terminal that leaves a line feed as it is, so that a carriage return has to come
/// with it (termios(3): no OPOST or no ONLCR).
#[must_use]
pub(crate) fn wants_carriage_return(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: all-zero is a valid termios.
    let mut termios: libc::termios = unsafe { core::mem::zeroed() };
    // SAFETY: the structure lives across the call.
    let answer = unsafe { libc::tcgetattr(fd.as_raw_fd(), &raw mut termios) };
    let both = libc::OPOST | libc::ONLCR;
    answer == 0 && termios.c_oflag & both != both
}

/// Writes what there is room for.
///
/// # Errors
/// EAGAIN: none now. EIO: the line was hung up.
pub(crate) fn print(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize> {
    nix::unistd::write(fd, bytes)
}

/// Terminals to try things on.
#[cfg(test)]
pub(crate) mod testing {
    use std::os::fd::{AsFd, AsRawFd, OwnedFd};

    use nix::fcntl::{OFlag, open};

    use crate::linux::check;

    /// What the terminal does to output.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Mode {
        /// As consoles are at first: a line feed goes out with a carriage return.
        Cooked,
        Raw,
    }

    /// A pseudo-terminal: a path to print on, and the end where it comes out.
    #[derive(Debug)]
    pub(crate) struct Pty {
        outside: OwnedFd,
        path: String,
        /// Without it, what is read outside is an error until somebody opens the path again.
        _inside: Option<OwnedFd>,
    }

    impl Pty {
        pub(crate) fn open(mode: Mode) -> Self {
            let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
            let outside = open("/dev/ptmx", flags, nix::sys::stat::Mode::empty()).unwrap();
            let (mut number, unlock) = (0 as libc::c_int, 0 as libc::c_int);
            // SAFETY: both take a pointer to an int, which lives across the call.
            unsafe {
                check(libc::ioctl(outside.as_raw_fd(), libc::TIOCGPTN, &raw mut number).into()).unwrap();
                check(libc::ioctl(outside.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlock).into()).unwrap();
            }
            let path = format!("/dev/pts/{number}");
            let inside = (mode == Mode::Raw).then(|| super::open_to_print(&path).unwrap());
            if let Some(inside) = &inside {
                // SAFETY: the structure lives across the calls.
                unsafe {
                    let mut termios: libc::termios = core::mem::zeroed();
                    check(libc::tcgetattr(inside.as_raw_fd(), &raw mut termios).into()).unwrap();
                    termios.c_oflag &= !libc::OPOST;
                    let now = libc::TCSANOW;
                    check(libc::tcsetattr(inside.as_raw_fd(), now, &raw const termios).into()).unwrap();
                }
            }
            Self { outside, path, _inside: inside }
        }

        pub(crate) fn path(&self) -> &str {
            &self.path
        }

        pub(crate) fn outside(&self) -> &OwnedFd {
            &self.outside
        }
    }

    #[test]
    fn tells_a_raw_terminal_from_a_cooked_one() {
        let tell = |mode| {
            let pty = Pty::open(mode);
            super::wants_carriage_return(super::open_to_print(pty.path()).unwrap().as_fd())
        };
        assert_eq!((tell(Mode::Cooked), tell(Mode::Raw)), (false, true));
        assert!(!super::wants_carriage_return(crate::linux::fd::null().unwrap().as_fd()));
    }
}

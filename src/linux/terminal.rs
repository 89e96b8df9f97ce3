//! The terminal that a person sits at: its size, and its keys as they are typed.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::{Result, check};

/// Columns of the terminal behind a descriptor; `None` when it is none, or does not know.
pub(crate) fn columns(terminal: &impl AsFd) -> Option<usize> {
    size(terminal.as_fd()).map(|(_, columns)| usize::from(columns)).filter(|columns| *columns > 0)
}

/// Rows and columns; `None` when it is no terminal. TIOCGWINSZ, see ioctl_tty(2).
pub(crate) fn size(terminal: BorrowedFd<'_>) -> Option<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one winsize to its argument, which lives until the call returns.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (result == 0).then_some((size.ws_row, size.ws_col))
}

/// A terminal that hands on every key as it is typed (cfmakeraw(3)), until this is dropped. A panic,
/// which ends this program without dropping anything, puts it back too.
#[derive(Debug)]
pub(crate) struct Raw {
    terminal: OwnedFd,
    before: libc::termios,
}

impl Raw {
    /// # Errors
    /// ENOTTY; EMFILE.
    pub(crate) fn enter(terminal: BorrowedFd<'_>) -> Result<Self> {
        let terminal = super::fd::copy(terminal)?;
        // SAFETY: all-zero is a valid termios.
        let mut before: libc::termios = unsafe { core::mem::zeroed() };
        // SAFETY: the structure lives across the call.
        check(unsafe { libc::tcgetattr(terminal.as_raw_fd(), &raw mut before) }.into())?;
        let mut raw = before;
        // SAFETY: as above.
        unsafe { libc::cfmakeraw(&raw mut raw) };
        let saved = Self { terminal: super::fd::copy(terminal.as_fd())?, before };
        let said = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            saved.restore();
            said(info);
        }));
        let ours = Self { terminal, before };
        ours.set(&raw)?;
        Ok(ours)
    }

    fn set(&self, termios: &libc::termios) -> Result<()> {
        // SAFETY: the structure lives across the call.
        let done = unsafe { libc::tcsetattr(self.terminal.as_raw_fd(), libc::TCSADRAIN, termios) };
        check(done.into()).map(drop)
    }

    fn restore(&self) {
        // A terminal that has gone needs no mode.
        let _ = self.set(&self.before);
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.restore();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::pty;

    fn mode(terminal: &OwnedFd) -> (libc::tcflag_t, libc::tcflag_t) {
        // SAFETY: all-zero is a valid termios, and lives across the call.
        unsafe {
            let mut found: libc::termios = core::mem::zeroed();
            assert_eq!(libc::tcgetattr(terminal.as_raw_fd(), &raw mut found), 0);
            (found.c_lflag, found.c_iflag)
        }
    }

    #[test]
    fn a_terminal_is_as_it_was_when_the_keys_are_not_wanted_any_more() {
        let ptmx = std::fs::OpenOptions::new().read(true).write(true).open("/dev/ptmx").unwrap();
        let (engine, terminal) = pty::open(ptmx.into()).unwrap();
        pty::resize(engine.as_fd(), 7, 33).unwrap();
        assert_eq!((size(terminal.as_fd()), columns(&terminal)), (Some((7, 33)), Some(33)));
        let before = mode(&terminal);
        assert!(before.0 & libc::ICANON != 0);
        let raw = Raw::enter(terminal.as_fd()).unwrap();
        assert_eq!(mode(&terminal).0 & (libc::ICANON | libc::ECHO | libc::ISIG), 0);
        drop(raw);
        assert_eq!(mode(&terminal), before);
        assert!(Raw::enter(crate::linux::fd::null().unwrap().as_fd()).is_err());
    }
}

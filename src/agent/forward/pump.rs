//! A pump: the program that speaks TLS with one collector, a process for each session. What is sent goes to it as it is, by a
//! socket between the two; by the same one it says what has arrived, and why it ended.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::config::TlsCollector;
use orlop::log::{FromPump, PUMP_LINK, PumpWords, pump_arguments};

use crate::linux::clone::{Cloned, Parent, clone3};
use crate::linux::{Errno, Result, fd, pidfd, process, signal, socket};

/// Above the numbers at which a pump finds what it is given.
const ABOVE: i32 = 16;
/// Read at once, and so often in a row. It says a line now and then: one that has more to say is none.
const READ: usize = 4096;
const READS: usize = 16;

/// What a pump is made of.
#[derive(Debug)]
pub(super) struct Speaker {
    pub(super) program: OwnedFd,
    /// In the order in which a pump finds them.
    pub(super) files: Vec<OwnedFd>,
}

/// Killed when dropped.
#[derive(Debug)]
pub(super) struct Pump {
    pidfd: OwnedFd,
    link: OwnedFd,
    words: PumpWords,
    pub(super) is_up: bool,
    /// Bytes of all that it was given.
    pub(super) arrived: u64,
    ended: Option<String>,
}

impl Speaker {
    /// A child of our parent's: nobody here has to wait for it. It has no more power than we have, and no descriptor but
    /// what it is given.
    ///
    /// # Errors
    /// EAGAIN, ENOMEM, EMFILE.
    pub(super) fn start(&self, to: &TlsCollector) -> Result<Pump> {
        let (link, theirs) = socket::pair()?;
        fd::nonblocking(link.as_fd())?;
        let arguments = pump_arguments(&to.host, to.port, to.name());
        let argv = ["orlop-tls"].into_iter().chain(arguments.iter().map(String::as_str));
        let argv: Vec<CString> =
            argv.map(|text| CString::new(text).map_err(|_| Errno::EINVAL)).collect::<Result<_>>()?;
        match clone3(Parent::CallersParent, 0, None)? {
            Cloned::Parent { pidfd, .. } => {
                Ok(Pump { pidfd, link, words: PumpWords::default(), is_up: false, arrived: 0, ended: None })
            }
            Cloned::Child => {
                signal::reset();
                let errno = self.become_it(theirs.as_fd(), &argv);
                let why = format!("orlop-tls cannot be executed: {}", errno.desc());
                let _ = nix::unistd::write(theirs.as_fd(), &FromPump::Ended(why).encode());
                process::exit_now(127)
            }
        }
    }

    fn become_it(&self, theirs: BorrowedFd<'_>, argv: &[CString]) -> Errno {
        let placed = || {
            let program = fd::duplicate_above(self.program.as_fd(), ABOVE)?;
            fd::cloexec_from(PUMP_LINK);
            fd::place([theirs].into_iter().chain(self.files.iter().map(AsFd::as_fd)), PUMP_LINK)?;
            Ok(program)
        };
        match placed() {
            Ok(program) => process::exec_fd(program.as_fd(), argv, &[]),
            Err(errno) => errno,
        }
    }
}

impl Pump {
    pub(super) fn link(&self) -> BorrowedFd<'_> {
        self.link.as_fd()
    }

    /// Hears all that it has said.
    ///
    /// # Errors
    /// It is of no use any more: why.
    pub(super) fn hear(&mut self) -> core::result::Result<(), super::link::Why> {
        use super::link::Why;
        let mut bytes = [0; READ];
        for _ in 0..READS {
            let count = match fd::read(self.link.as_fd(), &mut bytes) {
                Ok(count @ 1..) => count,
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => continue,
                // What it did not read makes ECONNRESET of its end.
                Ok(0) | Err(_) => return Err(self.ended.take().map_or(Why::Errno(Errno::EPIPE), Why::Said)),
            };
            let Ok(heard) = self.words.hear(bytes.get(..count).unwrap_or_default()) else {
                return Err(Why::Errno(Errno::EPROTO));
            };
            for word in heard {
                match word {
                    FromPump::Up => self.is_up = true,
                    FromPump::Arrived(bytes) => self.arrived = bytes.max(self.arrived),
                    FromPump::Ended(why) => self.ended = Some(why),
                }
            }
        }
        Err(Why::Errno(Errno::EPROTO))
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        // Gone already, mostly.
        let _ = pidfd::send_signal(self.pidfd.as_fd(), libc::SIGKILL);
    }
}

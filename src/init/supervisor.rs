//! Keeping a supervisor alive: starting it, noticing its death, pausing, and replacing it by a
//! newer executable that has to prove itself.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::{OFlag, open};
use orlop::ledger::Frame;

use super::{Init, Place, SUPERVISOR};
use crate::linux::clone::{Cloned, Parent, clone3, flags};
use crate::linux::epoll::Interest;
use crate::linux::kmsg::{self, Level, Line};
use crate::linux::{Result, cgroup, fd, pidfd, process, signal};

/// Where the supervisor finds its end of the ledger.
pub const LEDGER_FD: i32 = 3;
/// A new executable has this long to adopt everything and serve.
const PROOF: Duration = Duration::from_secs(10);

enum State {
    Running { pid: i32, pidfd: OwnedFd, served: bool },
    Pausing { until: Duration },
}

/// An upgrade that has not proved itself yet.
struct Trial {
    /// The executable that served before, and comes back if the new one does not.
    previous: OwnedFd,
    /// When its time is up; `None`: the old supervisor has yet to make way.
    until: Option<Duration>,
}

pub struct Supervisor {
    state: State,
    executable: OwnedFd,
    trial: Option<Trial>,
    argv: [CString; 2],
}

/// The program that PID 1 itself runs.
///
/// # Errors
/// ENOENT without /proc.
pub fn own_executable() -> Result<OwnedFd> {
    open("/proc/self/exe", OFlag::O_PATH | OFlag::O_CLOEXEC, nix::sys::stat::Mode::empty())
}

impl Supervisor {
    pub fn new(executable: OwnedFd) -> Self {
        let state = State::Pausing { until: Duration::ZERO };
        Self { state, executable, trial: None, argv: [c"orlop".into(), c"supervisor".into()] }
    }

    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Running { pidfd, .. } => Some(pidfd.as_fd()),
            State::Pausing { .. } => None,
        }
    }

    pub fn is(&self, of: i32) -> bool {
        matches!(self.state, State::Running { pid, .. } if pid == of)
    }

    pub fn deadline(&self) -> Option<Duration> {
        let pause = match self.state {
            State::Running { .. } => None,
            State::Pausing { until } => Some(until),
        };
        [pause, self.trial.as_ref().and_then(|trial| trial.until)].into_iter().flatten().min()
    }

    fn kill(&self) {
        if let Some(pidfd) = self.pidfd() {
            let _ = pidfd::send_signal(pidfd, libc::SIGKILL);
        }
    }
}

impl Init {
    /// Starts a supervisor when there is none and its time has come; ends one that does not prove
    /// itself.
    pub fn keep_supervisor(&mut self, now: Duration) {
        if self.supervisor.trial.as_ref().and_then(|trial| trial.until).is_some_and(|until| until <= now) {
            self.supervisor.kill();
        }
        let State::Pausing { until } = self.supervisor.state else { return };
        if until > now {
            return;
        }
        match self.spawn() {
            Ok((pid, pidfd)) => {
                // Its death also raises SIGCHLD; this wakes us even if another signal hides that.
                let _ = self.epoll.add(pidfd.as_fd(), Interest::EPOLLIN, SUPERVISOR);
                self.supervisor.state = State::Running { pid, pidfd, served: false };
                self.starts = self.starts.saturating_add(1);
                if let Some(trial) = &mut self.supervisor.trial {
                    trial.until = Some(now.saturating_add(PROOF));
                }
            }
            Err(errno) => {
                let line = Line::format(format_args!("cannot start the supervisor: {}", errno.desc()));
                kmsg::write(Level::Error, line.bytes());
                let pause = self.respawn.died(false);
                self.supervisor.state = State::Pausing { until: now.saturating_add(pause) };
            }
        }
    }

    fn spawn(&self) -> Result<(i32, OwnedFd)> {
        let cgroup = match self.place {
            Place::Machine => Some(cgroup::open_path("orlop/supervisor")?),
            Place::Guest => None,
        };
        let into = if cgroup.is_some() { flags::INTO_CGROUP } else { 0 };
        match clone3(Parent::Caller, into, cgroup.as_ref().map(AsFd::as_fd))? {
            Cloned::Parent { pid, pidfd } => Ok((pid, pidfd)),
            Cloned::Child => {
                signal::reset();
                let _ = process::new_session();
                let failed = match fd::install(self.theirs.as_fd(), LEDGER_FD) {
                    Ok(()) => {
                        process::exec_fd(self.supervisor.executable.as_fd(), &self.supervisor.argv, &[])
                    }
                    Err(errno) => errno,
                };
                let line = Line::format(format_args!("cannot execute the supervisor: {}", failed.desc()));
                kmsg::write(Level::Error, line.bytes());
                process::exit_now(127)
            }
        }
    }

    pub fn supervisor_died(&mut self, code: i32, status: i32, now: Duration) {
        let State::Running { pid, served, .. } = self.supervisor.state else { return };
        let how = if code == libc::CLD_EXITED { "exit code" } else { "signal" };
        let line = Line::format(format_args!("supervisor {pid} ended: {how} {status}"));
        kmsg::write(Level::Error, line.bytes());
        self.telling.stop();
        self.table.forget_told();
        let pause = match self.supervisor.trial.take() {
            // The old one made way, as it was told.
            Some(trial) if trial.until.is_none() => {
                self.supervisor.trial = Some(trial);
                Duration::ZERO
            }
            // The new executable failed: the one before comes back, and says why.
            Some(trial) => {
                self.supervisor.executable = trial.previous;
                self.telling.upgrade_failed = Some(Frame::UpgradeFailed { code, status });
                Duration::ZERO
            }
            None => self.respawn.died(served),
        };
        self.supervisor.state = State::Pausing { until: now.saturating_add(pause) };
    }

    pub fn supervisor_serves(&mut self) {
        if let State::Running { served, .. } = &mut self.supervisor.state {
            *served = true;
        }
        self.supervisor.trial = None;
        self.respawn.served();
    }

    /// Goes on with another executable; the one of now is kept until the new one serves.
    pub fn upgrade(&mut self, executable: OwnedFd) {
        if self.supervisor.trial.is_some() {
            return;
        }
        let previous = core::mem::replace(&mut self.supervisor.executable, executable);
        self.supervisor.trial = Some(Trial { previous, until: None });
        self.supervisor.kill();
    }
}

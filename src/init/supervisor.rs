//! Starts supervisors, notices their deaths, and executes another binary when it is told to.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::{OFlag, open};
use orlop::ledger::{After, Watchdog};

use super::{Init, SUPERVISOR};
use crate::linux::clone::{Cloned, Parent, clone3};
use crate::linux::epoll::Interest;
use crate::linux::kmsg::{self, Level};
use crate::linux::{Result, cgroup, fd, pidfd, process, signal};

/// Where the supervisor finds its end of the ledger.
const LEDGER_FD: i32 = 3;

/// What is executed as the supervisor.
pub struct Executable {
    now: OwnedFd,
    /// The one before, until the one of now has proved itself.
    before: Option<OwnedFd>,
    argv: [CString; 2],
}

impl Executable {
    /// The program that PID 1 itself runs.
    ///
    /// # Errors
    /// ENOENT without /proc.
    pub fn own() -> Result<Self> {
        let now = open("/proc/self/exe", OFlag::O_PATH | OFlag::O_CLOEXEC, nix::sys::stat::Mode::empty())?;
        Ok(Self { now, before: None, argv: [c"orlop".into(), c"supervisor".into()] })
    }
}

impl Init {
    /// Starts a supervisor when there is none and its time has come; ends one that does not prove
    /// itself.
    pub fn keep_supervisor(&mut self, now: Duration) {
        if self.keeper.is_late(now) {
            self.kill_supervisor();
        }
        if !self.keeper.wants_start(now) {
            return;
        }
        match self.spawn() {
            Ok((pid, pidfd)) => {
                // Its death also raises SIGCHLD; this wakes us even if another signal hides that.
                let _ = self.epoll.add(pidfd.as_fd(), Interest::EPOLLIN, SUPERVISOR);
                self.pidfd = Some(pidfd);
                self.keeper.started(pid, now);
            }
            Err(errno) => {
                kmsg::write_args(Level::Error, format_args!("cannot start the supervisor: {}", errno.desc()));
                self.keeper.not_started(now);
            }
        }
    }

    pub fn kill_supervisor(&self) {
        if let Some(pidfd) = &self.pidfd {
            let _ = pidfd::send_signal(pidfd.as_fd(), libc::SIGKILL);
        }
    }

    fn spawn(&self) -> Result<(i32, OwnedFd)> {
        // Without cgroups no container can run, but control can answer.
        let cgroup = cgroup::open_path("orlop/supervisor").ok();
        match clone3(Parent::Caller, 0, cgroup.as_ref().map(AsFd::as_fd))? {
            Cloned::Parent { pid, pidfd } => Ok((pid, pidfd)),
            Cloned::Child => {
                signal::reset();
                let _ = process::new_session();
                let failed = match fd::install(self.theirs.as_fd(), LEDGER_FD) {
                    Ok(()) => process::exec_fd(self.executable.now.as_fd(), &self.executable.argv, &[]),
                    Err(errno) => errno,
                };
                kmsg::write_args(
                    Level::Error,
                    format_args!("cannot execute the supervisor: {}", failed.desc()),
                );
                process::exit_now(127)
            }
        }
    }

    pub fn supervisor_died(&mut self, code: i32, status: i32, now: Duration) {
        let how = if code == libc::CLD_EXITED { "exit code" } else { "signal" };
        kmsg::write_args(Level::Error, format_args!("the supervisor ended: {how} {status}"));
        // A child of ours that unmounts holds it too: closing alone would not take it out.
        let _ = self.pidfd.take().map(|pidfd| self.epoll.remove(pidfd.as_fd()));
        self.telling.stop();
        self.watchdog.iter_mut().for_each(Watchdog::died);
        self.table.forget_told();
        if self.keeper.died(now) == After::TakeBack
            && let Some(before) = self.executable.before.take()
        {
            self.executable.now = before;
            self.telling.upgrade_failed(code, status);
        }
    }

    pub fn supervisor_serves(&mut self, now: Duration) {
        self.watchdog.iter_mut().for_each(|watchdog| watchdog.heard(now));
        if self.keeper.serves() {
            self.executable.before = None;
        }
    }

    /// Goes on with another executable; the one of now is kept until the new one serves.
    pub fn upgrade(&mut self, executable: OwnedFd) {
        if self.keeper.try_another() {
            self.executable.before = Some(core::mem::replace(&mut self.executable.now, executable));
            self.kill_supervisor();
        }
    }
}

//! For tests: a part of a test as a process of its own, which can be stopped and killed.

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use super::process;

/// Ended and reaped when dropped.
#[derive(Debug)]
pub(crate) struct Forked(Pid);

impl Forked {
    /// Runs `body` in a child. libc's fork, not our clone3: it leaves the allocator usable beside the
    /// other threads of a test run. Descriptors of other tests are in the child as well, until it
    /// closes them.
    pub(crate) fn run(body: impl FnOnce() -> i32) -> Self {
        // SAFETY: the child runs `body` only, which takes no locks that the test harness holds.
        match unsafe { fork() }.unwrap() {
            ForkResult::Parent { child } => Self(child),
            ForkResult::Child => process::exit_now(body()),
        }
    }

    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Returns once it has stopped.
    pub(crate) fn stop(&self) {
        kill(self.0, Signal::SIGSTOP).unwrap();
        let status = waitpid(self.0, Some(WaitPidFlag::WUNTRACED)).unwrap();
        assert!(matches!(status, WaitStatus::Stopped(..)), "{status:?}");
    }

    pub(crate) fn go_on(&self) {
        kill(self.0, Signal::SIGCONT).unwrap();
    }

    pub(crate) fn pid(&self) -> i32 {
        self.0.as_raw()
    }

    /// Its exit code, once it has ended by itself.
    pub(crate) fn wait(self) -> i32 {
        let status = waitpid(self.0, None).unwrap();
        core::mem::forget(self);
        match status {
            WaitStatus::Exited(_, code) => code,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGKILL);
        let _ = waitpid(self.0, None);
    }
}

//! Executes the steps of a start, on file descriptors, in two processes of its own.
//!
//! The supervisor clones *setup* (the machine's privileges, own mount namespace); setup clones
//! the *container* (all namespaces) and ends. Both are children of PID 1. A step that fails is
//! told with what it was done on and the errno, over a socket that exec closes.

mod inside;
mod report;
mod setup;

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use orlop::container::Plan;

use crate::linux::clone::{Cloned, Parent, clone3, flags};
use crate::linux::{Result, fd, process, seqpacket, signal};

pub use report::{Failure, Report};

/// Where the machine keeps what containers share.
pub const LAYERS: &str = "/run/orlop/layers";
pub const DEVICES: &str = "/run/orlop/dev";
/// An empty directory that every setup covers with file systems of its own.
pub const SCRATCH: &str = "/run/orlop/scratch";
/// Where setup puts a container's root together.
const ROOT: &str = "/run/orlop/scratch/root";
/// Where layers stand as files.
pub const STORE_LAYERS: &str = "/orlop/store/layers";

/// Everything a start needs beside the plan.
pub struct Job<'a> {
    pub plan: &'a Plan,
    /// Image's environment, and the container's own over the env files.
    pub env: &'a [String],
    pub env_files: &'a [orlop::config::EnvFile],
    pub env_over: &'a [(String, String)],
    /// What env files are relative to.
    pub config_dir: &'a str,
    pub setup_cgroup: OwnedFd,
    pub main_cgroup: OwnedFd,
    /// Write ends; the container's standard output and error.
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// A start under way, as the supervisor holds it.
pub struct Starting {
    /// Reports come from here; [`Starting::go`] opens the barrier; closing it ends the start.
    pub report: OwnedFd,
}

impl Starting {
    /// What came next.
    ///
    /// # Errors
    /// EAGAIN when nothing has.
    pub fn receive(&self) -> Result<Report> {
        report::receive(self.report.as_fd())
    }

    /// Lets the container execute its program.
    ///
    /// # Errors
    /// EPIPE when it is dead.
    pub fn go(&self) -> Result<()> {
        seqpacket::send(self.report.as_fd(), b"go", &[])
    }
}

/// Clones setup and returns at once; what happens next comes from `report`.
///
/// # Errors
/// As clone3(2).
pub fn start(job: Job<'_>) -> Result<Starting> {
    let (ours, theirs) = seqpacket::pair()?;
    let cgroup = Some(job.setup_cgroup.as_fd());
    match clone3(Parent::CallersParent, flags::INTO_CGROUP, cgroup)? {
        Cloned::Parent { .. } => Ok(Starting { report: ours }),
        Cloned::Child => {
            let job = settle(job, theirs);
            process::exit_now(match job {
                Ok((job, report)) => setup::run(&job, report),
                Err(_) => 1,
            })
        }
    }
}

/// First thing in the child: plain signals, a session of its own, and nothing open but what the
/// job needs. Everything is moved above the gap that is then closed behind it.
fn settle(job: Job<'_>, report: OwnedFd) -> Result<(Job<'_>, OwnedFd)> {
    /// The numbers below are given out here, whatever stands there now.
    const GAP: i32 = 6;
    signal::reset();
    let _ = process::new_session();
    let _ = process::set_oom_score(0);
    let _ = process::not_dumpable();
    process::set_name(c"orlop-setup");
    // Low numbers, in order: 0 null, 1 and 2 the outputs, then what setup needs.
    let null = fd::null()?;
    let high = |fd: &OwnedFd| fd::duplicate_above(fd.as_fd(), GAP);
    let kept = [
        high(&null)?,
        high(&job.stdout)?,
        high(&job.stderr)?,
        high(&report)?,
        high(&job.setup_cgroup)?,
        high(&job.main_cgroup)?,
    ];
    for (number, fd) in kept.iter().enumerate() {
        fd::install(fd.as_fd(), number as i32)?;
    }
    let Job { plan, env, env_files, env_over, config_dir, setup_cgroup, main_cgroup, stdout, stderr } = job;
    // Their numbers are being reused or closed; nobody may close them again.
    for fd in [null, setup_cgroup, main_cgroup, stdout, stderr, report].into_iter().chain(kept) {
        let _ = std::os::fd::IntoRawFd::into_raw_fd(fd);
    }
    fd::close_from(6);
    let take = |number| fd::inherited(number);
    let job = Job {
        plan,
        env,
        env_files,
        env_over,
        config_dir,
        stdout: take(1)?,
        stderr: take(2)?,
        setup_cgroup: take(4)?,
        main_cgroup: take(5)?,
    };
    let report = take(3)?;
    debug_assert!(report.as_raw_fd() == 3);
    Ok((job, report))
}

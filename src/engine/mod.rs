//! Executes the steps of a start, on file descriptors, in two processes of its own.
//!
//! The engine's user (the supervisor, or the OCI command line) clones *setup* (the machine's privileges,
//! own mount namespace); setup clones the *container* (all namespaces) and ends. A step that fails is told
//! with what it was done on and the errno, over a socket that exec closes.

mod bundle;
mod copy_up;
mod hooks;
mod init;
mod inside;
pub mod limits;
pub mod links;
mod mounts;
#[cfg(naive)]
mod naive;
pub mod pod;
mod power;
mod program;
mod report;
mod root;
mod setup;
mod terminal;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in tests")]
mod tests;

use std::borrow::Cow;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};

use orlop::container::Plan;

use crate::linux::clone::{Cloned, Parent, clone3, flags};
use crate::linux::{Result, fd, process, seqpacket, signal};

pub use bundle::describe;
pub use hooks::{Place as HookPlace, run_outside as run_hooks};
pub use report::{Failure, Report, receive, send_failure, send_go};

/// Where the machine keeps what containers share.
pub const LAYERS: &str = "/run/orlop/layers";
pub const DEVICES: &str = "/run/orlop/dev";
/// An empty directory that every setup covers with file systems of its own.
pub const SCRATCH: &str = "/run/orlop/scratch";
/// Where the namespaces of groups are mounted, in a directory for each.
pub const PODS: &str = "/run/orlop/pods";
/// Where layers stand as files.
pub const STORE_LAYERS: &str = "/orlop/store/layers";

/// What the program finds in its environment.
pub struct Environment<'a> {
    /// `KEY=value`.
    pub base: Cow<'a, [String]>,
    /// Read by setup, in order, over the base.
    pub files: Cow<'a, [EnvFile]>,
    /// Over all.
    pub over: &'a [(String, String)],
}

/// Lines of `KEY=value`.
#[derive(Clone)]
pub struct EnvFile {
    pub path: String,
    /// What a person calls it.
    pub name: String,
    pub required: bool,
}

/// Where a container that is ready waits until it may go on.
pub enum Gate {
    /// At the socket of the reports.
    Report,
    /// Until somebody connects here, who then hears the reports.
    Listen(OwnedFd),
}

/// Descriptors from 3 on that are the program's too.
pub enum Further {
    /// So many of the maker's, as they stand there.
    Inherited(u32),
    /// These, in this order.
    Given(Vec<OwnedFd>),
}

impl Further {
    pub fn none() -> Self {
        Self::Inherited(0)
    }

    fn count(&self) -> i32 {
        match self {
            Self::Inherited(count) => *count as i32,
            Self::Given(fds) => fds.len() as i32,
        }
    }
}

/// What a start does.
pub struct Work<'a> {
    pub plan: Cow<'a, Plan>,
    pub environment: Environment<'a>,
}

/// Everything that a start needs beside its work.
pub struct Job {
    /// Standard input, output and error; of a container with a terminal nothing is written to them.
    pub stdio: [OwnedFd; 3],
    pub further: Further,
    /// All processes of the start are in it from their beginning. None where there is no cgroup v2 to use.
    pub cgroup: Option<OwnedFd>,
    /// Whose child the container is.
    pub parent: Parent,
    pub gate: Gate,
    /// The process whose namespaces are joined, of a plan to execute something in a running container.
    pub joins: Option<OwnedFd>,
}

/// A start under way, as its maker holds it.
pub struct Starting {
    /// Reports come from here; [`Starting::go`] opens the barrier; closing it ends the start.
    pub report: OwnedFd,
    /// The process that makes the container, and tells of it.
    pub setup: OwnedFd,
}

impl Starting {
    /// What came next.
    ///
    /// # Errors
    /// EAGAIN when nothing has.
    pub fn receive(&self) -> Result<Report> {
        receive(self.report.as_fd())
    }

    /// Lets the container execute its program.
    ///
    /// # Errors
    /// EPIPE when it is dead.
    pub fn go(&self) -> Result<()> {
        send_go(self.report.as_fd(), b"")
    }
}

/// Clones setup and returns at once; what happens next comes from `report`. What the work is, setup asks: it may
/// take its time over it, and all its memory goes with it.
///
/// # Errors
/// As clone3(2).
pub fn start<'a>(
    job: Job,
    work: impl FnOnce() -> core::result::Result<Work<'a>, Failure>,
) -> Result<Starting> {
    let (ours, theirs) = seqpacket::pair()?;
    let cgroup = job.cgroup.as_ref().map(AsFd::as_fd);
    let into = if cgroup.is_some() { flags::INTO_CGROUP } else { 0 };
    match clone3(job.parent, into, cgroup)? {
        Cloned::Parent { pidfd, .. } => Ok(Starting { report: ours, setup: pidfd }),
        Cloned::Child => {
            crate::ALLOCATOR.use_fresh();
            process::exit_now(match settle(job, theirs) {
                Ok((job, report)) => setup::run(&job, work, report),
                Err(_) => 1,
            })
        }
    }
}

/// For a maker that is never killed for want of memory, as the supervisor: what it makes inherits that, and would
/// wait without end in a cgroup that has run out of memory.
///
/// # Errors
/// As write(2).
pub fn may_be_killed() -> core::result::Result<(), Failure> {
    process::set_oom_score(0).map_err(Failure::of("oom_score_adj", ""))
}

/// First thing in the child: plain signals, a session of its own, and nothing open but what the
/// job needs. Everything is moved above the gap that is then closed behind it.
fn settle(job: Job, report: OwnedFd) -> Result<(Job, OwnedFd)> {
    signal::reset();
    let _ = process::new_session();
    let _ = process::not_dumpable();
    process::set_name(c"orlop-setup");
    let Job { stdio: [input, output, error], further, cgroup, parent, gate, joins } = job;
    // We are in it by now; its number is closed with the others below.
    let _ = cgroup.map(IntoRawFd::into_raw_fd);
    let (listens, gate) = match gate {
        Gate::Report => (false, None),
        Gate::Listen(socket) => (true, Some(socket)),
    };
    // In this order: 0, 1 and 2, then what is given further, then ours.
    let first = 3 + further.count();
    let (given, from) = match further {
        Further::Inherited(_) => (Vec::new(), first),
        Further::Given(fds) => (fds, 3),
    };
    let ours = 3 + given.len();
    let standard = [input, output, error].into_iter().chain(given).map(Some);
    let wanted: Vec<Option<OwnedFd>> = standard.chain([Some(report), gate, joins]).collect();
    let numbers = (0..3).chain(from..);
    let mut high = Vec::new();
    for fd in wanted {
        high.push(match fd {
            Some(fd) => {
                let copy = fd::duplicate_above(fd.as_fd(), first + 6)?;
                // Its number is being reused or closed; nobody may close it again.
                let _ = fd.into_raw_fd();
                Some(copy)
            }
            None => None,
        });
    }
    for (number, fd) in numbers.clone().zip(&high) {
        match fd {
            Some(fd) => fd::install(fd.as_fd(), number)?,
            // Whatever of the maker's stands there.
            None => fd::close(number),
        }
    }
    let given: Vec<Option<i32>> =
        numbers.zip(&high).map(|(number, fd)| fd.as_ref().map(|_| number)).collect();
    for fd in high.into_iter().flatten() {
        let _ = fd.into_raw_fd();
    }
    fd::close_from(first + 3);
    let take = |index: usize| given.get(index).copied().flatten().map(fd::inherited).transpose();
    let needed = |index: usize| take(index)?.ok_or(crate::linux::Errno::EBADF);
    let stdio = [needed(0)?, needed(1)?, needed(2)?];
    let gate = if listens { Gate::Listen(needed(ours + 1)?) } else { Gate::Report };
    let (report, joins) = (needed(ours)?, take(ours + 2)?);
    // From here on they stand where they belong.
    let further = Further::Inherited((first - 3) as u32);
    Ok((Job { stdio, further, cgroup: None, parent, gate, joins }, report))
}

//! `start`: lets a created container become its program.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::container::Spec;

use super::World;
use super::container::{Container, START_SOCKET, Status};
use super::create::{NOTHING_TO_RUN, inner_pid, saved_spec};
use super::failure::{Failure, Result, at};
use super::inspect::State;
use super::record::Record;
use super::reports::Reports;
use super::store::Store;
use super::{delete, seccomp_agent};
use crate::engine::{self, Report};
use crate::linux::{Errno, directory, pidfd, seqpacket};

/// A killed process is gone within milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// # Errors
/// It is not waiting to be started; its program cannot be executed; a hook failed.
pub(crate) fn start(world: &World<'_>, id: &str) -> Result<()> {
    let store = Store::open(&world.place)?;
    let container = Container::lock(store.as_ref(), id)?;
    match container.status {
        Status::Created if !container.record.startable => return Err(Failure::new(NOTHING_TO_RUN)),
        Status::Created => {}
        Status::Stopped => return Err(Failure::new("cannot start a container that has stopped")),
        Status::Running | Status::Paused => {
            return Err(Failure::new("cannot start an already running container"));
        }
        Status::Creating => return Err(Failure::new("cannot start a container in the creating state")),
    }
    let gate = match seqpacket::connect(container.folder.fd(), START_SOCKET) {
        // Whoever started it did not come to say so.
        Err(Errno::ECONNREFUSED) => {
            let _ = directory::remove_file(container.folder.fd(), START_SOCKET);
            return Err(Failure::new("cannot start an already running container"));
        }
        other => other.map_err(at(START_SOCKET))?,
    };
    let state = State::new(&container.record, Status::Created, inner_pid(container.pid()));
    engine::send_go(gate.as_fd(), state.json().as_bytes()).map_err(at(START_SOCKET))?;
    let spec = || saved_spec(&container.folder);
    let process = (container.pid(), container.living()?);
    let begun = until_it_runs(gate.as_fd(), &container.record, process, spec);
    let begun = begun.and_then(|()| {
        directory::remove_file(container.folder.fd(), START_SOCKET).map_err(at(START_SOCKET))?;
        after_start(&container.record, container.pid()).map_err(NotBegun::Hook)
    });
    match begun {
        Ok(()) => Ok(()),
        Err(NotBegun::Program(failure)) => Err(failure),
        Err(NotBegun::Hook(failure)) => {
            give_up(store.as_ref(), container, world);
            Err(failure)
        }
    }
}

/// Why a container does not run its program.
pub(crate) enum NotBegun {
    Program(Failure),
    /// After which nothing is to be left of it (runtime.md, Lifecycle, steps 7 and 9).
    Hook(Failure),
}

impl From<Failure> for NotBegun {
    fn from(failure: Failure) -> Self {
        Self::Program(failure)
    }
}

impl NotBegun {
    pub(crate) fn into_failure(self) -> Failure {
        match self {
            Self::Program(failure) | Self::Hook(failure) => failure,
        }
    }
}

/// Listens to a container that was let go, until it is its program.
pub(crate) fn until_it_runs(
    report: BorrowedFd<'_>,
    record: &Record,
    (pid, process): (i32, &OwnedFd),
    spec: impl FnOnce() -> Result<Spec>,
) -> core::result::Result<(), NotBegun> {
    let mut spec = Some(spec);
    let mut reports = Reports::later(report);
    loop {
        match reports.next()? {
            Report::Closed => return Ok(()),
            Report::Failed(failure) if failure.step == "hook" => {
                return Err(NotBegun::Hook(Failure::new(format!(
                    "error running startContainer hook {}",
                    failure.object
                ))));
            }
            Report::Failed(failure) => return Err(Failure::of_start(&failure).into()),
            Report::Listener(listener) => {
                let Some(spec) = spec.take() else { continue };
                let state = State::new(record, Status::Created, pid);
                let told = spec().and_then(|spec| seccomp_agent::tell(&spec, &state, pid, listener.as_fd()));
                // As long as the descriptor is open, it waits at the first call that asks.
                told.inspect_err(|_| end(process))?;
            }
            Report::Container { .. } | Report::Meets | Report::Terminal(_) | Report::Ready => {}
        }
    }
}

/// Hooks that wait for the program to run.
pub(crate) fn after_start(record: &Record, pid: i32) -> Result<()> {
    let state = State::new(record, Status::Running, pid).json();
    engine::run_hooks(&record.poststart, state.as_bytes(), Some(&record.bundle))
        .map_err(|why| Failure::new(format!("error running poststart hook {why}")))
}

/// Ends a container and takes it away.
fn give_up(store: Option<&Store>, container: Container, world: &World<'_>) {
    if let Some(process) = &container.process {
        end(process);
    }
    let Some(store) = store else { return };
    if let Err(failure) = delete::destroy(store, &container, world.log) {
        world.log.warning(&failure.line());
    }
}

pub(crate) fn end(process: &OwnedFd) {
    let _ = pidfd::send_signal(process.as_fd(), libc::SIGKILL);
    let _ = pidfd::ends_within(process.as_fd(), PATIENCE);
}

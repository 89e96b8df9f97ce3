//! `delete`: takes away what `create` made, and runs the hooks that come last.

use std::os::fd::AsFd;
use std::time::Duration;

use super::arguments::DeleteArguments;
use super::cgroup;
use super::container::{Container, Status};
use super::failure::{Failure, Result, at};
use super::inspect::State;
use super::log::Log;
use super::store::Store;
use crate::engine::{self, HookPlace};
use crate::linux::{cgroup as files, pidfd};

/// A killed process is gone within milliseconds, but its memory may take longer to be freed.
const PATIENCE: Duration = Duration::from_secs(10);

/// # Errors
/// There is none; it has not stopped.
pub(crate) fn delete(store: Option<&Store>, asked: &DeleteArguments, log: &Log) -> Result<()> {
    super::id::check_id(&asked.id)?;
    // A container that is being created is not waited for: its creator may be waiting for us.
    match (take_away(store, asked, log), store) {
        (Err(failure), _) if failure == Failure::does_not_exist(&asked.id) && asked.force => Ok(()),
        (Err(failure), Some(store)) if asked.force && store.find(&asked.id)?.record().is_err() => {
            // What it was nobody can say any more: what is known of it goes.
            log.warning(&failure.line());
            store.remove(&store.find(&asked.id)?)
        }
        (done, _) => done,
    }
}

fn take_away(store: Option<&Store>, asked: &DeleteArguments, log: &Log) -> Result<()> {
    let may_go = |container: &Container| if asked.force { kill(container) } else { refuse_living(container) };
    let seen = Container::find(store, &asked.id)?;
    may_go(&seen)?;
    // Who is making it notices its end; who runs its hooks may not.
    let container = seen.locked_within(PATIENCE)?;
    // What it was before the lock may be past.
    may_go(&container)?;
    match store {
        Some(store) => destroy(store, &container, log),
        None => Ok(()),
    }
}

fn refuse_living(container: &Container) -> Result<()> {
    match container.status {
        Status::Stopped => Ok(()),
        Status::Creating | Status::Created | Status::Running | Status::Paused => Err(Failure::new(format!(
            "cannot delete container {:?} that is not stopped: it is {}",
            container.record.id,
            container.status.name()
        ))),
    }
}

/// Ends all its processes and waits for the first.
fn kill(container: &Container) -> Result<()> {
    if let Some(found) = &container.record.cgroup
        && let Ok(directory) = cgroup::open(&found.path)
    {
        files::kill(directory.as_fd()).map_err(at("cgroup.kill"))?;
    }
    let Some(process) = &container.process else { return Ok(()) };
    // It may have ended already.
    let _ = pidfd::send_signal(process.as_fd(), libc::SIGKILL);
    match pidfd::ends_within(process.as_fd(), PATIENCE) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new("the container's process does not end, though it was killed")),
        Err(errno) => Err(at("waiting for the container's process")(errno)),
    }
}

/// Removes what is left of a container that has stopped and that we have locked.
///
/// # Errors
/// Something cannot be removed.
pub(crate) fn destroy(store: &Store, container: &Container, log: &Log) -> Result<()> {
    let record = &container.record;
    if let Some(found) = &record.cgroup {
        cgroup::remove(found)?;
    }
    store.remove(&container.folder)?;
    let state = State::new(record, Status::Stopped, 0).json();
    for hook in &record.poststop {
        // One that fails is said, and the others run all the same.
        let done = engine::run_hooks(
            std::slice::from_ref(hook),
            state.as_bytes(),
            HookPlace { directory: Some(&record.bundle), with: None },
        );
        if let Err(why) = done {
            log.warning(&Failure::new(format!("error running poststop hook {why}")).line());
        }
    }
    Ok(())
}

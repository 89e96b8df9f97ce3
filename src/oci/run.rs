//! `run`: create, start, wait for the end, delete.

use std::os::fd::AsFd;

use super::World;
use super::arguments::RunArguments;
use super::attend::Attendant;
use super::container::{Container, Status};
use super::create::{Created, Then, make, saved_spec};
use super::delete;
use super::failure::{Failure, Result, at};
use super::start::{NotBegun, after_start, end, until_it_runs};
use super::store::Folder;
use crate::linux::process;

/// The exit code of the program, or 0 for one that is left alone.
///
/// # Errors
/// It does not come to run; nothing is left of it then.
pub(crate) fn run(world: &World<'_>, asked: &RunArguments) -> Result<i32> {
    if asked.detach {
        let created = make(world, &asked.create, Then::Detach)?;
        return begin(world, created, |_| Ok(super::DONE));
    }
    if !asked.no_subreaper {
        process::become_subreaper().map_err(at("subreaper"))?;
    }
    let created = make(world, &asked.create, Then::Attend)?;
    // Not before: until there is somebody to pass them on to, signals are for us.
    let attendant = Attendant::new()?;
    let keeps = asked.keep;
    begin(world, created, |mut created| {
        let terminal = created.terminal.take();
        let code = attendant.attend(created.pid, &created.process, terminal);
        if !keeps {
            finish(world, created)?;
        }
        code
    })
}

/// Lets it go and runs the hooks; then it is `what`'s, and everybody's: nobody has it locked.
fn begin<T>(world: &World<'_>, created: Created, what: impl FnOnce(Created) -> Result<T>) -> Result<T> {
    let begun = created.starting.go().map_err(at("the container")).map_err(NotBegun::from).and_then(|()| {
        let report = created.starting.report.as_fd();
        until_it_runs(report, &created.record, (created.pid, &created.process), || {
            saved_spec(&created.folder)
        })?;
        // Hooks may do with it what they like.
        created.folder.unlock();
        Ok(after_start(&created.record, created.pid)?)
    });
    match begun {
        Ok(()) => what(created),
        Err(not_begun) => {
            end(&created.process);
            created.sockets.take_back();
            if let Err(failure) = finish(world, created) {
                world.log.warning(&failure.line());
            }
            Err(not_begun.into_failure())
        }
    }
}

/// Takes away what is left of it, if anything is.
fn finish(world: &World<'_>, created: Created) -> Result<()> {
    if is_deleted(&created.folder)? {
        return Ok(());
    }
    let Created { store, folder, record, .. } = created;
    let container = Container { folder, record, status: Status::Stopped, process: None };
    delete::destroy(&store, &container, world.log)
}

/// Locks it, unless somebody has taken it away meanwhile.
fn is_deleted(folder: &Folder) -> Result<bool> {
    match folder.lock() {
        Ok(()) => Ok(false),
        Err(failure) if failure == Failure::does_not_exist(&folder.id) => Ok(true),
        Err(failure) => Err(failure),
    }
}

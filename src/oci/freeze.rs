//! `pause` and `resume`.

use std::os::fd::AsFd;

use super::cgroup;
use super::container::{Container, Status};
use super::failure::{Failure, Result, at};
use super::store::Store;

/// # Errors
/// It does not run; it has no cgroup; it does not come to a stand.
pub(crate) fn pause(store: Option<&Store>, id: &str) -> Result<()> {
    let container = Container::lock(store, id)?;
    container.living()?;
    if container.status == Status::Paused {
        return Err(Failure::new("container already paused"));
    }
    cgroup::freeze(container.cgroup()?.as_fd()).map_err(at("cgroup.freeze"))
}

/// # Errors
/// It is not paused.
pub(crate) fn resume(store: Option<&Store>, id: &str) -> Result<()> {
    let container = Container::lock(store, id)?;
    container.living()?;
    if container.status != Status::Paused {
        return Err(Failure::new("container not paused"));
    }
    cgroup::thaw(container.cgroup()?.as_fd()).map_err(at("cgroup.freeze"))
}

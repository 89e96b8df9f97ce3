//! The role `orlop keep`: finds the machine's disk, mounts it, and writes on it what is to outlive a power-off.
//!
//! It alone touches the disk, which may hang for ever, and then only it does: the rings that it copies go on without
//! it, and nobody waits for it but the end of a boot and of the machine, both for a bounded time. Once the disk is
//! mounted it has no power beside owning the files there.

mod disk;
mod keeper;
mod mirror;
mod places;
pub(crate) mod reading;
mod segments;
mod store;
#[cfg(test)]
mod test;
mod writer;

use std::os::fd::OwnedFd;

pub(crate) use places::memory;
use writer::this_boot;

use crate::linux::{Result, capability, fd, process};

/// Where the supervisor leaves our end of the socket.
const CONTROL_FD: i32 = 3;

/// Where the disk is mounted.
pub(crate) const POINT: &str = "/var/lib/orlop";

/// Runs the role. The value is the process's exit code.
pub(crate) fn run() -> i32 {
    let served = begin().and_then(|control| {
        let mut keeper = keeper::Keeper::new(control)?;
        while keeper.turn()? == keeper::Turn::Again {}
        Ok(())
    });
    i32::from(served.is_err())
}

fn begin() -> Result<OwnedFd> {
    process::set_name(c"orlop-keep");
    process::set_umask(0o077);
    let control = fd::inherited(CONTROL_FD)?;
    fd::close_from(CONTROL_FD + 1);
    // Two for each of very many containers.
    process::set_limit(0, process::NOFILE, 16_384, 16_384)?;
    process::no_new_privileges()?;
    process::not_dumpable()?;
    Ok(control)
}

/// The disk is mounted: what is left to do takes no power but to be the owner of its files.
fn confine() -> Result<()> {
    capability::bound(0)?;
    capability::set(0, 0, 0)
}

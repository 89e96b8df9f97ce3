//! The role `orlop log`: moves the output of all containers from their pipes into their rings, and
//! the supervisor's side of it.
//!
//! The process reads no configuration and holds nothing of its own: rings and pipes are sent to it,
//! others keep them too, and whatever instant it is killed at, the next one goes on from there. It
//! looks at no byte of output. What to keep is decided in `orlop::log`.

mod container;
mod feed;
mod kernel;
mod link;
#[cfg(test)]
mod link_test;
mod logger;
#[cfg(test)]
mod logger_test;
mod messages;
#[cfg(test)]
mod messages_test;
mod ring_file;
#[cfg(test)]
mod test_world;

pub(crate) use link::Link;
pub(crate) use ring_file::RingFile;

use std::os::fd::OwnedFd;

use crate::linux::{Result, capability, fd, process};

/// Where the supervisor leaves our end of the socket.
const CONTROL_FD: i32 = 3;

/// Runs the role. The value is the process's exit code.
pub(crate) fn run() -> i32 {
    match confine().and_then(serve) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

/// Gives up all power: everything that the work needs comes as descriptors.
fn confine() -> Result<OwnedFd> {
    process::set_name(c"orlop-log");
    let control = fd::inherited(CONTROL_FD)?;
    fd::close_from(CONTROL_FD + 1);
    process::no_new_privileges()?;
    process::not_dumpable()?;
    capability::bound(0)?;
    capability::set(0, 0, 0)?;
    Ok(control)
}

/// Works until the other side of `control` is closed for good.
///
/// # Errors
/// When the loop itself fails; trouble with one container is told on the socket.
fn serve(control: OwnedFd) -> Result<()> {
    let mut logger = logger::Logger::new(control)?;
    while logger.turn()? == logger::Turn::Again {}
    Ok(())
}

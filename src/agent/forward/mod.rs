//! The role `orlop forward`: sends all logs to collectors, as RFC 5424 has them, over UDP (RFC 5426), TCP (octet counting,
//! RFC 6587) and TLS (RFC 5425). Who speaks TLS is a program of its own, `orlop-tls`, one for each session.
//!
//! The rings are what it sends from, and all that it keeps: while a link is cut, a ring drops its oldest output as it
//! always does, and how much that was is told to the collector when it is back. How far each ring was sent to each
//! collector is in a memory that others keep too (`places`). It holds no power, and its rings it can only read.

mod destination;
mod forwarder;
mod link;
mod on_its_way;
mod places;
mod pump;
mod talk;
#[cfg(test)]
mod test;
#[cfg(test)]
mod test_tls;
#[cfg(test)]
mod test_world;

use std::os::fd::OwnedFd;

use crate::linux::{Result, capability, fd, process};

/// Where the supervisor leaves our end of the socket.
const CONTROL_FD: i32 = 3;

pub(crate) use places::memory;

/// Runs the role. The value is the process's exit code.
pub(crate) fn run() -> i32 {
    let served = confine().and_then(|control| {
        let mut forwarder = forwarder::Forwarder::new(control)?;
        while forwarder.turn()? == forwarder::Turn::Again {}
        Ok(())
    });
    i32::from(served.is_err())
}

/// Gives up all power, and to be root, whose files and sockets are open to it without any: what it reads comes as
/// descriptors, and to connect it needs none.
fn confine() -> Result<OwnedFd> {
    process::set_name(c"orlop-forward");
    let control = fd::inherited(CONTROL_FD)?;
    fd::close_from(CONTROL_FD + 1);
    process::no_new_privileges()?;
    capability::bound(0)?;
    process::become_user(process::NOBODY, process::NOBODY, &[])?;
    capability::set(0, 0, 0)?;
    process::not_dumpable()?;
    Ok(control)
}

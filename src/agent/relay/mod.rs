//! The role `orlop relay`: speaks with one client about one process, and moves the bytes between them.
//!
//! What a client sends after its upgrade is read here and nowhere else. The process has no power and no
//! name to open: everything comes as descriptors. It ends with its client, or when the last frame is sent;
//! whoever holds the other end of its link sees that.

mod client;
mod link;
mod process;
mod session;
#[cfg(test)]
mod session_test;
mod start;

pub(crate) use link::{End, Word, receive, send_end};
pub(crate) use start::{Parts, start};

use std::os::fd::OwnedFd;

use crate::linux::{Errno, Result, capability, fd, process as ours};

use client::Client;
use process::{Process, Way};
use session::Session;

/// Where the supervisor leaves what it gives, in this order.
const LINK_FD: i32 = 3;
const CLIENT_FD: i32 = 4;
const FIRST_STDIO_FD: i32 = 5;

/// Runs the role. The value is the process's exit code.
pub(crate) fn run(words: &[String]) -> i32 {
    match given(words).and_then(|(link, client, process)| Session::new(link, client, process)) {
        Ok(session) => session.run(),
        Err(_) => 1,
    }
}

/// Takes what we were given, and gives up all power.
fn given(words: &[String]) -> Result<(OwnedFd, Client, Process)> {
    ours::set_name(c"orlop-relay");
    let [kind, shape] = words else { return Err(Errno::EINVAL) };
    let (link, client) = (fd::inherited(LINK_FD)?, fd::inherited(CLIENT_FD)?);
    // Before there are more of them, which are ours.
    fd::close_from(FIRST_STDIO_FD.saturating_add(i32::try_from(shape.len()).map_err(|_| Errno::EINVAL)?));
    let mut process = Process::default();
    for (number, letter) in (FIRST_STDIO_FD..).zip(shape.chars()) {
        let fd = fd::inherited(number)?;
        match Way::of_letter(letter).ok_or(Errno::EINVAL)? {
            Way::Input => process.set_input(fd),
            Way::Output => process.set_output(fd),
            Way::ErrorOutput => process.set_error_output(fd),
            Way::Terminal => process.set_terminal(fd)?,
        }
    }
    ours::no_new_privileges()?;
    ours::not_dumpable()?;
    capability::bound(0)?;
    capability::set(0, 0, 0)?;
    Ok((link, Client::new(client, kind)?, process))
}

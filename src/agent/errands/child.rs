//! The process that an errand is: a child with none of our descriptors, and one end of a pipe.

use std::os::fd::{AsFd, OwnedFd};

use crate::linux::clone::{Cloned, Parent, clone3, flags};
use crate::linux::{Result, cgroup, fd, process, signal};

/// Where the child has its end of the pipe.
const ANSWER_FD: i32 = 3;

/// Writes all of it to whoever sent us.
///
/// # Errors
/// EPIPE: nobody reads it any more.
pub fn write_all(to: &OwnedFd, bytes: &[u8]) -> Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let count = nix::unistd::write(to.as_fd(), rest)?;
        rest = rest.get(count..).unwrap_or_default();
    }
    Ok(())
}

/// A child that has a copy of our memory and none of our descriptors but the end of a pipe: the other end, and its pidfd.
///
/// # Errors
/// As clone3(2); EMFILE.
pub fn child(work: impl FnOnce(OwnedFd) -> Result<()>) -> Result<(OwnedFd, OwnedFd)> {
    let (answer, theirs) = fd::pipe()?;
    fd::nonblocking(answer.as_fd())?;
    let group = cgroup::open_path("orlop").and_then(|orlop| cgroup::make(orlop.as_fd(), "errand"))?;
    match clone3(Parent::CallersParent, flags::INTO_CGROUP, Some(group.as_fd()))? {
        Cloned::Parent { pidfd, .. } => Ok((answer, pidfd)),
        Cloned::Child => {
            signal::reset();
            process::set_name(c"orlop-errand");
            // Nothing of the supervisor's stays open: who waits for a hang-up must not wait for us.
            let given = fd::install(theirs.as_fd(), ANSWER_FD).and_then(|()| {
                fd::close_from(ANSWER_FD + 1);
                fd::inherited(ANSWER_FD)
            });
            let Ok(to) = given else { process::exit_now(1) };
            process::exit_now(i32::from(work(to).is_err()))
        }
    }
}

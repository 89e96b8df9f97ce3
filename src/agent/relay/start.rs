//! Starts a relay: a process of this very binary, with nothing but what it is given.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{LINK_FD, Way};
use crate::agent::control::{HandedOver, Peer};
use crate::linux::clone::{Cloned, Parent, clone3, flags};
use crate::linux::{Errno, Result, cgroup, fd, process, signal};

/// The ends of a process's standard streams that are ours.
#[derive(Default)]
pub(crate) struct Parts {
    /// By whom the process's terminal is driven, in the place of the others.
    pub(crate) terminal: Option<OwnedFd>,
    /// The terminal, for its keys alone.
    pub(crate) keys: Option<OwnedFd>,
    pub(crate) input: Option<OwnedFd>,
    pub(crate) output: Option<OwnedFd>,
    pub(crate) error_output: Option<OwnedFd>,
}

impl Parts {
    fn all(&self) -> Vec<(Way, BorrowedFd<'_>)> {
        [
            (Way::Terminal, &self.terminal),
            (Way::Keys, &self.keys),
            (Way::Input, &self.input),
            (Way::Output, &self.output),
            (Way::ErrorOutput, &self.error_output),
        ]
        .into_iter()
        .filter_map(|(way, fd)| Some((way, fd.as_ref()?.as_fd())))
        .collect()
    }
}

/// Starts one for a client. `link`: its end; it ends when the other end is closed, and the other way round.
///
/// # Errors
/// As clone3(2); EMFILE.
pub(crate) fn start(link: &OwnedFd, client: &HandedOver, parts: &Parts) -> Result<()> {
    let kind = match &client.peer {
        Peer::Process(_) => c"socket",
        Peer::Port(_) if client.is_seen => c"port",
        Peer::Port(_) => c"port-early",
    };
    let parts = parts.all();
    let shape: String = parts.iter().map(|(way, _)| way.letter()).collect();
    let shape = CString::new(shape).map_err(|_| Errno::EINVAL)?;
    let group = cgroup::open_path("orlop").and_then(|orlop| cgroup::make(orlop.as_fd(), "relay"))?;
    match clone3(Parent::CallersParent, flags::INTO_CGROUP, Some(group.as_fd()))? {
        Cloned::Parent { .. } => Ok(()),
        Cloned::Child => {
            signal::reset();
            let _ = process::new_session();
            let given = [link.as_fd(), client.fd.as_fd()].into_iter().chain(parts.iter().map(|(_, fd)| *fd));
            if fd::place(given, LINK_FD).is_err() {
                process::exit_now(126);
            }
            let argv = [c"orlop".to_owned(), c"relay".to_owned(), kind.to_owned(), shape];
            process::exec_path(c"/proc/self/exe", &argv, &[]);
            process::exit_now(127)
        }
    }
}

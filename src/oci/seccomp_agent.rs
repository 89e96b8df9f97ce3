//! Whoever decides on system calls for a container gets the descriptor that the kernel asks on
//! (config-linux.md, Seccomp, The Container Process State).

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use orlop::container::Spec;
use serde::Serialize;

use super::failure::{Failure, Result, at, io_at};
use super::inspect::State;
use crate::linux::{seqpacket, socket};

/// The agent is there before the container; a queue that is full for longer is nobody's.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProcessState<'a> {
    oci_version: &'a str,
    fds: [&'static str; 1],
    pid: i32,
    #[serde(skip_serializing_if = "str::is_empty")]
    metadata: &'a str,
    state: &'a State<'a>,
}

/// # Errors
/// Nobody waits at the path.
pub(crate) fn tell(spec: &Spec, state: &State<'_>, pid: i32, listener: BorrowedFd<'_>) -> Result<()> {
    let wanted = spec.linux.seccomp.as_ref();
    let path = wanted.and_then(|filter| filter.listener_path.as_deref());
    let path = path.ok_or_else(|| Failure::new("linux.seccomp.listenerPath: somebody has to listen"))?;
    let metadata = wanted.and_then(|filter| filter.listener_metadata.as_deref()).unwrap_or_default();
    let message = ProcessState { oci_version: &spec.oci_version, fds: ["seccompFd"], pid, metadata, state };
    let text = serde_json::to_vec(&message).map_err(|error| Failure::new(error.to_string()))?;
    let place = format!("linux.seccomp.listenerPath {path}");
    let socket = socket::connect(Path::new(path), PATIENCE).map_err(io_at(&place))?;
    seqpacket::send(socket.as_fd(), &text, &[listener]).map_err(at(&place))
}

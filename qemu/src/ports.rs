//! The machine's control ports, seen from the host: a socket each, for one client at a time.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};

/// As many as the machine looks for.
pub(crate) const PORTS: usize = 8;

pub(crate) struct Ports {
    /// Private to this user; holds the sockets.
    directory: PathBuf,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    ports: [bool; PORTS],
    /// Looked at first, so that a port rests after use and QEMU has noticed that its client went.
    next: usize,
}

/// One client's right to one port, until it is dropped.
pub(crate) struct Lease {
    ports: Arc<Ports>,
    index: usize,
}

pub(crate) fn socket_path(directory: &Path, index: usize) -> PathBuf {
    directory.join(format!("control.{index}"))
}

impl Ports {
    pub(crate) fn new(directory: &Path) -> Arc<Self> {
        Arc::new(Self { directory: directory.to_owned(), taken: Mutex::default() })
    }

    pub(crate) fn take(self: &Arc<Self>) -> Option<Lease> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let first = taken.next;
        let index = (0..PORTS)
            .map(|step| first.wrapping_add(step) % PORTS)
            .find(|index| taken.ports.get(*index) == Some(&false))?;
        if let Some(port) = taken.ports.get_mut(index) {
            *port = true;
        }
        taken.next = index.wrapping_add(1) % PORTS;
        Some(Lease { ports: Arc::clone(self), index })
    }
}

impl Lease {
    pub(crate) fn connect(&self) -> Result<UnixStream> {
        UnixStream::connect(socket_path(&self.ports.directory, self.index))
            .map_err(|e| Error::host(format!("connect to control port {}", self.index), e))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut taken = self.ports.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(port) = taken.ports.get_mut(self.index) {
            *port = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_each_port_once_and_rests_a_used_one() {
        let ports = Ports::new(Path::new("/nowhere"));
        let mut leases: Vec<Lease> = (0..PORTS).filter_map(|_| ports.take()).collect();
        let given: Vec<usize> = leases.iter().map(|lease| lease.index).collect();
        assert_eq!(given, (0..PORTS).collect::<Vec<_>>());
        assert!(ports.take().is_none());
        leases.drain(2..4);
        let again = ports.take().map(|lease| lease.index);
        assert_eq!(again, Some(2));
        assert_eq!(ports.take().map(|lease| lease.index), Some(3));
    }
}

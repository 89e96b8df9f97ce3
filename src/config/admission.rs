//! `[host.control]`: who may speak with the machine on its socket, besides its root.

use alloc::vec::Vec;

/// The first id that belongs to a container. Ids below it are the machine's own.
pub const FIRST_CONTAINER_ID: u32 = 1 << 20;

/// Without any of it: root alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admission {
    /// Its members may do what root may.
    pub group: Option<u32>,
    /// They may look, and change nothing.
    pub readers: Readers,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readers {
    /// These users.
    Users(Vec<u32>),
    /// Whoever can reach the socket.
    Everyone,
}

impl Default for Readers {
    fn default() -> Self {
        Self::Users(Vec::new())
    }
}

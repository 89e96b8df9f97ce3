//! Sockets that are opened before their container runs.

use alloc::string::String;
use core::fmt;
use core::net::SocketAddr;

/// The most of one container: descriptors that its program has from 3 on.
pub const MAX_SOCKETS: usize = 16;

/// A socket of the machine's that a container's program gets, open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    pub listen: Listen,
    /// As LISTEN_FDNAMES has it.
    pub name: String,
    /// Of one in the file system: its mode, and the numbers of its user and group on the machine.
    pub mode: u32,
    pub owner: (u32, u32),
}

/// Where a socket listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listen {
    Tcp(SocketAddr),
    Udp(SocketAddr),
    /// A path on the machine, of a stream socket.
    Unix(String),
}

/// What brings a container up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartBy {
    /// The boot.
    Boot,
    /// The first connection to one of its sockets.
    Connection,
}

/// As a configuration has it.
impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Udp(address) => write!(f, "udp://{address}"),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

//! Collectors that logs are sent to, and what a session of TLS with one takes.

use alloc::string::String;
use core::fmt;
use core::net::SocketAddr;

/// One that logs are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    pub to: Collector,
    /// Of one that is spoken to by TLS, and of no other.
    pub files: Option<TlsFiles>,
}

/// How it is spoken to, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Collector {
    Udp(SocketAddr),
    Tcp(SocketAddr),
    Tls(TlsCollector),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsCollector {
    /// An address, or a name that is looked up when it is connected to.
    pub host: String,
    pub port: u16,
    /// What its certificate is for, when that is not `host`.
    pub server_name: Option<String>,
}

/// Files with PEM, relative to the config folder; an absolute one is on the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Who may have signed the collector's certificate.
    pub ca: String,
    /// What the machine shows in its turn: its certificate, and the key to it.
    pub own: Option<(String, String)>,
}

impl TlsCollector {
    /// What the collector's certificate has to be for.
    #[must_use]
    pub fn name(&self) -> &str {
        self.server_name.as_deref().unwrap_or(&self.host)
    }
}

/// As it is written, without the files.
impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(to) => write!(f, "udp://{to}"),
            Self::Tcp(to) => write!(f, "tcp://{to}"),
            Self::Tls(TlsCollector { host, port, .. }) if host.contains(':') => {
                write!(f, "tls://[{host}]:{port}")
            }
            Self::Tls(TlsCollector { host, port, .. }) => write!(f, "tls://{host}:{port}"),
        }
    }
}

//! Where a channel's messages come from: a socket of one client, or a port with one after the other.

use orlop::control::session::{Heard, ServerSession};
use orlop::control::{Decoder, Frame};

#[derive(Debug)]
pub(crate) enum Input {
    Socket(Decoder),
    Port { session: ServerSession, host: Host, drained: Drained },
}

/// Whether somebody holds the other end of a port, as far as it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    Unknown,
    Present,
    Absent,
}

/// Edges come once: what was told and not read must be remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drained {
    Yes,
    No,
}

/// What an edge of a port says about its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    HostLeft,
    Other,
}

impl Input {
    /// `limit`: bytes of a message.
    pub(crate) fn socket(limit: usize) -> Self {
        Self::Socket(Decoder::new(limit))
    }

    pub(crate) fn port(limit: usize) -> Self {
        Self::Port { session: ServerSession::new(limit), host: Host::Unknown, drained: Drained::Yes }
    }

    /// Of a port whose client has a session already.
    pub(crate) fn open_port(limit: usize, host: Host) -> Self {
        Self::Port { session: ServerSession::opened(limit), host, drained: Drained::No }
    }

    /// Of a socket somebody is at the other end.
    pub(crate) fn host(&self) -> Host {
        match self {
            Self::Socket(_) => Host::Present,
            Self::Port { host, .. } => *host,
        }
    }

    /// Whether nothing of its client waits here.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Socket(decoder) => decoder.held() == 0 && !decoder.is_partial(),
            Self::Port { session, .. } => !session.has_frame() && !session.is_partial(),
        }
    }

    pub(crate) fn is_port(&self) -> bool {
        matches!(self, Self::Port { .. })
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) -> Heard {
        match self {
            Self::Socket(decoder) => {
                decoder.push(bytes);
                Heard::Nothing
            }
            Self::Port { session, .. } => session.push(bytes),
        }
    }

    pub(crate) fn next_frame(&mut self) -> Option<Frame> {
        match self {
            Self::Socket(decoder) => decoder.next_frame(),
            Self::Port { session, .. } => session.next_frame(),
        }
    }

    /// Whether a message has begun and not ended, once there is no frame.
    pub(crate) fn is_partial(&self) -> bool {
        match self {
            Self::Socket(decoder) => decoder.is_partial(),
            Self::Port { session, .. } => session.is_partial(),
        }
    }

    /// A port has changed. The first word of a client can be read while the port still says that
    /// nobody is there, so a hang-up counts only when somebody was.
    pub(crate) fn edge(&mut self, hung_up: bool) -> Edge {
        let Self::Port { host, drained, .. } = self else { return Edge::Other };
        let now = if hung_up { Host::Absent } else { Host::Present };
        let was = std::mem::replace(host, now);
        *drained = Drained::No;
        match (was, now) {
            (Host::Unknown | Host::Present, Host::Absent) => Edge::HostLeft,
            (Host::Absent, Host::Absent)
            | (Host::Unknown | Host::Present | Host::Absent, Host::Present | Host::Unknown) => Edge::Other,
        }
    }

    /// There is nothing more to read; of a port until the next edge.
    pub(crate) fn drain(&mut self) {
        if let Self::Port { drained, .. } = self {
            *drained = Drained::Yes;
        }
    }

    /// A port that told of something which was not read.
    pub(crate) fn is_undrained(&self) -> bool {
        matches!(self, Self::Port { drained: Drained::No, .. })
    }

    /// Ends a port's session; what its client had sent is dropped.
    pub(crate) fn end(&mut self) {
        if let Self::Port { session, .. } = self {
            session.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_that_was_there_or_may_have_been_can_leave() {
        let mut port = Input::port(100);
        let edges = [true, true, false, false, true, true, false];
        let found = edges.map(|hung_up| port.edge(hung_up) == Edge::HostLeft);
        assert_eq!(found, [true, false, false, false, true, false, false]);
        assert!(edges.iter().all(|hung_up| Input::socket(100).edge(*hung_up) == Edge::Other));
    }

    #[test]
    fn a_port_is_read_until_it_is_drained_and_again_after_the_next_edge() {
        let mut port = Input::port(100);
        assert!(!port.is_undrained());
        port.edge(true);
        assert!(port.is_undrained());
        port.drain();
        assert!(!port.is_undrained());
        port.edge(false);
        assert!(port.is_undrained());
    }
}

//! Where a channel's messages come from: a socket of one client, or a port with one after the other.

use orlop::control::session::{Heard, ServerSession};
use orlop::control::{Decoder, Frame};

#[derive(Debug)]
pub(super) enum Input {
    Socket(Decoder),
    Port { session: ServerSession, host: Host, drained: Drained },
}

/// Whether somebody holds the other end of a port, as far as it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Host {
    Unknown,
    Present,
    Absent,
}

/// Edges come once: what was told and not read must be remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drained {
    Yes,
    No,
}

/// What an edge of a port says about its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    HostLeft,
    Other,
}

impl Input {
    /// `limit`: bytes of a message.
    pub(super) fn socket(limit: usize) -> Self {
        Self::Socket(Decoder::new(limit))
    }

    pub(super) fn port(limit: usize) -> Self {
        Self::Port { session: ServerSession::new(limit), host: Host::Unknown, drained: Drained::Yes }
    }

    pub(super) fn is_port(&self) -> bool {
        matches!(self, Self::Port { .. })
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Heard {
        match self {
            Self::Socket(decoder) => {
                decoder.push(bytes);
                Heard::Nothing
            }
            Self::Port { session, .. } => session.push(bytes),
        }
    }

    pub(super) fn next_frame(&mut self) -> Option<Frame> {
        match self {
            Self::Socket(decoder) => decoder.next_frame(),
            Self::Port { session, .. } => session.next_frame(),
        }
    }

    /// Whether a message has begun and not ended, once there is no frame.
    pub(super) fn is_partial(&self) -> bool {
        match self {
            Self::Socket(decoder) => decoder.is_partial(),
            Self::Port { session, .. } => session.is_partial(),
        }
    }

    /// A port has changed. The first word of a client can be read while the port still says that
    /// nobody is there, so a hang-up counts only when somebody was.
    pub(super) fn edge(&mut self, hung_up: bool) -> Edge {
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
    pub(super) fn drain(&mut self) {
        if let Self::Port { drained, .. } = self {
            *drained = Drained::Yes;
        }
    }

    /// A port that told of something which was not read.
    pub(super) fn is_undrained(&self) -> bool {
        matches!(self, Self::Port { drained: Drained::No, .. })
    }

    /// Ends a port's session; what its client had sent is dropped.
    pub(super) fn end(&mut self) {
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

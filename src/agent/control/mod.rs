//! Hears the words of `orlop::control` on the socket and on virtio ports, and sends the answers.
//!
//! The server has one descriptor to watch. When it is readable, or the time of
//! [`Server::poll_timeout`] has come: [`Server::work`], then [`Server::next_event`] until there is
//! none, and for each call one [`Server::reply`] or [`Server::fail`], at once or later, or many
//! [`Server::stream`] before it. What the calls mean is not known here.
//!
//! Nobody is waited for, and nothing grows without bound: a client that sends slowly, too much, or
//! reads nothing costs its own buffers, until it is let go.

mod channel;
mod door;
pub(crate) mod input;
pub(crate) mod output;
pub(crate) mod ports;
mod server;

#[cfg(test)]
mod door_test;
#[cfg(test)]
mod hostile_test;
#[cfg(test)]
mod port_test;
#[cfg(test)]
mod server_test;
#[cfg(test)]
mod varlink_test;

pub(crate) use server::Server;

use std::fmt;
use std::time::Duration;

use orlop::control::{Access, Error, MAX_REQUEST, Request};

use crate::linux::socket::Credentials;

/// One connection, or one session on a port. Never used for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClientId {
    token: u64,
    session: u64,
}

/// One call of a client that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallId {
    pub(crate) client: ClientId,
    number: u64,
}

#[cfg(test)]
impl CallId {
    /// One of nobody's.
    pub(crate) fn numbered(number: u64) -> Self {
        Self { client: ClientId { token: 0, session: 0 }, number }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// A client asks that may. One that wants no answer (`oneway`) may be answered as the others are:
    /// nothing is sent.
    Call(CallId, Request, Peer),
    /// Somebody asked for what is not for him; with no request, he may ask for nothing. He was told.
    Denied(Peer, Option<Request>),
    /// A change that a client asked for was refused, or failed.
    Failed(Peer, Error),
    /// A client that had called is no more: what is kept for it can go.
    Gone(ClientId),
}

/// A client's connection, for somebody else to speak on.
#[derive(Debug)]
pub(crate) struct HandedOver {
    pub(crate) fd: std::os::fd::OwnedFd,
    pub(crate) peer: Peer,
    /// That somebody is there was told.
    pub(crate) is_seen: bool,
}

/// Who a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Peer {
    Process(Credentials),
    /// Behind a virtio port of this name: who owns the machine's memory.
    Port(String),
}

impl fmt::Display for Peer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(who) => write!(out, "uid {} (pid {})", who.uid, who.pid),
            Self::Port(name) => write!(out, "port {name}"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of a request.
    pub(crate) request: usize,
    /// Connections on the socket at once.
    pub(crate) clients: usize,
    /// Calls with many answers at once.
    pub(crate) streams: usize,
    /// How many of these places those may have together who may only look: the others never find all taken by them.
    pub(crate) readers: usize,
    pub(crate) read_streams: usize,
    /// For a request to become complete, and for a client to take some of its output.
    pub(crate) patience: Duration,
    /// Bytes of output that wait for a client, over which it is asked nothing more.
    pub(crate) output: usize,
}

/// Where somebody comes in, and what he may.
#[derive(Debug, Clone)]
pub(crate) struct Entrant {
    pub(crate) peer: Peer,
    pub(crate) access: Access,
}

/// The bounds that the interface names, and one of our own: output as large as a request, so that
/// a stream fills whole reads of its client while 64 who do not read cost no more than 16 MiB.
pub(crate) const LIMITS: Limits = Limits {
    request: MAX_REQUEST,
    clients: 64,
    streams: 16,
    readers: 32,
    read_streams: 8,
    patience: Duration::from_secs(30),
    output: 256 * 1024,
};

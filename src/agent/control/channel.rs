//! One connection or one port: bytes in, messages out, messages in, bytes out.
//!
//! A socket is read only while its client has no call in hand, so that it cannot send ahead without
//! bound. A port is always read, because the next client's begin may stand behind anything; there
//! the session keeps the bound. Each has two deadlines: for a message to become complete, and for
//! output to be taken.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::control::session::{Heard, closed_notice};
use orlop::control::{Access, Frame};

use super::input::{Edge, Host, Input};
use super::output::{Output, Sent};
use super::{CallId, ClientId, Entrant, HandedOver, Limits, Peer};
use crate::linux::epoll::Interest;
use crate::linux::socket;

/// Bytes of one read, and how many of these one channel gets before the others have their turn.
const READ: usize = 16 * 1024;
const READS: usize = 4;

#[derive(Debug)]
pub(super) struct Channel {
    fd: OwnedFd,
    entrant: Entrant,
    input: Input,
    output: Output,
    limits: Limits,
    /// Counts the clients of a port; a socket has one.
    session: u64,
    /// Taken from the input, and not yet looked at.
    frame: Option<Frame>,
    in_hand: Option<InHand>,
    /// This client was told of to our caller.
    is_known: bool,
    /// The client sends no more.
    at_end: bool,
    /// The client takes no more: what is said to it is lost.
    is_deaf: bool,
    /// It is to be closed.
    is_over: bool,
    partial_since: Option<Duration>,
    stuck_since: Option<Duration>,
    idle_since: Duration,
}

/// A call that waits for its answer.
#[derive(Debug, Clone, Copy)]
struct InHand {
    number: u64,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    One,
    Stream,
}

/// Clients that are no more, if our caller knew of them.
pub(super) type Gone = Option<ClientId>;

impl Channel {
    pub(super) fn socket(fd: OwnedFd, entrant: Entrant, limits: Limits, now: Duration) -> Self {
        Self::new(fd, entrant, Input::socket(limits.request), limits, now)
    }

    /// Whoever is there already learns that there is no session, so that it does not wait for
    /// what a supervisor before this one was asked.
    pub(super) fn port(fd: OwnedFd, name: String, limits: Limits, now: Duration) -> Self {
        // Who makes the ports owns the machine's memory anyway.
        let entrant = Entrant { peer: Peer::Port(name), access: Access::Change };
        let mut channel = Self::new(fd, entrant, Input::port(limits.request), limits, now);
        channel.output.push(&closed_notice());
        channel
    }

    fn new(fd: OwnedFd, entrant: Entrant, input: Input, limits: Limits, now: Duration) -> Self {
        Self {
            fd,
            entrant,
            input,
            output: Output::default(),
            limits,
            session: 0,
            frame: None,
            in_hand: None,
            is_known: false,
            at_end: false,
            is_deaf: false,
            is_over: false,
            partial_since: None,
            stuck_since: None,
            idle_since: now,
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(super) fn peer(&self) -> &Peer {
        &self.entrant.peer
    }

    pub(super) fn access(&self) -> Access {
        self.entrant.access
    }

    pub(super) fn id(&self, token: u64) -> ClientId {
        ClientId { token, session: self.session }
    }

    pub(super) fn is_port(&self) -> bool {
        self.input.is_port()
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(super) fn is_known(&self) -> bool {
        self.is_known
    }

    /// What epoll told: reads and writes.
    pub(super) fn ready(&mut self, token: u64, events: Interest, now: Duration) -> Gone {
        // Both directions are over, or it is broken.
        let hung_up = events.intersects(Interest::EPOLLHUP | Interest::EPOLLERR);
        let mut gone = None;
        if self.input.edge(hung_up) == Edge::HostLeft {
            gone = self.end_session(token);
        }
        if hung_up && !self.is_port() {
            self.hang_up();
        }
        let ended = self.read(token, now);
        gone.or(ended)
    }

    /// Reads what is there, as far as this channel may now, and writes what waits.
    pub(super) fn read(&mut self, token: u64, now: Duration) -> Gone {
        let mut gone = None;
        let mut buffer = [0; READ];
        for _ in 0..READS {
            if !self.wants_to_read() {
                break;
            }
            match socket::read(self.fd.as_fd(), &mut buffer) {
                Ok(0) => self.end_of_input(),
                Ok(count) => {
                    let ended = self.take_in(token, buffer.get(..count).unwrap_or_default());
                    gone = gone.or(ended);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.input.drain();
                    break;
                }
                Err(_) => self.is_over = true,
            }
        }
        // What was heard may have an answer of its own.
        self.flush(now);
        gone
    }

    /// A port with something left to read, of which no event will come.
    pub(super) fn is_unfinished(&self) -> bool {
        self.is_port() && self.wants_to_read()
    }

    fn wants_to_read(&self) -> bool {
        let has_turn = !self.at_end && self.frame.is_none() && self.takes_calls();
        !self.is_over && if self.is_port() { self.input.is_undrained() } else { has_turn }
    }

    /// No call is in hand, and the answers to those before are taken well enough.
    fn takes_calls(&self) -> bool {
        self.in_hand.is_none() && self.output.len() < self.limits.output
    }

    fn end_of_input(&mut self) {
        // On a port nobody is there; the next edge tells when somebody is.
        self.input.drain();
        self.at_end = !self.is_port();
    }

    fn take_in(&mut self, token: u64, bytes: &[u8]) -> Gone {
        match self.input.push(bytes) {
            Heard::Nothing => {
                // Taken at once, so that a socket is not read any further.
                self.frame = self.frame.take().or_else(|| self.input.next_frame());
                None
            }
            Heard::Begun(answer) => {
                let gone = self.forget_client(token);
                self.output.push(&answer);
                gone
            }
            Heard::Stray => {
                if self.output.is_empty() {
                    self.output.push(&closed_notice());
                }
                None
            }
            Heard::Flooded => {
                let gone = self.end_session(token);
                self.output.push(&closed_notice());
                gone
            }
        }
    }

    /// Of a port: the client is no more, and neither is what it had sent.
    fn end_session(&mut self, token: u64) -> Gone {
        self.input.end();
        self.forget_client(token)
    }

    /// The next client of a port starts with nothing in the way.
    fn forget_client(&mut self, token: u64) -> Gone {
        let gone = std::mem::take(&mut self.is_known).then(|| self.id(token));
        self.session = self.session.wrapping_add(1);
        self.frame = None;
        self.in_hand = None;
        self.output.clear();
        self.partial_since = None;
        self.stuck_since = None;
        gone
    }

    /// Both directions of a socket are over. Calls that were sent before are still done; one that
    /// is in hand has nobody to answer to.
    fn hang_up(&mut self) {
        self.is_deaf = true;
        self.output.clear();
        self.is_over |= self.in_hand.is_some();
    }

    /// The message to look at, when there is one and it is its turn.
    pub(super) fn has_frame(&self) -> bool {
        self.frame.is_some() && self.takes_calls() && !self.is_over
    }

    pub(super) fn take_frame(&mut self) -> Option<Frame> {
        if self.has_frame() { self.frame.take() } else { None }
    }

    /// The frame that was taken is a request that wants an answer.
    pub(super) fn hold(&mut self, number: u64, kind: Kind) {
        self.in_hand = Some(InHand { number, kind });
    }

    pub(super) fn become_known(&mut self) {
        self.is_known = true;
    }

    pub(super) fn is_streaming(&self) -> bool {
        self.in_hand.is_some_and(|call| call.kind == Kind::Stream)
    }

    /// Whether this call waits for its answer here.
    pub(super) fn holds(&self, call: CallId) -> bool {
        call.client.session == self.session && self.in_hand.is_some_and(|held| held.number == call.number)
    }

    /// Whether its client has nothing to hear any more and has said nothing more.
    pub(super) fn is_alone(&self) -> bool {
        self.frame.is_none() && self.output.is_empty() && self.input.is_empty() && !self.is_deaf
    }

    pub(super) fn hand_over(self) -> HandedOver {
        HandedOver { fd: self.fd, peer: self.entrant.peer, is_seen: self.input.host() == Host::Present }
    }

    /// Bytes that a stream can add now without being in the way of anybody.
    pub(super) fn room(&self) -> usize {
        self.limits.output.saturating_sub(self.output.len())
    }

    /// One more of many answers.
    pub(super) fn send(&mut self, message: &[u8], now: Duration) {
        if self.is_deaf {
            return;
        }
        // A caller that does not look at the room must not fill the memory.
        if self.is_streaming() && self.room() == 0 {
            self.is_over = true;
            return;
        }
        self.output.push(message);
        self.flush(now);
    }

    /// The answer, or the last of many.
    pub(super) fn finish(&mut self, message: &[u8], now: Duration) {
        self.in_hand = None;
        if !self.is_deaf {
            self.output.push(message);
        }
        self.flush(now);
    }

    fn flush(&mut self, now: Duration) {
        let fd = self.fd.as_fd();
        let is_port = self.input.is_port();
        let sent = self
            .output
            .send(|bytes| if is_port { socket::write(fd, bytes) } else { socket::send_now(fd, bytes) });
        match sent {
            Sent::All => self.stuck_since = None,
            Sent::Some => self.stuck_since = Some(now),
            Sent::Nothing => {
                self.stuck_since.get_or_insert(now);
            }
            Sent::Broken if is_port => self.output.clear(),
            Sent::Broken => self.hang_up(),
        }
        self.settle(now);
    }

    /// After every change: takes the next message out, starts and stops the clock of a message
    /// that is not complete, and ends what has nothing more to do.
    pub(super) fn settle(&mut self, now: Duration) {
        if self.frame.is_none() {
            self.frame = self.input.next_frame();
        }
        let is_partial = self.input.is_partial();
        if is_partial && self.frame.is_none() && self.takes_calls() {
            self.partial_since.get_or_insert(now);
        } else {
            self.partial_since = None;
        }
        let at_rest = self.frame.is_none() && self.in_hand.is_none() && self.output.is_empty();
        if !at_rest || is_partial {
            self.idle_since = now;
        }
        self.is_over |= self.at_end && at_rest;
    }

    /// Since when it has had nothing to do; `None` while it has.
    pub(super) fn idle_since(&self) -> Option<Duration> {
        let at_rest = self.frame.is_none()
            && self.in_hand.is_none()
            && self.output.is_empty()
            && self.partial_since.is_none();
        (at_rest && !self.is_port()).then_some(self.idle_since)
    }

    /// When patience with this client ends.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let since = match (self.partial_since, self.stuck_since) {
            (Some(partial), Some(stuck)) => Some(partial.min(stuck)),
            (since, None) | (None, since) => since,
        };
        since.map(|since| since.saturating_add(self.limits.patience))
    }

    /// Lets go of a client with which patience has ended. A port stays, for the next one.
    pub(super) fn expire(&mut self, token: u64, now: Duration) -> Gone {
        // A socket calls itself writable when three quarters of its buffer were read; one who reads
        // slowly may have taken less than that, and is no worse for it.
        self.flush(now);
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        if !self.is_port() {
            self.is_over = true;
            return None;
        }
        let was_stuck = self.stuck_since.is_some();
        let gone = self.end_session(token);
        if !was_stuck {
            self.output.push(&closed_notice());
            self.flush(now);
        }
        gone
    }

    /// What a socket waits for. A port is watched for edges, once and for all.
    pub(super) fn interest(&self) -> Interest {
        match (self.wants_to_read(), self.output.is_empty()) {
            (false, true) => Interest::empty(),
            (false, false) => Interest::EPOLLOUT,
            (true, true) => Interest::EPOLLIN,
            (true, false) => Interest::EPOLLIN | Interest::EPOLLOUT,
        }
    }
}

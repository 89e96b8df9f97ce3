//! All channels together: whose turn it is, what he may ask, who is let go.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::config::Admission;
use orlop::control::service::{Answer, Received, receive};
use orlop::control::{Access, Error, Frame, Reply, Request, encode_continued, encode_error, encode_reply};
use serde::Serialize;

use super::channel::{Channel, Kind};
use super::ports::Port;
use super::{CallId, ClientId, Event, HandedOver, Limits, Peer};
use crate::linux::epoll::{Epoll, Interest};

pub(super) const LISTENER: u64 = 0;

/// Per wake-up, so that whatever clients do, the loop soon sees its other descriptors again:
/// messages looked at. Channels are heard as many as one wake-up tells of.
const MESSAGES: usize = 64;

/// Bytes of answers that count as one more message: a list of hundreds is as much work as many small ones.
const AS_ONE: usize = 8 << 10;

/// Changes that are remembered until it is known what came of them: more than can be under way at once.
const CHANGES: usize = 256;

/// The control server. See the room's page for how it is driven.
#[derive(Debug)]
pub(crate) struct Server {
    pub(super) epoll: Epoll,
    pub(super) listener: OwnedFd,
    version: String,
    pub(super) admission: Admission,
    pub(super) limits: Limits,
    pub(super) channels: BTreeMap<u64, Channel>,
    pub(super) interests: BTreeMap<u64, Interest>,
    next_token: u64,
    next_number: u64,
    /// The channel that was served last: the one behind it is next.
    served: u64,
    /// Messages that may still be looked at before the next [`Server::work`].
    budget: usize,
    /// Who asked for each change that is not answered, also of those who want no answer or are gone.
    changes: BTreeMap<u64, Peer>,
    /// What is to be told, the oldest first.
    pub(super) news: VecDeque<Event>,
    /// No connection is let in before this.
    pub(super) accept_at: Option<Duration>,
    pub(super) now: Duration,
}

impl Server {
    /// `listener`: non-blocking, see [`socket::listen_private`]. `version`: the machine's. `admission`: who may
    /// ask, of those that the listener's mode lets connect.
    ///
    /// [`socket::listen_private`]: crate::linux::socket::listen_private
    pub(crate) fn new(
        listener: OwnedFd,
        version: String,
        admission: Admission,
        limits: Limits,
    ) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(listener.as_fd(), Interest::EPOLLIN, LISTENER)?;
        Ok(Self {
            epoll,
            listener,
            version,
            admission,
            limits,
            channels: BTreeMap::new(),
            interests: BTreeMap::new(),
            next_token: LISTENER.wrapping_add(1),
            next_number: 0,
            served: LISTENER,
            budget: MESSAGES,
            changes: BTreeMap::new(),
            news: VecDeque::new(),
            accept_at: None,
            now: Duration::ZERO,
        })
    }

    /// Who may ask from the next connection on; who is connected stays what he is.
    pub(crate) fn admit(&mut self, admission: &Admission) {
        self.admission.clone_from(admission);
    }

    /// Listens on a virtio port too.
    pub(crate) fn add_port(&mut self, port: Port) -> io::Result<()> {
        let token = self.token();
        // Told once for each change: a port hangs up for as long as nobody is there.
        let edges = Interest::EPOLLIN | Interest::EPOLLOUT | Interest::EPOLLET;
        self.epoll.add(port.fd.as_fd(), edges, token)?;
        self.channels.insert(token, Channel::port(port.fd, port.name, self.limits, self.now));
        Ok(())
    }

    /// Accepts, reads, writes and lets go, each for a bounded time. `now`: since boot.
    ///
    /// An error is one of the epoll instance itself, and lasting.
    pub(crate) fn work(&mut self, now: Duration) -> io::Result<()> {
        self.now = now;
        self.budget = MESSAGES;
        for (token, events) in self.epoll.wait(Some(Duration::ZERO))?.iter() {
            if token == LISTENER {
                self.accept_some();
            } else {
                self.hear(token, events);
            }
        }
        self.continue_ports();
        self.resume_accepting();
        self.let_go();
        Ok(())
    }

    /// What clients ask, one after the other in turn; call it until there is nothing.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        loop {
            if let Some(news) = self.news.pop_front() {
                return Some(news);
            }
            let token = self.next_in_turn()?;
            self.served = token;
            self.budget = self.budget.saturating_sub(1);
            let frame = self.channels.get_mut(&token)?.take_frame()?;
            let event = self.look_at(token, &frame);
            self.settle(token);
            if event.is_some() {
                return event;
            }
        }
    }

    /// When to call [`Server::work`] although nothing is readable.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        let backlog = self.channels.values().any(|channel| channel.has_frame() || channel.is_unfinished());
        if backlog || !self.news.is_empty() {
            return Some(self.now);
        }
        self.channels.values().filter_map(Channel::deadline).chain(self.accept_at).min()
    }

    /// The answer of a call, or the last of many. For a client that is gone, nothing happens.
    pub(crate) fn reply<T: Serialize>(&mut self, now: Duration, call: CallId, parameters: &T) {
        self.finish(now, call, &encode_reply(parameters));
    }

    /// The answer of a call that failed.
    pub(crate) fn fail(&mut self, now: Duration, call: CallId, error: &Error) {
        let peer = self.changes.remove(&call.number);
        self.news.extend(peer.map(|peer| Event::Failed(peer, error.clone())));
        self.finish(now, call, &encode_error(error));
    }

    /// The answer of a call as a message that is whole already. It is looked into only for a change, of which the
    /// answer is short: others may be large, and made of what containers wrote.
    pub(crate) fn reply_message(&mut self, now: Duration, call: CallId, message: &[u8]) {
        let text = message.strip_suffix(b"\0").unwrap_or(message);
        let is_change = self.changes.contains_key(&call.number);
        match is_change.then(|| Reply::parse(text).map(Reply::into_result)) {
            Some(Ok(Err(error))) => self.fail(now, call, &error),
            Some(Ok(Ok(_)) | Err(_)) | None => self.finish(now, call, message),
        }
    }

    /// One of many answers, others follow. Look at [`Server::room`] first: a client with no room
    /// left is closed.
    pub(crate) fn stream<T: Serialize>(&mut self, now: Duration, call: CallId, parameters: &T) {
        self.stream_message(now, call, &encode_continued(parameters));
    }

    /// As [`Server::stream`], of a message that is whole already.
    pub(crate) fn stream_message(&mut self, now: Duration, call: CallId, message: &[u8]) {
        self.now = now;
        if let Some(channel) = self.holder(call) {
            channel.send(message, now);
            self.settle(call.client.token);
        }
    }

    /// Gives the connection of a call away that waits for its answer; who gets it answers. `None`: its client is
    /// gone, or has said more than it should before the answer, and is let go.
    pub(crate) fn hand_over(&mut self, call: CallId) -> Option<HandedOver> {
        let token = call.client.token;
        let channel = self.channels.get(&token).filter(|channel| channel.holds(call))?;
        if !channel.is_alone() {
            self.close(token);
            return None;
        }
        self.changes.remove(&call.number);
        self.interests.remove(&token);
        let channel = self.channels.remove(&token)?;
        // It can only fail for a descriptor that is not watched.
        let _ = self.epoll.remove(channel.fd());
        Some(channel.hand_over())
    }

    pub(crate) fn drop_ports(&mut self) {
        self.channels.retain(|_, channel| !channel.is_port());
    }

    /// Whether this port is listened on.
    pub(crate) fn has_port(&self, name: &str) -> bool {
        self.channels.values().any(|channel| matches!(channel.peer(), Peer::Port(port) if port == name))
    }

    /// Bytes that can be added to this call's answers without being in the way; 0 until the client
    /// has read some. `None`: nobody waits for them any more.
    pub(crate) fn room(&self, call: CallId) -> Option<usize> {
        let channel = self.channels.get(&call.client.token)?;
        channel.holds(call).then(|| channel.room())
    }

    /// Who a client is, while it is there.
    #[cfg(test)]
    pub(crate) fn peer(&self, client: ClientId) -> Option<&Peer> {
        let channel = self.channels.get(&client.token)?;
        (channel.id(client.token) == client).then(|| channel.peer())
    }

    /// What somebody may, while he is there.
    pub(crate) fn access(&self, client: ClientId) -> Option<Access> {
        let channel = self.channels.get(&client.token)?;
        (channel.id(client.token) == client).then(|| channel.access())
    }

    fn finish(&mut self, now: Duration, call: CallId, message: &[u8]) {
        self.now = now;
        self.changes.remove(&call.number);
        self.budget = self.budget.saturating_sub(message.len() / AS_ONE);
        if let Some(channel) = self.holder(call) {
            channel.finish(message, now);
            self.settle(call.client.token);
        }
    }

    fn holder(&mut self, call: CallId) -> Option<&mut Channel> {
        self.channels.get_mut(&call.client.token).filter(|channel| channel.holds(call))
    }

    /// The channel behind the one served last that has a message.
    fn next_in_turn(&self) -> Option<u64> {
        if self.budget == 0 {
            return None;
        }
        let behind = self.channels.range(self.served.saturating_add(1)..);
        let mut in_turn = behind.chain(self.channels.range(..=self.served));
        in_turn.find(|(_, channel)| channel.has_frame()).map(|(token, _)| *token)
    }

    /// Whether there is a place for one more call with many answers.
    fn has_stream(&self, access: Access) -> Result<(), u64> {
        let streams = self.channels.values().filter(|channel| channel.is_streaming());
        let (all, read) = streams.fold((0, 0), |(all, read), channel| {
            (all + 1, read + usize::from(channel.access() == Access::Read))
        });
        if access == Access::Read && read >= self.limits.read_streams {
            return Err(self.limits.read_streams as u64);
        }
        if all < self.limits.streams { Ok(()) } else { Err(self.limits.streams as u64) }
    }

    fn look_at(&mut self, token: u64, frame: &Frame) -> Option<Event> {
        let now = self.now;
        let received = receive(frame, &self.version);
        let access = self.channels.get(&token)?.access();
        let has_stream = self.has_stream(access);
        let channel = self.channels.get_mut(&token)?;
        match received {
            Received::Nothing => None,
            Received::Answer(message) => {
                channel.finish(&message, now);
                None
            }
            Received::Request(request, answer) if request.access() > access => {
                if answer == Answer::Wanted {
                    channel.finish(&encode_error(&Error::PermissionDenied {}), now);
                }
                Some(Event::Denied(channel.peer().clone(), Some(request)))
            }
            Received::Request(request, Answer::Wanted)
                if request.is_stream()
                    && let Err(limit) = has_stream =>
            {
                let error = Error::Busy { what: String::from("streams"), limit };
                channel.finish(&encode_error(&error), now);
                None
            }
            // Many answers for somebody who wants none, or a connection that nothing is said on.
            Received::Request(request, Answer::Unwanted) if request.is_stream() || request.is_upgrade() => {
                None
            }
            Received::Request(request, answer) => {
                self.next_number = self.next_number.wrapping_add(1);
                let call = CallId { client: channel.id(token), number: self.next_number };
                if answer == Answer::Wanted {
                    channel.hold(call.number, kind(&request));
                }
                channel.become_known();
                let peer = channel.peer().clone();
                if request.access() == Access::Change {
                    self.changes.insert(call.number, peer.clone());
                    while self.changes.len() > CHANGES {
                        self.changes.pop_first();
                    }
                }
                Some(Event::Call(call, request, peer))
            }
        }
    }

    fn hear(&mut self, token: u64, events: Interest) {
        // One that was closed in this very wake-up is not there any more.
        if let Some(channel) = self.channels.get_mut(&token) {
            let gone = channel.ready(token, events, self.now);
            self.news.extend(gone.map(Event::Gone));
            self.settle(token);
        }
    }

    /// Ports tell of their edges once: what was left unread is read now.
    fn continue_ports(&mut self) {
        let unfinished = self.channels.iter().filter(|(_, channel)| channel.is_unfinished());
        let tokens: Vec<u64> = unfinished.map(|(token, _)| *token).collect();
        for token in tokens {
            if let Some(channel) = self.channels.get_mut(&token) {
                let gone = channel.read(token, self.now);
                self.news.extend(gone.map(Event::Gone));
                self.settle(token);
            }
        }
    }

    /// Those with whom patience has ended.
    fn let_go(&mut self) {
        let late = |channel: &Channel| channel.deadline().is_some_and(|deadline| self.now >= deadline);
        let late = self.channels.iter().filter(|(_, channel)| late(channel));
        let late: Vec<u64> = late.map(|(token, _)| *token).collect();
        for token in late {
            let now = self.now;
            let gone = self.channels.get_mut(&token).and_then(|channel| channel.expire(token, now));
            self.news.extend(gone.map(Event::Gone));
            self.settle(token);
        }
    }

    /// After every change of a channel: closes it, or waits for what it now waits for.
    pub(super) fn settle(&mut self, token: u64) {
        let Some(channel) = self.channels.get_mut(&token) else {
            return;
        };
        channel.settle(self.now);
        if channel.is_over() {
            self.close(token);
            return;
        }
        if channel.is_port() {
            return;
        }
        let interest = channel.interest();
        if self.interests.get(&token) != Some(&interest) {
            if self.epoll.change(channel.fd(), interest, token).is_err() {
                self.close(token);
                return;
            }
            self.interests.insert(token, interest);
        }
    }

    pub(super) fn close(&mut self, token: u64) {
        self.interests.remove(&token);
        if let Some(channel) = self.channels.remove(&token) {
            // It can only fail for a descriptor that is not watched.
            let _ = self.epoll.remove(channel.fd());
            self.news.extend(channel.is_known().then(|| Event::Gone(channel.id(token))));
        }
    }

    pub(super) fn token(&mut self) -> u64 {
        let token = self.next_token;
        self.next_token = token.wrapping_add(1);
        token
    }
}

/// Readable while there is something to do.
impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

fn kind(request: &Request) -> Kind {
    if request.is_stream() { Kind::Stream } else { Kind::One }
}

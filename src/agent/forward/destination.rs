//! One collector: what is sent to it, in turns of all rings, and what it has acknowledged.
//!
//! A place is kept once what came before it has arrived, as far as that can be known: of a stream what the other
//! side's kernel has acknowledged, of datagrams those after which another could be sent, or which nobody refused for a
//! while. When a link is cut, what was on its way is sent again: some of it may arrive twice.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use orlop::config::{Forward, Transport};
use orlop::control::rfc3339;
use orlop::log::{Follow, Log, Outgoing, Sender, UNFINISHED, framed, message, next_sequence};

use super::forwarder::Rings;
use super::link::Link;
use super::places::{self, Places};
use crate::agent::log::RingFile;
use crate::linux::epoll::{Epoll, Interest};
use crate::linux::{Errno, Result, internet};

/// Messages in one turn: other collectors wait no longer than that.
const MESSAGES_PER_TURN: usize = 64;
/// Bytes read of a ring at once.
const READ: usize = 4 << 10;
/// Text of one message: what every collector should take in a datagram (RFC 5424 §6.1: 2048 with its head), and of a
/// stream what most take.
const DATAGRAM_TEXT: usize = 1800;
const STREAM_TEXT: usize = 8000;
/// Between two looks at what was acknowledged. Nobody tells; while nothing is on its way there are none.
const LOOK: Duration = Duration::from_secs(1);

pub(super) struct Destination {
    number: u64,
    link: Link,
    senders: BTreeMap<u64, Sending>,
    /// The ring that was sent from last: the one behind it is next.
    last: u64,
    /// What the socket had no room for.
    unsent: Vec<u8>,
    /// Bytes that this link's socket took.
    written: u64,
    /// So many bytes written, then this place of a ring has arrived.
    on_its_way: VecDeque<(u64, u64, orlop::log::Place)>,
    look_at: Option<Duration>,
    sequence: u32,
}

struct Sending {
    sender: Sender,
    at_end: bool,
}

impl Destination {
    pub(super) fn new(to: Forward, token: u64) -> Self {
        Self {
            number: places::number(&to),
            link: Link::new(to, token),
            senders: BTreeMap::new(),
            last: 0,
            unsent: Vec::new(),
            written: 0,
            on_its_way: VecDeque::new(),
            look_at: None,
            sequence: 0,
        }
    }

    pub(super) fn is(&self, to: &Forward) -> bool {
        self.link.to == *to
    }

    /// A ring, or another in its place.
    pub(super) fn add(&mut self, id: u64, ring: &RingFile, places: &Places) {
        let sender = self.sender(id, ring, places);
        self.senders.insert(id, sender);
    }

    fn sender(&self, id: u64, ring: &RingFile, places: &Places) -> Sending {
        let most = match self.link.to.transport {
            Transport::Udp => DATAGRAM_TEXT,
            Transport::Tcp => STREAM_TEXT,
        };
        let sender = Sender::new(ring.layout(), places.get((id, self.number)), most);
        Sending { sender, at_end: false }
    }

    /// There is more in this ring.
    pub(super) fn wake(&mut self, id: u64) {
        if let Some(sending) = self.senders.get_mut(&id) {
            sending.at_end = false;
        }
    }

    /// Whether it could go on at once.
    pub(super) fn has_work(&self) -> bool {
        self.link.socket().is_some()
            && self.unsent.is_empty()
            && self.senders.values().any(|sending| !sending.at_end)
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        let unfinished = self.senders.values().filter_map(|it| it.sender.unfinished()).min();
        let unfinished = unfinished.map(|since| Duration::from_micros(since).saturating_add(UNFINISHED));
        let unfinished = unfinished.filter(|_| self.link.socket().is_some());
        [self.link.deadline(), unfinished, self.look_at].into_iter().flatten().min()
    }

    pub(super) fn woken(&mut self, events: Interest, rings: &Rings, places: &mut Places, now: Duration) {
        if self.link.woken(events).is_err() {
            self.cut(rings, places, now);
        }
    }

    /// Connects, sends, and looks what has arrived. What is to be waited for is added to `follows`.
    pub(super) fn work(
        &mut self,
        (rings, places): (&Rings, &mut Places),
        epoll: &Epoll,
        now: Duration,
        follows: &mut Vec<Follow>,
    ) {
        self.link.tend(epoll, now);
        if self.link.socket().is_none() {
            return;
        }
        let since = now.saturating_sub(UNFINISHED).as_micros();
        for sending in self.senders.values_mut() {
            let due = sending.sender.unfinished().is_some_and(|begun| u128::from(begun) <= since);
            if due {
                sending.sender.end_lines(u64::try_from(since).unwrap_or(u64::MAX));
                sending.at_end = false;
            }
        }
        if self.send(rings, follows).is_err() {
            return self.cut(rings, places, now);
        }
        self.look(places, now);
    }

    fn send(&mut self, rings: &Rings, follows: &mut Vec<Follow>) -> Result<()> {
        for _ in 0..MESSAGES_PER_TURN {
            if !self.flush()? {
                return Ok(());
            }
            let Some((id, outgoing)) = self.next(rings, follows) else { return Ok(()) };
            let Some((name, _)) = rings.all.get(&id) else { continue };
            let wall = outgoing.stamp.wall_ns;
            let nanos = u32::try_from(wall.rem_euclid(1_000_000_000)).unwrap_or(0);
            let time = rfc3339(wall.div_euclid(1_000_000_000), nanos);
            self.sequence = next_sequence(self.sequence);
            let message = message(Log { host: &rings.host, name }, &outgoing, &time, self.sequence);
            self.unsent = match self.link.to.transport {
                Transport::Udp => message,
                Transport::Tcp => framed(&message),
            };
            let end = self.written.saturating_add(self.unsent.len() as u64);
            self.on_its_way.push_back((end, id, outgoing.place));
        }
        self.flush().map(drop)
    }

    /// From the ring behind the one before, so that each has its turn.
    fn next(&mut self, rings: &Rings, follows: &mut Vec<Follow>) -> Option<(u64, Outgoing)> {
        let behind = self.senders.range(self.last.saturating_add(1)..).map(|(id, _)| *id);
        let order: Vec<u64> = behind.chain(self.senders.range(..=self.last).map(|(id, _)| *id)).collect();
        let mut buffer = [0; READ];
        for id in order {
            let Some(sending) = self.senders.get_mut(&id).filter(|sending| !sending.at_end) else { continue };
            let Some((_, ring)) = rings.all.get(&id) else { continue };
            // One that makes no sense begins anew when it is written to.
            if let Ok(Some(outgoing)) = sending.sender.next(ring, &mut buffer) {
                self.last = id;
                return Some((id, outgoing));
            }
            sending.at_end = true;
            follows.push(Follow { id, after: sending.sender.seen() });
        }
        None
    }

    /// Sends what waits. `false`: there is no room for all of it.
    fn flush(&mut self) -> Result<bool> {
        while !self.unsent.is_empty() {
            let Some(socket) = self.link.socket() else { return Ok(false) };
            match internet::send_some(socket, &self.unsent) {
                Ok(count) => {
                    self.written = self.written.saturating_add(count as u64);
                    self.unsent.drain(..count.min(self.unsent.len()));
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(false),
                Err(errno) => return Err(errno),
            }
        }
        Ok(true)
    }

    /// Keeps the places of what has arrived.
    fn look(&mut self, places: &mut Places, now: Duration) {
        let is_due = self.look_at.is_some_and(|at| at <= now);
        let arrived = match (self.link.socket(), self.link.to.transport) {
            (None, _) => 0,
            (Some(socket), Transport::Tcp) => {
                let waits = internet::unacknowledged(socket).unwrap_or(self.written);
                self.written.saturating_sub(waits)
            }
            (Some(_), Transport::Udp) if is_due => self.written,
            // The last one may still be refused.
            (Some(_), Transport::Udp) => {
                let before = self.on_its_way.iter().rev().nth(1);
                before.map_or(0, |(end, ..)| *end)
            }
        };
        let mut newest = BTreeMap::new();
        while let Some((_, id, place)) = self.on_its_way.front().filter(|(end, ..)| *end <= arrived) {
            newest.insert(*id, *place);
            self.on_its_way.pop_front();
        }
        if !newest.is_empty() {
            self.link.works();
        }
        for (id, place) in newest {
            // Without room for it, more is sent again after the next death: nothing is lost.
            let _ = places.set((id, self.number), place);
        }
        self.look_at = match (self.on_its_way.is_empty(), self.look_at.filter(|at| *at > now)) {
            (true, _) => None,
            (false, Some(at)) => Some(at),
            (false, None) => Some(now.saturating_add(LOOK)),
        };
    }

    /// The link is of no use any more: what did not arrive by it is sent by the next.
    fn cut(&mut self, rings: &Rings, places: &mut Places, now: Duration) {
        if self.link.to.transport == Transport::Tcp {
            self.look(places, now);
        }
        self.link.give_up(now);
        self.unsent.clear();
        self.on_its_way.clear();
        self.written = 0;
        self.look_at = None;
        let all: Vec<u64> = self.senders.keys().copied().collect();
        for id in all {
            if let Some((_, ring)) = rings.all.get(&id) {
                self.add(id, ring, places);
            }
        }
    }
}

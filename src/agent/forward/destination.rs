//! One collector: what is sent to it, in turns of all rings, and what it has acknowledged.
//!
//! A place is kept once what came before it has arrived, as far as that can be known (`on_its_way`). When a link is cut,
//! what was on its way is sent again: some of it may arrive twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orlop::config::Collector;
use orlop::control::rfc3339;
use orlop::log::{Log, MESSAGE_MAX, Outgoing, ReadError, Sender, UNFINISHED, framed, message, next_sequence};

use super::forwarder::Rings;
use super::link::{Link, Why};
use super::on_its_way::{OnItsWay, Transport};
use super::places::{self, Places};
use super::pump::Speaker;
use super::talk::Talk;
use crate::agent::log::RingFile;
use crate::linux::epoll::{Epoll, Interest};
use crate::linux::{Errno, Result, internet};

/// Messages in one turn: other collectors wait no longer than that.
const MESSAGES_PER_TURN: usize = 64;
/// Text of one message: what every collector should take in a datagram (RFC 5424 §6.1: 2048 with its head), and of a
/// stream what most take.
const DATAGRAM_TEXT: usize = 1800;
const STREAM_TEXT: usize = 8000;
/// Between two looks at what was acknowledged. Nobody tells; while nothing is on its way there are none.
const LOOK: Duration = Duration::from_secs(1);
/// Before a ring that made no sense is looked at again.
const RETRY: Duration = Duration::from_secs(10);

pub(super) struct Destination {
    number: u64,
    transport: Transport,
    link: Link,
    senders: BTreeMap<u64, Sender>,
    /// Rings that were not read to their end.
    awake: BTreeSet<u64>,
    /// Rings that could not be read, and when to try again.
    troubled: BTreeSet<u64>,
    retry_at: Option<Duration>,
    /// The ring that was sent from last: the one behind it is next.
    last: u64,
    /// What the socket had no room for.
    unsent: Vec<u8>,
    /// Bytes that this link's socket took.
    written: u64,
    on_its_way: OnItsWay,
    look_at: Option<Duration>,
    sequence: u32,
    /// Where rings are read to: a message whole.
    buffer: Vec<u8>,
}

impl Destination {
    /// `speaker`: of TLS, from who is not asked for it.
    pub(super) fn new(to: Collector, speaker: Option<Speaker>, token: u64) -> Self {
        let transport = match &to {
            Collector::Udp(_) => Transport::Datagrams,
            Collector::Tcp(_) | Collector::Tls(_) => Transport::Stream,
        };
        Self {
            number: places::number(&to),
            transport,
            link: Link::new(to, speaker, token),
            senders: BTreeMap::new(),
            awake: BTreeSet::new(),
            troubled: BTreeSet::new(),
            retry_at: None,
            last: 0,
            unsent: Vec::new(),
            written: 0,
            on_its_way: OnItsWay::new(transport),
            look_at: None,
            sequence: 0,
            buffer: vec![0; MESSAGE_MAX],
        }
    }

    pub(super) fn is(&self, to: &Collector) -> bool {
        self.number == places::number(to)
    }

    /// By another supervisor, who does not know what we wait for.
    pub(super) fn told_again(&mut self, speaker: Option<Speaker>) {
        self.link.told_again(speaker);
    }

    /// What was asked for, or why it is not there.
    pub(super) fn files(&mut self, files: core::result::Result<Speaker, Why>, now: Duration) {
        self.link.files(files, now);
    }

    /// A ring, or another in its place.
    pub(super) fn add(&mut self, id: u64, ring: &RingFile, places: &Places) {
        let most = match self.transport {
            Transport::Datagrams => DATAGRAM_TEXT,
            Transport::Stream => STREAM_TEXT,
        };
        let place = places.get((id, self.number), ring.identity()).unwrap_or_default();
        self.senders.insert(id, Sender::new(ring.layout(), place, most));
        self.wake(id);
    }

    /// There is more in this ring.
    pub(super) fn wake(&mut self, id: u64) {
        self.awake.insert(id);
    }

    /// Whether it could go on at once.
    pub(super) fn has_work(&self) -> bool {
        self.link.socket().is_some() && self.unsent.is_empty() && !self.awake.is_empty()
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        let at_end = self.senders.iter().filter(|(id, _)| !self.awake.contains(id));
        let unfinished = at_end.filter_map(|(_, sender)| sender.unfinished()).min();
        let unfinished = unfinished.map(|since| Duration::from_micros(since).saturating_add(UNFINISHED));
        let of_link = [unfinished, self.retry_at].into_iter().flatten().min();
        let of_link = of_link.filter(|_| self.link.socket().is_some());
        [self.link.deadline(), of_link, self.look_at].into_iter().flatten().min()
    }

    pub(super) fn woken(&mut self, events: Interest, rings: &Rings, places: &mut Places, now: Duration) {
        if let Err(why) = self.link.woken(events, now) {
            self.cut(why, rings, places, now);
        }
    }

    /// Connects, sends, and looks what has arrived.
    pub(super) fn work(
        &mut self,
        (rings, places): (&Rings, &mut Places),
        epoll: &Epoll,
        now: Duration,
        talk: &mut Talk,
    ) {
        self.link.tend(epoll, now);
        if self.link.asks_for_files() {
            talk.files(self.number, self.link.to.clone());
        }
        if self.link.socket().is_some() {
            self.end_lines(now);
            self.retry(now);
            let sent = self.send(rings, now, talk).and_then(|()| self.look(places, now));
            if let Err(errno) = sent {
                self.cut(Why::Errno(errno), rings, places, now);
            }
        }
        if let Some(news) = self.link.news() {
            talk.link(self.number, self.link.to.clone(), news);
        }
    }

    /// Lines that were begun long ago, where all that there is was read.
    fn end_lines(&mut self, now: Duration) {
        let since = now.saturating_sub(UNFINISHED).as_micros();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        for (id, sender) in &mut self.senders {
            let is_due = sender.unfinished().is_some_and(|begun| begun <= since);
            if is_due && !self.awake.contains(id) {
                sender.end_lines(since);
                self.awake.insert(*id);
            }
        }
    }

    fn retry(&mut self, now: Duration) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.awake.append(&mut self.troubled);
            self.retry_at = None;
        }
    }

    fn send(&mut self, rings: &Rings, now: Duration, talk: &mut Talk) -> Result<()> {
        for _ in 0..MESSAGES_PER_TURN {
            if !self.flush()? {
                return Ok(());
            }
            let Some((id, outgoing)) = self.next(rings, now, talk) else { return Ok(()) };
            let Some((name, ring)) = rings.all.get(&id) else { continue };
            let wall = outgoing.stamp.wall_ns;
            let nanos = u32::try_from(wall.rem_euclid(1_000_000_000)).unwrap_or(0);
            let time = rfc3339(wall.div_euclid(1_000_000_000), nanos);
            self.sequence = next_sequence(self.sequence);
            let message = message(Log { host: &rings.host, name, id }, &outgoing, &time, self.sequence);
            self.unsent = match self.transport {
                Transport::Datagrams => message,
                Transport::Stream => framed(&message),
            };
            let end = self.written.saturating_add(self.unsent.len() as u64);
            self.on_its_way.add(id, (ring.identity(), outgoing.place), (self.written, end), now);
        }
        self.flush().map(drop)
    }

    /// From the ring behind the one before, so that each has its turn.
    fn next(&mut self, rings: &Rings, now: Duration, talk: &mut Talk) -> Option<(u64, Outgoing)> {
        loop {
            let mut behind = self.awake.range(self.last.saturating_add(1)..);
            let id = *behind.next().or_else(|| self.awake.first())?;
            let (sender, ring) = (self.senders.get_mut(&id), rings.all.get(&id));
            match sender
                .zip(ring)
                .map(|(sender, (_, ring))| (sender.next(ring, &mut self.buffer), sender.seen()))
            {
                Some((Ok(Some(outgoing)), _)) => {
                    self.last = id;
                    return Some((id, outgoing));
                }
                Some((Ok(None), after)) => talk.follow(id, after),
                Some((Err(error), _)) => {
                    talk.trouble(id, errno_of(&error) as i32);
                    self.troubled.insert(id);
                    self.retry_at.get_or_insert(now.saturating_add(RETRY));
                }
                None => {}
            }
            self.awake.remove(&id);
        }
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
    ///
    /// # Errors
    /// The link's, when there has been a refusal.
    fn look(&mut self, places: &mut Places, now: Duration) -> Result<()> {
        let Some(socket) = self.link.socket() else { return Ok(()) };
        let arrived = match self.transport {
            Transport::Stream => {
                let arrived = self.link.arrived(self.written);
                self.on_its_way.acknowledged(arrived)
            }
            Transport::Datagrams if self.on_its_way.due().is_some_and(|due| due <= now) => {
                // One may have come while we did not run.
                internet::take_error(socket)?;
                self.on_its_way.unrefused(now)
            }
            Transport::Datagrams => BTreeMap::new(),
        };
        if !arrived.is_empty() {
            self.link.works();
        }
        for (id, (ring, place)) in arrived {
            // Without room for it, more is sent again after the next death: nothing is lost.
            let _ = places.set((id, self.number), ring, place);
        }
        let due = self.on_its_way.due();
        self.look_at = match self.transport {
            Transport::Datagrams => due,
            // Of TLS we are told.
            Transport::Stream if self.link.tells() => None,
            Transport::Stream => due.map(|_| {
                let begun = self.look_at.filter(|at| *at > now);
                begun.unwrap_or_else(|| now.saturating_add(LOOK))
            }),
        };
        Ok(())
    }

    /// The link is of no use any more: what did not arrive by it is sent by the next.
    fn cut(&mut self, why: Why, rings: &Rings, places: &mut Places, now: Duration) {
        let why = self.link.last_words(why, now);
        if self.transport == Transport::Stream {
            // Of a stream this cannot fail.
            let _ = self.look(places, now);
        }
        self.link.give_up(why, now);
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

fn errno_of(error: &ReadError<Errno>) -> Errno {
    match error {
        ReadError::Source(errno) => *errno,
        ReadError::Damaged => Errno::EILSEQ,
    }
}

//! `Logs`: reads rings for clients, as fast as each of them takes it, and follows when asked.

use std::collections::BTreeSet;
use std::time::Duration;

use orlop::control::{
    DropReason, Dropped, Entry, Logs, LogsReply, Moment, Stream as StreamWord, When, WhichBoot, rfc3339,
};
use orlop::log::{Bound, Cursor, Gone, Item, Range, Reader, Stamp, Step, Stream, Tail};

use super::Agent;
use super::control::CallId;
use super::logs::OTHERS;
use crate::linux::time;

/// An answer carries at most one read of this size; base64 and JSON make it twice as large.
const READ: usize = 32 << 10;
/// Room in a client's buffer for one answer.
const ROOM: usize = 3 * READ;
/// Answers for one client in one turn, so that it does not keep the loop.
const ANSWERS_PER_TURN: usize = 16;
/// Pieces looked at in one turn to find where the last lines of one client's containers begin, or what it
/// asked for at all. A container with nothing but short lines takes a few hundred turns, between which
/// everybody else is served.
const STEPS_PER_TURN: usize = 64;

/// A ring that its writer left half written is whole again once the next writer has come.
const AGAIN: Duration = Duration::from_millis(20);

/// A client that reads logs.
pub struct LogStream {
    pub call: CallId,
    follow: bool,
    range: Range,
    sources: Vec<Source>,
}

struct Source {
    name: String,
    ring: u64,
    place: Place,
    /// Nothing more for now.
    at_end: bool,
    /// Being written: looked at again then.
    again: Option<Duration>,
    /// The next entry, read ahead to put several containers in order of time.
    next: Option<Entry>,
}

enum Place {
    /// Looks for where the last lines begin.
    Finding(Tail),
    Reading(Reader),
    /// There is no ring any more.
    Gone,
}

impl Agent {
    pub fn open_stream(&mut self, call: CallId, asked: Logs, now: Duration) {
        if let Some(boot) = asked.boot.as_deref().and_then(WhichBoot::parse)
            && boot != WhichBoot::Before(0)
        {
            return self.read_past(call, asked, boot, now);
        }
        let waits = |call| self.server.room(call).is_some();
        let Some(asked) = self.lasting.hold(call, asked, waits) else { return };
        let range = range(&asked, now);
        let Logs { mut names, lines, follow, all, .. } = asked;
        if names.is_empty() {
            names.extend(self.config.containers.keys().cloned());
        }
        if all {
            names.extend(OTHERS.map(|(name, ..)| name.to_owned()));
        }
        let mut sources = Vec::new();
        // One that is named again has nothing more to say.
        for name in names.into_iter().collect::<BTreeSet<_>>() {
            let other = OTHERS.iter().find(|(other, ..)| *other == name);
            if other.is_none() && self.core.state(&name).is_none() {
                return self.unknown(call, name, now);
            }
            let slot = self.slots.get(&name).copied().map(u64::from);
            // One that is invalid has written nothing.
            let Some(id) = other.map(|(_, ring, _)| *ring).or(slot) else { continue };
            let Some(ring) = self.logs.ring(id) else { continue };
            let place = match lines {
                Some(lines) => Place::Finding(Tail::new(ring.layout(), lines, range)),
                None => Place::Reading(Reader::new(ring.layout(), Cursor::default())),
            };
            sources.push(Source { name, ring: id, place, at_end: false, again: None, next: None });
        }
        self.streams.push(LogStream { call, follow, range, sources });
        self.serve_streams(now);
    }

    /// Rings have more: those who follow read on.
    pub fn wake_streams(&mut self, woken: &[u64]) {
        for stream in &mut self.streams {
            for source in &mut stream.sources {
                if woken.contains(&source.ring) {
                    source.at_end = false;
                }
            }
        }
    }

    /// Whether some stream could go on at once, or waits only for its client.
    pub fn streams_have_work(&self) -> bool {
        self.past.has_work(&self.server)
            || self.streams.iter().any(|stream| {
                let unread = stream.sources.iter().any(|source| !source.at_end || source.next.is_some());
                unread && self.server.room(stream.call).is_none_or(|room| room >= ROOM)
            })
    }

    /// When a ring that was being written is looked at again.
    pub fn streams_deadline(&self) -> Option<Duration> {
        self.streams.iter().flat_map(|stream| &stream.sources).filter_map(|source| source.again).min()
    }

    pub fn serve_streams(&mut self, now: Duration) {
        self.serve_past(now);
        let mut streams = core::mem::take(&mut self.streams);
        streams.retain_mut(|stream| self.serve_stream(stream, now));
        self.streams.append(&mut streams);
    }

    /// `false`: this stream is over.
    fn serve_stream(&mut self, stream: &mut LogStream, now: Duration) -> bool {
        let mut steps = STEPS_PER_TURN;
        for source in &mut stream.sources {
            if source.again.is_some_and(|at| at <= now) {
                source.again = None;
                source.at_end = false;
            }
            self.find_last_lines(source, &mut steps, now);
        }
        // What is oldest is known when all of them have been found.
        let is_looking = |source: &Source| matches!(source.place, Place::Finding(_));
        if stream.sources.iter().any(is_looking) {
            return self.server.room(stream.call).is_some();
        }
        for _ in 0..ANSWERS_PER_TURN {
            match self.server.room(stream.call) {
                None => return false,
                Some(room) if room < ROOM => return true,
                Some(_) => {}
            }
            for source in &mut stream.sources {
                self.read_ahead(source, stream.range, &mut steps, now);
                if source.next.is_none() && !source.at_end {
                    // It may be the earliest yet.
                    return true;
                }
            }
            let earliest = stream
                .sources
                .iter_mut()
                .filter(|source| source.next.is_some())
                .min_by_key(|source| source.next.as_ref().map(|entry| entry.boot_us));
            match earliest.and_then(|source| source.next.take()) {
                Some(entry) => self.server.stream(now, stream.call, &LogsReply { entries: vec![entry] }),
                None if stream.follow => return true,
                None => {
                    self.server.reply(now, stream.call, &LogsReply { entries: Vec::new() });
                    return false;
                }
            }
        }
        true
    }

    /// Goes on looking for where the last lines begin.
    fn find_last_lines(&self, source: &mut Source, steps: &mut usize, now: Duration) {
        let Place::Finding(tail) = &mut source.place else { return };
        let Some(ring) = self.logs.ring(source.ring) else {
            source.place = Place::Gone;
            source.at_end = true;
            return;
        };
        let mut buffer = [0u8; READ];
        while let (false, Some(left)) = (source.at_end, steps.checked_sub(1)) {
            *steps = left;
            let cursor = match tail.step(ring, &mut buffer) {
                Ok(Step::Further) => continue,
                Ok(Step::Busy) => {
                    source.at_end = true;
                    source.again = Some(now.saturating_add(AGAIN));
                    return;
                }
                Ok(Step::Found(cursor)) => cursor,
                // The reader says what is wrong with it.
                Err(_) => Cursor::default(),
            };
            source.place = Place::Reading(Reader::new(ring.layout(), cursor));
            return;
        }
    }

    /// Until something is found that is wanted, the end is, or the steps are spent.
    fn read_ahead(&mut self, source: &mut Source, range: Range, steps: &mut usize, now: Duration) {
        let mut buffer = [0u8; READ];
        while source.next.is_none() && !source.at_end {
            let (Some(ring), Place::Reading(reader)) = (self.logs.ring(source.ring), &mut source.place)
            else {
                source.at_end = true;
                return;
            };
            match reader.next(ring, &mut buffer) {
                Ok(Some(item)) if range.holds(stamp(&item)) => source.next = Some(entry(&source.name, &item)),
                Ok(Some(_)) => match steps.checked_sub(1) {
                    Some(left) => *steps = left,
                    None => return,
                },
                Ok(None) => {
                    source.at_end = true;
                    let seen = reader.seen();
                    self.logs.follow(source.ring, seen);
                }
                Err(_) => {
                    source.at_end = true;
                    super::say(
                        crate::linux::kmsg::Level::Error,
                        &format!("log of {}: it cannot be read (at {} s)", source.name, now.as_secs()),
                    );
                }
            }
        }
    }
}

/// What was asked for, by the clocks as they stand.
fn range(asked: &Logs, now: Duration) -> Range {
    let boot_us = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
    let wall_ns = i64::try_from(time::wall().as_nanos()).unwrap_or(i64::MAX);
    let bound = |text: &Option<String>| {
        let when = When::parse(text.as_deref()?)?;
        Some(match when.moment(boot_us, wall_ns) {
            Moment::Boot(us) => Bound::Boot(us),
            Moment::Wall(ns) => Bound::Wall(ns),
        })
    };
    Range { since: bound(&asked.since), until: bound(&asked.until) }
}

pub fn stamp(item: &Item<'_>) -> Stamp {
    match item {
        Item::Output { stamp, .. } | Item::Gap { stamp, .. } => *stamp,
    }
}

pub fn time_of(stamp: Stamp) -> String {
    let seconds = stamp.wall_ns.div_euclid(1_000_000_000);
    rfc3339(seconds, stamp.wall_ns.rem_euclid(1_000_000_000) as u32)
}

fn word(stream: Stream) -> StreamWord {
    match stream {
        Stream::Stdout => StreamWord::Stdout,
        Stream::Stderr => StreamWord::Stderr,
        Stream::Syslog => StreamWord::Syslog,
    }
}

pub fn entry(name: &str, item: &Item<'_>) -> Entry {
    match item {
        Item::Output { stamp, stream, bytes } => {
            Entry::output(name, word(*stream), stamp.boot_us, time_of(*stamp), bytes)
        }
        Item::Gap { stamp, gone } => {
            let dropped = match *gone {
                Gone::Overwritten { bytes, reads } => {
                    Dropped { reason: DropReason::Overwritten, bytes, reads }
                }
                Gone::Refused { bytes, reads } => Dropped { reason: DropReason::Refused, bytes, reads },
            };
            Entry::gap(name, stamp.boot_us, time_of(*stamp), dropped)
        }
    }
}

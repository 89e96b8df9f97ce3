//! `Events`: tells clients what happened, as fast as each of them takes it, and what happens when asked to follow.

use std::collections::BTreeSet;
use std::time::Duration;

use orlop::control::{Events, EventsReply, Moment, When};
use orlop::log::{Bound, Range, Stamp};

use super::Agent;
use super::control::CallId;
use super::history::Cursor;
use crate::linux::time;

/// Events in one answer, and room in a client's buffer for it: the longest takes less than 2 KiB as JSON.
const EVENTS: usize = 32;
const ROOM: usize = 64 << 10;
/// Looked at for one client in one turn, so that it does not keep the loop.
const LOOKS: usize = 128;

/// A client that hears what happens.
pub struct EventStream {
    pub call: CallId,
    /// None: of all.
    names: BTreeSet<String>,
    follow: bool,
    since: Range,
    cursor: Cursor,
    dropped: u64,
}

impl Agent {
    pub fn open_events(&mut self, call: CallId, asked: Events, now: Duration) {
        let Events { names, since, follow } = asked;
        let names: BTreeSet<String> = names.into_iter().collect();
        if let Some(name) = names.iter().find(|name| self.core.state(name).is_none()) {
            return self.unknown(call, name.clone(), now);
        }
        let since = since.as_deref().and_then(When::parse).map(|when| {
            let wall_ns = i64::try_from(time::wall().as_nanos()).unwrap_or(i64::MAX);
            match when.moment(now.as_micros() as u64, wall_ns) {
                Moment::Boot(us) => Bound::Boot(us),
                Moment::Wall(ns) => Bound::Wall(ns),
            }
        });
        let since = Range { since, until: None };
        self.told.push(EventStream { call, names, follow, since, cursor: Cursor::default(), dropped: 0 });
    }

    /// Whether some client could be told more at once, or is gone.
    pub fn told_have_work(&self) -> bool {
        self.told.iter().any(|stream| {
            let has_more = !self.history.is_at_end(&stream.cursor);
            self.server.room(stream.call).is_none_or(|room| has_more && room >= ROOM)
        })
    }

    /// Last in a turn: what happened in it is told in it.
    pub fn tell_events(&mut self, now: Duration) {
        let mut told = core::mem::take(&mut self.told);
        told.retain_mut(|stream| self.tell_one(stream, now));
        self.told.append(&mut told);
    }

    /// `false`: this stream is over.
    fn tell_one(&mut self, stream: &mut EventStream, now: Duration) -> bool {
        let mut looks = LOOKS;
        while looks > 0 {
            match self.server.room(stream.call) {
                None => return false,
                Some(room) if room < ROOM => return true,
                Some(_) => {}
            }
            let mut events = Vec::new();
            while events.len() < EVENTS && looks > 0 && !self.history.is_at_end(&stream.cursor) {
                looks = looks.saturating_sub(1);
                let next = self.history.next(&mut stream.cursor);
                stream.dropped = stream.dropped.saturating_add(next.dropped);
                if next.event.as_ref().is_some_and(|(stamp, _)| stream.since.is_before(*stamp)) {
                    // What is gone was earlier still: nobody asked for it.
                    stream.dropped = 0;
                }
                let event = next.event.filter(|(stamp, event)| stream.wants(*stamp, event.name.as_deref()));
                events.extend(event.map(|(_, event)| event));
            }
            let is_over = !stream.follow && self.history.is_at_end(&stream.cursor);
            if events.is_empty() && !is_over {
                return true;
            }
            let reply = EventsReply { events, dropped: core::mem::take(&mut stream.dropped) };
            if is_over {
                self.server.reply(now, stream.call, &reply);
                return false;
            }
            self.server.stream(now, stream.call, &reply);
        }
        true
    }
}

impl EventStream {
    fn wants(&self, stamp: Stamp, name: Option<&str>) -> bool {
        let is_about = self.names.is_empty() || name.is_some_and(|name| self.names.contains(name));
        is_about && !self.since.is_before(stamp)
    }
}

//! What a ring holds → messages for a collector, one for each line; and from where to go on when the link was cut, or whoever
//! sends was killed.
//!
//! Both streams of a container may have begun a line. So a place is where reading begins again, and for each stream
//! up to where it was sent.
#![deny(clippy::arithmetic_side_effects)]

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::Source;
use super::entry::{Stamp, Stream};
use super::layout::Layout;
use super::reader::{Cursor, Gone, Item, ReadError, Reader};
use super::rfc5424::split_priority;

/// After so long a line that was begun is sent without its end: who wrote it may be dead.
pub const UNFINISHED: Duration = Duration::from_micros(UNFINISHED_US);
const UNFINISHED_US: u64 = 5_000_000;

/// Messages made of one read, about: how many lines there are in it is the container's choice.
const MESSAGES_AT_ONCE: usize = 32;

/// How far a ring was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    pub from: Cursor,
    /// Bytes before these were sent; of the standard output, the standard error, and messages.
    pub sent: [u64; 3],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub stamp: Stamp,
    pub kind: Kind,
    pub text: Vec<u8>,
    /// Where to go on once this has arrived.
    pub place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Output(Stream),
    /// Words of ours: so much is gone.
    Gap,
}

/// One ring, on its way to one collector.
#[derive(Debug)]
pub struct Sender {
    reader: Reader,
    /// Bytes of one message.
    most: usize,
    place: Place,
    /// Lines that were begun, of the output and the error.
    begun: [Option<Begun>; 2],
    ready: VecDeque<Outgoing>,
}

#[derive(Debug)]
struct Begun {
    from: Cursor,
    /// Behind what there is of it.
    end: Cursor,
    stamp: Stamp,
    text: Vec<u8>,
}

impl Sender {
    /// From a place on; `most` bytes of text are one message, and longer lines are several.
    #[must_use]
    pub fn new(layout: Layout, place: Place, most: usize) -> Self {
        let reader = Reader::new(layout, place.from);
        Self { reader, most: most.max(1), place, begun: [None, None], ready: VecDeque::new() }
    }

    /// The next message; `None` when there is none before somebody writes, or [`UNFINISHED`] is over: see
    /// [`Self::unfinished`]. `buffer` bounds what is read at once; of a message that is longer only the first part has its
    /// priority.
    ///
    /// # Errors
    /// The source's, and [`ReadError::Damaged`].
    pub fn next<S: Source>(
        &mut self,
        source: &S,
        buffer: &mut [u8],
    ) -> Result<Option<Outgoing>, ReadError<S::Error>> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Some(message));
            }
            let item = self.reader.next(source, buffer)?;
            if self.reader.began_anew() {
                self.begin_anew();
            }
            match item {
                None if !self.ready.is_empty() => {}
                None => return Ok(None),
                Some(Item::Gap { stamp, gone }) => self.gap(stamp, gone),
                Some(Item::Output { stamp, stream, bytes }) => self.take(stamp, stream, bytes),
            }
        }
    }

    /// Goes on from [`Reader::seen`].
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.reader.seen()
    }

    /// Since when the oldest line that was begun waits for its end, microseconds since boot.
    #[must_use]
    pub fn unfinished(&self) -> Option<u64> {
        self.begun.iter().flatten().map(|begun| begun.stamp.boot_us).min()
    }

    /// Those that were begun at this time or before it end here.
    pub fn end_lines(&mut self, boot_us: u64) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let [out, err] = &self.begun;
            let begun = if stream == Stream::Stdout { out } else { err };
            if begun.as_ref().is_some_and(|begun| begun.stamp.boot_us <= boot_us) {
                self.end_line(stream);
            }
        }
    }

    /// What was sent of this ring was of another time, and of what was begun then no more will come.
    fn begin_anew(&mut self) {
        let [out, err] = core::mem::take(&mut self.begun);
        let begun = [(Stream::Stdout, out), (Stream::Stderr, err)];
        let lines = begun.into_iter().filter_map(|(stream, begun)| Some((stream, begun?)));
        self.place = Place::default();
        let place = self.place;
        self.ready.extend(lines.map(|(stream, Begun { stamp, text, .. })| Outgoing {
            stamp,
            kind: Kind::Output(stream),
            text,
            place,
        }));
    }

    fn gap(&mut self, stamp: Stamp, gone: Gone) {
        // What was begun goes no further than here.
        self.end_lines(u64::MAX);
        let text = gone.text(|bytes| format!("{bytes} bytes"), "").into_bytes();
        self.place.from = self.reader.cursor();
        self.ready.push_back(Outgoing { stamp, kind: Kind::Gap, text, place: self.place });
    }

    fn take(&mut self, stamp: Stamp, stream: Stream, bytes: &[u8]) {
        let start = self.reader.place_in_last(0);
        let [out, err, messages] = self.place.sent;
        let sent = match stream {
            Stream::Stdout => out,
            Stream::Stderr => err,
            Stream::Syslog => messages,
        };
        // What was sent, when reading began again before it.
        let skip = usize::try_from(sent.saturating_sub(start.byte())).unwrap_or(usize::MAX);
        let Some(unsent) = bytes.get(skip..).filter(|bytes| !bytes.is_empty()) else { return };
        if stream == Stream::Syslog {
            return self.message(stamp, bytes, unsent);
        }
        let mut at = skip as u64;
        let most = self.most;
        for part in unsent.split_inclusive(|byte| *byte == b'\n').flat_map(|line| line.chunks(most)) {
            if self.ready.len() >= MESSAGES_AT_ONCE {
                return self.reader.go_back(at);
            }
            let from = self.reader.place_in_last(at);
            at = at.saturating_add(part.len() as u64);
            self.add(stamp, stream, part, (from, self.reader.place_in_last(at)));
        }
        // Of a line that was begun so long before this, the rest would have come by now.
        if let Some(before) = stamp.boot_us.checked_sub(UNFINISHED_US) {
            self.end_lines(before);
        }
    }

    /// What was not sent of a message; each part with the priority of all of it. So the place stays at its beginning.
    fn message(&mut self, stamp: Stamp, whole: &[u8], unsent: &[u8]) {
        let (_, text) = split_priority(whole);
        let priority = whole.strip_suffix(text).unwrap_or_default();
        let (begin, end) = (self.reader.place_in_last(0), self.reader.place_in_last(whole.len() as u64));
        let mut left = unsent.len();
        for part in unsent.chunks(self.most) {
            let is_first = left == whole.len();
            left = left.saturating_sub(part.len());
            let text = if is_first { part.to_vec() } else { [priority, part].concat() };
            let sent = end.byte().saturating_sub(left as u64);
            self.push(stamp, Stream::Syslog, text, sent, if left == 0 { end } else { begin });
        }
    }

    fn begun_of(&mut self, stream: Stream) -> &mut Option<Begun> {
        let [out, err] = &mut self.begun;
        if stream == Stream::Stderr { err } else { out }
    }

    /// A part of a line, no longer than a message.
    fn add(&mut self, stamp: Stamp, stream: Stream, part: &[u8], (from, end): (Cursor, Cursor)) {
        let most = self.most;
        let begun = self.begun_of(stream);
        if begun.as_ref().is_some_and(|begun| begun.text.len().saturating_add(part.len()) > most) {
            self.end_line(stream);
        }
        let begun = self.begun_of(stream);
        let line = begun.get_or_insert_with(|| Begun { from, end, stamp, text: Vec::new() });
        line.text.extend_from_slice(part);
        line.end = end;
        if part.ends_with(b"\n") {
            self.end_line(stream);
        }
    }

    fn end_line(&mut self, stream: Stream) {
        let Some(line) = self.begun_of(stream).take() else { return };
        self.push(line.stamp, stream, line.text, line.end.byte(), line.end);
    }

    /// With it the stream is sent up to `sent_to`, and reading begins again at `end`.
    fn push(&mut self, stamp: Stamp, stream: Stream, text: Vec<u8>, sent_to: u64, end: Cursor) {
        let [out, err, messages] = &mut self.place.sent;
        let sent = match stream {
            Stream::Stdout => out,
            Stream::Stderr => err,
            Stream::Syslog => messages,
        };
        *sent = sent_to;
        // Not beyond what others have begun.
        let first = self.begun.iter().flatten().map(|begun| begun.from).chain([end]);
        self.place.from = first.min_by_key(Cursor::byte).unwrap_or(end);
        let kind = Kind::Output(stream);
        self.ready.push_back(Outgoing { stamp, kind, text, place: self.place });
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "in tests")]
#[path = "outgoing_test.rs"]
mod tests;

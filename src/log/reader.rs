//! Reading a ring while another process writes it. Nothing is locked: what was copied counts only if
//! the writer had not given it up by the time that the copy was done; otherwise it is told as gone.

use alloc::format;
use alloc::string::String;
use core::sync::atomic::{Ordering, fence};

use super::Source;
use super::entry::{Entry, Stamp, Stream};
use super::layout::Layout;
use super::ring::{low_half, read_entry};
use super::state::{Look, Pending, State};

/// How far a reader is: what it passes from one call to the next, and may keep for later. The default
/// is the beginning of all output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    pub(super) entry: u64,
    pub(super) byte: u64,
    /// Of the refused, those already told.
    pub(super) lost_bytes: u64,
    pub(super) lost_reads: u32,
}

impl Cursor {
    /// As words, to be kept.
    #[must_use]
    pub fn words(&self) -> [u64; 4] {
        [self.entry, self.byte, self.lost_bytes, u64::from(self.lost_reads)]
    }

    /// The reverse.
    #[must_use]
    pub fn of_words([entry, byte, lost_bytes, lost_reads]: [u64; 4]) -> Self {
        Self { entry, byte, lost_bytes, lost_reads: low_half(lost_reads) }
    }

    /// Bytes of all output before it.
    #[must_use]
    pub fn byte(&self) -> u64 {
        self.byte
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item<'b> {
    /// Output as it was read, or the next part of it when the buffer was shorter.
    Output { stamp: Stamp, stream: Stream, bytes: &'b [u8] },
    /// Output that is missing here. The time is that of the first read after it, or of the last one
    /// refused when none came after.
    Gap { stamp: Stamp, gone: Gone },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// Newer output took its place. `reads` counts those of which nothing is left.
    Overwritten { bytes: u64, reads: u64 },
    /// Never kept: above the container's rate, or the machine had no memory for it. Of what was lost before it came
    /// here nobody knows the bytes.
    Refused { bytes: u64, reads: u64 },
}

impl Gone {
    /// As people are told: how much, with bytes as the caller writes them, whose, and why.
    #[must_use]
    pub fn text(self, form: impl FnOnce(u64) -> String, whose: &str) -> String {
        let (bytes, reads, why) = match self {
            Self::Overwritten { bytes, reads } => (bytes, reads, "newer output took its place"),
            Self::Refused { bytes, reads } => (bytes, reads, "it came too fast, or memory was short"),
        };
        match bytes {
            // Lost before anybody saw how large they were.
            0 => format!("{reads} messages{whose} are gone: {why}"),
            bytes => format!("{} of output{whose} are gone: {why}", form(bytes)),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum ReadError<E> {
    Source(E),
    /// The ring contradicts itself.
    Damaged,
}

impl<E> From<E> for ReadError<E> {
    fn from(error: E) -> Self {
        Self::Source(error)
    }
}

#[derive(Debug)]
pub struct Reader {
    layout: Layout,
    cursor: Cursor,
    /// Where the last output began.
    last: Cursor,
    seen: u64,
    began_anew: bool,
}

impl Reader {
    #[must_use]
    pub fn new(layout: Layout, cursor: Cursor) -> Self {
        Self { layout, cursor, last: cursor, seen: 0, began_anew: false }
    }

    /// The next output or gap; `None` at the end, for now: follow from [`Self::seen`]. Work is bounded: a few small reads and one
    /// into `buffer`, which must not be empty.
    pub fn next<'b, S: Source>(
        &mut self,
        source: &S,
        buffer: &'b mut [u8],
    ) -> Result<Option<Item<'b>>, ReadError<S::Error>> {
        let Some(state) = look(source)? else { return Ok(None) };
        let beyond = self.cursor.entry > state.head_entry || self.cursor.byte > state.head_byte;
        if beyond || state.seq < self.seen {
            // The ring began anew since this cursor was made.
            self.cursor = Cursor::default();
            self.began_anew = true;
        }
        self.seen = state.seq;
        if let Some(gap) = self.overwritten(source, &state)? {
            return Ok(Some(gap));
        }
        if self.cursor.entry == state.head_entry {
            let lost_reads = low_half(state.lost_reads);
            return Ok(self.refused(state.lost_at, state.lost_bytes, lost_reads));
        }
        let entry = read_entry(source, &self.layout, self.cursor.entry)?;
        let skip = entry.and_then(|entry| self.cursor.byte.checked_sub(entry.start));
        let wanted = entry.zip(skip).and_then(|(entry, skip)| {
            let left = u64::from(entry.len).checked_sub(skip).filter(|left| *left > 0)?;
            usize::try_from(left).ok()
        });
        let buffer = {
            let len = buffer.len().min(wanted.unwrap_or(0));
            buffer.split_at_mut(len).0
        };
        self.read_bytes(source, buffer)?;
        fence(Ordering::SeqCst);
        let Some(state) = look(source)?.filter(|state| state.seq >= self.seen) else { return Ok(None) };
        if let Some(gap) = self.overwritten(source, &state)? {
            return Ok(Some(gap));
        }
        let (Some(entry), Some(_)) = (entry, wanted) else {
            return Err(ReadError::Damaged);
        };
        if let Some(gap) = self.refused(entry.stamp, entry.lost_bytes, entry.lost_reads) {
            return Ok(Some(gap));
        }
        self.last = self.cursor;
        self.cursor.byte = self.cursor.byte.saturating_add(buffer.len() as u64);
        if self.cursor.byte >= entry.end() {
            self.cursor.entry = self.cursor.entry.saturating_add(1);
        }
        Ok(Some(Item::Output { stamp: entry.stamp, stream: entry.stream, bytes: buffer }))
    }

    /// From the cursor on; over the end of the ring to its beginning, too.
    fn read_bytes<S: Source>(&self, source: &S, buffer: &mut [u8]) -> Result<(), S::Error> {
        let row = usize::try_from(self.layout.bytes_in_a_row(self.cursor.byte)).unwrap_or(usize::MAX);
        let (row, rest) = buffer.split_at_mut(row.min(buffer.len()));
        source.read_at(self.layout.byte_at(self.cursor.byte), row)?;
        let next = self.cursor.byte.saturating_add(row.len() as u64);
        if rest.is_empty() { Ok(()) } else { source.read_at(self.layout.byte_at(next), rest) }
    }

    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The place of a byte of the output that came last, by its number there; or its end.
    #[must_use]
    pub fn place_in_last(&self, byte: u64) -> Cursor {
        let byte = self.last.byte.saturating_add(byte);
        // At the end of an entry the next one begins.
        if byte >= self.cursor.byte { self.cursor } else { Cursor { byte, ..self.last } }
    }

    /// The output that came last is read once more from this byte of it on.
    pub fn go_back(&mut self, byte: u64) {
        self.cursor = self.place_in_last(byte);
    }

    /// Whether the ring has begun anew since this was last asked: places in it from before mean nothing any more.
    pub fn began_anew(&mut self) -> bool {
        core::mem::take(&mut self.began_anew)
    }

    /// What `Ring::seq` was when this reader last looked: to be told of what comes after it.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Goes on behind what was overwritten, if anything was.
    fn overwritten<S: Source>(
        &mut self,
        source: &S,
        state: &State,
    ) -> Result<Option<Item<'static>>, ReadError<S::Error>> {
        let bytes = state.tail_byte.saturating_sub(self.cursor.byte);
        let reads = state.tail_entry.saturating_sub(self.cursor.entry);
        if bytes == 0 && reads == 0 {
            return Ok(None);
        }
        self.cursor.entry = self.cursor.entry.max(state.tail_entry);
        self.cursor.byte = self.cursor.byte.max(state.tail_byte);
        let next = match state.tail_entry < state.head_entry {
            true => read_entry(source, &self.layout, state.tail_entry)?,
            false => None,
        };
        // One that does not hold the oldest byte has been given up since, and is another by now.
        let holds = |entry: &Entry| entry.start <= state.tail_byte && state.tail_byte < entry.end();
        let stamp = match (next.filter(holds), state.pending) {
            (Some(entry), _) => entry.stamp,
            (None, Pending::Keep(stamp, _) | Pending::Refuse(stamp)) => stamp,
            (None, Pending::Nothing) => state.lost_at,
        };
        Ok(Some(Item::Gap { stamp, gone: Gone::Overwritten { bytes, reads } }))
    }

    /// Tells what was refused since it was last told.
    fn refused(&mut self, stamp: Stamp, bytes: u64, reads: u32) -> Option<Item<'static>> {
        let gone = Gone::Refused {
            bytes: bytes.saturating_sub(self.cursor.lost_bytes),
            reads: u64::from(reads.wrapping_sub(self.cursor.lost_reads)),
        };
        // A reader may have been told already, and look at what came before once more.
        let is_news = bytes > self.cursor.lost_bytes
            || (bytes == self.cursor.lost_bytes && reads != self.cursor.lost_reads);
        if !is_news {
            return None;
        }
        self.cursor.lost_bytes = bytes;
        self.cursor.lost_reads = reads;
        Some(Item::Gap { stamp, gone })
    }
}

/// The state as it is now; `None`: it is being written, come again.
pub(super) fn look<S: Source>(source: &S) -> Result<Option<State>, ReadError<S::Error>> {
    let look = State::look(source)?;
    fence(Ordering::SeqCst);
    match look {
        Look::State(state) => Ok(Some(state)),
        Look::Busy => Ok(None),
        Look::Damaged => Err(ReadError::Damaged),
    }
}

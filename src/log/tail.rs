//! Where the last lines begin: a walk backwards from the end, in steps of bounded work.

use super::Source;
use super::entry::{Entry, Stream};
use super::layout::Layout;
use super::range::Range;
use super::reader::{Cursor, ReadError, look};
use super::ring::read_entry;

/// A line ends at a newline or, unfinished, with its stream; a message is a line. What is shown starts behind the end of
/// the line before the last ones; where two streams mix, the other may start in the middle of one.
#[derive(Debug)]
pub struct Tail {
    layout: Layout,
    lines: u64,
    /// What is later is not counted.
    range: Range,
    /// Everything from here on has been looked at.
    at: Option<Place>,
    /// Something of this stream has been looked at: what is not a newline ends no line any more.
    followed: [bool; 3],
}

/// What one step has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Read from here. When less is kept than was asked for, that is the very beginning, so that the
    /// reader tells what is gone.
    Found(Cursor),
    /// There is more to look at.
    Further,
    /// The ring is being written, or its writer died in the middle: come again a little later.
    Busy,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    /// The entry that ends at `byte` or holds it.
    next_entry: u64,
    byte: u64,
}

impl Tail {
    /// For the last `lines` lines of the range, one without a newline at the end included.
    #[must_use]
    pub fn new(layout: Layout, lines: u64, range: Range) -> Self {
        Self { layout, lines, range, at: None, followed: [false; 3] }
    }

    /// Looks at one more piece of output, at most `buffer` long (which must not be empty).
    ///
    /// # Errors
    /// The source's, and [`ReadError::Damaged`].
    pub fn step<S: Source>(&mut self, source: &S, buffer: &mut [u8]) -> Result<Step, ReadError<S::Error>> {
        let Some(state) = look(source)? else { return Ok(Step::Busy) };
        let Some(at) = self.at else {
            self.at = Some(Place { next_entry: state.head_entry, byte: state.head_byte });
            let end = Cursor {
                entry: state.head_entry,
                byte: state.head_byte,
                lost_bytes: state.lost_bytes,
                lost_reads: super::ring::low_half(state.lost_reads),
            };
            return Ok(if self.lines == 0 { Step::Found(end) } else { Step::Further });
        };
        if at.byte <= state.tail_byte {
            return Ok(Step::Found(Cursor::default()));
        }
        let number = at.next_entry.saturating_sub(1);
        let entry = read_entry(source, &self.layout, number)?;
        let from = entry.and_then(|entry| {
            let room = at.byte.saturating_sub(buffer.len() as u64);
            let from = entry.start.max(state.tail_byte).max(room);
            (entry.start < at.byte && at.byte <= entry.end()).then_some(from)
        });
        if let Some(later) = entry.filter(|entry| from.is_some() && self.range.is_after(entry.stamp)) {
            // Nothing of it was looked at: where it begins may have been given up meanwhile.
            self.at = Some(Place { next_entry: number, byte: later.start });
            return Ok(Step::Further);
        }
        let len = from.map_or(0, |from| at.byte.saturating_sub(from));
        let buffer = buffer.split_at_mut(usize::try_from(len).unwrap_or(0)).0;
        source.read_at(self.layout.byte_at(from.unwrap_or(0)), buffer)?;
        let Some(after) = look(source)? else { return Ok(Step::Busy) };
        if after.tail_byte > from.unwrap_or(0) {
            return Ok(Step::Found(Cursor::default()));
        }
        let (Some(entry), Some(from)) = (entry, from) else {
            return Err(ReadError::Damaged);
        };
        if at.byte == entry.end() && entry.stream == Stream::Syslog {
            let [_, _, syslog] = &mut self.followed;
            *syslog = false;
        }
        if let Some(offset) = self.line_before(entry.stream, buffer) {
            return Ok(Step::Found(cursor(number, &entry, from.saturating_add(offset))));
        }
        let next_entry = if from == entry.start { number } else { at.next_entry };
        self.at = Some(Place { next_entry, byte: from });
        Ok(Step::Further)
    }

    /// Counts the lines that end in `bytes`; behind the end of the first that is not wanted.
    fn line_before(&mut self, stream: Stream, bytes: &[u8]) -> Option<u64> {
        let [stdout, stderr, syslog] = &mut self.followed;
        let followed = match stream {
            Stream::Stdout => stdout,
            Stream::Stderr => stderr,
            Stream::Syslog => syslog,
        };
        for (offset, byte) in bytes.iter().enumerate().rev() {
            // Newlines within a message end nothing.
            let ends = !*followed || (*byte == b'\n' && stream != Stream::Syslog);
            *followed = true;
            if ends && self.lines == 0 {
                return Some((offset as u64).saturating_add(1));
            }
            self.lines = self.lines.saturating_sub(u64::from(ends));
        }
        None
    }
}

/// At `byte` of entry `number`; at its end this is the next entry's beginning.
fn cursor(number: u64, entry: &Entry, byte: u64) -> Cursor {
    let next = u64::from(byte >= entry.end());
    Cursor {
        entry: number.saturating_add(next),
        byte,
        lost_bytes: entry.lost_bytes,
        lost_reads: entry.lost_reads,
    }
}

//! One log of one boot over its segments, as entries for a client.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use orlop::control::{DropReason, Dropped, Entry};
use orlop::keep::{SegmentName, open};
use orlop::log::{Item, Range, Stamp, Stream};

use super::Signs;
use super::file::{File, Piece};
use crate::agent::streams::{entry, stamp, time_of};

/// A log of one boot, from its beginning or, of its last lines, from the segment that they begin in.
pub(super) struct Log<'d> {
    name: String,
    directory: &'d OwnedFd,
    /// Told now and then, while there is nothing else to tell.
    signs: &'d Signs<'d>,
    segments: VecDeque<SegmentName>,
    file: Option<File>,
    /// What a block has, in order, as it goes to clients.
    pub(super) ready: VecDeque<(Stamp, Entry)>,
    /// Line ends that are passed over before anything is told.
    skip: u64,
    last: Stamp,
    range: Range,
    /// It is being written: what is at its end is not damaged, but not there yet.
    is_growing: bool,
}

impl<'d> Log<'d> {
    pub(super) fn new(
        directory: &'d OwnedFd,
        signs: &'d Signs<'d>,
        name: &str,
        segments: &[SegmentName],
        range: Range,
        growing: bool,
    ) -> Self {
        let segments = segments.iter().filter(|segment| segment.log == name).cloned().collect();
        Self {
            name: name.to_owned(),
            directory,
            signs,
            segments,
            file: None,
            ready: VecDeque::new(),
            skip: 0,
            last: Stamp::default(),
            range,
            is_growing: growing,
        }
    }

    /// The next piece of its files.
    fn piece(&mut self) -> Option<Piece> {
        loop {
            self.signs.give();
            match self.file.as_mut().and_then(Iterator::next) {
                Some(Piece::Damaged(_)) if self.is_growing && self.segments.is_empty() => {}
                Some(piece) => return Some(piece),
                None => {
                    let name = self.segments.pop_front()?;
                    // One that had to go meanwhile is gone.
                    self.file = File::open(self.directory, &name).ok();
                }
            }
        }
    }

    /// Reads on until there is an entry to tell.
    pub(super) fn fill(&mut self) {
        while self.ready.is_empty() {
            match self.piece() {
                None => return,
                // Not among the lines that are asked for.
                Some(Piece::Damaged(_)) if self.skip > 0 => {}
                Some(Piece::Damaged(bytes)) => {
                    let dropped = Dropped { reason: DropReason::Damaged, bytes, reads: 0 };
                    let gap = Entry::gap(&self.name, self.last.boot_us, time_of(self.last), dropped);
                    self.ready.push_back((self.last, gap));
                }
                Some(Piece::Block(block)) => {
                    for item in open(&block).into_iter().flat_map(|(_, _, records)| records) {
                        self.last = stamp(&item);
                        if self.range.is_after(self.last) {
                            continue;
                        }
                        let rest = self.without_skipped(item);
                        let rest = rest.filter(|_| self.range.holds(self.last));
                        self.ready.extend(rest.map(|item| (self.last, entry(&self.name, &item))));
                    }
                }
            }
        }
    }

    /// What is behind the line ends that are to be passed over.
    fn without_skipped<'i>(&mut self, item: Item<'i>) -> Option<Item<'i>> {
        if self.skip == 0 {
            return Some(item);
        }
        let Item::Output { stamp, stream, bytes } = item else { return None };
        if stream == Stream::Syslog {
            self.skip = self.skip.saturating_sub(1);
            return None;
        }
        let mut at = 0usize;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.skip == 0 {
                break;
            }
            at = at.saturating_add(piece.len());
            self.skip = self.skip.saturating_sub(u64::from(piece.ends_with(b"\n")));
        }
        let bytes = bytes.get(at..).filter(|bytes| !bytes.is_empty())?;
        Some(Item::Output { stamp, stream, bytes })
    }

    /// Goes on where the last so many lines begin. Segments before those that they are in are not read at all.
    pub(super) fn go_to_last(&mut self, lines: u64) {
        let mut count = Count::default();
        let all: Vec<SegmentName> = self.segments.drain(..).collect();
        for name in all.into_iter().rev() {
            self.count(&name, &mut count);
            self.segments.push_front(name);
            // One more, so that the first that is told is a whole one.
            if count.lines() > lines {
                break;
            }
        }
        self.skip = count.lines().saturating_sub(lines);
    }

    /// Counts the lines of a segment, of which the newer ones were counted before.
    fn count(&self, name: &SegmentName, count: &mut Count) {
        let Ok(file) = File::open(self.directory, name) else { return };
        let mut unfinished = [None; 2];
        for piece in file {
            self.signs.give();
            let Piece::Block(block) = piece else { continue };
            for item in open(&block).into_iter().flat_map(|(_, _, records)| records) {
                let Item::Output { stamp, stream, bytes } = item else { continue };
                if self.range.is_after(stamp) {
                    continue;
                }
                let [out, err] = &mut unfinished;
                let unfinished = match stream {
                    Stream::Stdout => out,
                    Stream::Stderr => err,
                    Stream::Syslog => {
                        count.ends = count.ends.saturating_add(1);
                        continue;
                    }
                };
                let ends = bytes.iter().filter(|byte| **byte == b'\n').count();
                count.ends = count.ends.saturating_add(ends as u64);
                *unfinished = Some(!bytes.ends_with(b"\n"));
            }
        }
        for (newer, this) in count.unfinished.iter_mut().zip(unfinished) {
            *newer = newer.or(this);
        }
    }
}

/// Each line ends at a newline or, unfinished, with its stream; a message is one.
#[derive(Default)]
struct Count {
    ends: u64,
    /// Of each stream, by the newest that it wrote.
    unfinished: [Option<bool>; 2],
}

impl Count {
    fn lines(&self) -> u64 {
        let unfinished = self.unfinished.iter().filter(|is| **is == Some(true)).count();
        self.ends.saturating_add(unfinished as u64)
    }
}

#[cfg(test)]
mod test;

//! Rings → segments. What is read of a ring waits in a block; a block is written when it is full or five seconds old, and
//! only then is it kept where the ring is to be read from next.
//!
//! A disk that does not take a block is tried again. Meanwhile nothing more is read of that ring, which drops its oldest output
//! as it always does, and how much that was is written when the disk takes something again.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::keep::{BLOCK_MAX, Block, Frames, open, pack};
use orlop::log::Reader;

use super::places::{Place, Places};
use super::segments::Segments;
use crate::agent::log::RingFile;
use crate::linux::{Errno, Result, data_file, fs, memfd};

/// How long output may wait to be written, and a disk for what is written to be safe.
const WRITE: Duration = Duration::from_secs(5);
/// Who has written is looked at again so much later: a wake for each of its lines would cost more than they do.
const LOOK: Duration = Duration::from_millis(100);
/// Of a ring that has so much to read at once, more comes before that.
const MUCH: usize = 8 << 10;
/// All blocks that wait, the most: there are as many as logs. They are written before their time, and where that
/// cannot be nothing more is read.
const WAITING: usize = 1 << 20;
/// Read of a ring at once: no message is longer.
const READ: usize = 16 << 10;
/// Whole frames of a file that was not finished: more were never written at once.
const UNFINISHED: usize = 4 << 20;

/// One log.
struct Log {
    name: String,
    ring: RingFile,
    reader: Reader,
    block: Block,
    segment: Option<Segment>,
    /// When it is looked at; `None`: when there is news of it.
    look: Option<Duration>,
}

struct Segment {
    number: u64,
    bytes: u64,
    /// Open while there is something that the disk may not have.
    file: Option<OwnedFd>,
}

/// What the supervisor is to be asked or told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    Follow {
        id: u64,
        after: u64,
    },
    /// An empty text: it works again.
    Trouble(String),
    Note(String),
}

pub(super) struct Writer {
    segments: Segments,
    places: Places,
    logs: BTreeMap<u64, Log>,
    /// There are files that are full, and not safe yet.
    has_full: bool,
    /// When what waits is written, and made safe.
    due: Option<Duration>,
    /// There was no room for what these have.
    held: BTreeSet<u64>,
    /// The disk did not take what it was last given.
    trouble: bool,
    /// And that was said.
    is_told: bool,
    words: Vec<Word>,
}

impl Writer {
    pub(super) fn new(segments: Segments, places: Places) -> Self {
        Self {
            segments,
            places,
            logs: BTreeMap::new(),
            has_full: false,
            due: None,
            held: BTreeSet::new(),
            trouble: false,
            is_told: false,
            words: Vec::new(),
        }
    }

    pub(super) fn words(&mut self) -> Vec<Word> {
        core::mem::take(&mut self.words)
    }

    /// A ring to be kept. Told again by another supervisor, who does not know what we wait for: we look, and ask once more.
    pub(super) fn ring(&mut self, id: u64, name: String, ring: RingFile, now: Duration) {
        if let Some(known) = self.logs.get_mut(&id)
            && known.ring.identity() == ring.identity()
        {
            known.look = Some(now);
            return;
        }
        let place = self.places.get(id, ring.identity());
        let (place, segment) = match place.map(|place| self.go_on(&name, ring.identity(), place)) {
            Some(Ok((place, segment))) => (place, Some(segment)),
            // Another file is begun.
            Some(Err(_)) => (place.unwrap_or_default(), None),
            None => (Place::default(), None),
        };
        let reader = Reader::new(ring.layout(), place.from);
        let log = Log { name, ring, reader, block: Block::new(), segment, look: Some(now) };
        self.logs.insert(id, log);
    }

    /// Where the keeper before left a file. What it had written and not said so counts, and half a frame does not.
    fn go_on(&self, name: &str, identity: u64, place: Place) -> Result<(Place, Segment)> {
        let file = self.segments.open_again(place.segment, name)?;
        let size = data_file::size(file.as_fd())?;
        let more = usize::try_from(size.saturating_sub(place.bytes)).unwrap_or(0).min(UNFINISHED);
        let mut bytes = vec![0; more];
        memfd::read_exact_at(file.as_fd(), place.bytes, &mut bytes)?;
        let mut place = place;
        let mut frames = Frames::of(&bytes);
        let from = place.bytes;
        while let Some(block) = frames.next() {
            match open(&block) {
                Some((ring, end, _)) if ring == identity => {
                    (place.from, place.bytes) = (end, from.saturating_add(frames.at() as u64));
                }
                Some(_) | None => break,
            }
        }
        data_file::cut(file.as_fd(), place.bytes)?;
        Ok((place, Segment { number: place.segment, bytes: place.bytes, file: Some(file) }))
    }

    /// There is more in this ring.
    pub(super) fn wake(&mut self, id: u64, now: Duration) {
        if let Some(log) = self.logs.get_mut(&id) {
            log.look = Some(now);
        }
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.logs.values().filter_map(|log| log.look).chain(self.due).min()
    }

    /// What it is time for. Bounded: of each ring a block at most.
    pub(super) fn work(&mut self, now: Duration) {
        let ids: Vec<u64> = self
            .logs
            .iter()
            .filter(|(_, log)| log.look.is_some_and(|at| at <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.read(id, now);
        }
        if self.due.is_none() && self.logs.values().any(|log| !log.block.is_empty()) {
            self.due = Some(now.saturating_add(WRITE));
        }
        if self.due.is_some_and(|at| at <= now) {
            self.due = None;
            self.write_and_sync(now);
        }
    }

    /// Whether one more block may get full.
    fn has_room(&mut self, now: Duration) -> bool {
        if self.waiting() > WAITING && !self.trouble {
            self.write_all(now);
        }
        self.waiting() <= WAITING
    }

    /// Bytes of all blocks that wait.
    pub(super) fn waiting(&self) -> usize {
        let waiting = self.logs.values().filter(|log| !log.block.is_empty());
        waiting.map(|log| log.block.len()).sum()
    }

    /// Reads of a ring until its block is full, and writes that.
    fn read(&mut self, id: u64, now: Duration) {
        if !self.has_room(now) {
            self.held.insert(id);
            if let Some(log) = self.logs.get_mut(&id) {
                log.look = None;
            }
            return;
        }
        let Some(log) = self.logs.get_mut(&id) else { return };
        let begun = log.block.len();
        let mut buffer = [0u8; READ];
        loop {
            // A message is in one piece.
            if log.block.room() < READ {
                log.look = None;
                // One that cannot be written now is when the disk is tried again.
                if !self.trouble && self.write(id, now).is_ok() {
                    self.look_again(id, now);
                }
                return;
            }
            match log.reader.next(&log.ring, &mut buffer) {
                Ok(Some(item)) => log.block.push(&item),
                Ok(None) => break,
                Err(_) => {
                    log.look = None;
                    let text = format!("the log of {} makes no sense, and is not kept", log.name);
                    return self.words.push(Word::Note(text));
                }
            }
        }
        log.look = match log.block.len().saturating_sub(begun) {
            0 => {
                self.words.push(Word::Follow { id, after: log.reader.seen() });
                None
            }
            MUCH.. => Some(now),
            _ => Some(now.saturating_add(LOOK)),
        };
    }

    fn look_again(&mut self, id: u64, now: Duration) {
        if let Some(log) = self.logs.get_mut(&id) {
            log.look = Some(now);
        }
    }

    /// Every block that has something.
    fn write_all(&mut self, now: Duration) {
        let ids: Vec<u64> =
            self.logs.iter().filter(|(_, log)| !log.block.is_empty()).map(|(id, _)| *id).collect();
        for id in ids {
            let was_full =
                self.logs.get(&id).is_some_and(|log| log.look.is_none() && log.block.room() < READ);
            if self.write(id, now).is_err() {
                return;
            }
            if was_full {
                self.look_again(id, now);
            }
        }
        for id in core::mem::take(&mut self.held) {
            self.look_again(id, now);
        }
    }

    fn write_and_sync(&mut self, now: Duration) {
        self.trouble = false;
        self.write_all(now);
        if self.trouble {
            return;
        }
        let synced = self.sync();
        // Nothing is left that waits.
        self.due = None;
        match synced {
            Ok(()) if core::mem::take(&mut self.is_told) => self.words.push(Word::Trouble(String::new())),
            Ok(()) => {}
            Err(errno) => self.fail(errno, now),
        }
    }

    fn fail(&mut self, errno: Errno, now: Duration) {
        if !core::mem::replace(&mut self.is_told, true) {
            let path = super::POINT;
            self.words.push(Word::Trouble(format!("{path}: logs cannot be written: {}", errno.desc())));
        }
        self.trouble = true;
        self.due = Some(now.saturating_add(WRITE));
    }

    fn write(&mut self, id: u64, now: Duration) -> Result<()> {
        let written = self.append(id);
        match written {
            Ok(()) => {
                self.due.get_or_insert(now.saturating_add(WRITE));
            }
            Err(errno) => self.fail(errno, now),
        }
        written
    }

    /// Writes a log's block at the end of its file, or of a new one.
    fn append(&mut self, id: u64) -> Result<()> {
        let most = self.segments.most(self.logs.len() as u64);
        let Some(log) = self.logs.get_mut(&id) else { return Ok(()) };
        let (ring, from) = (log.ring.identity(), log.reader.cursor());
        let frame = pack(log.block.finish(ring, from));
        let fits = |segment: &Segment| segment.bytes.saturating_add(frame.len() as u64) <= most;
        if log.segment.as_ref().is_none_or(|segment| !fits(segment)) {
            let (number, file) = self.segments.create(&log.name)?;
            let new = Segment { number, bytes: 0, file: Some(file) };
            let old = log.segment.replace(new);
            self.has_full |= old.is_some_and(|old| old.file.is_some());
        }
        let Some(segment) = &mut log.segment else { return Ok(()) };
        let file = match segment.file.take() {
            Some(file) => file,
            None => self.segments.open_again(segment.number, &log.name)?,
        };
        let file = segment.file.insert(file);
        let written = memfd::write_all_at(file.as_fd(), segment.bytes, &frame);
        if let Err(errno) = written {
            if data_file::cut(file.as_fd(), segment.bytes).is_err() {
                // Whatever is at its end now, nothing more comes behind it.
                log.segment = None;
            }
            return Err(errno);
        }
        segment.bytes = segment.bytes.saturating_add(frame.len() as u64);
        log.block = Block::new();
        let (number, bytes) = (segment.number, segment.bytes);
        // Without room for it a death costs more, and that is all.
        let _ = self.places.set(id, ring, Place { from, segment: number, bytes });
        let gone = self.segments.grown(number, bytes)?;
        if !gone.is_empty() {
            let is_gone = |segment: &mut Segment| gone.contains(&segment.number);
            self.logs.values_mut().for_each(|log| drop(log.segment.take_if(is_gone)));
        }
        Ok(())
    }

    /// Waits until the disk has all that was written: of several files at once, which costs what one does.
    fn sync(&mut self) -> Result<()> {
        let segments = self.logs.values().filter_map(|log| log.segment.as_ref());
        let mut open = segments.filter_map(|segment| segment.file.as_ref());
        match (open.next(), open.next()) {
            (Some(file), None) if !self.has_full => {
                data_file::sync_data(file.as_fd())?;
                self.segments.sync_names()?;
            }
            (None, _) if !self.has_full => self.segments.sync_names()?,
            (Some(_) | None, _) => self.segments.sync_all()?,
        }
        self.has_full = false;
        let segments = self.logs.values_mut().filter_map(|log| log.segment.as_mut());
        segments.for_each(|segment| segment.file = None);
        Ok(())
    }

    /// All that is in the rings now is written and safe, or it is said why not.
    pub(super) fn finish(&mut self, now: Duration) {
        // The last time to try.
        self.trouble = false;
        let ids: Vec<u64> = self.logs.keys().copied().collect();
        for id in ids {
            self.look_again(id, now);
            // As much as a ring holds, unless somebody writes faster than a disk.
            for _ in 0..self.logs.get(&id).map_or(0, |log| blocks(&log.ring)) {
                self.read(id, now);
                if self.logs.get(&id).is_none_or(|log| log.look.is_none()) {
                    break;
                }
            }
        }
        self.write_and_sync(now);
        self.words.retain(|word| !matches!(word, Word::Follow { .. }));
    }
}

/// Blocks of what a ring holds, one of which may be there already.
fn blocks(ring: &RingFile) -> u64 {
    let (_, size) = memfd::identity_and_size(ring.as_fd()).unwrap_or_default();
    (size / (BLOCK_MAX as u64 / 4)).saturating_add(2)
}

/// The kernel's word for this boot.
///
/// # Errors
/// ENOENT without /proc.
pub(crate) fn this_boot() -> Result<String> {
    Ok(fs::read_text("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

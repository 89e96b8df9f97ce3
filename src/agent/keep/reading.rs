//! What the disk has, for a client: read by a child of the supervisor's, which may hang on it or die of what is there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::{AsFd, OwnedFd};

use orlop::control::{
    BootsReply, DropReason, Dropped, Entry, Error, KeptBoot, Logs, LogsReply, Moment, When, WhichBoot,
    encode_continued, encode_error, encode_reply,
};
use orlop::keep::{
    BootName, BootWord, FRAME_HEAD, Frames, Head, NoBoot, SegmentName, boots as in_order, choose, open,
};
use orlop::log::{Bound, Item, Range, Stamp, Stream};

use super::{POINT, this_boot};
use crate::agent::errands::write_all;
use crate::agent::streams::{entry, stamp, time_of};
use crate::linux::{Errno, Result, data_file, directory, fs, memfd, time};

/// Before each message: whether it is the last, and its length.
pub(crate) const HEAD: usize = 5;
/// Bytes of a message, the most: a read and what was gathered before it, where each byte is an escape of JSON.
pub(crate) const LARGEST: usize = 160 << 10;
/// Entries are gathered up to so many bytes of output.
const GATHERED: usize = 8 << 10;

/// A message at the beginning of `bytes`, and whether it is the last; `None`: it is not whole yet.
pub(crate) fn framed(bytes: &[u8]) -> Option<(bool, &[u8])> {
    let (is_last, rest) = bytes.split_first()?;
    let (len, rest) = rest.split_first_chunk()?;
    let message = rest.get(..usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
    Some((*is_last == 1, message))
}

fn send(to: &OwnedFd, is_last: bool, message: &[u8]) -> Result<()> {
    let mut bytes = vec![u8::from(is_last)];
    bytes.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(message);
    write_all(to, &bytes)
}

/// Why there is nothing to tell.
enum No {
    Words(String),
    Errno(Errno),
}

impl From<Errno> for No {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// `Boots`.
///
/// # Errors
/// Nobody reads it.
pub(crate) fn boots(to: &OwnedFd) -> Result<()> {
    let answer = all_boots().and_then(|(logs, boots)| {
        let boots = boots.iter().map(|(before, name)| kept(&logs, *before, name)).collect::<Result<_>>()?;
        Ok(BootsReply { boots })
    });
    match answer {
        Ok(reply) => send(to, true, &encode_reply(&reply)),
        Err(no) => refuse(to, no),
    }
}

/// `Logs` of another boot.
///
/// # Errors
/// Nobody reads it.
pub(crate) fn logs(to: &OwnedFd, asked: &Logs, boot: WhichBoot) -> Result<()> {
    match tell(to, asked, boot) {
        Ok(()) => send(to, true, &encode_reply(&LogsReply { entries: Vec::new() })),
        Err(no) => refuse(to, no),
    }
}

fn refuse(to: &OwnedFd, no: No) -> Result<()> {
    let reason = match no {
        No::Words(words) => words,
        No::Errno(errno) => format!("{POINT}: {}", errno.desc()),
    };
    send(to, true, &encode_error(&Error::Failed { reason }))
}

fn all_boots() -> core::result::Result<(OwnedFd, Vec<(u32, BootName)>), No> {
    let logs = fs::open_directory(&format!("{POINT}/logs"))?;
    let names = directory::entries(logs.as_fd())?.into_iter().filter_map(|(name, _)| BootName::parse(&name));
    let boots = in_order(names.collect(), &this_boot()?);
    Ok((logs, boots))
}

fn segments(directory: &OwnedFd) -> Result<Vec<SegmentName>> {
    let entries = directory::entries(directory.as_fd())?;
    let mut names: Vec<_> = entries.into_iter().filter_map(|(name, _)| SegmentName::parse(&name)).collect();
    names.sort();
    Ok(names)
}

/// When it began is what its newest record says: the clock may have been set since the first.
fn kept(logs: &OwnedFd, before: u32, name: &BootName) -> Result<KeptBoot> {
    let directory = directory::open_below(logs.as_fd(), &name.to_string())?;
    let segments = segments(&directory)?;
    let mut bytes = 0u64;
    for segment in &segments {
        bytes =
            bytes.saturating_add(data_file::size_of(directory.as_fd(), &segment.to_string()).unwrap_or(0));
    }
    let newest = segments.iter().rev().find_map(|segment| last_stamp(&directory, segment));
    let began = newest.map(|newest| {
        let since = i64::try_from(newest.boot_us).unwrap_or(i64::MAX).saturating_mul(1000);
        time_of(Stamp { boot_us: 0, wall_ns: newest.wall_ns.saturating_sub(since) })
    });
    let logs: BTreeSet<&str> = segments.iter().map(|segment| segment.log.as_str()).collect();
    Ok(KeptBoot {
        before: before.into(),
        id: name.id.clone(),
        began,
        last: newest.map(time_of),
        bytes,
        logs: logs.len() as u64,
    })
}

fn last_stamp(directory: &OwnedFd, name: &SegmentName) -> Option<Stamp> {
    let mut file = File::open(directory, name).ok()?;
    let mut last = None;
    while let Some(Piece::Block(block)) = file.next() {
        last = Some(block);
    }
    let (_, _, records) = open(last.as_ref()?)?;
    records.last().map(|item| stamp(&item))
}

/// One segment, frame by frame.
struct File {
    file: OwnedFd,
    at: u64,
    size: u64,
}

enum Piece {
    Block(Vec<u8>),
    /// So many bytes at its end make no sense.
    Damaged(u64),
}

impl File {
    fn open(directory: &OwnedFd, name: &SegmentName) -> Result<Self> {
        let file = data_file::open_to_read(directory.as_fd(), &name.to_string())?;
        let size = data_file::size(file.as_fd())?;
        Ok(Self { file, at: 0, size })
    }

    fn frame(&self) -> Option<(Vec<u8>, u64)> {
        let mut head = [0; FRAME_HEAD];
        memfd::read_exact_at(self.file.as_fd(), self.at, &mut head).ok()?;
        let mut bytes = vec![0; Head::parse(&head)?.frame_len()];
        memfd::read_exact_at(self.file.as_fd(), self.at, &mut bytes).ok()?;
        Some((Frames::of(&bytes).next()?, bytes.len() as u64))
    }
}

impl Iterator for File {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let left = self.size.checked_sub(self.at).filter(|left| *left > 0)?;
        match self.frame() {
            Some((block, bytes)) => {
                self.at = self.at.saturating_add(bytes);
                Some(Piece::Block(block))
            }
            None => {
                self.at = self.size;
                Some(Piece::Damaged(left))
            }
        }
    }
}

/// A log of one boot, from its beginning.
struct Log<'d> {
    name: String,
    directory: &'d OwnedFd,
    segments: VecDeque<SegmentName>,
    file: Option<File>,
    /// What a block has, in order, as it goes to clients.
    ready: VecDeque<(Stamp, Entry)>,
    /// Line ends that are passed over before anything is told.
    skip: u64,
    last: Stamp,
    range: Range,
    /// It is being written: what is at its end is not damaged, but not there yet.
    is_growing: bool,
}

impl<'d> Log<'d> {
    fn new(
        directory: &'d OwnedFd,
        name: &str,
        segments: &[SegmentName],
        range: Range,
        growing: bool,
    ) -> Self {
        let segments = segments.iter().filter(|segment| segment.log == name).cloned().collect();
        Self {
            name: name.to_owned(),
            directory,
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
    fn fill(&mut self) {
        while self.ready.is_empty() {
            match self.piece() {
                None => return,
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

    /// How many lines there are: each ends at a newline or, unfinished, with its stream; a message is one.
    fn lines(mut self) -> u64 {
        let mut lines = 0u64;
        let mut unfinished = [false; 2];
        while let Some(piece) = self.piece() {
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
                        lines = lines.saturating_add(1);
                        continue;
                    }
                };
                let ends = bytes.iter().filter(|byte| **byte == b'\n').count();
                lines = lines.saturating_add(ends as u64);
                *unfinished = !bytes.ends_with(b"\n");
            }
        }
        lines.saturating_add(unfinished.iter().filter(|is| **is).count() as u64)
    }
}

fn tell(to: &OwnedFd, asked: &Logs, boot: WhichBoot) -> core::result::Result<(), No> {
    let (logs, boots) = all_boots()?;
    let word = match boot {
        WhichBoot::Before(before) => BootWord::Before(before),
        WhichBoot::Id(id) => BootWord::Id(id),
    };
    let (before, name) = choose(&boots, &word).map_err(|no| No::Words(no_boot(&no)))?;
    let directory = directory::open_below(logs.as_fd(), &name.to_string())?;
    let segments = segments(&directory)?;
    let known: BTreeSet<&str> = segments.iter().map(|segment| segment.log.as_str()).collect();
    let names = names(asked, &known).map_err(|missing| {
        No::Words(format!("the disk has no log of {missing:?} of the boot {}", name.id))
    })?;
    let range = range(asked);
    let mut all: BTreeMap<String, Log<'_>> = BTreeMap::new();
    for name in names {
        let new = || Log::new(&directory, &name, &segments, range, *before == 0);
        let mut log = new();
        if let Some(lines) = asked.lines {
            log.skip = new().lines().saturating_sub(lines);
        }
        all.insert(name.clone(), log);
    }
    merge(to, all.into_values().collect()).map_err(No::Errno)
}

fn no_boot(no: &NoBoot) -> String {
    match no {
        NoBoot::TooFar(0) => String::from("the disk has no boot before this one"),
        NoBoot::TooFar(most) => format!("the disk has no such boot: the first that it has is -{most}"),
        NoBoot::Unknown => String::from("the disk has no boot whose id begins so"),
        NoBoot::Several => String::from("the ids of several boots begin so"),
    }
}

/// What is asked for, by name; the name that is not there.
fn names(asked: &Logs, known: &BTreeSet<&str>) -> core::result::Result<BTreeSet<String>, String> {
    let mut names: BTreeSet<String> = asked.names.iter().cloned().collect();
    if let Some(missing) = names.iter().find(|name| !known.contains(name.as_str())) {
        return Err(missing.clone());
    }
    let is_wanted = |name: &&&str| match name.starts_with('@') {
        true => asked.all,
        false => asked.names.is_empty(),
    };
    names.extend(known.iter().filter(is_wanted).map(|name| (*name).to_owned()));
    Ok(names)
}

/// Times before now are times of day here: another boot's clock began anew.
fn range(asked: &Logs) -> Range {
    let wall_ns = i64::try_from(time::wall().as_nanos()).unwrap_or(i64::MAX);
    let bound = |text: &Option<String>| {
        Some(match When::parse(text.as_deref()?)? {
            When::Ago(ago) => {
                let ago = i64::try_from(ago.as_nanos()).unwrap_or(i64::MAX);
                Bound::Wall(wall_ns.saturating_sub(ago))
            }
            when => match when.moment(u64::MAX, wall_ns) {
                Moment::Boot(us) => Bound::Boot(us),
                Moment::Wall(ns) => Bound::Wall(ns),
            },
        })
    };
    Range { since: bound(&asked.since), until: bound(&asked.until) }
}

/// Entries of all of them in the order in which they were read, gathered to messages.
fn merge(to: &OwnedFd, mut logs: Vec<Log<'_>>) -> Result<()> {
    let (mut entries, mut gathered) = (Vec::new(), 0usize);
    loop {
        logs.iter_mut().for_each(Log::fill);
        logs.retain(|log| !log.ready.is_empty());
        let earliest = logs.iter_mut().min_by_key(|log| log.ready.front().map(|(stamp, _)| stamp.boot_us));
        let Some((_, entry)) = earliest.and_then(|log| log.ready.pop_front()) else { break };
        let bytes = entry.text.as_ref().or(entry.data.as_ref()).map_or(0, String::len);
        gathered = gathered.saturating_add(bytes).saturating_add(100);
        entries.push(entry);
        if gathered >= GATHERED {
            let message = encode_continued(&LogsReply { entries: core::mem::take(&mut entries) });
            send(to, false, &message)?;
            gathered = 0;
        }
    }
    if entries.is_empty() { Ok(()) } else { send(to, false, &encode_continued(&LogsReply { entries })) }
}

//! What the disk has, for a client: read by a child of the supervisor's, which may hang on it or die of what is there.

mod file;
mod log;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::control::{
    BootsReply, Error, KeptBoot, Logs, LogsReply, Moment, When, WhichBoot, encode_continued, encode_error,
    encode_reply,
};
use orlop::keep::{BootName, BootWord, NoBoot, SegmentName, boots as in_order, choose, open};
use orlop::log::{Bound, Range, Stamp};

use self::file::File;
use self::log::Log;
use super::segments::{boots_of, segments_of};
use super::{POINT, this_boot};
use crate::agent::errands::write_all;
use crate::agent::streams::{stamp, time_of};
use crate::linux::{Errno, Result, data_file, directory, fs, time};

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

/// That it goes on, for who waits while much is read of which there is nothing to tell.
struct Signs<'t> {
    to: &'t OwnedFd,
    /// What is sent.
    sign: Vec<u8>,
    given: Cell<Duration>,
}

impl<'t> Signs<'t> {
    /// Often enough for the supervisor, who takes a disk for dead after 20 seconds, and for a client, who waits for 30.
    const OFTEN: Duration = Duration::from_secs(5);

    fn new(to: &'t OwnedFd, sign: Vec<u8>) -> Self {
        Self { to, sign, given: Cell::new(time::since_boot()) }
    }

    /// One more, if it is time.
    fn give(&self) {
        self.give_at(time::since_boot());
    }

    fn give_at(&self, now: Duration) {
        if now.saturating_sub(self.given.get()) >= Self::OFTEN {
            self.given.set(now);
            // When nobody reads it any more, what comes next says so.
            let _ = send(self.to, false, &self.sign);
        }
    }
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

/// `Boots`. There is one answer: signs are for the supervisor alone, and empty.
///
/// # Errors
/// Nobody reads it.
pub(crate) fn boots(to: &OwnedFd) -> Result<()> {
    let signs = Signs::new(to, Vec::new());
    let answer = all_boots().and_then(|(logs, boots)| {
        let mut failed = None;
        let mut found = Vec::new();
        for (before, name) in &boots {
            // One that is damaged takes none of the others away.
            match kept(&signs, &logs, *before, name) {
                Ok(boot) => found.push(boot),
                Err(errno) => failed = Some(errno),
            }
        }
        match failed {
            Some(errno) if found.is_empty() => Err(errno.into()),
            Some(_) | None => Ok(BootsReply { boots: found }),
        }
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
    let boots = in_order(boots_of(logs.as_fd())?, &this_boot()?);
    Ok((logs, boots))
}

fn segments(directory: &OwnedFd) -> Result<Vec<SegmentName>> {
    let mut names = segments_of(directory.as_fd())?;
    names.sort();
    Ok(names)
}

/// When it began is what its newest record says: the clock may have been set since the first.
fn kept(signs: &Signs<'_>, logs: &OwnedFd, before: u32, name: &BootName) -> Result<KeptBoot> {
    let directory = directory::open_below(logs.as_fd(), &name.to_string())?;
    let segments = segments(&directory)?;
    let mut bytes = 0u64;
    for segment in &segments {
        signs.give();
        bytes =
            bytes.saturating_add(data_file::size_of(directory.as_fd(), &segment.to_string()).unwrap_or(0));
    }
    let newest = segments.iter().rev().find_map(|segment| {
        signs.give();
        last_stamp(&directory, segment)
    });
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
    let block = File::open(directory, name).ok()?.last_block()?;
    let (_, _, records) = open(&block)?;
    records.last().map(|item| stamp(&item))
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
    let signs = Signs::new(to, encode_continued(&LogsReply { entries: Vec::new() }));
    for name in names {
        let mut log = Log::new(&directory, &signs, &name, &segments, range, *before == 0);
        if let Some(lines) = asked.lines {
            log.go_to_last(lines);
        }
        all.insert(name, log);
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

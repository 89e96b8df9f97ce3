//! What happened on this machine since it booted, in memory that PID 1 keeps, and clients who read it.
//!
//! Three rings of one file: a container that crashes in a loop fills its own in a minute, and who asks in vain the
//! one of refusals; neither must push out who asked for what, what the boot did, and when a supervisor was replaced.
//! All are told as one, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::control::{Event, HAPPENING_VERSION, Happening, rfc3339};
use orlop::ledger::{Action, Child, Ended, Kind, Label};
use orlop::log::{RECORD_MAX, SLOT, Slots, Slotted, Stamp};
use orlop::supervisor::{Change, Exit, Note, StateKind};

use super::answer::{cause_word, state_word};
use super::ledger::{Ledger, exit_of};
use super::log::RingFile;
use super::power::word;
use super::{Agent, say};
use crate::linux::kmsg::Level;
use crate::linux::{Result, time};

/// See `launch::cookie` for those above.
pub const HISTORY: u64 = 3;
/// What became of containers: an hour of one that crashes every ten seconds, all of a day of a hundred that do
/// not. 512 KiB, of which pages are taken as they are written.
const OF_CONTAINERS: u64 = 1024;
/// Everything else: 96 KiB.
const OF_MACHINE: u64 = 192;
/// What was refused, and to whom: 32 KiB.
const OF_REFUSALS: u64 = 64;
const ALL: u64 = OF_CONTAINERS + OF_MACHINE + OF_REFUSALS;

const RINGS: usize = 3;

/// Where a reader is, in all rings. The default is the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor([u64; RINGS]);

/// What there is next for a reader.
#[derive(Debug, Clone, PartialEq)]
pub struct Next {
    /// So many before it are gone.
    pub dropped: u64,
    pub event: Option<(Stamp, Event)>,
}

pub struct History {
    /// None, if there was no memory for it.
    kept: Option<Kept>,
    /// Phases of the boot that are in it.
    phases: BTreeSet<String>,
}

struct Kept {
    file: RingFile,
    /// Of containers, of the machine, of refusals.
    rings: [Slots; RINGS],
    /// The last one's number, over all.
    order: u64,
}

impl History {
    /// Goes on where the supervisor before stopped, or begins it.
    pub fn open(kept: Option<OwnedFd>, ledger: &mut Ledger) -> Self {
        let is_new = kept.is_none();
        let kept = match kept {
            Some(fd) => RingFile::adopt(fd),
            None => RingFile::create(ALL * SLOT).and_then(|file| {
                let child =
                    Child { cookie: HISTORY, kind: Kind::Listener, pid: 0, label: Label::new("history") };
                ledger.register(child, &[file.as_fd()]).map(|()| file)
            }),
        };
        let kept = kept.and_then(|file| Kept::open(file, is_new));
        if let Err(errno) = &kept {
            say(Level::Error, &format!("events are not kept: {}", errno.desc()));
        }
        let mut history = Self { kept: kept.ok(), phases: BTreeSet::new() };
        if !is_new {
            history.find_phases();
        }
        history
    }

    /// Keeps what happened at that time.
    pub fn keep(&mut self, at: Duration, happening: &Happening) {
        let Some(kept) = &mut self.kept else { return };
        if let Err(errno) = kept.write(at, happening) {
            say(Level::Error, &format!("an event is not kept: {}", errno.desc()));
        }
    }

    /// What comes at the cursor, which is moved behind it. Work is bounded: a read of each ring, or a few more when records
    /// make no sense.
    pub fn next(&self, cursor: &mut Cursor) -> Next {
        self.kept.as_ref().map_or(Next { dropped: 0, event: None }, |kept| kept.next(cursor))
    }

    /// Whether a reader has seen all.
    pub fn is_at_end(&self, cursor: &Cursor) -> bool {
        let Some(kept) = &self.kept else { return true };
        kept.rings.iter().zip(cursor.0).all(|(ring, at)| at >= ring.next())
    }

    /// The last of the machine's own, not of containers', that is wanted; as many reads as are kept at most.
    pub fn last(&self, wanted: impl Fn(&Happening) -> bool) -> Option<Event> {
        let kept = self.kept.as_ref()?;
        let [_, machine, _] = &kept.rings;
        let mut buffer = [0; SLOT as usize];
        (machine.first()..machine.next()).rev().find_map(|number| {
            let record = machine.read(&kept.file, number, &mut buffer).ok().flatten()?;
            wanted(&Happening::decode(record.version, record.bytes)).then(|| told(&record))
        })
    }

    /// Those that a supervisor before this one has told.
    fn find_phases(&mut self) {
        let Some(kept) = &self.kept else { return };
        let [_, machine, _] = &kept.rings;
        let mut buffer = [0; SLOT as usize];
        for number in machine.first()..machine.next() {
            if let Ok(Some(record)) = machine.read(&kept.file, number, &mut buffer)
                && let Happening::Phase { name, .. } = Happening::decode(record.version, record.bytes)
            {
                self.phases.insert(name);
            }
        }
    }
}

impl Kept {
    /// # Errors
    /// ERANGE: it is not of this size.
    fn open(file: RingFile, is_new: bool) -> Result<Self> {
        let slots = |base, count| match is_new {
            // Zeros: there is nothing to look for.
            true => Ok((Slots::new(base, count), 0)),
            false => Slots::recover(&file, base, count),
        };
        let (containers, one) = slots(0, OF_CONTAINERS)?;
        let (machine, other) = slots(OF_CONTAINERS * SLOT, OF_MACHINE)?;
        let (refusals, third) = slots((OF_CONTAINERS + OF_MACHINE) * SLOT, OF_REFUSALS)?;
        Ok(Self { file, rings: [containers, machine, refusals], order: one.max(other).max(third) })
    }

    fn write(&mut self, at: Duration, happening: &Happening) -> Result<()> {
        let [containers, machine, refusals] = &mut self.rings;
        let ring = match happening {
            Happening::State { .. } | Happening::End { .. } | Happening::Note { .. } => containers,
            Happening::Refused { .. } => refusals,
            Happening::Asked { .. }
            | Happening::Phase { .. }
            | Happening::Helper { .. }
            | Happening::Supervisor { .. }
            | Happening::Shutdown { .. }
            | Happening::Other => machine,
        };
        // What is kept may have happened a while ago.
        let wall = time::wall().saturating_sub(time::since_boot()).saturating_add(at);
        let wall_ns = i64::try_from(wall.as_nanos()).unwrap_or(i64::MAX);
        let stamp = Stamp { boot_us: at.as_micros() as u64, wall_ns };
        let order = self.order.saturating_add(1);
        ring.write(&self.file, order, stamp, HAPPENING_VERSION, &happening.encode(RECORD_MAX))?;
        self.order = order;
        Ok(())
    }

    fn next(&self, cursor: &mut Cursor) -> Next {
        let mut dropped = 0u64;
        let mut buffers = [[0; SLOT as usize]; RINGS];
        let mut earliest: Option<(Slotted<'_>, &mut u64)> = None;
        for ((ring, at), buffer) in self.rings.iter().zip(&mut cursor.0).zip(&mut buffers) {
            if let Some(record) = self.find(ring, at, buffer, &mut dropped)
                && earliest.as_ref().is_none_or(|(earlier, _)| record.order < earlier.order)
            {
                earliest = Some((record, at));
            }
        }
        let Some((record, at)) = earliest else { return Next { dropped, event: None } };
        *at = record.number.saturating_add(1);
        Next { dropped, event: Some((record.stamp, told(&record))) }
    }

    /// The record at the cursor or the first after it; how many are gone before it is added.
    fn find<'b>(
        &self,
        ring: &Slots,
        at: &mut u64,
        buffer: &'b mut [u8; SLOT as usize],
        dropped: &mut u64,
    ) -> Option<Slotted<'b>> {
        let from = (*at).max(1);
        *at = from.max(ring.first());
        *dropped = dropped.saturating_add(at.saturating_sub(from));
        while *at < ring.next() {
            // Looked at first: a borrow that is returned from a loop holds for all of it.
            if matches!(ring.read(&self.file, *at, buffer), Ok(Some(_))) {
                break;
            }
            *at = at.saturating_add(1);
            *dropped = dropped.saturating_add(1);
        }
        ring.read(&self.file, *at, buffer).ok().flatten()
    }
}

fn told(record: &Slotted<'_>) -> Event {
    let wall = record.stamp.wall_ns;
    let time = rfc3339(wall.div_euclid(1_000_000_000), wall.rem_euclid(1_000_000_000) as u32);
    let happening = Happening::decode(record.version, record.bytes);
    Event::of(happening, record.order, record.stamp.boot_us, time)
}

impl Agent {
    /// A container is in another state: for people at the consoles, and for the history.
    pub fn changed(&mut self, change: Change, now: Duration) {
        let Change { from, to, cause, .. } = &change;
        let why = cause.as_ref().map_or(String::new(), |cause| format!(": {}", cause.text));
        // A cause that is told more exactly later changes nothing for who watches.
        let level = if from == to { Level::Debug } else { Level::Info };
        say(level, &format!("{}: {} -> {}{why}", change.name, from.word(), to.word()));
        if from == to {
            return;
        }
        self.watch_remains(&change, now);
        self.rises.changed(&change, now);
        self.history.keep(now, &happening(change));
    }

    /// Something about a container that is no other state.
    pub fn noted(&mut self, name: String, note: &Note, now: Duration) {
        self.rises.noted(&name, note, now);
        let note = note.to_string();
        say(Level::Info, &format!("{name}: {note}"));
        self.history.keep(now, &Happening::Note { name, note });
    }

    /// A container's main process was reaped.
    pub fn keep_end(&mut self, name: &str, generation: u64, ended: Ended) {
        let (exit_code, signal) = how(ended);
        let happening = Happening::End {
            name: name.to_owned(),
            generation,
            exit_code,
            signal,
            cpu_us: ended.user_us.saturating_add(ended.system_us),
            memory_peak_bytes: ended.max_rss.saturating_mul(1024),
        };
        self.history.keep(Duration::from_micros(ended.at_us), &happening);
    }

    pub fn keep_helpers_end(&mut self, name: &str, ended: Ended, now: Duration) {
        let (exit_code, signal) = how(ended);
        self.history.keep(now, &Happening::Helper { name: name.to_owned(), exit_code, signal });
    }

    /// Of the boot, what is over and was not told.
    pub fn keep_phases(&mut self, now: Duration) {
        self.rises.keep(self.boot.complete, now);
        if self.boot.phases.len() == self.history.phases.len() {
            return;
        }
        let mut new = BTreeMap::new();
        for phase in self.boot.phases.iter().filter(|phase| !self.history.phases.contains(&phase.name)) {
            let duration_us = phase.end.saturating_sub(phase.start).as_micros() as u64;
            let (name, error) = (phase.name.clone(), phase.error.clone());
            new.insert((phase.end, phase.name.clone()), Happening::Phase { name, duration_us, error });
        }
        for ((end, name), phase) in new {
            self.history.keep(end, &phase);
            self.history.phases.insert(name);
        }
    }

    pub fn keep_shutdown(&mut self, action: Action, deadline: Duration, now: Duration) {
        let within_us = deadline.saturating_sub(now).as_micros() as u64;
        self.history.keep(now, &Happening::Shutdown { action: word(action), within_us });
    }

    /// `safe`: as PID 1 means it, which is not so when it is known which container it is for.
    pub fn keep_takeover(&mut self, safe: bool, now: Duration) {
        if self.boot.complete {
            // A supervisor before has told them, and they may have been pushed out since.
            self.history.phases.extend(self.boot.phases.iter().map(|phase| phase.name.clone()));
        }
        let starts = u64::from(self.boot.starts);
        if starts > 1 {
            let safe = safe && self.blamed.culprit().is_none();
            self.history.keep(now, &Happening::Supervisor { starts, safe });
        }
    }
}

fn happening(change: Change) -> Happening {
    let pid = change.pid.filter(|_| change.to == StateKind::Running);
    Happening::State {
        name: change.name,
        generation: change.generation,
        from: state_word(change.from),
        to: state_word(change.to),
        cause: change.cause.as_ref().map(cause_word),
        pid: pid.and_then(|pid| u32::try_from(pid).ok()),
    }
}

/// The exit code, or the signal's name.
fn how(ended: Ended) -> (Option<i32>, Option<String>) {
    match exit_of(ended) {
        Exit::Code(code) => (Some(code), None),
        Exit::Signal(signal) => (None, Some(orlop::config::signal::name(signal))),
    }
}

#[cfg(test)]
#[path = "history_test.rs"]
mod tests;

//! How the last generations of each container ended, and what they used. With a disk, those of earlier boots are among
//! them, each with the boot that it was in: generations and times since boot are counted anew in each.
//!
//! Eight slots in one page of /run, which is taken when a container ends for the first time and is still there for
//! the next supervisor; nothing in the supervisor's own memory.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{FallocateFlags, OFlag, fallocate};
use nix::sys::stat::{Mode, fstat};
use orlop::control::{EXIT_RECORD_VERSION, ExitRecord};
use orlop::keep::Mirror;
use orlop::log::{RECORD_MAX, SLOT, Slots, Slotted, Source, Stamp, Store};
use orlop::supervisor::{Ending, Exit};

use super::answer::cause_word;
use super::cgroups::Usage;
use super::{Agent, boot_id, records, say};
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result, fs, memfd, time};

/// Of each container: what fits in a page.
pub const KEPT: u64 = 8;

/// What was read of cgroups that are gone, until it is written: name, generation.
#[derive(Default)]
pub struct Ends(BTreeMap<String, (u64, Usage)>);

impl Ends {
    /// The last moment at which anybody can know. Without a cgroup there is nothing to know.
    pub fn used(&mut self, name: &str, generation: u64, usage: Usage) {
        if usage != Usage::default() {
            self.0.insert(name.to_owned(), (generation, usage));
        }
    }

    fn take(&mut self, name: &str, generation: u64) -> Usage {
        let used = self.0.remove(name).filter(|(of, _)| *of == generation);
        used.map(|(_, usage)| usage).unwrap_or_default()
    }
}

impl Agent {
    /// Nothing of a generation is left.
    pub fn keep_ending(&mut self, name: &str, ending: Ending) {
        let usage = self.saving.ends.take(name, ending.generation);
        if let Err(errno) = keep(&path(name), &record(ending, usage)) {
            say(Level::Error, &format!("{name}: how it ended is not kept: {}", errno.desc()));
        }
        self.mirror(Mirror::Ends(name.to_owned()));
    }
}

/// Those that are kept of a container, the oldest first.
pub fn of(name: &str) -> Vec<ExitRecord> {
    let page = fs::open(path(name).as_str(), OFlag::O_RDONLY, Mode::empty()).map(Page);
    let this = boot_id::this();
    let told = |mut end: ExitRecord| {
        end.boot = end.boot.filter(|boot| Some(boot) != this.as_ref());
        end
    };
    page.map_or_else(|_| Vec::new(), |page| all(&page).into_iter().map(told).collect())
}

/// Whether these bytes are a file of ends: what comes from a disk may be anything.
pub fn are(bytes: &[u8]) -> bool {
    /// With a number near the highest there would be none for the next end.
    const HIGHEST: u64 = 1 << 53;
    let is_possible = Slots::recover(&Bytes(bytes), 0, KEPT).is_ok_and(|(slots, _)| slots.next() < HIGHEST);
    bytes.len() as u64 == KEPT * SLOT && is_possible && !all(&Bytes(bytes)).is_empty()
}

fn all(page: &impl Source<Error = Errno>) -> Vec<ExitRecord> {
    let Ok((slots, _)) = Slots::recover(page, 0, KEPT) else { return Vec::new() };
    let mut ends = Vec::new();
    let mut buffer = [0; SLOT as usize];
    for number in slots.first()..slots.next() {
        let slot = slots.read(page, number, &mut buffer).ok().flatten();
        ends.extend(slot.and_then(|slot| read(&slot)));
    }
    ends
}

fn read(slot: &Slotted<'_>) -> Option<ExitRecord> {
    ExitRecord::decode(slot.version, slot.bytes, slot.stamp.wall_ns)
}

fn path(name: &str) -> String {
    format!("{}/ends", records::directory(name))
}

fn record(ending: Ending, usage: Usage) -> ExitRecord {
    let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let (exit_code, signal) = match ending.exit {
        Some(Exit::Code(code)) => (Some(code), None),
        Some(Exit::Signal(signal)) => (None, Some(orlop::config::signal::name(signal))),
        None => (None, None),
    };
    ExitRecord {
        generation: ending.generation,
        boot: boot_id::this(),
        time: String::new(),
        started_us: ending.started_at.map(micros),
        ended_us: micros(ending.ended_at),
        exit_code,
        signal,
        oom: ending.oom,
        cause: Some(cause_word(&ending.cause)),
        memory_peak_bytes: usage.memory_peak_bytes,
        cpu_us: usage.cpu_us,
        processes_peak: usage.processes_peak,
    }
}

/// Writes it behind the last one, unless a supervisor did before it died.
pub fn keep(path: &str, record: &ExitRecord) -> Result<()> {
    let fd = fs::open(path, OFlag::O_RDWR | OFlag::O_CREAT, Mode::from_bits_truncate(0o644))?;
    if fstat(&fd)?.st_size == 0 {
        // The room first: later there is no want of it.
        fallocate(&fd, FallocateFlags::empty(), 0, i64::try_from(KEPT * SLOT).map_err(|_| Errno::EFBIG)?)?;
    }
    let page = Page(fd);
    let (mut slots, order) = Slots::recover(&page, 0, KEPT)?;
    let mut buffer = [0; SLOT as usize];
    let last = slots.read(&page, slots.next().saturating_sub(1), &mut buffer)?;
    let last = last.and_then(|last| read(&last));
    if last.is_some_and(|last| (last.generation, &last.boot) == (record.generation, &record.boot)) {
        return Ok(());
    }
    let since = time::since_boot().saturating_sub(std::time::Duration::from_micros(record.ended_us));
    let wall = time::wall().saturating_sub(since);
    let stamp =
        Stamp { boot_us: record.ended_us, wall_ns: i64::try_from(wall.as_nanos()).unwrap_or(i64::MAX) };
    slots.write(&page, order.saturating_add(1), stamp, EXIT_RECORD_VERSION, &record.encode(RECORD_MAX))
}

struct Bytes<'a>(&'a [u8]);

impl Source for Bytes<'_> {
    type Error = Errno;

    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<()> {
        let from = usize::try_from(at).ok().and_then(|at| self.0.get(at..)?.get(..into.len()));
        into.copy_from_slice(from.ok_or(Errno::ENODATA)?);
        Ok(())
    }
}

struct Page(OwnedFd);

impl Source for Page {
    type Error = Errno;

    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<()> {
        memfd::read_exact_at(self.0.as_fd(), at, into)
    }
}

impl Store for Page {
    fn write_at(&self, at: u64, from: &[u8]) -> Result<()> {
        memfd::write_all_at(self.0.as_fd(), at, from)
    }

    fn position(&self) -> Result<u64> {
        memfd::position(self.0.as_fd())
    }

    fn seek(&self, position: u64) -> Result<()> {
        memfd::seek(self.0.as_fd(), position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(path: &str) -> Vec<(u64, Option<u64>)> {
        let page = Page(fs::open(path, OFlag::O_RDONLY, Mode::empty()).unwrap());
        all(&page).into_iter().map(|it| (it.generation, it.cpu_us)).collect()
    }

    #[test]
    fn the_last_eight_are_kept_each_once_in_one_page() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ends");
        let path = file.to_str().unwrap();
        let end = |generation, cpu_us| ExitRecord { generation, cpu_us, ..ExitRecord::default() };
        keep(path, &end(1, Some(7))).unwrap();
        // Who died after it had written it has told what the next one does not know.
        keep(path, &end(1, None)).unwrap();
        assert_eq!(kept(path), [(1, Some(7))]);
        for generation in 2..=20 {
            keep(path, &end(generation, Some(generation))).unwrap();
        }
        assert_eq!(kept(path), (13..=20).map(|it| (it, Some(it))).collect::<Vec<_>>());
        assert_eq!(std::fs::metadata(path).unwrap().len(), 4096);
        // The next boot counts from 1 again, and may come to the same number.
        keep(path, &ExitRecord { boot: Some("another".into()), ..end(20, None) }).unwrap();
        assert_eq!(kept(path)[6..], [(20, Some(20)), (20, None)]);
        let bytes = std::fs::read(path).unwrap();
        assert!(are(&bytes) && !are(&bytes[..4095]) && !are(&[0; 4096]) && !are(&[b'x'; 4096]));
    }

    #[test]
    fn what_was_used_belongs_to_its_generation() {
        let mut ends = Ends::default();
        let usage = Usage { cpu_us: Some(1), ..Usage::default() };
        ends.used("web", 3, usage);
        ends.used("web", 3, Usage::default());
        assert_eq!(ends.take("db", 3), Usage::default());
        assert_eq!(ends.take("web", 3), usage, "a cgroup that is gone says nothing new");
        ends.used("web", 3, usage);
        assert_eq!(ends.take("web", 4), Usage::default());
        assert!(ends.0.is_empty());
    }
}

//! The files of logs: this boot's, which grow, and those of boots before, of which the oldest go.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::keep::{BootName, Kept, SegmentName, segment_max, surplus};
use orlop::ordered::Ordered;

use crate::linux::{Errno, Result, data_file, directory};

/// Boots whose directories are looked at: a hundred are kept.
pub(super) const MOST_BOOTS: usize = 1024;
/// Files of one boot that are, as 256 GiB take; what there is beyond them on a disk nobody knows of.
pub(super) const MOST_FILES: usize = 64 << 10;
/// Of all boots together.
const MOST_KEPT: usize = 2 * MOST_FILES;

/// More than the quota is never said to be kept of a disk: something has to be left for its own needs and for others.
pub(super) fn quota(root: BorrowedFd<'_>, wanted: u64) -> u64 {
    let size = data_file::size_of_system(root).unwrap_or(u64::MAX);
    wanted.min(size / 4 * 3)
}

pub(super) struct Segments {
    logs: OwnedFd,
    boot: BootName,
    directory: OwnedFd,
    quota: u64,
    kept: Vec<Kept>,
    next: u64,
    /// Names of this boot that the disk may not have.
    has_new_names: bool,
}

impl Segments {
    /// Those of the directory `logs`; what is too much of them goes at once.
    ///
    /// # Errors
    /// As of files and directories.
    pub(super) fn open(logs: OwnedFd, this_boot: &str, quota: u64) -> Result<Self> {
        let mut kept = Vec::new();
        let mut boots = Vec::new();
        for name in boots_of(logs.as_fd())? {
            if kept.len() >= MOST_KEPT {
                break;
            }
            // One that is damaged is left alone.
            let found = directory::open_below(logs.as_fd(), &name.to_string())
                .and_then(|directory| files(directory.as_fd(), &name));
            if let Ok(mut found) = found {
                kept.append(&mut found);
                boots.push(name);
            }
        }
        boots.sort();
        let last = boots.iter().find(|name| name.id == this_boot).or(boots.last());
        let boot = match last {
            Some(name) if name.id == this_boot => name.clone(),
            other => {
                let none = BootName { number: 0, id: String::new() };
                other.unwrap_or(&none).next(this_boot).ok_or(Errno::EOVERFLOW)?
            }
        };
        let directory = make(logs.as_fd(), &boot.to_string())?;
        let numbers = kept.iter().filter(|it| it.boot == boot.number).map(|it| it.number);
        let next = numbers.max().map_or(0, |number| number.saturating_add(1));
        let mut segments = Self { logs, boot, directory, quota, kept, next, has_new_names: true };
        segments.keep_to_quota()?;
        for name in boots {
            if name != segments.boot && !segments.kept.iter().any(|it| it.boot == name.number) {
                // One that has something else in it stays.
                let _ = data_file::remove_directory(segments.logs.as_fd(), &name.to_string());
            }
        }
        Ok(segments)
    }

    /// How large a file may get, when so many logs are written.
    pub(super) fn most(&self, logs: u64) -> u64 {
        segment_max(self.quota, logs)
    }

    /// A new file of this log: its number.
    ///
    /// # Errors
    /// ENOSPC, EIO, EROFS.
    pub(super) fn create(&mut self, log: &str) -> Result<(u64, OwnedFd)> {
        let number = self.next;
        let name = SegmentName { number, log: log.to_owned() };
        if !name.is_possible() {
            return Err(Errno::EOVERFLOW);
        }
        let file = data_file::create(self.directory.as_fd(), &name.to_string());
        // Also of one that could not be made: another number is tried next.
        self.next = self.next.saturating_add(1);
        let file = file?;
        self.kept.push(Kept { boot: self.boot.number, number, log: name.log, bytes: 0 });
        self.has_new_names = true;
        Ok((number, file))
    }

    /// One of this boot, to be written on.
    ///
    /// # Errors
    /// ENOENT: it had to go.
    pub(super) fn open_again(&self, number: u64, log: &str) -> Result<OwnedFd> {
        let name = SegmentName { number, log: log.to_owned() };
        data_file::open_to_write(self.directory.as_fd(), &name.to_string())
    }

    /// A file of this boot has that many bytes now. Those that had to go for it, of this boot.
    pub(super) fn grown(&mut self, number: u64, bytes: u64) -> Result<BTreeSet<u64>> {
        let this = self.boot.number;
        if let Some(kept) = self.kept.iter_mut().rfind(|it| it.boot == this && it.number == number) {
            kept.bytes = bytes;
        }
        self.keep_to_quota()
    }

    fn keep_to_quota(&mut self) -> Result<BTreeSet<u64>> {
        let mut gone = BTreeSet::new();
        let total = self.kept.iter().map(Kept::size).fold(0, u64::saturating_add);
        // Boots that are too many go when there is one more.
        if total <= self.quota && !self.has_new_names {
            return Ok(gone);
        }
        let go: BTreeSet<usize> = surplus(&self.kept, self.quota).into_iter().ordered();
        for kept in go.iter().filter_map(|at| self.kept.get(*at)) {
            let name = SegmentName { number: kept.number, log: kept.log.clone() }.to_string();
            if kept.boot == self.boot.number {
                let _ = directory::remove_file(self.directory.as_fd(), &name);
                gone.insert(kept.number);
            } else {
                let _ = self.remove_of_another(kept.boot, &name);
            }
        }
        // One that did not go is not counted any more either: the others are to go all the same.
        let mut at = 0usize..;
        self.kept.retain(|_| at.next().is_none_or(|at| !go.contains(&at)));
        Ok(gone)
    }

    fn remove_of_another(&self, boot: u32, file: &str) -> Result<()> {
        let names = boots_of(self.logs.as_fd())?.into_iter();
        for name in names.filter(|name| name.number == boot).map(|name| name.to_string()) {
            let directory = directory::open_below(self.logs.as_fd(), &name)?;
            directory::remove_file(directory.as_fd(), file)?;
            // One that has more in it stays.
            let _ = data_file::remove_directory(self.logs.as_fd(), &name);
        }
        Ok(())
    }

    /// Waits until the disk has all files and their names.
    ///
    /// # Errors
    /// EIO.
    pub(super) fn sync_all(&mut self) -> Result<()> {
        data_file::sync_system(self.logs.as_fd())?;
        self.has_new_names = false;
        Ok(())
    }

    /// Waits until the disk has the names of the files.
    ///
    /// # Errors
    /// EIO.
    pub(super) fn sync_names(&mut self) -> Result<()> {
        if self.has_new_names {
            data_file::sync_names(self.directory.as_fd())?;
            data_file::sync_names(self.logs.as_fd())?;
            self.has_new_names = false;
        }
        Ok(())
    }
}

/// Directories of boots; whatever else is there is none of ours.
pub(super) fn boots_of(logs: BorrowedFd<'_>) -> Result<Vec<BootName>> {
    let entries = directory::entries_up_to(logs, MOST_BOOTS)?;
    Ok(entries.into_iter().filter_map(|(name, _)| BootName::parse(&name)).collect())
}

/// Files of one of them.
pub(super) fn segments_of(boot: BorrowedFd<'_>) -> Result<Vec<SegmentName>> {
    let entries = directory::entries_up_to(boot, MOST_FILES)?;
    Ok(entries.into_iter().filter_map(|(name, _)| SegmentName::parse(&name)).collect())
}

fn files(directory: BorrowedFd<'_>, boot: &BootName) -> Result<Vec<Kept>> {
    let mut kept = Vec::new();
    for name in segments_of(directory)? {
        let bytes = data_file::size_of(directory, &name.to_string())?;
        kept.push(Kept { boot: boot.number, number: name.number, log: name.log, bytes });
    }
    Ok(kept)
}

/// A directory, whether it was there or not.
pub(super) fn make(parent: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    match directory::make_new(parent, name, 0o700) {
        Err(Errno::EEXIST) => directory::open_below(parent, name),
        other => other,
    }
}

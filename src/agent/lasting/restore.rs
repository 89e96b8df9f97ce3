//! What a disk has kept comes back to /run, once in a boot: each file is looked at first, and one that is no such file is
//! put aside and said, and harms nothing. What /run has already stays.

use std::fs as std_fs;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::mirror::{BOOT, CONTAINERS, END, ENDS, POINTER, Places, REPORT, VERSIONS, numbered};
use super::{pointer, report};
use crate::agent::reload::versions::{self, Version};
use crate::agent::{boot_id, ends};
use crate::linux::{Errno, Result, data_file, directory, fs};

/// That it was done in this boot.
const DONE: &str = "restored";

/// What there is to say of it.
#[derive(Debug, Default, PartialEq)]
pub struct Told {
    lines: Vec<String>,
    more: usize,
    /// What is wrong with the configuration that should be in force; empty: nothing.
    pub in_force: String,
}

impl Told {
    fn say(&mut self, line: String) {
        /// Each may be about another of a thousand files.
        const MOST: usize = 8;
        if self.lines.len() < MOST { self.lines.push(line) } else { self.more = self.more.saturating_add(1) }
    }

    pub fn lines(self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("{} more like these", self.more));
        self.lines.into_iter().chain(more).collect()
    }
}

impl Places {
    /// Does it, unless an earlier keeper of this boot has.
    ///
    /// # Errors
    /// The disk cannot be written, or /run is full.
    pub fn restore(&self) -> Result<Told> {
        let mut told = Told::default();
        if let Ok(in_force) = std_fs::read_to_string(self.run.join(DONE)) {
            told.in_force = in_force;
            return Ok(told);
        }
        for folder in [CONTAINERS, VERSIONS] {
            self.folder(folder)?;
        }
        // A disk that takes nothing is read all the same.
        let marked = self.boot();
        self.ends(&mut told)?;
        self.versions(&mut told)?;
        let mut wrong = Told::default();
        self.one(POINTER, "in-force.json", pointer::MOST_BYTES, &mut wrong, |bytes| {
            pointer::parse(bytes).map(drop)
        })?;
        told.in_force = wrong.lines().into_iter().next().unwrap_or_default();
        self.one(END, "end-before.json", REPORT, &mut told, |bytes| {
            report::parse(bytes).map(drop).ok_or_else(nonsense)
        })?;
        // It is about the last end, and not about one that nobody has announced.
        let folder = self.folder("")?;
        let forgotten = directory::remove_file(folder.as_fd(), END);
        if let Err(errno) = marked.and(forgotten).and_then(|()| self.settle("")) {
            told.say(format!("what outlives a power-off is read, and cannot be written: {}", errno.desc()));
        }
        put(&self.run.join(DONE), told.in_force.as_bytes())?;
        Ok(told)
    }

    /// Which boot used the disk last, and that it is this one now.
    fn boot(&self) -> Result<()> {
        let folder = self.folder("")?;
        let kept = directory::read(folder.as_fd(), BOOT, boot_id::LONG * 2).ok();
        let kept = kept.and_then(|bytes| boot_id::id(core::str::from_utf8(&bytes).ok()?));
        let this = boot_id::this();
        if let Some(kept) = kept.filter(|kept| Some(kept) != this.as_ref()) {
            put(&self.run.join("boot-before"), kept.as_bytes())?;
        }
        this.map_or(Ok(()), |this| data_file::put(folder.as_fd(), BOOT, this.as_bytes()))
    }

    fn ends(&self, told: &mut Told) -> Result<()> {
        for name in self.listed(CONTAINERS) {
            let folder = self.run.join("containers").join(&name);
            let is_one = |bytes: &[u8]| ends::are(bytes).then_some(()).ok_or_else(nonsense);
            let Some(bytes) = self.checked(CONTAINERS, &name, ENDS, told, is_one)? else { continue };
            if folder.join("ends").exists() {
                continue;
            }
            fs::make_directory(folder.to_str().unwrap_or_default(), 0o755)?;
            // Whatever our umask is.
            std_fs::set_permissions(&folder, std_fs::Permissions::from_mode(0o755)).map_err(errno)?;
            put(&folder.join("ends"), &bytes)?;
        }
        Ok(())
    }

    /// The newest, as many as /run keeps of its own.
    fn versions(&self, told: &mut Told) -> Result<()> {
        fs::make_directory(self.run.join(VERSIONS).to_str().unwrap_or_default(), versions::MODE)?;
        let mut names: Vec<(u64, String)> = numbered(self.listed(VERSIONS))
            .into_iter()
            .filter_map(|name| Some((name.strip_suffix(".json")?.parse().ok()?, name)))
            .collect();
        names.sort_unstable();
        let mut taken = 0u64;
        for (number, name) in names.into_iter().rev().take(versions::MOST) {
            let is_it = |bytes: &[u8]| {
                let version = serde_json::from_slice::<Version>(bytes).ok();
                let is_right = |it: &Version| it.number == number && number < versions::HIGHEST;
                version.filter(is_right).map(drop).ok_or_else(nonsense)
            };
            let Some(bytes) = self.checked(VERSIONS, &name, versions::LIMIT, told, is_it)? else { continue };
            let run = self.run.join(VERSIONS).join(&name);
            let is_first = taken == 0;
            taken = taken.saturating_add(bytes.len() as u64);
            if !is_first && taken > versions::MOST_BYTES {
                break;
            }
            if !run.exists() {
                put(&run, &bytes)?;
            }
        }
        Ok(())
    }

    fn one(
        &self,
        disk: &str,
        run: &str,
        most: usize,
        told: &mut Told,
        is_it: impl Fn(&[u8]) -> core::result::Result<(), String>,
    ) -> Result<()> {
        let run = self.run.join(run);
        match self.checked("", disk, most, told, is_it)? {
            Some(bytes) if !run.exists() => put(&run, &bytes),
            Some(_) | None => Ok(()),
        }
    }

    /// What a file has, if it is such a file.
    fn checked(
        &self,
        folder: &str,
        name: &str,
        most: usize,
        told: &mut Told,
        is_it: impl Fn(&[u8]) -> core::result::Result<(), String>,
    ) -> Result<Option<Vec<u8>>> {
        let within = self.folder(folder)?;
        let why = match directory::read(within.as_fd(), name, most) {
            Err(Errno::ENOENT) => return Ok(None),
            Err(errno) => errno.desc().to_owned(),
            Ok(bytes) => match is_it(&bytes) {
                Ok(()) => return Ok(Some(bytes)),
                Err(why) => why,
            },
        };
        told.say(format!("{}: {why}; it is put aside", Path::new(folder).join(name).display()));
        // One that stays as it is is read no more than one that is gone.
        let _ = directory::rename(within.as_fd(), name, &format!(".{name}.bad"));
        Ok(None)
    }
}

fn nonsense() -> String {
    "it makes no sense".to_owned()
}

/// Into /run: there is nothing to be made sure of. Nobody's but the machine's to read.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Err(Errno::EINVAL) };
    let folder = directory::open_at(folder)?;
    directory::replace(folder.as_fd(), name.to_str().unwrap_or_default(), bytes, 0o600)
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
#[path = "restore_test.rs"]
mod tests;

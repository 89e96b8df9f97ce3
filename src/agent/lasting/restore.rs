//! What a disk has kept comes back to /run, once in a boot: each file is looked at first, and one that is no such file is
//! put aside and said, and harms nothing. What /run has already stays.

use std::fs as std_fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::mirror::{
    BOOT, CONTAINERS, END, ENDS, POINTER, Places, REPORT, VERSIONS, beside, listed, numbered, read, remove,
    write,
};
use super::{pointer, report};
use crate::agent::reload::versions::{self, Version};
use crate::agent::{boot_id, ends};
use crate::linux::fs;

/// A whole configuration, with those before it: what /run keeps of them.
const MOST_BYTES: usize = 16 << 20;

/// That it was done in this boot.
const DONE: &str = "restored";

/// What there is to say of it.
#[derive(Debug, Default, PartialEq)]
pub struct Told {
    lines: Vec<String>,
    more: usize,
}

impl Told {
    fn say(&mut self, line: String) {
        /// Each may be about another of a thousand files.
        const MOST: usize = 8;
        if self.lines.len() < MOST { self.lines.push(line) } else { self.more = self.more.saturating_add(1) }
    }

    pub fn lines(self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("the disk: {} more like these", self.more));
        self.lines.into_iter().chain(more).collect()
    }
}

impl Places {
    /// Does it, unless an earlier keeper of this boot has.
    ///
    /// # Errors
    /// The disk cannot be written, or /run is full.
    pub fn restore(&self) -> io::Result<Told> {
        let mut told = Told::default();
        if self.run.join(DONE).exists() {
            return Ok(told);
        }
        self.folders()?;
        self.boot()?;
        self.ends(&mut told)?;
        self.versions(&mut told)?;
        self.one(POINTER, "in-force.json", pointer::MOST_BYTES, &mut told, |bytes| {
            pointer::parse(bytes).map(drop)
        })?;
        self.one(END, "end-before.json", REPORT, &mut told, |bytes| report::parse(bytes).map(drop))?;
        // It is about the last end, and not about one that nobody has announced.
        remove(&self.state.join(END))?;
        self.settle("")?;
        put(&self.run.join(DONE), b"")?;
        Ok(told)
    }

    /// Which boot used the disk last, and that it is this one now.
    fn boot(&self) -> io::Result<()> {
        let path = self.state.join(BOOT);
        let kept = read(&path, boot_id::LONG * 2).ok();
        let kept = kept.and_then(|bytes| boot_id::id(core::str::from_utf8(&bytes).ok()?));
        let this = boot_id::this();
        if let Some(kept) = kept.filter(|kept| Some(kept) != this.as_ref()) {
            put(&self.run.join("boot-before"), kept.as_bytes())?;
        }
        this.map_or(Ok(()), |this| write(&path, this.as_bytes()))
    }

    fn ends(&self, told: &mut Told) -> io::Result<()> {
        for name in listed(&self.state.join(CONTAINERS)) {
            let disk = self.state.join(CONTAINERS).join(&name);
            let folder = self.run.join("containers").join(&name);
            let is_one = |bytes: &[u8]| (bytes.len() == ENDS && ends::are(bytes)).then_some(());
            let Some(bytes) = self.checked(&disk, ENDS, told, is_one)? else { continue };
            if folder.join("ends").exists() {
                continue;
            }
            fs::make_directory(folder.to_str().unwrap_or_default(), 0o755)?;
            // Whatever our umask is.
            std_fs::set_permissions(&folder, std_fs::Permissions::from_mode(0o755))?;
            put(&folder.join("ends"), &bytes)?;
        }
        Ok(())
    }

    /// The newest, as many as have room.
    fn versions(&self, told: &mut Told) -> io::Result<()> {
        fs::make_directory(self.run.join(VERSIONS).to_str().unwrap_or_default(), versions::MODE)?;
        let mut names: Vec<(u64, String)> = numbered(&self.state.join(VERSIONS))
            .into_iter()
            .filter_map(|name| Some((name.strip_suffix(".json")?.parse().ok()?, name)))
            .collect();
        names.sort_unstable();
        let mut room = MOST_BYTES;
        for (number, name) in names.into_iter().rev().take(versions::MOST) {
            let disk = self.state.join(VERSIONS).join(&name);
            let is_it = |bytes: &[u8]| {
                serde_json::from_slice::<Version>(bytes).ok().filter(|it| it.number == number).map(drop)
            };
            let Some(bytes) = self.checked(&disk, versions::LIMIT, told, is_it)? else { continue };
            let run = self.run.join(VERSIONS).join(&name);
            room = room.saturating_sub(bytes.len());
            if room > 0 && !run.exists() {
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
        is_it: impl Fn(&[u8]) -> Option<()>,
    ) -> io::Result<()> {
        let run = self.run.join(run);
        match self.checked(&self.state.join(disk), most, told, is_it)? {
            Some(bytes) if !run.exists() => put(&run, &bytes),
            Some(_) | None => Ok(()),
        }
    }

    /// What a file has, if it is such a file.
    fn checked(
        &self,
        path: &Path,
        most: usize,
        told: &mut Told,
        is_it: impl Fn(&[u8]) -> Option<()>,
    ) -> io::Result<Option<Vec<u8>>> {
        let why = match read(path, most) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => error.to_string(),
            Ok(bytes) if is_it(&bytes).is_some() => return Ok(Some(bytes)),
            Ok(_) => "it makes no sense".to_owned(),
        };
        let aside = beside(path, "bad");
        let name = path.strip_prefix(&self.state).unwrap_or(path).display();
        told.say(format!("the disk: {name}: {why}; it is put aside"));
        if aside.is_dir() {
            return Ok(None);
        }
        std_fs::rename(path, aside).map(|()| None)
    }
}

/// Into /run: there is nothing to be made sure of. Nobody's but the machine's to read.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = beside(path, "new");
    let ours = std_fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new);
    let written = ours.and_then(|mut file| file.write_all(bytes)).and_then(|()| std_fs::rename(&new, path));
    if written.is_err() {
        let _ = std_fs::remove_file(&new);
    }
    written
}

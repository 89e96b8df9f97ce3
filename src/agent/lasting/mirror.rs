//! The disk's copy of what is to outlive a power-off, as `orlop keep` makes it of files in /run: each written beside the
//! old one, made sure of, and put in its place, so that a power cut leaves the old or the new.
//!
//! How many there are and how large they are is bounded by what the supervisor keeps in /run, and looked at once more.

use std::collections::BTreeSet;
use std::fs::{self as std_fs, File};
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use orlop::keep::Mirror;

use super::pointer;
use crate::agent::reload::versions;
use crate::linux::fs;

/// As many containers as a configuration has, at most.
pub const MOST_NAMES: usize = 1024;
/// How a container's last ends are kept: one page.
pub const ENDS: usize = 4096;
/// A report of an end, far more than its lines take.
pub const REPORT: usize = 64 << 10;

/// What is there, on the disk and in /run.
pub const POINTER: &str = "in-force.json";
pub const VERSIONS: &str = "configurations";
pub const CONTAINERS: &str = "ends";
pub const END: &str = "end.json";
pub const BOOT: &str = "boot";

/// Where both are.
pub struct Places {
    pub run: PathBuf,
    pub state: PathBuf,
}

/// A file in /run, and its copy.
struct Pair {
    run: PathBuf,
    disk: PathBuf,
    most: usize,
}

impl Places {
    pub fn usual(disk: &Path) -> Self {
        Self { run: "/run/orlop".into(), state: disk.join("state") }
    }

    /// Makes the disk as /run is. What is not there in /run goes. The number of the configuration that the disk has
    /// now, where that was looked at.
    ///
    /// # Errors
    /// What could not be written; the old copy is there still.
    pub fn mirror(&self, what: &Mirror) -> io::Result<Option<u64>> {
        self.folders()?;
        match what {
            Mirror::Configuration => self.configuration(),
            Mirror::Ends(name) => {
                self.copy(&self.ends_of(name)?)?;
                self.settle(CONTAINERS).map(|()| None)
            }
            Mirror::End => {
                self.copy(&self.end())?;
                self.settle("").map(|()| None)
            }
            Mirror::All => {
                self.all_ends()?;
                self.copy(&self.end())?;
                self.configuration()
            }
        }
    }

    /// # Errors
    /// As mkdir(2).
    pub fn folders(&self) -> io::Result<()> {
        for folder in ["", VERSIONS, CONTAINERS] {
            let path = self.state.join(folder);
            let folder = path.to_str().ok_or(io::ErrorKind::InvalidFilename)?.trim_end_matches('/');
            fs::make_directory(folder, 0o700).map_err(io::Error::from)?;
        }
        Ok(())
    }

    /// The versions first: what is in force never names one that is not there.
    fn configuration(&self) -> io::Result<Option<u64>> {
        let versions = numbered(&self.run.join(VERSIONS));
        for name in &versions {
            self.copy(&self.version(name))?;
        }
        for name in numbered(&self.state.join(VERSIONS)).difference(&versions) {
            remove(&self.state.join(VERSIONS).join(name))?;
        }
        self.settle(VERSIONS)?;
        self.copy(&Pair {
            run: self.run.join(POINTER),
            disk: self.state.join(POINTER),
            most: pointer::MOST_BYTES,
        })?;
        self.settle("")?;
        let kept = read(&self.state.join(POINTER), pointer::MOST_BYTES).ok();
        Ok(kept.and_then(|bytes| pointer::parse(&bytes)).map(|pointer| pointer.number))
    }

    fn all_ends(&self) -> io::Result<()> {
        let names = self.names_with_ends();
        for name in &names {
            self.copy(&self.ends_of(name)?)?;
        }
        for name in listed(&self.state.join(CONTAINERS)).difference(&names) {
            remove(&self.state.join(CONTAINERS).join(name))?;
        }
        self.settle(CONTAINERS)
    }

    fn names_with_ends(&self) -> BTreeSet<String> {
        let containers = self.run.join("containers");
        let has_ends = |name: &String| containers.join(name).join("ends").is_file();
        listed(&containers).into_iter().filter(has_ends).take(MOST_NAMES).collect()
    }

    fn ends_of(&self, name: &str) -> io::Result<Pair> {
        if !is_name(name) {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let run = self.run.join("containers").join(name).join("ends");
        Ok(Pair { run, disk: self.state.join(CONTAINERS).join(name), most: ENDS })
    }

    fn version(&self, name: &str) -> Pair {
        let (run, disk) = (self.run.join(VERSIONS).join(name), self.state.join(VERSIONS).join(name));
        Pair { run, disk, most: versions::LIMIT }
    }

    fn end(&self) -> Pair {
        Pair { run: self.run.join(END), disk: self.state.join(END), most: REPORT }
    }

    /// Only what differs is written. A name that was removed or put in place is sure after [`Places::settle`].
    fn copy(&self, pair: &Pair) -> io::Result<()> {
        let bytes = match read(&pair.run, pair.most) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return remove(&pair.disk),
            read => read?,
        };
        if read(&pair.disk, pair.most).is_ok_and(|old| old == bytes) {
            return Ok(());
        }
        write(&pair.disk, &bytes)
    }

    /// What was renamed in a folder is so after a power cut too.
    ///
    /// # Errors
    /// As fsync(2).
    pub fn settle(&self, folder: &str) -> io::Result<()> {
        File::open(self.state.join(folder))?.sync_all()
    }
}

/// Writes a file beside the old one, and puts it in its place once it is sure.
///
/// # Errors
/// ENOSPC, EIO; the old one is there still.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = beside(path, "new");
    let written = File::create(&new)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std_fs::rename(&new, path));
    if written.is_err() {
        // A part of it takes room.
        let _ = std_fs::remove_file(&new);
    }
    written
}

/// Of a name that nothing is looked for by.
pub fn beside(path: &Path, what: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{what}-{name}"))
}

/// The whole of a regular file: what stands in its place on a disk may be anything.
///
/// # Errors
/// ENOENT; EFBIG, EINVAL.
pub fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let fd = fs::open_regular(path.to_str().ok_or(io::ErrorKind::InvalidFilename)?)?;
    Ok(fs::read_regular(fd.as_fd(), most)?)
}

/// One that is gone already is as well.
///
/// # Errors
/// EIO, EROFS.
pub fn remove(path: &Path) -> io::Result<()> {
    match std_fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Names in a folder that a container may have, of which there are no more than so many.
pub fn listed(folder: &Path) -> BTreeSet<String> {
    let entries = std_fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| is_name(name)).take(MOST_NAMES).collect()
}

/// Names of versions.
pub fn numbered(folder: &Path) -> BTreeSet<String> {
    let is_version =
        |name: &String| name.strip_suffix(".json").is_some_and(|name| name.parse::<u64>().is_ok());
    listed(folder).into_iter().filter(is_version).collect()
}

/// None that leads out of its folder, nor one of ours beside it.
pub fn is_name(name: &str) -> bool {
    const LONGEST: usize = 128;
    (1..=LONGEST).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte))
}

//! The disk's copy of what is to outlive a power-off, as `orlop keep` makes it of files in /run: each written beside the
//! old one, made sure of, and put in its place, so that a power cut leaves the old or the new.
//!
//! How many there are and how large they are is bounded by what the supervisor keeps in /run, and looked at once more.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use orlop::keep::Mirror;

use super::pointer;
use crate::agent::reload::versions;
use crate::linux::{Errno, Result, data_file, directory, fs};

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

/// On the disk.
const STATE: &str = "state";

/// Where both are.
pub struct Places {
    pub run: PathBuf,
    /// Where it is mounted.
    pub disk: PathBuf,
}

/// A file in /run, and its copy.
struct Pair {
    run: PathBuf,
    folder: &'static str,
    name: String,
    most: usize,
}

impl Places {
    pub fn usual(disk: &Path) -> Self {
        Self { run: "/run/orlop".into(), disk: disk.into() }
    }

    /// Makes the disk as /run is. What is not there in /run goes. The number of the configuration that the disk has
    /// now, where that was looked at.
    ///
    /// # Errors
    /// What could not be written; the old copy is there still.
    pub fn mirror(&self, what: &Mirror) -> Result<Option<u64>> {
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

    /// A folder of ours on the disk, and none that a link leads to; made if it is not there.
    ///
    /// # Errors
    /// ENOTDIR, EROFS.
    pub fn folder(&self, name: &str) -> Result<OwnedFd> {
        let below = |parent: BorrowedFd<'_>, name| match directory::make_new(parent, name, 0o700) {
            Err(Errno::EEXIST) => directory::open_below(parent, name),
            other => other,
        };
        let root = directory::open_at(&self.disk)?;
        let state = below(root.as_fd(), STATE)?;
        if name.is_empty() { Ok(state) } else { below(state.as_fd(), name) }
    }

    /// Names that are there.
    pub fn listed(&self, folder: &str) -> BTreeSet<String> {
        listed(&self.disk.join(STATE).join(folder))
    }

    /// The versions first: what is in force never names one that is not there.
    fn configuration(&self) -> Result<Option<u64>> {
        let versions = numbered(listed(&self.run.join(VERSIONS)));
        for name in &versions {
            let run = self.run.join(VERSIONS).join(name);
            self.copy(&Pair { run, folder: VERSIONS, name: name.clone(), most: versions::LIMIT })?;
        }
        let folder = self.folder(VERSIONS)?;
        for name in numbered(self.listed(VERSIONS)).difference(&versions) {
            // One that does not go holds up none of the others.
            let _ = directory::remove_file(folder.as_fd(), name);
        }
        self.settle(VERSIONS)?;
        let run = self.run.join(POINTER);
        self.copy(&Pair { run, folder: "", name: POINTER.into(), most: pointer::MOST_BYTES })?;
        self.settle("")?;
        let kept = directory::read(self.folder("")?.as_fd(), POINTER, pointer::MOST_BYTES).ok();
        Ok(kept.and_then(|bytes| pointer::parse(&bytes)).map(|pointer| pointer.number))
    }

    fn all_ends(&self) -> Result<()> {
        let names = self.names_with_ends();
        for name in &names {
            self.copy(&self.ends_of(name)?)?;
        }
        let folder = self.folder(CONTAINERS)?;
        for name in self.listed(CONTAINERS).difference(&names) {
            // One that does not go holds up none of the others.
            let _ = directory::remove_file(folder.as_fd(), name);
        }
        self.settle(CONTAINERS)
    }

    fn names_with_ends(&self) -> BTreeSet<String> {
        let containers = self.run.join("containers");
        let has_ends = |name: &String| containers.join(name).join("ends").is_file();
        listed(&containers).into_iter().filter(has_ends).collect()
    }

    fn ends_of(&self, name: &str) -> Result<Pair> {
        if !is_name(name) {
            return Err(Errno::EINVAL);
        }
        let run = self.run.join("containers").join(name).join("ends");
        Ok(Pair { run, folder: CONTAINERS, name: name.into(), most: ENDS })
    }

    fn end(&self) -> Pair {
        Pair { run: self.run.join(END), folder: "", name: END.into(), most: REPORT }
    }

    /// Only what differs is written. A name that was removed is gone for sure after [`Places::settle`].
    fn copy(&self, pair: &Pair) -> Result<()> {
        let folder = self.folder(pair.folder)?;
        let run = fs::open_regular(pair.run.to_str().ok_or(Errno::EINVAL)?);
        let bytes = match run.and_then(|run| fs::read_regular(run.as_fd(), pair.most)) {
            Err(Errno::ENOENT) => return directory::remove_file(folder.as_fd(), &pair.name),
            read => read?,
        };
        if directory::read(folder.as_fd(), &pair.name, pair.most).is_ok_and(|old| old == bytes) {
            return Ok(());
        }
        data_file::put(folder.as_fd(), &pair.name, &bytes)
    }

    /// What was removed from a folder is gone after a power cut too.
    ///
    /// # Errors
    /// EIO.
    pub fn settle(&self, folder: &str) -> Result<()> {
        data_file::sync_names(self.folder(folder)?.as_fd())
    }
}

/// Names in a folder that a container may have, of which there are no more than so many.
fn listed(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| is_name(name)).take(MOST_NAMES).collect()
}

/// Those that are names of versions.
pub fn numbered(names: BTreeSet<String>) -> BTreeSet<String> {
    let is_version =
        |name: &String| name.strip_suffix(".json").is_some_and(|name| name.parse::<u64>().is_ok());
    names.into_iter().filter(is_version).collect()
}

/// None that leads out of its folder, nor one of ours beside it.
pub fn is_name(name: &str) -> bool {
    const LONGEST: usize = 128;
    (1..=LONGEST).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte))
}

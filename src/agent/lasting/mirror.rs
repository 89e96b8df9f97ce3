//! The disk's copy of what is to outlive a power-off, as `orlop keep` makes it of files in /run: each written beside the
//! old one, made sure of, and put in its place, so that a power cut leaves the old or the new.
//!
//! How many there are and how large they are is bounded by what the supervisor keeps in /run, and looked at once more.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use orlop::keep::Mirror;

use super::batch::Batch;
use super::pointer;
use crate::agent::reload::versions;
use crate::linux::{Errno, Result, data_file, directory};

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
pub(super) struct Pair {
    pub(super) run: PathBuf,
    pub(super) folder: &'static str,
    pub(super) name: String,
    pub(super) most: usize,
}

impl Places {
    pub fn usual(disk: &Path) -> Self {
        Self { run: "/run/orlop".into(), disk: disk.into() }
    }

    /// Makes the disk as /run is. What is not there in /run goes. The number of the configuration that the disk has
    /// now, where that was looked at.
    ///
    /// All of them together wait for the disk a few times, however many they are.
    ///
    /// # Errors
    /// The first that could not be written; its old copy is there still, and the others are written.
    pub fn mirror(&self, changed: &BTreeSet<Mirror>) -> Result<Option<u64>> {
        let mut batch = Batch::new(self);
        for what in changed {
            match what {
                Mirror::Configuration => self.configuration(&mut batch),
                Mirror::Ends(name) => batch.copy(self.ends_of(name)),
                Mirror::End => batch.copy(Ok(self.end())),
                Mirror::All => {
                    self.all_ends(&mut batch);
                    batch.copy(Ok(self.end()));
                    self.configuration(&mut batch);
                }
            }
        }
        batch.finish()?;
        let is_looked_at = changed.iter().any(|what| matches!(what, Mirror::Configuration | Mirror::All));
        if !is_looked_at {
            return Ok(None);
        }
        let kept = directory::read(self.folder("")?.as_fd(), POINTER, pointer::MOST_BYTES).ok();
        Ok(kept.and_then(|bytes| pointer::parse(&bytes).ok()).map(|pointer| pointer.number))
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
    fn configuration(&self, batch: &mut Batch<'_>) {
        let versions = numbered(listed(&self.run.join(VERSIONS)));
        for name in &versions {
            let run = self.run.join(VERSIONS).join(name);
            batch.copy(Ok(Pair { run, folder: VERSIONS, name: name.clone(), most: versions::LIMIT }));
        }
        batch.remove(VERSIONS, numbered(self.listed(VERSIONS)).difference(&versions));
        let run = self.run.join(POINTER);
        batch.copy(Ok(Pair { run, folder: "", name: POINTER.into(), most: pointer::MOST_BYTES }));
    }

    fn all_ends(&self, batch: &mut Batch<'_>) {
        let names = self.names_with_ends();
        for name in &names {
            batch.copy(self.ends_of(name));
        }
        batch.remove(CONTAINERS, self.listed(CONTAINERS).difference(&names));
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
    /// A folder that has more was filled by somebody else.
    const LOOKED_AT: usize = 16 * MOST_NAMES;
    let entries = std::fs::read_dir(folder).into_iter().flatten().take(LOOKED_AT).flatten();
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

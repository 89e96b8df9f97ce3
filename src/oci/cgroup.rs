//! The cgroup of a container, in the caller's hierarchy and where the caller says.
//!
//! Whether there is a cgroup v2 to use is decided once, at the start. Where there is none, containers
//! that ask for no limits run without: nothing else here has a second way.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::unistd::{AccessFlags, access};
use orlop::container::Spec;
use orlop::container::spec::Mount;
use orlop::container::{CgroupNaming, cgroup_path, host_id, lent_to_user};

use super::arguments::CgroupManager;
use super::failure::{Failure, Result, at};
use super::record::Cgroup;
use crate::linux::{self, Errno, cgroup, directory};

/// CGROUP2_SUPER_MAGIC of linux/magic.h.
const CGROUP2_MAGIC: i64 = 0x6367_7270;
/// Killed processes are gone within milliseconds; one that hangs in the kernel is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Somebody who removes empty cgroups above ours between two steps does not do it often.
const TRIES: u32 = 8;
/// A line for each process; more than a million of them fit no machine.
const LONGEST_LIST: usize = 16 << 20;

/// Where containers' cgroups can be, as found at the start.
pub(crate) enum Hierarchy {
    Unified(OwnedFd),
    /// Somebody else's, who may have lent us a part of it (systemd.resource-control(5), Delegate=).
    Lent(OwnedFd),
    /// Why there is none.
    Missing(&'static str),
}

impl Hierarchy {
    pub(crate) fn find(manager: CgroupManager) -> Self {
        if manager == CgroupManager::Disabled {
            return Self::Missing("--cgroup-manager=disabled");
        }
        let Ok(root) = linux::fs::open_directory(cgroup::ROOT) else {
            return Self::Missing("there is no /sys/fs/cgroup");
        };
        if linux::mount::has_magic(root.as_fd(), CGROUP2_MAGIC) != Ok(true) {
            return Self::Missing("/sys/fs/cgroup is no cgroup v2");
        }
        match access(cgroup::ROOT, AccessFlags::W_OK) {
            Ok(()) => Self::Unified(root),
            Err(_) => Self::Lent(root),
        }
    }

    /// Where a container's cgroup is to be. What systemd's names are below for who got a part from it, is that part.
    ///
    /// # Errors
    /// What is wrong with the path.
    pub(crate) fn path(&self, wanted: Option<&str>, naming: CgroupNaming, id: &str) -> Result<String> {
        let path = cgroup_path(wanted, naming, id).map_err(Failure::new)?;
        if !matches!((self, naming), (Self::Lent(_), CgroupNaming::Systemd)) {
            return Ok(path);
        }
        let own = linux::proc::cgroup(nix::unistd::getpid().as_raw()).unwrap_or_default();
        Ok(format!("{}{path}", lent_to_user(&own).unwrap_or_default()))
    }

    /// The root, if a cgroup can be made there; or why none can.
    pub(crate) fn root_for(&self, path: &str) -> core::result::Result<&OwnedFd, &'static str> {
        match self {
            Self::Unified(root) => Ok(root),
            Self::Lent(root) if is_lent(path) => Ok(root),
            Self::Lent(_) => Err("/sys/fs/cgroup cannot be written there"),
            Self::Missing(why) => Err(why),
        }
    }

    /// What containers do without, in a sentence.
    pub(crate) fn missing(&self) -> Option<String> {
        match self {
            Self::Unified(_) | Self::Lent(_) => None,
            Self::Missing(why) => Some(missing(why)),
        }
    }
}

pub(crate) fn missing(why: &str) -> String {
    format!(
        "{why}: containers have no cgroup, no limits, no device filter, and cannot be paused, updated or measured"
    )
}

/// Whether what is there of a path above its end may be written.
fn is_lent(path: &str) -> bool {
    let mut above = path;
    while let Some((rest, _)) = above.rsplit_once('/') {
        match access(format!("{}{rest}", cgroup::ROOT).as_str(), AccessFlags::W_OK) {
            Err(Errno::ENOENT) => above = rest,
            other => return other.is_ok(),
        }
    }
    false
}

/// A container's own cgroup, made and still empty.
pub(crate) struct Place {
    pub(crate) directory: OwnedFd,
    pub(crate) cgroup: Cgroup,
}

/// Makes the cgroup at `path` and those above it, with every controller that can be had.
///
/// # Errors
/// It cannot be made; somebody is in it.
pub(crate) fn make(root: &OwnedFd, path: &str) -> Result<Place> {
    let mut made = Vec::new();
    let mut tries = 0;
    let directory = loop {
        match descend(root.as_fd(), path, &mut made) {
            Err(Errno::ENOENT) if tries < TRIES => tries += 1,
            other => break other,
        }
    };
    let place = Place {
        directory: directory.map_err(|errno| {
            take_away(&made);
            at(format_args!("cgroup {path}"))(errno)
        })?,
        cgroup: Cgroup { path: path.to_owned(), made },
    };
    let events = cgroup::read(place.directory.as_fd(), "cgroup.events").unwrap_or_default();
    let is = |key: &str| cgroup::keyed(&events, key) == Some(1);
    if is("populated") || is("frozen") {
        let what = if is("populated") { "has processes" } else { "is frozen" };
        take_away(&place.cgroup.made);
        return Err(Failure::new(format!("cgroup {path} {what}: it is somebody else's")));
    }
    Ok(place)
}

/// One level after the other. Controllers are enabled in what lies above, unless it has processes of its
/// own; a limit that needs one is then refused by its missing file.
fn descend(root: BorrowedFd<'_>, path: &str, made: &mut Vec<String>) -> linux::Result<OwnedFd> {
    let mut so_far = String::new();
    let mut here = directory::open_below(root, ".")?;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        enable(here.as_fd());
        so_far = format!("{so_far}/{part}");
        let next = match directory::make_new(here.as_fd(), part, 0o755) {
            Ok(next) => {
                if !made.contains(&so_far) {
                    made.push(so_far.clone());
                }
                next
            }
            Err(Errno::EEXIST) => directory::open_below(here.as_fd(), part)?,
            Err(errno) => return Err(errno),
        };
        here = next;
    }
    Ok(here)
}

/// Enables what is not enabled yet, in one write if nothing is against it.
fn enable(above: BorrowedFd<'_>) {
    let words = |file: &str| cgroup::read(above, file).unwrap_or_default();
    let (have, enabled) = (words("cgroup.controllers"), words("cgroup.subtree_control"));
    let is_missing = |name: &&str| !enabled.split_whitespace().any(|it| it == *name);
    let missing: Vec<String> =
        have.split_whitespace().filter(is_missing).map(|name| format!("+{name}")).collect();
    if missing.is_empty()
        || is_inhabited(above)
        || cgroup::write(above, "cgroup.subtree_control", &missing.join(" ")).is_ok()
    {
        return;
    }
    for controller in missing {
        let _ = cgroup::write(above, "cgroup.subtree_control", &controller);
    }
}

/// Whether it has processes itself and is not the root of all (which has no type). Those controllers that the
/// kernel enables there nevertheless would make its children threaded: nobody can be cloned into such a one.
fn is_inhabited(it: BorrowedFd<'_>) -> bool {
    let is_root = matches!(cgroup::read(it, "cgroup.type"), Err(Errno::ENOENT));
    !is_root && !matches!(cgroup::read(it, "cgroup.procs").as_deref(), Ok(""))
}

/// Opens a cgroup by its path from the root of the hierarchy.
///
/// # Errors
/// ENOENT.
pub(crate) fn open(path: &str) -> linux::Result<OwnedFd> {
    let mut here = linux::fs::open_directory(cgroup::ROOT)?;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if part == ".." {
            return Err(Errno::EXDEV);
        }
        here = directory::open_below(here.as_fd(), part)?;
    }
    Ok(here)
}

/// Where another process of a container may enter: its cgroup, or, when it has made cgroups below that
/// one, where its first process is.
///
/// # Errors
/// ENOENT.
pub(crate) fn entrance(path: &str, first: i32) -> linux::Result<OwnedFd> {
    let own = open(path)?;
    if cgroup::read(own.as_fd(), "cgroup.subtree_control").is_ok_and(|text| text.trim().is_empty()) {
        return Ok(own);
    }
    let now = linux::proc::cgroup(first)?;
    if now.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')) { open(&now) } else { Ok(own) }
}

/// Gives the cgroup to the container's process where it can be written inside, and only then
/// (config-linux.md, Cgroup ownership).
///
/// # Errors
/// EPERM.
pub(crate) fn delegate(it: BorrowedFd<'_>, spec: &Spec) -> Result<()> {
    let is_writable = |mount: &Mount| {
        mount.destination.trim_end_matches('/') == "/sys/fs/cgroup"
            && mount.source.as_deref() == Some("cgroup")
            && !mount.options.iter().any(|option| option == "ro")
    };
    let uid = spec.process.as_ref().map_or(0, |process| process.user.uid);
    let Some(owner) = host_id(&spec.linux.uid_mappings, uid) else { return Ok(()) };
    if !spec.mounts.iter().any(is_writable) {
        return Ok(());
    }
    let files = std::fs::read_to_string("/sys/kernel/cgroup/delegate");
    let files =
        files.unwrap_or_else(|_| String::from("cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n"));
    directory::give(it, ".", owner).map_err(at("cgroup"))?;
    for file in files.lines().filter(|name| !name.contains('/')) {
        match directory::give(it, file, owner) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(at(format_args!("cgroup file {file}"))(errno)),
        }
    }
    Ok(())
}

/// Whether it was told to be frozen.
pub(crate) fn is_frozen(path: &str) -> bool {
    open(path).and_then(|it| cgroup::read(it.as_fd(), "cgroup.freeze")).is_ok_and(|text| text.trim() == "1")
}

/// Stops all processes in it, and waits until they stand still; takes it back if they do not.
///
/// # Errors
/// ETIMEDOUT.
pub(crate) fn freeze(it: BorrowedFd<'_>) -> linux::Result<()> {
    cgroup::write(it, "cgroup.freeze", "1")?;
    cgroup::wait_for(it, "frozen", 1, PATIENCE).inspect_err(|_| {
        // It did not come to a stand; what it says about going on does not matter.
        let _ = thaw(it);
    })
}

/// Lets them go on.
///
/// # Errors
/// ENODEV when it is gone.
pub(crate) fn thaw(it: BorrowedFd<'_>) -> linux::Result<()> {
    cgroup::write(it, "cgroup.freeze", "0")
}

/// All processes in it and below it, rising.
///
/// # Errors
/// ENODEV when it is gone.
pub(crate) fn processes(it: BorrowedFd<'_>) -> linux::Result<Vec<i32>> {
    let mut found = Vec::new();
    collect(it, &mut found)?;
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn collect(it: BorrowedFd<'_>, found: &mut Vec<i32>) -> linux::Result<()> {
    match directory::read(it, "cgroup.procs", LONGEST_LIST) {
        Ok(text) => {
            found.extend(String::from_utf8_lossy(&text).lines().filter_map(|it| it.parse::<i32>().ok()));
        }
        // A threaded one: its processes are listed above it.
        Err(Errno::EOPNOTSUPP) => {}
        Err(errno) => return Err(errno),
    }
    for (name, is_directory) in directory::entries(it)? {
        if is_directory {
            match directory::open_below(it, &name).and_then(|below| collect(below.as_fd(), found)) {
                // Gone between two looks.
                Ok(()) | Err(Errno::ENOENT | Errno::ENODEV) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
    Ok(())
}

/// Kills all that is in it, waits, and removes what was made for the container.
///
/// # Errors
/// Somebody is in it and cannot be killed.
pub(crate) fn remove(found: &Cgroup) -> Result<()> {
    let gone = |errno| matches!(errno, Errno::ENOENT | Errno::ENODEV);
    let emptied = open(&found.path).and_then(|it| {
        cgroup::kill(it.as_fd())?;
        cgroup::wait_until_empty(it.as_fd(), PATIENCE)
    });
    match emptied {
        Ok(()) => {}
        Err(errno) if gone(errno) => {}
        Err(errno) => return Err(at(format_args!("cgroup {}", found.path))(errno)),
    }
    take_away(&found.made);
    if found.made.contains(&found.path) && open(&found.path).is_ok() {
        return Err(Failure::new(format!("cgroup {}: {}", found.path, Errno::EBUSY.desc())));
    }
    Ok(())
}

/// The innermost first, with the empty ones below it; those above only if nobody else uses them.
fn take_away(made: &[String]) {
    let mut innermost = true;
    for path in made.iter().rev() {
        let Some((above, name)) = path.rsplit_once('/') else { continue };
        let Ok(above) = open(above) else { continue };
        let removed = if innermost {
            cgroup::remove_tree(above.as_fd(), name)
        } else {
            cgroup::remove(above.as_fd(), name)
        };
        if removed.is_err() {
            return;
        }
        innermost = false;
    }
}

#[path = "cgroup_tests.rs"]
#[cfg(test)]
mod tests;

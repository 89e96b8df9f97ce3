//! cgroup v2: directories and the small files in them, relative to a directory's descriptor.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::insist::passes;
use super::{Errno, Result, directory, insist};

/// Where the hierarchy is mounted.
pub const ROOT: &str = "/sys/fs/cgroup";

/// Opens a cgroup by its path below the root of the hierarchy.
///
/// # Errors
/// ENOENT.
pub fn open_path(path: &str) -> Result<OwnedFd> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    super::fs::open(format!("{ROOT}/{path}").as_str(), flags, Mode::empty())
}

/// Whether a cgroup was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Made,
    /// With whatever is set in it and attached to it.
    Found,
}

/// Makes a cgroup below another, or opens the one that is there.
///
/// # Errors
/// As mkdirat(2).
pub fn make(parent: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    make_or_find(parent, name).map(|(cgroup, _)| cgroup)
}

/// As [`make`], and which of the two it was.
///
/// # Errors
/// As mkdirat(2).
pub fn make_or_find(parent: BorrowedFd<'_>, name: &str) -> Result<(OwnedFd, Origin)> {
    let origin = match mkdirat(parent, name, Mode::from_bits_truncate(0o755)) {
        Ok(()) => Origin::Made,
        Err(Errno::EEXIST) => Origin::Found,
        Err(errno) => return Err(errno),
    };
    Ok((open_below(parent, name)?, origin))
}

/// Enables every controller that the kernel has for the cgroups below this one.
pub fn enable_controllers(cgroup: BorrowedFd<'_>) {
    let all = ["+cpuset", "+cpu", "+io", "+memory", "+hugetlb", "+pids", "+rdma"];
    let enable = |names: &str| write(cgroup, "cgroup.subtree_control", names);
    match insist(|| enable(&all.join(" "))) {
        Ok(()) => return,
        Err(errno) if passes(errno) => return,
        Err(_) => {}
    }
    for controller in all {
        // One by one: a kernel may lack some, and a limit that needs one is then refused by its file.
        let _ = enable(controller);
    }
}

/// Gives a cgroup to somebody who may divide it: the directory, and the files that the kernel names for
/// that; its limits stay ours.
///
/// # Errors
/// As fchownat(2).
pub fn delegate(cgroup: BorrowedFd<'_>, uid: u32, gid: u32) -> Result<()> {
    let files = std::fs::read_to_string("/sys/kernel/cgroup/delegate").map_err(super::errno_of)?;
    let flags = nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW;
    for file in files.lines() {
        match nix::unistd::fchownat(cgroup, file, Some(uid.into()), Some(gid.into()), flags) {
            // The list names files of controllers too that are not enabled here.
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    nix::unistd::fchown(cgroup, Some(uid.into()), Some(gid.into()))
}

/// Writes a file of a cgroup in one write(2).
///
/// # Errors
/// ENOENT when the controller is not enabled; what the kernel has against the value.
pub fn write(cgroup: BorrowedFd<'_>, file: &str, value: &str) -> Result<()> {
    let fd = openat(cgroup, file, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    nix::unistd::write(fd.as_fd(), value.as_bytes())?;
    Ok(())
}

/// Reads a file of a cgroup, at most 4 KiB of it.
///
/// # Errors
/// ENOENT, ENODEV when the cgroup is gone.
pub fn read(cgroup: BorrowedFd<'_>, file: &str) -> Result<String> {
    let fd = openat(cgroup, file, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut buffer = [0u8; 4096];
    let size = super::fd::read(fd.as_fd(), &mut buffer)?;
    Ok(String::from_utf8_lossy(buffer.get(..size).unwrap_or_default()).into_owned())
}

/// The number after `key` in a flat keyed file such as memory.events.
#[must_use]
pub fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Kills every process in it and below it at once (cgroup.kill, 5.14).
///
/// # Errors
/// ENODEV when the cgroup is gone.
pub fn kill(cgroup: BorrowedFd<'_>) -> Result<()> {
    write(cgroup, "cgroup.kill", "1")
}

/// Stops every process in it and below it; they stand still some time later (cgroup.freeze, 5.2).
///
/// # Errors
/// ENODEV when the cgroup is gone.
pub fn freeze(cgroup: BorrowedFd<'_>) -> Result<()> {
    write(cgroup, "cgroup.freeze", "1")
}

/// Lets them go on.
///
/// # Errors
/// ENODEV when the cgroup is gone.
pub fn thaw(cgroup: BorrowedFd<'_>) -> Result<()> {
    write(cgroup, "cgroup.freeze", "0")
}

/// Waits until no process is left in it and below it, at most so long. For a child: it blocks.
///
/// # Errors
/// ETIMEDOUT; ENODEV when the cgroup is gone.
pub fn wait_until_empty(cgroup: BorrowedFd<'_>, patience: Duration) -> Result<()> {
    wait_for(cgroup, "populated", 0, patience)
}

/// Waits until `key` of cgroup.events is `value`, at most so long. For a process that may block.
///
/// # Errors
/// ETIMEDOUT; ENODEV when the cgroup is gone.
pub fn wait_for(cgroup: BorrowedFd<'_>, key: &str, value: u64, patience: Duration) -> Result<()> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let events = watch(cgroup, "cgroup.events")?;
    let deadline = super::time::since_boot().saturating_add(patience);
    while keyed(&reread(events.as_fd())?, key) != Some(value) {
        let left = deadline.saturating_sub(super::time::since_boot());
        if left.is_zero() {
            return Err(Errno::ETIMEDOUT);
        }
        // Rounded up: the last fraction of a millisecond is not spent in a loop.
        let left = PollTimeout::try_from(left.as_millis().saturating_add(1)).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(events.as_fd(), PollFlags::POLLPRI)], left) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Removes an empty cgroup.
///
/// # Errors
/// EBUSY while it has processes or children.
pub fn remove(parent: BorrowedFd<'_>, name: &str) -> Result<()> {
    unlinkat(parent, name, UnlinkatFlags::RemoveDir)
}

/// Removes an empty cgroup and the empty ones below it, at most 64 levels deep.
///
/// # Errors
/// EBUSY while one has processes.
pub fn remove_tree(parent: BorrowedFd<'_>, name: &str) -> Result<()> {
    remove_levels(parent, name, 64)
}

fn remove_levels(parent: BorrowedFd<'_>, name: &str, levels: u32) -> Result<()> {
    match remove(parent, name) {
        Err(Errno::EBUSY) if levels > 0 => {}
        Err(Errno::ENOENT) => return Ok(()),
        other => return other,
    }
    let group = open_below(parent, name)?;
    for child in below(group.as_fd())? {
        remove_levels(group.as_fd(), &child, levels - 1)?;
    }
    remove(parent, name)
}

/// Opens a cgroup that is directly below another.
///
/// # Errors
/// ENOENT.
pub fn open_below(parent: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    openat(parent, name, OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW, Mode::empty())
}

/// The names of the cgroups directly below this one.
///
/// # Errors
/// ENODEV when the cgroup is gone.
pub fn below(cgroup: BorrowedFd<'_>) -> Result<Vec<String>> {
    let mut below = Vec::new();
    for entry in directory::list(cgroup)?.iter() {
        let entry = entry?;
        let is_directory = entry.file_type() == Some(nix::dir::Type::Directory);
        let child = entry.file_name().to_string_lossy().into_owned();
        if is_directory && child != "." && child != ".." {
            below.push(child);
        }
    }
    Ok(below)
}

/// Opens a file whose changes are announced by EPOLLPRI (cgroup.events, memory.events). It must be
/// read once before it is waited for, else it is ready at once.
///
/// # Errors
/// ENOENT.
pub fn watch(cgroup: BorrowedFd<'_>, file: &str) -> Result<OwnedFd> {
    openat(cgroup, file, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
}

/// Reads a watched file again from its start.
///
/// # Errors
/// ENODEV when the cgroup has been removed.
pub fn reread(file: BorrowedFd<'_>) -> Result<String> {
    let mut buffer = [0u8; 1024];
    let size = nix::sys::uio::pread(file, &mut buffer, 0)?;
    Ok(String::from_utf8_lossy(buffer.get(..size).unwrap_or_default()).into_owned())
}

//! Device nodes: made, recognised, and those that every container has.

use std::os::fd::{AsFd, BorrowedFd};

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstat, mkdirat};

use super::fs::open_directory;
use super::{Errno, Result, insist};

/// Makes a node of this kind (S_IF*) below a directory, with its mode and owner.
///
/// # Errors
/// EEXIST, EPERM without CAP_MKNOD in the first user namespace.
pub fn make_node(
    parent: BorrowedFd<'_>,
    name: &str,
    kind: u32,
    mode: u32,
    (major, minor): (u32, u32),
    (uid, gid): (u32, u32),
) -> Result<()> {
    use nix::sys::stat::{makedev, mknodat, umask};
    let number = makedev(major.into(), minor.into());
    // Not changed by name after it: whoever shares the directory might have put a link there.
    let mask = umask(Mode::empty());
    let made = mknodat(parent, name, SFlag::from_bits_truncate(kind), Mode::from_bits_truncate(mode), number);
    umask(mask);
    made?;
    let node = openat(parent, name, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())?;
    if !is_same_node(node.as_fd(), kind, (major, minor))? {
        return Err(Errno::EEXIST);
    }
    let flags = nix::fcntl::AtFlags::AT_EMPTY_PATH;
    nix::unistd::fchownat(&node, "", Some(uid.into()), Some(gid.into()), flags)
}

/// Checks that a node of this kind and number is there already.
///
/// # Errors
/// EEXIST when something else is.
pub fn is_node(parent: BorrowedFd<'_>, name: &str, kind: u32, number: (u32, u32)) -> Result<()> {
    let found = openat(parent, name, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())?;
    if is_same_node(found.as_fd(), kind, number)? { Ok(()) } else { Err(Errno::EEXIST) }
}

/// Whether the descriptor stands for a node of this kind (S_IF*) and number.
///
/// # Errors
/// As fstat(2).
pub fn is_same_node(fd: BorrowedFd<'_>, kind: u32, (major, minor): (u32, u32)) -> Result<bool> {
    let stat = fstat(fd)?;
    let is_device = kind == libc::S_IFCHR || kind == libc::S_IFBLK;
    let number = nix::sys::stat::makedev(major.into(), minor.into());
    Ok(stat.st_mode & libc::S_IFMT == kind && (!is_device || stat.st_rdev == number))
}

/// Whether the descriptor stands for the character device `major:minor`.
///
/// # Errors
/// As fstat(2).
pub fn is_device(fd: BorrowedFd<'_>, major: u64, minor: u64) -> Result<bool> {
    let stat = fstat(fd)?;
    let is_character = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFCHR;
    Ok(is_character && stat.st_rdev == nix::sys::stat::makedev(major, minor))
}

/// Makes the devices, links and directories of a container's /dev below `path`.
///
/// # Errors
/// EPERM without CAP_MKNOD.
pub fn fill_dev(path: &str) -> Result<()> {
    use nix::sys::stat::{makedev, mknodat};
    const NODES: [(&str, u64, u64); 6] =
        [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
    const LINKS: [(&str, &str); 5] = [
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
        ("pts/ptmx", "ptmx"),
    ];
    let dir = insist(|| open_directory(path))?;
    let mask = nix::sys::stat::umask(Mode::empty());
    let made = NODES
        .iter()
        .try_for_each(|(name, major, minor)| {
            let (kind, mode) = (SFlag::S_IFCHR, Mode::from_bits_truncate(0o666));
            insist(|| mknodat(&dir, *name, kind, mode, makedev(*major, *minor)))
        })
        .and_then(|()| {
            LINKS.iter().try_for_each(|(to, name)| insist(|| nix::unistd::symlinkat(*to, &dir, *name)))
        })
        .and_then(|()| {
            ["pts", "shm", "mqueue"]
                .iter()
                .try_for_each(|name| insist(|| mkdirat(&dir, *name, Mode::from_bits_truncate(0o755))))
        });
    nix::sys::stat::umask(mask);
    made
}

/// A device as it stands somewhere.
pub struct Device {
    pub path: String,
    pub is_block: bool,
    pub major: u32,
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
}

impl Device {
    fn of(path: &str, stat: &nix::sys::stat::FileStat) -> Option<Self> {
        use nix::sys::stat::{major, minor};
        let kind = stat.st_mode & libc::S_IFMT;
        (kind == libc::S_IFCHR || kind == libc::S_IFBLK).then(|| Self {
            path: path.to_owned(),
            is_block: kind == libc::S_IFBLK,
            major: major(stat.st_rdev) as u32,
            minor: minor(stat.st_rdev) as u32,
            mode: stat.st_mode & 0o7777,
        })
    }
}

/// No tree of devices is deeper, and no machine of ours has more.
const LEVELS: u32 = 8;
const MOST: usize = 4096;

/// The device at this path, or all below a directory that are of its file system.
///
/// # Errors
/// ENODEV when it is neither, ENOENT.
pub fn devices_at(path: &str) -> Result<Vec<Device>> {
    let stat = nix::sys::stat::stat(path)?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFDIR {
        return Device::of(path, &stat).map(|device| vec![device]).ok_or(Errno::ENODEV);
    }
    let mut found = Vec::new();
    devices_below(path, stat.st_dev, LEVELS, &mut found)?;
    Ok(found)
}

fn devices_below(path: &str, of: libc::dev_t, levels: u32, found: &mut Vec<Device>) -> Result<()> {
    let directory = std::fs::read_dir(path).map_err(super::errno_of)?;
    let mut names: Vec<String> =
        directory.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    for name in names {
        let path = format!("{path}/{name}");
        // What is gone meanwhile was never there.
        let Ok(stat) = nix::sys::stat::lstat(path.as_str()) else { continue };
        match Device::of(&path, &stat) {
            Some(device) if found.len() < MOST => found.push(device),
            None if stat.st_mode & libc::S_IFMT == libc::S_IFDIR && stat.st_dev == of && levels > 0 => {
                devices_below(&path, of, levels - 1, found)?;
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

/// The numbers of a block device.
///
/// # Errors
/// ENOTBLK when it is something else.
pub fn block_device(path: &str) -> Result<(u32, u32)> {
    use nix::sys::stat::{major, minor, stat};
    let stat = stat(path)?;
    if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFBLK {
        return Err(Errno::ENOTBLK);
    }
    Ok((major(stat.st_rdev) as u32, minor(stat.st_rdev) as u32))
}

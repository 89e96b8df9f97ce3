//! Files and directories, relative to a directory's descriptor, and never outside it.
//!
//! Never open(2): musl's asks the kernel a second time for what O_CLOEXEC has said.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::NixPath;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstat, mkdirat};

use super::mount::{PROC_MAGIC, SYSFS_MAGIC, has_magic};
use super::{Errno, Result, check_fd, insist};

const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
const RESOLVE_NO_SYMLINKS: u64 = 0x04;
const RESOLVE_IN_ROOT: u64 = 0x10;

#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

fn openat2(dir: BorrowedFd<'_>, path: &str, flags: i32, resolve: u64) -> Result<OwnedFd> {
    let how = OpenHow { flags: (flags | libc::O_CLOEXEC) as u64, mode: 0, resolve };
    let size = core::mem::size_of::<OpenHow>();
    path.with_nix_path(|path| {
        loop {
            // SAFETY: a valid C string and a structure of the size given.
            let value = unsafe {
                libc::syscall(libc::SYS_openat2, dir.as_raw_fd(), path.as_ptr(), &raw const how, size)
            };
            match check_fd(value) {
                // A rename raced with the resolution of `..`; the man page says to try again.
                Err(Errno::EAGAIN) => {}
                other => return other,
            }
        }
    })?
}

/// open(2), with O_CLOEXEC.
///
/// # Errors
/// As it.
pub fn open(path: &str, flags: OFlag, mode: Mode) -> Result<OwnedFd> {
    openat(AT_FDCWD, path, flags | OFlag::O_CLOEXEC, mode)
}

/// Opens `path` as a process whose root is `root` would see it: absolute links and `..` stay
/// inside. `flags` are open(2)'s; nothing is created.
///
/// # Errors
/// ENOENT, ELOOP for a magic link.
pub fn open_in_root(root: BorrowedFd<'_>, path: &str, flags: i32) -> Result<OwnedFd> {
    openat2(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
}

/// As [`open_in_root`], but no component may be a symbolic link: for places that an image must not
/// redirect, such as /proc.
///
/// # Errors
/// ELOOP where a link stands.
pub fn open_without_links(root: BorrowedFd<'_>, path: &str, flags: i32) -> Result<OwnedFd> {
    openat2(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)
}

/// Whether symbolic links on the way are followed (inside the root).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    Follow,
    Refuse,
}

/// What to find or make at a mount point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    Directory,
    File,
}

/// Opens `path` inside `root` as a place to mount on, making what is missing, component by
/// component on descriptors. What is made belongs to `owner`. Where a link that is followed leads to
/// nothing, that is made.
///
/// # Errors
/// ENOTDIR when a component is no directory, EROFS when it would have to be made there, ELOOP.
pub fn make_in_root(
    root: BorrowedFd<'_>,
    path: &str,
    node: Node,
    owner: (u32, u32),
    links: Links,
) -> Result<OwnedFd> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_TO_NOTHING {
        match make_or_meet_link(root, &path, node, owner, links)? {
            Met::Place(place) => return Ok(place),
            Met::Link(leads_to) => path = leads_to,
        }
    }
    Err(Errno::ELOOP)
}

/// One after the other; the kernel itself follows 40.
const LINKS_TO_NOTHING: u32 = 8;

enum Met {
    Place(OwnedFd),
    /// The path, with a link to nothing replaced by what it says.
    Link(String),
}

fn make_or_meet_link(
    root: BorrowedFd<'_>,
    path: &str,
    node: Node,
    owner: (u32, u32),
    links: Links,
) -> Result<Met> {
    let open = |path: &str, flags| match links {
        Links::Follow => open_in_root(root, path, flags),
        Links::Refuse => open_without_links(root, path, flags),
    };
    match open(path, libc::O_PATH) {
        Err(Errno::ENOENT) => {}
        other => return other.map(Met::Place),
    }
    // Mostly the last part alone is missing.
    if let Some((parent, name)) = path.rsplit_once('/')
        && !matches!(name, "" | "." | "..")
        && let Ok(at) = open(if parent.is_empty() { "/" } else { parent }, libc::O_PATH | libc::O_DIRECTORY)
    {
        match make_below(at.as_fd(), name, node, owner) {
            // A link, or what somebody made meanwhile, who shares the parent: below it is looked at as if it had been
            // there before.
            Err(Errno::EEXIST) => {}
            made => return made.map(Met::Place),
        }
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let mut so_far = String::from("/");
    let mut at = open("/", libc::O_PATH | libc::O_DIRECTORY)?;
    for (index, part) in parts.iter().enumerate() {
        let rest = parts.get(index + 1..).unwrap_or_default();
        let here = format!("{so_far}{part}");
        at = match open(&here, libc::O_PATH) {
            Err(Errno::ENOENT) => {
                let node = if rest.is_empty() { node } else { Node::Directory };
                match make_below(at.as_fd(), part, node, owner) {
                    Err(Errno::EEXIST) if links == Links::Follow => {
                        let link = nix::fcntl::readlinkat(&at, *part)?;
                        let link = link.to_str().ok_or(Errno::EILSEQ)?;
                        let from = if link.starts_with('/') { "" } else { &so_far };
                        return Ok(Met::Link(format!("{from}{link}/{}", rest.join("/"))));
                    }
                    made => made?,
                }
            }
            other => other?,
        };
        so_far = format!("{here}/");
    }
    Ok(Met::Place(at))
}

/// What was made, and nothing that came into its place afterwards.
fn make_below(parent: BorrowedFd<'_>, name: &str, node: Node, (uid, gid): (u32, u32)) -> Result<OwnedFd> {
    let made = match node {
        Node::Directory => {
            mkdirat(parent, name, Mode::from_bits_truncate(0o755))?;
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
            openat(parent, name, flags, Mode::empty())?
        }
        Node::File => {
            let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
            openat(parent, name, flags, Mode::from_bits_truncate(0o644))?
        }
    };
    // Whoever shares the parent might have put something else there by now, that is not to be given away.
    if fstat(&made)?.st_uid != nix::unistd::geteuid().as_raw() {
        return Err(Errno::EEXIST);
    }
    let flags = nix::fcntl::AtFlags::AT_EMPTY_PATH;
    nix::unistd::fchownat(&made, "", Some(uid.into()), Some(gid.into()), flags)?;
    Ok(made)
}

/// Whether the descriptor stands for a directory.
///
/// # Errors
/// As fstat(2).
pub fn is_directory(fd: BorrowedFd<'_>) -> Result<bool> {
    Ok(SFlag::from_bits_truncate(fstat(fd)?.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR)
}

fn is_regular(fd: BorrowedFd<'_>) -> Result<bool> {
    Ok(SFlag::from_bits_truncate(fstat(fd)?.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG)
}

/// Whether we may execute the file at `path`, by our effective ids.
///
/// # Errors
/// ENOENT, EACCES, for a directory too.
pub fn may_execute(path: &std::ffi::CStr) -> Result<()> {
    let found = openat(AT_FDCWD, path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    if is_directory(found.as_fd())? {
        // As execve(2) says it.
        return Err(Errno::EACCES);
    }
    let flags = nix::fcntl::AtFlags::AT_EACCESS;
    nix::unistd::faccessat(nix::fcntl::AT_FDCWD, path, nix::unistd::AccessFlags::X_OK, flags)
}

/// Whether both stand on one file system.
///
/// # Errors
/// As fstat(2).
pub fn same_device(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> Result<bool> {
    Ok(fstat(one)?.st_dev == fstat(other)?.st_dev)
}

/// Opens a file of the machine for reading, without waiting for a fifo in its place.
///
/// # Errors
/// ENOENT.
pub fn open_regular(path: &str) -> Result<OwnedFd> {
    openat(
        AT_FDCWD,
        path,
        OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )
}

/// Opens a regular file of the machine for reading, in a folder that others may change: nothing else that stands in its
/// place is opened, a device say, and no magic link is followed, which may lead to a file system that never answers.
///
/// # Errors
/// ENOENT; ELOOP for a magic link, EINVAL when it is no regular file.
pub fn open_from_others(path: &str) -> Result<OwnedFd> {
    let found = openat2(AT_FDCWD, path, libc::O_PATH, RESOLVE_NO_MAGICLINKS)?;
    if !is_regular(found.as_fd())? {
        return Err(Errno::EINVAL);
    }
    // The very one that was looked at.
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    openat(AT_FDCWD, format!("/proc/self/fd/{}", found.as_raw_fd()).as_str(), flags, Mode::empty())
}

/// Reads a regular file of the machine, of at most `limit` bytes: the whole of it, or why not.
///
/// # Errors
/// ENOENT; as [`read_regular`].
pub fn read_whole(path: &str, limit: usize) -> Result<Vec<u8>> {
    insist(|| read_regular(open_regular(path)?.as_fd(), limit))
}

/// As [`read_whole`], of what the kernel makes up or the machine's own builder has written, as text.
///
/// # Errors
/// ENOENT; EIO when it is no text.
pub fn read_text(path: &str) -> Result<String> {
    insist(|| std::fs::read_to_string(path).map_err(super::errno_of))
}

/// The mode of a new directory whose owner is still to be decided: one that nobody would choose.
pub const UNCLAIMED: u32 = 0o1000;

/// Gives the directory at `path`, if it is [`UNCLAIMED`], the owner and mode of another, whose ids begin
/// at `first_id`. Whoever is killed in the middle leaves it unclaimed.
///
/// What is locked meanwhile is the directory above it: on its own, whoever has it mounted could hold a
/// lock for ever.
///
/// # Errors
/// As chown(2).
pub fn claim(from: BorrowedFd<'_>, path: &str, first_id: u32) -> Result<()> {
    let above = open_directory(&format!("{path}/.."))?;
    lock(above.as_fd())?;
    let directory = open_directory(path)?;
    if fstat(&directory)?.st_mode & 0o7777 != UNCLAIMED {
        return Ok(());
    }
    let stat = fstat(from)?;
    let id = |outside: u32| outside.saturating_sub(first_id);
    let (uid, gid) = (id(stat.st_uid).into(), id(stat.st_gid).into());
    nix::unistd::fchown(&directory, Some(uid), Some(gid))?;
    nix::sys::stat::fchmod(&directory, Mode::from_bits_truncate(stat.st_mode & 0o7777))
}

/// Opens a directory of the machine itself.
///
/// # Errors
/// ENOENT, ENOTDIR.
pub fn open_directory(path: &str) -> Result<OwnedFd> {
    openat(AT_FDCWD, path, OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
}

/// Opens whatever is at a path of the machine itself, to be named, not read (O_PATH).
///
/// # Errors
/// ENOENT.
pub fn open_path(path: &str) -> Result<OwnedFd> {
    openat(AT_FDCWD, path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
}

/// Makes a directory unless it is there.
///
/// # Errors
/// As mkdir(2).
pub fn make_directory(path: &str, mode: u32) -> Result<()> {
    match nix::unistd::mkdir(path, Mode::from_bits_truncate(mode)) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Reads a regular file inside `root`, of at most `limit` bytes. A fifo or a device that stands in its
/// place is not even opened, and what the kernel makes up (proc(5), sysfs(5)) is nobody's file.
///
/// # Errors
/// EFBIG when it is larger, EINVAL when it is no regular file.
pub fn read_in_root(root: BorrowedFd<'_>, path: &str, limit: usize) -> Result<Vec<u8>> {
    let found = open_in_root(root, path, libc::O_PATH)?;
    let is_made_up = [PROC_MAGIC, SYSFS_MAGIC].into_iter().map(|magic| has_magic(found.as_fd(), magic));
    if !is_regular(found.as_fd())? || is_made_up.collect::<Result<Vec<_>>>()?.contains(&true) {
        return Err(Errno::EINVAL);
    }
    // It may have been exchanged since: what is opened is looked at again.
    let fd = open_in_root(root, path, libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY)?;
    read_regular(fd.as_fd(), limit)
}

/// Reads all of an open regular file, of at most `limit` bytes.
///
/// # Errors
/// EFBIG when it is larger, EINVAL when it is no regular file.
pub fn read_regular(fd: BorrowedFd<'_>, limit: usize) -> Result<Vec<u8>> {
    if !is_regular(fd)? {
        return Err(Errno::EINVAL);
    }
    let mut bytes = Vec::new();
    // Most have few bytes; a larger one would be zeroed for nothing.
    let mut buffer = [0u8; 2 << 10];
    loop {
        let size = super::fd::read(fd, &mut buffer)?;
        if size == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(buffer.get(..size).unwrap_or_default());
        if bytes.len() > limit {
            return Err(Errno::EFBIG);
        }
    }
}

/// Waits for the exclusive lock of an open file or directory (flock(2)); closing it lets go.
///
/// # Errors
/// EINTR.
pub fn lock(fd: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: plain numbers. nix's Flock wants to own the descriptor.
    super::check(unsafe { libc::flock(fd.as_raw_fd(), libc::LOCK_EX) }.into())?;
    Ok(())
}

#[cfg(test)]
#[path = "fs_tests.rs"]
mod tests;

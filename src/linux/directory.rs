//! A directory that is ours alone, by its descriptor: small files written whole or not at all.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::dir::{Dir, Type};
use nix::fcntl::{AT_FDCWD, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fstat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::{Errno, Result, insist};

const FLAGS: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_CLOEXEC).union(OFlag::O_NOFOLLOW);

/// Makes a directory and all that is missing above it, for their owner alone.
///
/// # Errors
/// As mkdir(2).
pub fn make_all(path: &std::path::Path) -> Result<()> {
    match nix::unistd::mkdir(path, Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(Errno::ENOENT) => {
            let above = path.parent().filter(|it| !it.as_os_str().is_empty()).ok_or(Errno::ENOENT)?;
            make_all(above)?;
            match nix::unistd::mkdir(path, Mode::S_IRWXU) {
                Ok(()) | Err(Errno::EEXIST) => Ok(()),
                Err(errno) => Err(errno),
            }
        }
        Err(errno) => Err(errno),
    }
}

/// The names in a directory of the machine, in their order: all of them, or none.
///
/// # Errors
/// ENOENT.
pub fn names(path: &str) -> Result<Vec<String>> {
    let mut names = insist(|| {
        let entries = std::fs::read_dir(path).map_err(super::errno_of)?;
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.map(|entry| entry.file_name().to_string_lossy().into_owned()).map_err(super::errno_of)
        };
        entries.map(name).collect::<Result<Vec<String>>>()
    })?;
    names.sort_unstable();
    Ok(names)
}

/// Opens a directory by its path; the last part of it may be a link.
///
/// # Errors
/// ENOENT, ENOTDIR.
pub fn open_at(path: &std::path::Path) -> Result<OwnedFd> {
    openat(AT_FDCWD, path, OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
}

/// Makes a directory that was not there, with these permissions as far as the umask lets them.
///
/// # Errors
/// EEXIST.
pub fn make_new(parent: BorrowedFd<'_>, name: &str, mode: u32) -> Result<OwnedFd> {
    mkdirat(parent, name, Mode::from_bits_truncate(mode))?;
    openat(parent, name, FLAGS, Mode::empty())
}

/// Opens a directory below another.
///
/// # Errors
/// ENOENT; ELOOP or ENOTDIR for a link.
pub fn open_below(parent: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    openat(parent, name, FLAGS, Mode::empty())
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// ENOENT; EFBIG; EINVAL when it is no regular file.
pub fn read(directory: BorrowedFd<'_>, name: &str, limit: usize) -> Result<Vec<u8>> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let file = openat(directory, name, flags, Mode::empty())?;
    super::fs::read_regular(file.as_fd(), limit)
}

/// Writes a file whole: beside its place first, then by rename.
///
/// # Errors
/// ENOSPC, EACCES.
pub fn replace(directory: BorrowedFd<'_>, name: &str, bytes: &[u8], mode: u32) -> Result<()> {
    let beside = format!(".{name}.new");
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let file = openat(directory, beside.as_str(), flags, Mode::from_bits_truncate(mode))?;
    let written = super::program::append(file.as_fd(), bytes)
        .and_then(|()| renameat(directory, beside.as_str(), directory, name));
    if written.is_err() {
        let _ = unlinkat(directory, beside.as_str(), UnlinkatFlags::NoRemoveDir);
    }
    written
}

/// Whether something has this name.
#[must_use]
pub fn has(directory: BorrowedFd<'_>, name: &str) -> bool {
    nix::sys::stat::fstatat(directory, name, nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
}

/// Gives a file another name in its directory.
///
/// # Errors
/// EISDIR, EROFS.
pub fn rename(directory: BorrowedFd<'_>, from: &str, to: &str) -> Result<()> {
    renameat(directory, from, directory, to)
}

/// Takes a file's name away; one that is not there is gone already.
///
/// # Errors
/// EACCES, EROFS.
pub fn remove_file(directory: BorrowedFd<'_>, name: &str) -> Result<()> {
    match unlinkat(directory, name, UnlinkatFlags::NoRemoveDir) {
        Err(Errno::ENOENT) => Ok(()),
        other => other,
    }
}

/// Removes a directory and the files in it; one that is not there is gone already. Directories in it
/// are not touched.
///
/// # Errors
/// ENOTEMPTY.
pub fn remove_with_files(parent: BorrowedFd<'_>, name: &str) -> Result<()> {
    let directory = match open_below(parent, name) {
        Err(Errno::ENOENT) => return Ok(()),
        other => other?,
    };
    for (file, is_directory) in entries(directory.as_fd())? {
        if !is_directory {
            remove_file(directory.as_fd(), &file)?;
        }
    }
    match unlinkat(parent, name, UnlinkatFlags::RemoveDir) {
        Err(Errno::ENOENT) => Ok(()),
        other => other,
    }
}

/// What a directory has, from its first entry on, through a descriptor of its own.
///
/// # Errors
/// As open(2).
pub fn list(directory: BorrowedFd<'_>) -> Result<Dir> {
    stream(openat(directory, ".", FLAGS, Mode::empty())?)
}

/// As [`list`], through this descriptor. nix leaves one open that fdopendir(3) does not take.
///
/// # Errors
/// ENOMEM, ENOTDIR.
pub fn stream(directory: OwnedFd) -> Result<Dir> {
    let number = directory.as_raw_fd();
    Dir::from_fd(directory).inspect_err(|_| {
        // SAFETY: it was not taken, and nobody else has this number.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
    })
}

/// The names in a directory in order, and which are directories; names that are no UTF-8 are not ours.
///
/// # Errors
/// As getdents(2).
pub fn entries(directory: BorrowedFd<'_>) -> Result<Vec<(String, bool)>> {
    entries_up_to(directory, usize::MAX)
}

/// As [`entries`], of a directory that somebody else has made: the first so many that the kernel tells of.
///
/// # Errors
/// As getdents(2).
pub fn entries_up_to(directory: BorrowedFd<'_>, most: usize) -> Result<Vec<(String, bool)>> {
    let mut found = Vec::new();
    for entry in list(directory)?.iter() {
        if found.len() >= most {
            break;
        }
        let entry = entry?;
        let is_directory = entry.file_type() == Some(Type::Directory);
        match entry.file_name().to_str() {
            Ok("." | "..") | Err(_) => {}
            Ok(name) => found.push((name.to_owned(), is_directory)),
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Whether it still has a name.
#[must_use]
pub fn is_linked(directory: BorrowedFd<'_>) -> bool {
    fstat(directory).is_ok_and(|it| it.st_nlink > 0)
}

/// Who owns it.
///
/// # Errors
/// As fstat(2).
pub fn owner(directory: BorrowedFd<'_>) -> Result<u32> {
    Ok(fstat(directory)?.st_uid)
}

/// Makes a file or directory below another a user's; its group stays.
///
/// # Errors
/// ENOENT, EPERM.
pub fn give(directory: BorrowedFd<'_>, name: &str, uid: u32) -> Result<()> {
    let flags = nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW;
    nix::unistd::fchownat(directory, name, Some(uid.into()), None, flags)
}

/// Takes the exclusive lock if nobody has it (flock(2)); closing the descriptor lets go.
#[must_use]
pub fn try_lock(directory: BorrowedFd<'_>) -> bool {
    // SAFETY: plain numbers.
    unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) == 0 }
}

/// Lets go of it before the descriptor is closed.
pub fn unlock(directory: BorrowedFd<'_>) {
    // SAFETY: plain numbers. Of an open file it cannot fail.
    unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_UN) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_that_cannot_be_listed_is_closed() {
        let (read, write) = crate::linux::fd::pipe().unwrap();
        assert!(stream(read).is_err());
        assert_eq!(nix::unistd::write(&write, b"x"), Err(Errno::EPIPE));
    }

    #[test]
    fn a_file_is_replaced_whole_and_a_directory_goes_with_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        make_all(&path).unwrap();
        make_all(&path).unwrap();
        let parent = open_at(&path).unwrap();
        let ours = make_new(parent.as_fd(), "web", 0o700).unwrap();
        assert_eq!(make_new(parent.as_fd(), "web", 0o700).map(drop), Err(Errno::EEXIST));
        for text in ["first", "second"] {
            replace(ours.as_fd(), "state.json", text.as_bytes(), 0o600).unwrap();
            assert_eq!(read(ours.as_fd(), "state.json", 100).unwrap(), text.as_bytes());
        }
        assert_eq!(entries(ours.as_fd()).unwrap(), [(String::from("state.json"), false)]);
        assert_eq!(entries_up_to(ours.as_fd(), 0).unwrap(), []);
        assert!(is_linked(ours.as_fd()));
        remove_with_files(parent.as_fd(), "web").unwrap();
        assert!(!is_linked(ours.as_fd()));
        assert_eq!(entries(parent.as_fd()).unwrap(), []);
    }

    #[test]
    fn a_link_in_the_place_of_a_directory_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("web")).unwrap();
        let parent = open_at(folder.path()).unwrap();
        assert_eq!(open_below(parent.as_fd(), "web").map(drop), Err(Errno::ENOTDIR));
    }

    #[test]
    fn a_lock_is_held_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (open_at(folder.path()).unwrap(), open_at(folder.path()).unwrap());
        assert!(try_lock(one.as_fd()));
        assert!(!try_lock(other.as_fd()));
        drop(one);
        assert!(try_lock(other.as_fd()));
    }
}

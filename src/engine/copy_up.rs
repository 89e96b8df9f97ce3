//! Copies a directory of a container's root into a file system that is still attached nowhere.
//!
//! What it copies is the image's: it follows no link, leaves the file system never, and stops at a depth
//! that no honest image reaches.

use std::os::fd::{AsFd, BorrowedFd};

use nix::dir::Type;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat, fstatat, mkdirat, mknodat};

use crate::linux::{Errno, Result, directory, fd};

/// Each level holds two descriptors open.
const DEPTH: u32 = 64;

/// Copies everything in `from` into `to`, with owners and modes, those of the directories themselves too.
///
/// # Errors
/// ENOSPC when it does not fit, ELOOP when it is too deep.
pub fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
    // The top of a mount is a descriptor that only names it.
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    directory(from, openat(to, ".", flags, Mode::empty())?.as_fd(), DEPTH)
}

fn directory(from: BorrowedFd<'_>, to: BorrowedFd<'_>, levels: u32) -> Result<()> {
    let levels = levels.checked_sub(1).ok_or(Errno::ELOOP)?;
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let mut names = Vec::new();
    for entry in directory::list(from)?.iter() {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    for (name, kind) in names {
        let name = name.as_c_str();
        match kind {
            Some(Type::Directory) => {
                mkdirat(to, name, Mode::S_IRWXU)?;
                let source = openat(from, name, flags, Mode::empty())?;
                let target = openat(to, name, flags, Mode::empty())?;
                directory(source.as_fd(), target.as_fd(), levels)?;
            }
            Some(Type::File) => file(from, to, name)?,
            Some(Type::Symlink) => {
                let target = readlinkat(from, name)?;
                nix::unistd::symlinkat(target.as_os_str(), to, name)?;
                own(from, to, name)?;
            }
            _ => {
                let stat = fstatat(from, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
                let kind = SFlag::from_bits_truncate(stat.st_mode);
                // An image gives nobody a device; the file system that it is copied to would.
                let is_device = [SFlag::S_IFCHR, SFlag::S_IFBLK].contains(&(kind & SFlag::S_IFMT));
                if is_device {
                    continue;
                }
                mknodat(to, name, kind, Mode::from_bits_truncate(stat.st_mode), stat.st_rdev)?;
                own(from, to, name)?;
            }
        }
    }
    same_owner_and_mode(from, to)
}

fn file(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &core::ffi::CStr) -> Result<()> {
    let read = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let write = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let source = openat(from, name, read, Mode::empty())?;
    let target = openat(to, name, write, Mode::S_IRUSR)?;
    let mut buffer = [0u8; 16 << 10];
    loop {
        let size = fd::read(source.as_fd(), &mut buffer)?;
        let mut rest = buffer.get(..size).unwrap_or_default();
        if rest.is_empty() {
            return same_owner_and_mode(source.as_fd(), target.as_fd());
        }
        while !rest.is_empty() {
            let written = nix::unistd::write(&target, rest)?;
            rest = rest.get(written..).unwrap_or_default();
        }
    }
}

fn same_owner_and_mode(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
    let stat = fstat(from)?;
    nix::unistd::fchown(to, Some(stat.st_uid.into()), Some(stat.st_gid.into()))?;
    fchmod(to, Mode::from_bits_truncate(stat.st_mode & 0o7777))
}

fn own(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &core::ffi::CStr) -> Result<()> {
    let stat = fstatat(from, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let (uid, gid) = (Some(stat.st_uid.into()), Some(stat.st_gid.into()));
    nix::unistd::fchownat(to, name, uid, gid, AtFlags::AT_SYMLINK_NOFOLLOW)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in tests")]
mod tests {
    use super::*;
    use crate::linux::fs::open_directory;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn files_links_and_directories_arrive_with_their_modes() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::create_dir_all(from.join("a/b")).unwrap();
        std::fs::create_dir(&to).unwrap();
        std::fs::write(from.join("a/b/file"), vec![7u8; 40_000]).unwrap();
        std::fs::set_permissions(from.join("a/b/file"), std::fs::Permissions::from_mode(0o640)).unwrap();
        std::fs::set_permissions(from.join("a"), std::fs::Permissions::from_mode(0o2750)).unwrap();
        symlink("/etc/shadow", from.join("link")).unwrap();
        let open = |path: &std::path::Path| open_directory(path.to_str().unwrap()).unwrap();
        copy(open(&from).as_fd(), open(&to).as_fd()).unwrap();
        assert_eq!(std::fs::read(to.join("a/b/file")).unwrap(), vec![7u8; 40_000]);
        assert_eq!(std::fs::read_link(to.join("link")).unwrap().to_str(), Some("/etc/shadow"));
        let mode = |path: &str| std::fs::metadata(to.join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("a"), mode("a/b/file")), (0o2750, 0o640));
    }
}

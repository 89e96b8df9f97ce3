//! The file that this process executes.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl, open};
use nix::sys::stat::Mode;
use nix::sys::statvfs::{FsFlags, fstatvfs};

use super::mount::{self, Attributes};
use super::{Errno, Result, memfd};

const OWN: &str = "/proc/self/exe";

/// Where it is, to be named and not read.
///
/// # Errors
/// ENOENT without /proc.
pub fn own() -> Result<OwnedFd> {
    open(OWN, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
}

/// Whether nobody can write to it by way of `/proc/PID/exe`: its mount is read-only, or it is sealed.
///
/// # Errors
/// As fstatvfs(3).
pub fn is_out_of_reach(exe: BorrowedFd<'_>) -> Result<bool> {
    if fstatvfs(exe)?.flags().contains(FsFlags::ST_RDONLY) {
        return Ok(true);
    }
    let readable = open(OWN, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let seals = fcntl(&readable, FcntlArg::F_GET_SEALS).map(SealFlag::from_bits_truncate);
    Ok(seals.is_ok_and(|seals| seals.contains(SealFlag::F_SEAL_WRITE)))
}

/// A mount of it, attached nowhere, that is read-only. Once all descriptors of it are closed, nobody
/// can change that.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN.
pub fn read_only_mount(exe: BorrowedFd<'_>) -> Result<OwnedFd> {
    let tree = mount::clone_one(exe, "")?;
    mount::restrict_one(tree.as_fd(), Attributes::READ_ONLY)?;
    Ok(tree)
}

/// A copy in memory that nobody can change (memfd_create(2), MFD_EXEC).
///
/// # Errors
/// ENOMEM.
pub fn sealed_copy() -> Result<OwnedFd> {
    let bytes =
        std::fs::read(OWN).map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))?;
    memfd::executable(c"orlop", &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn what_cannot_be_written_is_out_of_reach() {
        let own = own().unwrap();
        assert_eq!(is_out_of_reach(own.as_fd()), Ok(false), "a test lies in a folder that can be written");
        let mounted = read_only_mount(own.as_fd()).unwrap();
        assert_eq!(is_out_of_reach(mounted.as_fd()), Ok(true));
    }

    #[test]
    fn nobody_writes_through_the_mount() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let named = open(file.path(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).unwrap();
        let mounted = read_only_mount(named.as_fd()).unwrap();
        let path = format!("/proc/self/fd/{}", mounted.as_raw_fd());
        let written = std::fs::OpenOptions::new().write(true).open(path).unwrap_err();
        assert_eq!(written.raw_os_error(), Some(libc::EROFS));
    }

    #[test]
    fn a_copy_is_sealed() {
        let copy = sealed_copy().unwrap();
        assert_eq!(nix::unistd::write(&copy, b"x"), Err(Errno::EPERM));
    }
}

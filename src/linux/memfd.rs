//! Files in memory: of a fixed size, read and written at offsets, and their file position.

use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{Mode, fchmod, fstat};
use nix::sys::uio::{pread, pwrite};
use nix::unistd::{Whence, ftruncate, lseek};

use super::{Errno, Result, insist};

/// Makes a file of `size` zeros that nobody can make larger or smaller (memfd_create(2), F_ADD_SEALS),
/// so that no reader of it can be surprised. Memory is taken as pages are written. Who has it to read cannot open it anew
/// to write, unless it is its owner's: they come with all permissions.
///
/// # Errors
/// EMFILE, ENOMEM.
pub(crate) fn create_of_size(name: &CStr, size: u64) -> Result<OwnedFd> {
    let fd = memfd_create(name, MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    fchmod(&fd, Mode::S_IRUSR | Mode::S_IWUSR)?;
    ftruncate(&fd, offset(size)?)?;
    let seals = SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
    fcntl(&fd, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(fd)
}

/// A file that holds these bytes and is read from their beginning.
///
/// # Errors
/// EMFILE, ENOMEM.
pub(crate) fn with_contents(name: &CStr, bytes: &[u8]) -> Result<OwnedFd> {
    let fd = memfd_create(name, MFdFlags::MFD_CLOEXEC)?;
    fill(&fd, bytes)?;
    Ok(fd)
}

/// A program that nobody can change any more (MFD_EXEC, F_SEAL_WRITE).
///
/// # Errors
/// EMFILE, ENOMEM.
pub(crate) fn executable(name: &CStr, bytes: &[u8]) -> Result<OwnedFd> {
    let flags =
        MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING | MFdFlags::from_bits_retain(libc::MFD_EXEC);
    let fd = memfd_create(name, flags)?;
    fill(&fd, bytes)?;
    let size = SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK;
    fcntl(&fd, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SEAL | size))?;
    Ok(fd)
}

/// Another descriptor of the same file, which cannot be written by it.
///
/// # Errors
/// ENOENT without /proc; EMFILE.
pub(crate) fn read_only(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    nix::fcntl::open(path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
}

fn fill(fd: &OwnedFd, bytes: &[u8]) -> Result<()> {
    let mut done = 0usize;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        done = done.saturating_add(pwrite(fd, rest, offset(done as u64)?)?);
    }
    Ok(())
}

/// Whether the file keeps its size, as one of [`create_of_size`] does.
///
/// # Errors
/// EINVAL when it cannot have seals.
pub(crate) fn keeps_its_size(fd: BorrowedFd<'_>) -> Result<bool> {
    let seals = SealFlag::from_bits_truncate(fcntl(fd, FcntlArg::F_GET_SEALS)?);
    Ok(seals.contains(SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK))
}

/// Which file it is, and its size.
///
/// # Errors
/// None known.
pub(crate) fn identity_and_size(fd: BorrowedFd<'_>) -> Result<(u64, u64)> {
    let stat = fstat(fd)?;
    Ok((stat.st_ino, u64::try_from(stat.st_size).unwrap_or(0)))
}

/// Fills `into` from `at`; the file position stays (pread(2)).
///
/// # Errors
/// ERANGE when the file ends before.
pub(crate) fn read_exact_at(fd: BorrowedFd<'_>, at: u64, into: &mut [u8]) -> Result<()> {
    let mut done = 0usize;
    while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let from = offset(at.saturating_add(done as u64))?;
        match insist(|| pread(fd, rest, from))? {
            0 => return Err(Errno::ERANGE),
            count => done = done.saturating_add(count),
        }
    }
    Ok(())
}

/// Writes all of `from` at `at`; the file position stays (pwrite(2)).
///
/// # Errors
/// ENOMEM, ENOSPC; EPERM beyond the end.
pub(crate) fn write_all_at(fd: BorrowedFd<'_>, at: u64, from: &[u8]) -> Result<()> {
    let mut done = 0usize;
    while let Some(rest) = from.get(done..).filter(|rest| !rest.is_empty()) {
        match pwrite(fd, rest, offset(at.saturating_add(done as u64))?) {
            Ok(0) => return Err(Errno::ENOSPC),
            Ok(count) => done = done.saturating_add(count),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// The file position, which all copies of this open file share.
///
/// # Errors
/// None known.
pub(crate) fn position(fd: BorrowedFd<'_>) -> Result<u64> {
    lseek(fd, 0, Whence::SeekCur).map(|at| u64::try_from(at).unwrap_or(0))
}

/// Moves the file position, for all copies of this open file.
///
/// # Errors
/// EOVERFLOW.
pub(crate) fn seek(fd: BorrowedFd<'_>, position: u64) -> Result<()> {
    lseek(fd, offset(position)?, Whence::SeekSet).map(drop)
}

fn offset(at: u64) -> Result<i64> {
    i64::try_from(at).map_err(|_| Errno::EOVERFLOW)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_file_of_fixed_size_refuses_to_change_it() {
        let file = create_of_size(c"test", 8192).unwrap();
        assert_eq!(keeps_its_size(file.as_fd()), Ok(true));
        assert_eq!(ftruncate(&file, 4096), Err(Errno::EPERM));
        assert_eq!(write_all_at(file.as_fd(), 8190, b"long"), Err(Errno::EPERM));
        assert_eq!(read_exact_at(file.as_fd(), 8190, &mut [0; 4]), Err(Errno::ERANGE));
    }

    #[test]
    fn who_has_it_to_read_cannot_write() {
        let file = create_of_size(c"test", 8192).unwrap();
        let other = read_only(file.as_fd()).unwrap();
        assert_eq!(write_all_at(other.as_fd(), 0, b"x"), Err(Errno::EBADF));
        write_all_at(file.as_fd(), 0, b"x").unwrap();
        let mut read = [0];
        read_exact_at(other.as_fd(), 0, &mut read).unwrap();
        assert_eq!((read, keeps_its_size(other.as_fd())), (*b"x", Ok(true)));
    }

    #[test]
    fn offsets_leave_the_position_alone() {
        let file = create_of_size(c"test", 8192).unwrap();
        seek(file.as_fd(), 100).unwrap();
        write_all_at(file.as_fd(), 8000, b"text").unwrap();
        let mut read = [0; 4];
        read_exact_at(file.as_fd(), 8000, &mut read).unwrap();
        assert_eq!(&read, b"text");
        assert_eq!(position(file.as_fd()), Ok(100));
    }
}

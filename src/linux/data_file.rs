//! Files that grow at their end, below a directory that is ours alone, and what it takes until a disk has them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{OFlag, PosixFadviseAdvice, openat, posix_fadvise};
use nix::sys::stat::{Mode, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, fdatasync, fsync, ftruncate, syncfs, unlinkat};

use super::{Errno, Result};

const FLAGS: OFlag = OFlag::O_CLOEXEC.union(OFlag::O_NOFOLLOW).union(OFlag::O_NONBLOCK);

/// A new one, for its owner alone.
///
/// # Errors
/// EEXIST, ENOSPC, EROFS.
pub(crate) fn create(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    #[cfg(test)]
    if test::IS_FULL.get() {
        return Err(Errno::ENOSPC);
    }
    let flags = FLAGS | OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL;
    openat(directory, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)
}

/// # Errors
/// ENOENT, EROFS.
pub(crate) fn open_to_write(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    openat(directory, name, FLAGS | OFlag::O_RDWR, Mode::empty())
}

/// # Errors
/// ENOENT.
pub(crate) fn open_to_read(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    openat(directory, name, FLAGS | OFlag::O_RDONLY, Mode::empty())
}

/// Little of it is read: what is beside that is not to be read as well.
pub(crate) fn is_read_here_and_there(file: BorrowedFd<'_>) {
    // Advice alone.
    let _ = posix_fadvise(file, 0, 0, PosixFadviseAdvice::POSIX_FADV_RANDOM);
}

/// # Errors
/// None known.
pub(crate) fn size(file: BorrowedFd<'_>) -> Result<u64> {
    Ok(u64::try_from(fstat(file)?.st_size).unwrap_or(0))
}

/// # Errors
/// ENOENT.
pub(crate) fn size_of(directory: BorrowedFd<'_>, name: &str) -> Result<u64> {
    let flags = nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW;
    Ok(u64::try_from(fstatat(directory, name, flags)?.st_size).unwrap_or(0))
}

/// # Errors
/// EIO, EROFS.
pub(crate) fn cut(file: BorrowedFd<'_>, size: u64) -> Result<()> {
    ftruncate(file, i64::try_from(size).map_err(|_| Errno::EOVERFLOW)?)
}

/// Waits until the disk has what was written, and the file's size.
///
/// # Errors
/// EIO, ENOSPC.
pub(crate) fn sync_data(file: BorrowedFd<'_>) -> Result<()> {
    told();
    fdatasync(file)
}

/// Waits until the disk has a directory's names.
///
/// # Errors
/// EIO.
pub(crate) fn sync_names(directory: BorrowedFd<'_>) -> Result<()> {
    told();
    fsync(directory)
}

/// Waits until the disk has all that was written on the file system of a directory, whoever wrote it: of many files one
/// commit of its journal, and not one for each.
///
/// # Errors
/// EIO and ENOSPC, once for each failure since the directory was opened.
pub(crate) fn sync_system(directory: BorrowedFd<'_>) -> Result<()> {
    told();
    syncfs(directory)?;
    // File systems without a journal leave it to this to have the device write what it has taken.
    fsync(directory)
}

/// Writes a small file whole, and waits until the disk has it: whoever comes after a power cut finds all of it, or none.
///
/// # Errors
/// ENOSPC, EROFS, EIO.
pub(crate) fn put(directory: BorrowedFd<'_>, name: &str, bytes: &[u8]) -> Result<()> {
    let file = write_beside(directory, name, bytes)?;
    sync_data(file.as_fd())?;
    put_in_place(directory, name)?;
    sync_names(directory)
}

/// The first half of [`put`]: the file is beside its place, and the disk may not have it. Nothing is left of one that
/// has no room.
///
/// # Errors
/// ENOSPC, EROFS, EIO.
pub(crate) fn write_beside(directory: BorrowedFd<'_>, name: &str, bytes: &[u8]) -> Result<OwnedFd> {
    let beside = beside(name);
    super::directory::remove_file(directory, &beside)?;
    let file = create(directory, &beside)?;
    match super::memfd::write_all_at(file.as_fd(), 0, bytes) {
        Ok(()) => Ok(file),
        Err(errno) => {
            let _ = super::directory::remove_file(directory, &beside);
            Err(errno)
        }
    }
}

/// The other half, once the disk has the file; and before it is said to be done, its name.
///
/// # Errors
/// EROFS, EIO.
pub(crate) fn put_in_place(directory: BorrowedFd<'_>, name: &str) -> Result<()> {
    super::directory::rename(directory, &beside(name), name)
}

fn beside(name: &str) -> String {
    format!(".{name}.new")
}

/// # Errors
/// ENOTEMPTY.
pub(crate) fn remove_directory(parent: BorrowedFd<'_>, name: &str) -> Result<()> {
    unlinkat(parent, name, UnlinkatFlags::RemoveDir)
}

/// Bytes of the file system that this is on.
///
/// # Errors
/// As fstatvfs(3).
pub(crate) fn size_of_system(file: BorrowedFd<'_>) -> Result<u64> {
    let stat = nix::sys::statvfs::fstatvfs(file.as_fd())?;
    Ok((stat.blocks() as u64).saturating_mul(stat.fragment_size() as u64))
}

/// For tests: the disk is about to be waited for.
fn told() {
    #[cfg(test)]
    test::told();
}

#[cfg(test)]
pub(crate) mod test {
    //! What a power cut would leave: looked at whenever the disk is about to be waited for.

    use std::cell::{Cell, RefCell};

    type Watch = Box<dyn FnMut()>;

    // Whether there is no room for another file.
    thread_local!(pub(crate) static IS_FULL: Cell<bool> = const { Cell::new(false) });

    thread_local!(static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) });

    pub(super) fn told() {
        WATCH.with_borrow_mut(|watch| watch.iter_mut().for_each(|watch| watch()));
    }

    /// Calls `watch` before each wait of what `work` does.
    pub(crate) fn watched<T>(watch: impl FnMut() + 'static, work: impl FnOnce() -> T) -> T {
        WATCH.set(Some(Box::new(watch)));
        let done = work();
        WATCH.set(None);
        done
    }
}

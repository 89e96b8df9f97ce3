//! What a process has open.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::stat::Mode;

use super::{Errno, Result, check};

/// Makes sure that 0, 1 and 2 are open, whatever the kernel could give: the first descriptors that
/// a program opens must not become its standard output by accident. Needs no /dev.
pub fn ensure_standard() {
    loop {
        match open("/", OFlag::O_PATH, Mode::empty()) {
            // Left open on purpose: it now stands for a missing standard descriptor.
            Ok(fd) if fd.as_raw_fd() <= 2 => core::mem::forget(fd),
            Ok(_) | Err(_) => return,
        }
    }
}

/// Puts `fd` at the number `at`, without CLOEXEC: for a child about to exec.
///
/// # Errors
/// EBADF.
pub fn install(fd: BorrowedFd<'_>, at: RawFd) -> Result<()> {
    if fd.as_raw_fd() == at {
        fcntl(fd, FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()))?;
        return Ok(());
    }
    // SAFETY: `at` is a number that the caller gives up; whatever was there is closed.
    check(unsafe { libc::dup2(fd.as_raw_fd(), at) }.into())?;
    Ok(())
}

/// Puts descriptors at the numbers from `first` on, without CLOEXEC: for a child about to exec.
///
/// # Errors
/// EMFILE.
pub fn place<'a>(fds: impl Iterator<Item = BorrowedFd<'a>>, first: RawFd) -> Result<()> {
    let fds: Vec<BorrowedFd<'_>> = fds.collect();
    let last = first.saturating_add(fds.len() as RawFd);
    // Out of the way first: one may stand where another is to be.
    let high: Vec<OwnedFd> = fds.iter().map(|fd| duplicate_above(*fd, last)).collect::<Result<_>>()?;
    (first..).zip(&high).try_for_each(|(number, fd)| {
        // SAFETY: the caller gives these numbers up, as for `install`.
        check(unsafe { libc::dup2(fd.as_raw_fd(), number) }.into()).map(drop)
    })
}

/// A copy of `fd` with a number of at least `from`, CLOEXEC.
///
/// # Errors
/// EMFILE.
pub fn duplicate_above(fd: BorrowedFd<'_>, from: RawFd) -> Result<OwnedFd> {
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(from))?;
    // SAFETY: F_DUPFD_CLOEXEC made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Another descriptor of the same, CLOEXEC.
///
/// # Errors
/// EMFILE.
pub fn copy(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    duplicate_above(fd, 0)
}

/// Takes over a descriptor that an exec handed to us under a fixed number.
///
/// # Errors
/// EBADF when nothing is there.
pub fn inherited(number: RawFd) -> Result<OwnedFd> {
    // SAFETY: only looks at the number.
    check(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) }.into())?;
    // SAFETY: it is open, and by the contract with whoever started us it is ours alone.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Whether a socket is open there.
pub fn is_socket(number: RawFd) -> bool {
    // SAFETY: a number alone; the struct is as large as the kernel's, and only read when it was filled.
    let mut found = unsafe { core::mem::zeroed::<libc::stat>() };
    // SAFETY: as above.
    let status = unsafe { libc::fstat(number, &mut found) };
    status == 0 && found.st_mode & libc::S_IFMT == libc::S_IFSOCK
}

/// Closes every descriptor from `first` on (close_range(2)).
///
/// For a forked child that will exec or `_exit`: values of the parent that own such descriptors
/// must not be used or dropped after it.
pub fn close_from(first: RawFd) {
    // SAFETY: see above; the caller is a child that owns nothing from there on.
    unsafe { libc::syscall(libc::SYS_close_range, first as libc::c_uint, libc::c_uint::MAX, 0) };
}

/// Closes a descriptor that a forked child has a copy of and its parent still owns.
///
/// The value of the parent must not be used or dropped by the child after it.
pub fn close_borrowed(fd: BorrowedFd<'_>) {
    // SAFETY: see above; the child ends by exec or `_exit`.
    unsafe { libc::close(fd.as_raw_fd()) };
}

/// Closes one by its number, if it is open: as [`close_from`].
pub fn close(number: RawFd) {
    // SAFETY: see above.
    unsafe { libc::close(number) };
}

/// Marks every descriptor from `first` on to be closed by exec.
pub fn cloexec_from(first: RawFd) {
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    // SAFETY: changes flags only.
    unsafe {
        libc::syscall(libc::SYS_close_range, first as libc::c_uint, libc::c_uint::MAX, CLOSE_RANGE_CLOEXEC)
    };
}

/// A pipe, CLOEXEC, both ends blocking: (read end, write end).
///
/// # Errors
/// EMFILE, ENFILE.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    nix::unistd::pipe2(OFlag::O_CLOEXEC)
}

/// From here on nobody waits who reads or writes what `fd` stands for (O_NONBLOCK): not who shares it either.
///
/// # Errors
/// EBADF.
pub fn nonblocking(fd: BorrowedFd<'_>) -> Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Opens /dev/null for reading and writing.
///
/// # Errors
/// ENOENT before /dev is mounted.
pub fn null() -> Result<OwnedFd> {
    super::fs::open("/dev/null", OFlag::O_RDWR, Mode::empty())
}

/// Reads from `fd`, again when interrupted.
///
/// # Errors
/// As read(2).
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    loop {
        match nix::unistd::read(fd, buffer) {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// Whether anything is open there.
pub fn is_open(number: RawFd) -> bool {
    // SAFETY: only looks at the number.
    unsafe { libc::fcntl(number, libc::F_GETFD) >= 0 }
}

/// Descriptor 0, which std keeps open in every process of ours.
#[must_use]
pub fn standard_input() -> BorrowedFd<'static> {
    // SAFETY: std opens it at the start where it is missing, and nobody here closes it.
    unsafe { BorrowedFd::borrow_raw(0) }
}

/// Descriptor 1, as above.
#[must_use]
pub fn standard_output() -> BorrowedFd<'static> {
    // SAFETY: as above.
    unsafe { BorrowedFd::borrow_raw(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::forked::Forked;

    /// A kernel without a console starts its init so.
    #[test]
    fn who_starts_with_nothing_open_has_all_three_and_opens_its_own_above() {
        for missing in [&[0, 1, 2][..], &[0], &[1, 2], &[]] {
            let child = Forked::run(|| {
                close_from(3);
                missing.iter().for_each(|number| close(*number));
                ensure_standard();
                let whole = (0..3).all(is_open) && !is_open(3);
                let own = pipe().is_ok_and(|(one, other)| one.as_raw_fd() > 2 && other.as_raw_fd() > 2);
                i32::from(!(whole && own))
            });
            assert_eq!(child.wait(), 0, "{missing:?}");
        }
    }
}

//! Words that the kernel keeps with a cgroup, for as long as that is there: `trusted` extended attributes (xattr(7)), which
//! only who has CAP_SYS_ADMIN on the machine reads and writes.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::{Errno, Result, check};

/// What is read of one.
const LONGEST: usize = 4096;

/// Keeps `value` under this name, which begins with `trusted.`, in the place of what was there.
///
/// # Errors
/// As fsetxattr(2).
pub fn set(cgroup: BorrowedFd<'_>, name: &CStr, value: &str) -> Result<()> {
    // SAFETY: the name ends with a NUL, and the kernel reads so many bytes of the value.
    let set =
        unsafe { libc::fsetxattr(cgroup.as_raw_fd(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    check(set.into()).map(drop)
}

/// What is kept; `None`: nothing.
///
/// # Errors
/// As fgetxattr(2); ERANGE for what is longer than anything of ours.
pub fn get(cgroup: BorrowedFd<'_>, name: &CStr) -> Result<Option<String>> {
    let mut buffer = vec![0u8; LONGEST];
    // SAFETY: the name ends with a NUL, and the kernel writes into the buffer, no more than it is long.
    let size = unsafe {
        libc::fgetxattr(cgroup.as_raw_fd(), name.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len())
    };
    match usize::try_from(size).map_err(|_| Errno::last()) {
        Ok(size) => {
            buffer.truncate(size);
            Ok(Some(String::from_utf8_lossy(&buffer).into_owned()))
        }
        Err(Errno::ENODATA) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Nothing is kept any more.
///
/// # Errors
/// As fremovexattr(2).
pub fn remove(cgroup: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    // SAFETY: the name ends with a NUL.
    let removed = unsafe { libc::fremovexattr(cgroup.as_raw_fd(), name.as_ptr()) };
    match check(removed.into()) {
        Ok(_) | Err(Errno::ENODATA) => Ok(()),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::testing::in_own_cgroup;

    #[test]
    fn a_cgroup_keeps_words_until_they_are_removed() {
        in_own_cgroup(|cgroup| {
            let name = c"trusted.orlop.test";
            assert_eq!(get(cgroup, name), Ok(None));
            assert_eq!(remove(cgroup, name), Ok(()));
            for value in ["memory.max=1\n", ""] {
                assert_eq!(set(cgroup, name, value), Ok(()));
                assert_eq!(get(cgroup, name), Ok(Some(value.to_owned())));
            }
            assert_eq!(remove(cgroup, name), Ok(()));
            assert_eq!(get(cgroup, name), Ok(None));
        });
    }
}

//! Again what the kernel could not do for the moment: for what is done once, and that all else stands on. What
//! cannot be read is otherwise taken for what is not there.

use std::time::Duration;

use super::{Errno, Result};

/// A shortage that lasts longer than all of them together is no moment any more; nobody else may be kept waiting for long.
const TIMES: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(10);

/// Does it until it succeeds or says that it never will, a few times.
///
/// # Errors
/// As the last one.
pub fn insist<T>(mut work: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 1..TIMES {
        match work() {
            // Busy is somebody, and not for a moment.
            Err(errno) if passes(errno) && errno != Errno::EBUSY => pause(),
            other => return other,
        }
    }
    work()
}

/// Short of something, or disturbed: not a word about what was asked for.
#[must_use]
pub fn passes(errno: Errno) -> bool {
    #[rustfmt::skip]
    let passing = [
        Errno::EAGAIN, Errno::EINTR, Errno::ENOMEM, Errno::EMFILE, Errno::ENFILE, Errno::EIO, Errno::EBUSY, Errno::ENOSPC,
    ];
    passing.contains(&errno)
}

fn pause() {
    let time = libc::timespec { tv_sec: 0, tv_nsec: BETWEEN.subsec_nanos().into() };
    // SAFETY: `time` lives through the call, and what is left is not asked for.
    unsafe { libc::nanosleep(&raw const time, core::ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it is tried, of something that fails so often with this errno.
    fn check(errno: Errno, failures: u32, expected: (u32, Result<u32>)) {
        let mut tried = 0;
        let result = insist(|| {
            tried += 1;
            if tried > failures { Ok(tried) } else { Err(errno) }
        });
        assert_eq!((tried, result), expected, "{errno}, {failures} times");
    }

    #[test]
    fn tries_again_what_may_pass_and_nothing_else() {
        check(Errno::EIO, 0, (1, Ok(1)));
        check(Errno::EINTR, 1, (2, Ok(2)));
        check(Errno::ENOMEM, TIMES - 1, (TIMES, Ok(TIMES)));
        check(Errno::EMFILE, TIMES, (TIMES, Err(Errno::EMFILE)));
        check(Errno::EBUSY, 1, (1, Err(Errno::EBUSY)));
        check(Errno::ENODEV, 1, (1, Err(Errno::ENODEV)));
    }
}

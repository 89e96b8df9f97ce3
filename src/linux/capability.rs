//! Capability sets of the calling process (capabilities(7)); bit N is capability number N.

use super::{Errno, Result, check};

/// _LINUX_CAPABILITY_VERSION_3.
const VERSION_3: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Takes from the bounding set everything that is not in `keep`.
///
/// # Errors
/// EPERM without CAP_SETPCAP.
pub fn bound(keep: u64) -> Result<()> {
    for number in 0..64u32 {
        if keep & (1 << number) != 0 {
            continue;
        }
        // SAFETY: plain numbers.
        match check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, number, 0, 0, 0) }.into()) {
            Ok(_) => {}
            // The kernel's last capability lies before this number.
            Err(Errno::EINVAL) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Keeps what is permitted over a change of the user ids (PR_SET_KEEPCAPS), until the next exec.
///
/// # Errors
/// EPERM when securebits forbid it.
pub fn keep_over_user_change() -> Result<()> {
    // SAFETY: plain numbers.
    check(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) }.into()).map(drop)
}

/// Sets the three sets of capset(2).
///
/// # Errors
/// EPERM when `permitted` is not within what is permitted now.
pub fn set(effective: u64, permitted: u64, inheritable: u64) -> Result<()> {
    let header = Header { version: VERSION_3, pid: 0 };
    let half = |shift: u32| Data {
        effective: (effective >> shift) as u32,
        permitted: (permitted >> shift) as u32,
        inheritable: (inheritable >> shift) as u32,
    };
    let data = [half(0), half(32)];
    // SAFETY: both structures have the form of version 3 and live across the call.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) })?;
    Ok(())
}

/// Makes the ambient set this one: what a program without file capabilities keeps over exec.
///
/// # Errors
/// EPERM for one that is not both permitted and inheritable.
pub fn set_ambient(set: u64) -> Result<()> {
    let ambient = |what: libc::c_int, number: u32| {
        // SAFETY: plain numbers.
        check(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, what, number, 0, 0) }.into()).map(drop)
    };
    ambient(libc::PR_CAP_AMBIENT_CLEAR_ALL, 0)?;
    (0..64u32)
        .filter(|number| set & (1 << number) != 0)
        .try_for_each(|number| ambient(libc::PR_CAP_AMBIENT_RAISE, number))
}

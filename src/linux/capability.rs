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

/// Sets effective and permitted to `set`, and inheritable to nothing.
///
/// # Errors
/// EPERM when `set` is not within what is permitted now.
pub fn set(set: u64) -> Result<()> {
    let header = Header { version: VERSION_3, pid: 0 };
    let low = set as u32;
    let high = (set >> 32) as u32;
    let data = [
        Data { effective: low, permitted: low, inheritable: 0 },
        Data { effective: high, permitted: high, inheritable: 0 },
    ];
    // SAFETY: both structures have the form of version 3 and live across the call.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) })?;
    Ok(())
}

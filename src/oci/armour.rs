//! Our own program, out of the reach of containers.
//!
//! Root of a container without a user namespace is root, and `/proc/self/exe` of the process that
//! becomes its program leads to this file: opened for writing at the right moment, it would be the
//! next container's runtime (CVE-2019-5736). So what makes containers runs from a mount of the file that
//! nobody can write through, nor change once its descriptor is closed.

use std::ffi::{CString, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use super::failure::{Failure, Result, at};
use crate::linux::{Errno, exe, process};

/// Goes on in the same words from a place that cannot be written; returns when this is one.
///
/// # Errors
/// There is none: neither mounts nor files in memory may be made.
pub(crate) fn put_on() -> Result<()> {
    #[cfg(naive)]
    if std::env::var("ORLOP_NAIVE").is_ok_and(|words| words == "exe") {
        return Ok(());
    }
    let own = exe::own().map_err(at("/proc/self/exe"))?;
    if exe::is_out_of_reach(own.as_fd()).map_err(at("/proc/self/exe"))? {
        return Ok(());
    }
    let safe = match exe::read_only_mount(own.as_fd()) {
        // Without power over mounts, as in somebody else's user namespace.
        Err(Errno::EPERM) => exe::sealed_copy(),
        other => other,
    };
    let safe = safe.map_err(at("a copy of this program"))?;
    let strings = |words: Vec<OsString>| -> Vec<CString> {
        words.into_iter().filter_map(|word| CString::new(word.as_bytes()).ok()).collect()
    };
    let env = std::env::vars_os().map(|(key, value)| {
        let mut pair = key;
        pair.push("=");
        pair.push(value);
        pair
    });
    let errno =
        process::exec_fd(safe.as_fd(), &strings(std::env::args_os().collect()), &strings(env.collect()));
    Err(Failure::new(format!("a copy of this program: {}", errno.desc())))
}

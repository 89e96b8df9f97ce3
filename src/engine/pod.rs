//! Namespaces that several containers have in common: whoever comes first makes them, the others find them.
//!
//! Each is held by a mount in the machine's mount namespace, so that it needs no process to live in and outlives the
//! supervisor. Setup makes them, while it still is in that mount namespace.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use orlop::container::{NamespaceKind, SharedNamespaces};

use super::setup::{flag, new_user_namespace};
use crate::linux::{Errno, Result, fs, mount, namespace, sysctl};

/// Makes those that are missing.
pub fn make(pod: &SharedNamespaces) -> Result<()> {
    fs::make_directory(&pod.path, 0o700)?;
    let folder = fs::open_directory(&pod.path)?;
    fs::lock(folder.as_fd())?;
    let at = |kind: NamespaceKind| format!("{}/{}", pod.path, kind.name());
    let found = |kind: NamespaceKind| match namespace::open_of_kind(&at(kind), flag(kind)) {
        Ok(namespace) => Ok(Some(namespace)),
        // Not made, or nothing was mounted on it.
        Err(Errno::ENOENT | Errno::EINVAL | Errno::ENOTTY) => Ok(None),
        Err(errno) => Err(errno),
    };
    let user = match found(NamespaceKind::User)? {
        Some(user) => user,
        None => {
            let user = new_user_namespace(&pod.ids, &pod.ids)?;
            keep(user.as_fd(), &at(NamespaceKind::User))?;
            user
        }
    };
    // The user namespace is new, or whoever made it was killed before anybody could be in it.
    let mut is_new = true;
    let mut missing = Vec::new();
    for kind in pod.kinds.iter().copied() {
        match found(kind)? {
            None => missing.push(kind),
            Some(_) => is_new &= kind == NamespaceKind::User,
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let kinds = missing.iter().fold(0, |all, kind| all | flag(*kind));
    let is_made = |kind: &NamespaceKind| match kind {
        NamespaceKind::User => is_new,
        other => missing.contains(other),
    };
    let set = || {
        let made = pod.sysctls.iter().filter(|(kind, ..)| is_made(kind));
        made.into_iter()
            .try_for_each(|(_, key, value)| sysctl::write_sysctl(key, value).map_err(|error| error.errno()))
    };
    for (made, namespace) in namespace::make_in(user.as_fd(), kinds, set)? {
        if let Some(kind) = missing.iter().find(|kind| flag(**kind) == made) {
            keep(namespace.as_fd(), &at(*kind))?;
        }
    }
    Ok(())
}

fn keep(namespace: BorrowedFd<'_>, path: &str) -> Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_CREAT | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let place: OwnedFd = open(path, flags, Mode::from_bits_truncate(0o600))?;
    mount::attach(mount::clone_one(namespace, "")?.as_fd(), place.as_fd())
}

/// Lets go of all in this directory. Who is in them stays; nobody comes to them any more.
pub fn dissolve(folder: &Path) -> Result<()> {
    let told = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
    for entry in std::fs::read_dir(folder).map_err(told)?.flatten() {
        let path = entry.path();
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
        match mount::detach(&name) {
            // Killed before anything was mounted on it.
            Ok(()) | Err(Errno::EINVAL) => {}
            Err(errno) => return Err(errno),
        }
        std::fs::remove_file(&path).map_err(told)?;
    }
    std::fs::remove_dir(folder).map_err(told)
}

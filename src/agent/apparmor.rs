//! Loads profiles of AppArmor: compiled policy, from files, before the containers that name them.

use std::os::fd::AsFd;

use crate::agent::files;
use crate::linux::mount::{Attributes, Filesystem};
use crate::linux::{Errno, Result, fs};

/// Far above any policy for one machine; the kernel has its own bound, of the same kind.
const POLICY_LIMIT: usize = 4 << 20;
/// What compiled policy begins with: a name of seven letters, `version`
/// (security/apparmor/policy_unpack.c). Sources are text.
const BEGIN: &[u8] = b"\x04\x08\x00version\x00";

/// Loads all that can be; those that cannot are named.
pub fn load(profiles: &[String], config_dir: &str) -> core::result::Result<(), String> {
    let kernel = kernel().map_err(|errno| match errno {
        Errno::ENOENT => "the kernel runs no AppArmor (`apparmor=1` among its words?)".to_owned(),
        errno => format!("securityfs: {}", errno.desc()),
    })?;
    let failed = profiles.iter().filter_map(|path| {
        let loaded = load_one(&kernel, &files::beside(config_dir, path));
        loaded.err().map(|why| format!("{path}: {why}"))
    });
    let failed: Vec<String> = failed.collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

/// AppArmor's files. Nobody else needs the file system: it is attached nowhere.
fn kernel() -> Result<std::os::fd::OwnedFd> {
    let securityfs = Filesystem::open(c"securityfs")?;
    let mount = securityfs.mount(Attributes::NO_SUID.and(Attributes::NO_DEV).and(Attributes::NO_EXEC))?;
    fs::open_without_links(mount.as_fd(), "apparmor", libc::O_RDONLY | libc::O_DIRECTORY)
}

fn load_one(kernel: &impl AsFd, path: &str) -> core::result::Result<(), String> {
    let desc = |errno: Errno| errno.desc().to_owned();
    let policy =
        fs::open_regular(path).and_then(|fd| fs::read_regular(fd.as_fd(), POLICY_LIMIT)).map_err(desc)?;
    if !policy.starts_with(BEGIN) {
        return Err("it is not compiled: `apparmor_parser -QK -o FILE SOURCE` does that".to_owned());
    }
    // One write is one policy.
    let file = fs::open_without_links(kernel.as_fd(), ".replace", libc::O_WRONLY).map_err(desc)?;
    match nix::unistd::write(&file, &policy) {
        Ok(count) if count == policy.len() => Ok(()),
        Ok(_) => Err("the kernel took only a part of it".to_owned()),
        Err(Errno::EPROTONOSUPPORT) => {
            Err("it was compiled for another kernel's version of AppArmor".to_owned())
        }
        Err(errno) => Err(format!("the kernel refuses it: {}", errno.desc())),
    }
}

//! The machine's own first mounts and cgroups: a table, walked once.
//!
//! What fails is kept as a phase's errno and shown by the supervisor; the boot goes on.

use std::ffi::CStr;
use std::os::fd::AsFd;

use nix::mount::MsFlags;
use orlop::ledger::{Label, Phase};

use crate::linux::{Result, cgroup, fs, mount, time};

/// As many as [`all`] adds.
pub const PHASES: usize = 3;

/// Target, type, flags and data of a mount.
type Early = (&'static CStr, &'static CStr, MsFlags, &'static CStr);

const NO_SUID_DEV: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);
const BARE: MsFlags = NO_SUID_DEV.union(MsFlags::MS_NOEXEC);
const DEVICES: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NOEXEC);

/// In this order. Nothing may ever be mounted over parts of /proc or /sys: containers get fresh
/// ones only while ours are fully visible. /run holds records and mount points, /tmp nothing of
/// ours: 64 MiB are enough for thousands of containers.
const EARLY: [Early; 9] = [
    (c"/proc", c"proc", BARE, c""),
    (c"/sys", c"sysfs", BARE, c""),
    (c"/dev", c"devtmpfs", DEVICES, c"mode=0755"),
    (c"/dev/pts", c"devpts", DEVICES, c"gid=5,mode=620,ptmxmode=666"),
    (c"/dev/shm", c"tmpfs", NO_SUID_DEV, c"mode=1777"),
    (c"/dev/mqueue", c"mqueue", BARE, c""),
    (c"/run", c"tmpfs", BARE, c"mode=0755,size=64m"),
    (c"/tmp", c"tmpfs", NO_SUID_DEV, c"mode=1777,size=64m"),
    (c"/sys/fs/cgroup", c"cgroup2", BARE, c"nsdelegate,memory_recursiveprot"),
];

const LINKS: [(&CStr, &CStr); 4] = [
    (c"/proc/self/fd", c"/dev/fd"),
    (c"/proc/self/fd/0", c"/dev/stdin"),
    (c"/proc/self/fd/1", c"/dev/stdout"),
    (c"/proc/self/fd/2", c"/dev/stderr"),
];

/// Leaves the kernel's root file system, mounts, and makes the first cgroups.
pub fn all(phases: &mut Vec<Phase>) {
    phase(phases, "root", |_| {
        fs::make_directory("/.root", 0o700)?;
        mount::leave_rootfs(c"/.root")
    });
    phase(phases, "mounts", |failed| {
        let mut result = Ok(());
        for (target, kind, flags, data) in EARLY {
            let made = fs::make_directory(target.to_str().unwrap_or_default(), 0o755);
            let done = made.and_then(|()| mount::mount(kind, target, kind, flags, data));
            if done.is_err() && result.is_ok() {
                *failed = target.to_str().unwrap_or_default();
                result = done;
            }
        }
        for (to, at) in LINKS {
            // Already there when devtmpfs was mounted by the kernel.
            let _ = nix::unistd::symlinkat(to, nix::fcntl::AT_FDCWD, at);
        }
        result
    });
    phase(phases, "cgroups", |_| cgroups());
}

/// `orlop/supervisor` and `containers`, with every controller that the kernel has.
fn cgroups() -> Result<()> {
    let root = cgroup::open_path("")?;
    cgroup::enable_controllers(root.as_fd());
    let ours = cgroup::make(root.as_fd(), "orlop")?;
    cgroup::enable_controllers(ours.as_fd());
    cgroup::make(ours.as_fd(), "supervisor")?;
    let containers = cgroup::make(root.as_fd(), "containers")?;
    cgroup::enable_controllers(containers.as_fd());
    Ok(())
}

fn phase(phases: &mut Vec<Phase>, name: &str, work: impl FnOnce(&mut &'static str) -> Result<()>) {
    let start_us = time::since_boot().as_micros() as u64;
    let mut failed = "";
    let errno = work(&mut failed).err().map_or(0, |errno| errno as i32);
    let end_us = time::since_boot().as_micros() as u64;
    let label = Label::new(format!("{name} {failed}").trim_end());
    phases.push(Phase { start_us, end_us, errno, label });
}

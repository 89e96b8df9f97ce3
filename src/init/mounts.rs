//! The machine's own first mounts and cgroups: a table, walked once.
//!
//! What fails is kept as a phase's errno and shown by the supervisor; the boot goes on.

use std::ffi::CStr;
use std::os::fd::AsFd;

use nix::mount::MsFlags;
use orlop::ledger::{Label, Phase};

use crate::linux::{Errno, Result, cgroup, mount, time};

/// As many as [`all`] adds.
pub const PHASES: usize = 3;

struct Early {
    target: &'static CStr,
    kind: &'static CStr,
    flags: MsFlags,
    data: &'static CStr,
}

const BARE: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC);
const DEVICES: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NOEXEC);

/// In this order. Nothing may ever be mounted over parts of /proc or /sys: containers get fresh
/// ones only while ours are fully visible.
const EARLY: [Early; 9] = [
    Early { target: c"/proc", kind: c"proc", flags: BARE, data: c"" },
    Early { target: c"/sys", kind: c"sysfs", flags: BARE, data: c"" },
    Early { target: c"/dev", kind: c"devtmpfs", flags: DEVICES, data: c"mode=0755" },
    Early { target: c"/dev/pts", kind: c"devpts", flags: DEVICES, data: c"gid=5,mode=620,ptmxmode=666" },
    Early {
        target: c"/dev/shm",
        kind: c"tmpfs",
        flags: MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV),
        data: c"mode=1777",
    },
    Early { target: c"/dev/mqueue", kind: c"mqueue", flags: BARE, data: c"" },
    // Records, sockets and mount points: 64 MiB hold those of thousands of containers.
    Early { target: c"/run", kind: c"tmpfs", flags: BARE, data: c"mode=0755,size=64m" },
    Early {
        target: c"/tmp",
        kind: c"tmpfs",
        flags: MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV),
        data: c"mode=1777,size=64m",
    },
    Early {
        target: c"/sys/fs/cgroup",
        kind: c"cgroup2",
        flags: BARE,
        data: c"nsdelegate,memory_recursiveprot",
    },
];

const LINKS: [(&CStr, &CStr); 4] = [
    (c"/proc/self/fd", c"/dev/fd"),
    (c"/proc/self/fd/0", c"/dev/stdin"),
    (c"/proc/self/fd/1", c"/dev/stdout"),
    (c"/proc/self/fd/2", c"/dev/stderr"),
];

/// Leaves the kernel's root file system, mounts, and makes the first cgroups.
pub fn all(phases: &mut Vec<Phase>) {
    phase(phases, "root", |_| match nix::unistd::mkdir(c"/.root", nix::sys::stat::Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => mount::leave_rootfs(c"/.root"),
        Err(errno) => Err(errno),
    });
    phase(phases, "mounts", |failed| {
        let mut result = Ok(());
        for early in &EARLY {
            let done = mount_one(early);
            if done.is_err() && result.is_ok() {
                *failed = early.target.to_str().unwrap_or_default();
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

fn mount_one(early: &Early) -> Result<()> {
    match nix::unistd::mkdir(early.target, nix::sys::stat::Mode::from_bits_truncate(0o755)) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno),
    }
    mount::mount(early.kind, early.target, early.kind, early.flags, early.data)
}

/// `orlop/supervisor` and `containers`, with every controller that the kernel has.
fn cgroups() -> Result<()> {
    const CONTROLLERS: [&str; 7] = ["+cpuset", "+cpu", "+io", "+memory", "+hugetlb", "+pids", "+rdma"];
    let root = cgroup::open_path("")?;
    let enable = |cgroup: &std::os::fd::OwnedFd| {
        for controller in CONTROLLERS {
            // One by one: a kernel may lack some.
            let _ = cgroup::write(cgroup.as_fd(), "cgroup.subtree_control", controller);
        }
    };
    enable(&root);
    let ours = cgroup::make(root.as_fd(), "orlop")?;
    enable(&ours);
    cgroup::make(ours.as_fd(), "supervisor")?;
    let containers = cgroup::make(root.as_fd(), "containers")?;
    enable(&containers);
    Ok(())
}

fn phase(phases: &mut Vec<Phase>, name: &str, work: impl FnOnce(&mut &'static str) -> Result<()>) {
    let start_us = time::since_boot().as_micros() as u64;
    let mut failed = "";
    let errno = work(&mut failed).err().map_or(0, |errno| errno as i32);
    let end_us = time::since_boot().as_micros() as u64;
    let label = if failed.is_empty() { Label::new(name) } else { Label::new(&format!("{name} {failed}")) };
    phases.push(Phase { start_us, end_us, errno, label });
}

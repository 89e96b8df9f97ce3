//! The machine's own first mounts and cgroups: a table, walked once.
//!
//! What fails is kept as a phase's errno and shown by the supervisor; the boot goes on.

use std::os::fd::AsFd;

use nix::mount::MsFlags;
use orlop::ledger::{EARLY, Early, LINKS, Label, Openness, Phase};

use crate::linux::{Result, cgroup, fs, insist, mount, time};

/// As many as [`all`] adds.
pub const PHASES: usize = 3;

fn flags(openness: Openness) -> MsFlags {
    MsFlags::MS_NOSUID.union(match openness {
        Openness::Bare => MsFlags::MS_NODEV.union(MsFlags::MS_NOEXEC),
        Openness::Devices => MsFlags::MS_NOEXEC,
        Openness::Programs => MsFlags::MS_NODEV,
    })
}

/// Leaves the kernel's root file system, mounts, and makes the first cgroups.
pub fn all(phases: &mut Vec<Phase>) {
    phase(phases, "root", |_| {
        insist(|| fs::make_directory("/.root", 0o700))?;
        mount::leave_rootfs(c"/.root")
    });
    phase(phases, "mounts", |failed| {
        let mut result = Ok(());
        for Early { at, kind, openness, data } in EARLY {
            let name = at.to_str().unwrap_or_default();
            let made = insist(|| fs::make_directory(name, 0o755));
            let done = made.and_then(|()| insist(|| mount::mount(kind, at, kind, flags(openness), data)));
            if done.is_err() && result.is_ok() {
                *failed = name;
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

/// `orlop/supervisor` and `containers`, with every controller that the kernel has; Orlop comes before who takes all of a CPU.
fn cgroups() -> Result<()> {
    let root = insist(|| cgroup::open_path(""))?;
    cgroup::enable_controllers(root.as_fd());
    let ours = insist(|| cgroup::make(root.as_fd(), "orlop"))?;
    cgroup::enable_controllers(ours.as_fd());
    let _ = cgroup::write(ours.as_fd(), "cpu.weight", "1000");
    insist(|| cgroup::make(ours.as_fd(), "supervisor"))?;
    let containers = insist(|| cgroup::make(root.as_fd(), "containers"))?;
    cgroup::enable_controllers(containers.as_fd());
    Ok(())
}

fn phase(phases: &mut Vec<Phase>, name: &str, work: impl FnOnce(&mut &'static str) -> Result<()>) {
    let start_us = time::since_boot().as_micros() as u64;
    let mut failed = "";
    let errno = work(&mut failed).err().map_or(0, |errno| errno as i32);
    let label = Label::new(format!("{name} {failed}").trim_end());
    phases.push(Phase { start_us, end_us: time::since_boot().as_micros() as u64, errno, label });
}

//! Decides whether KVM can be used, by a real trial.
//!
//! `/dev/kvm` may exist, take ioctls and even run the firmware, and still fail or stall in the
//! kernel: so the trial boots the machine's own kernel, without an initramfs, until it says that
//! it has nothing to start.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::launch;
use crate::machine::attach_console;
use crate::options::{Accelerator, ConsoleCopy};
use crate::state::{Shared, State};

/// A kernel on a working KVM is there in 1 s.
const TRIAL: Duration = Duration::from_secs(5);

/// The kernel has come all the way to user space, and found none.
const ARRIVED: &str = "VFS: Unable to mount root fs";

/// The word of QEMU for a KVM that gave up.
const GAVE_UP: &str = "KVM internal error";

/// Never returns `Auto`. The trial is made once in a process.
pub(crate) fn choose(wanted: Accelerator, kernel: &Path) -> Result<Accelerator> {
    static KVM_WORKS: OnceLock<bool> = OnceLock::new();
    match wanted {
        Accelerator::Kvm | Accelerator::Emulated | Accelerator::InstructionCount => Ok(wanted),
        Accelerator::Auto => {
            if let Some(works) = KVM_WORKS.get() {
                return Ok(if *works { Accelerator::Kvm } else { Accelerator::Emulated });
            }
            // Two that come at once may both try; that costs seconds once.
            let works = nix::unistd::access("/dev/kvm", access()).is_ok() && try_kvm(kernel)?;
            let works = *KVM_WORKS.get_or_init(|| works);
            Ok(if works { Accelerator::Kvm } else { Accelerator::Emulated })
        }
    }
}

fn access() -> nix::unistd::AccessFlags {
    nix::unistd::AccessFlags::R_OK | nix::unistd::AccessFlags::W_OK
}

fn try_kvm(kernel: &Path) -> Result<bool> {
    let shared = Arc::new(Shared::default());
    let (ours, theirs) = UnixStream::pair().map_err(|e| Error::host("make a socket for the console", e))?;
    let console = format!("socket,id=console,fd={}", theirs.as_raw_fd());
    let words = "console=ttyS0 panic=-1";
    let mut arguments: Vec<_> = [
        "-nodefaults",
        "-no-user-config",
        "-no-reboot",
        "-display",
        "none",
        "-machine",
        "q35",
        "-accel",
        "kvm",
        "-cpu",
        "host",
        "-m",
        "256M",
        "-append",
        words,
        "-chardev",
        &console,
        "-serial",
        "chardev:console",
        "-kernel",
    ]
    .iter()
    .map(std::ffi::OsString::from)
    .collect();
    arguments.push(kernel.into());
    attach_console(ours, &ConsoleCopy::None, Arc::clone(&shared))?;
    let pid = launch::start(arguments, vec![OwnedFd::from(theirs)], Arc::clone(&shared))?;
    let works = shared.wait(Some(Instant::now() + TRIAL), verdict).unwrap_or(false);
    launch::end(pid, &shared);
    Ok(works)
}

fn verdict(state: &mut State) -> Option<bool> {
    if state.console.find(ARRIVED, 0).is_some() {
        return Some(true);
    }
    (state.exit.is_some() || state.stderr.contains(GAVE_UP)).then_some(false)
}

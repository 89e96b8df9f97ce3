//! Decides whether KVM can be used, by a real trial.
//!
//! `/dev/kvm` may exist, take ioctls and even run the firmware, and still fail or stall in the
//! kernel: so the trial boots the machine's own kernel, without an initramfs, until it says that
//! it has nothing to start.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
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

/// `kvm` or `emulated`: for whoever starts many processes and does not want a trial in each.
const VARIABLE: &str = "ORLOP_VM_ACCELERATOR";

/// Never returns `Auto`. The trial is made once in a process; who comes meanwhile waits for it.
pub(crate) fn choose(wanted: Accelerator, kernel: &Path) -> Result<Accelerator> {
    static KVM_WORKS: Mutex<Option<bool>> = Mutex::new(None);
    if wanted != Accelerator::Auto {
        return Ok(wanted);
    }
    if let Some(word) = std::env::var_os(VARIABLE) {
        return match word.to_str() {
            Some("kvm") => Ok(Accelerator::Kvm),
            Some("emulated") => Ok(Accelerator::Emulated),
            Some(_) | None => {
                Err(Error::Options { text: format!("{VARIABLE} is neither `kvm` nor `emulated`") })
            }
        };
    }
    let mut known = KVM_WORKS.lock().unwrap_or_else(PoisonError::into_inner);
    let works = match *known {
        Some(works) => works,
        None => nix::unistd::access("/dev/kvm", access()).is_ok() && try_kvm(kernel)?,
    };
    *known = Some(works);
    Ok(if works { Accelerator::Kvm } else { Accelerator::Emulated })
}

fn access() -> nix::unistd::AccessFlags {
    nix::unistd::AccessFlags::R_OK | nix::unistd::AccessFlags::W_OK
}

fn try_kvm(kernel: &Path) -> Result<bool> {
    let shared = Arc::new(Shared::default());
    let (ours, theirs) = UnixStream::pair().map_err(|e| Error::host("make a socket for the console", e))?;
    // Nobody asks this one anything.
    let (_monitor, unused) =
        UnixStream::pair().map_err(|e| Error::host("make a socket for the monitor", e))?;
    let console = format!("socket,id=console,fd={}", launch::CONSOLE_FD);
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
    let sockets = launch::Sockets { console: theirs.into(), monitor: unused.into() };
    let pid = launch::start(arguments, sockets, Arc::clone(&shared))?;
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

//! The end of the machine.

use nix::sys::reboot::{RebootMode, reboot, set_cad_enabled};

use super::Result;

/// Ctrl-Alt-Del sends SIGINT to PID 1 instead of resetting the machine.
///
/// # Errors
/// EPERM or EINVAL outside the initial namespaces.
pub fn catch_ctrl_alt_del() -> Result<()> {
    set_cad_enabled(false)
}

/// Writes everything to the disks; may block.
pub fn sync() {
    nix::unistd::sync();
}

/// Switches the power off. For a child: the kernel ends whoever asks.
///
/// # Errors
/// EPERM.
pub fn power_off() -> Result<core::convert::Infallible> {
    reboot(RebootMode::RB_POWER_OFF)
}

/// Starts the machine again.
///
/// # Errors
/// EPERM.
pub fn restart() -> Result<core::convert::Infallible> {
    reboot(RebootMode::RB_AUTOBOOT)
}

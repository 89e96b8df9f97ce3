//! A filter over the system calls of the calling process (seccomp(2)).

use std::os::fd::OwnedFd;

use super::{Result, check};

/// One instruction of classic BPF, as the kernel takes it.
pub type Instruction = libc::sock_filter;

/// Puts the filter in force, for ever and for all that this process executes and clones.
/// `flags` are `SECCOMP_FILTER_FLAG_*`.
///
/// # Errors
/// EACCES without no_new_privs or CAP_SYS_ADMIN; EINVAL for a program that the kernel refuses.
pub fn install(program: &[Instruction], flags: u64) -> Result<()> {
    set_filter(program, flags).map(drop)
}

/// As [`install`], with SECCOMP_FILTER_FLAG_NEW_LISTENER among the flags: where it asks.
///
/// # Errors
/// EBUSY when somebody listens to another filter already.
pub fn install_and_listen(program: &[Instruction], flags: u64) -> Result<OwnedFd> {
    super::check_fd(set_filter(program, flags)?)
}

fn set_filter(program: &[Instruction], flags: u64) -> Result<libc::c_long> {
    let len = u16::try_from(program.len()).map_err(|_| super::Errno::EINVAL)?;
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel reads `len` instructions, which outlive the call, and writes none.
    let value =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    check(value)
}

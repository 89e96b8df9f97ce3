//! Limits and the filter of devices, put in force for a cgroup.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::container::{Missing, Setting, devices};

use super::report::Failure;
use crate::linux::cgroup::Origin;
use crate::linux::{Errno, Result, bpf, cgroup};

/// Writes one setting.
///
/// # Errors
/// [`Failure`] naming the file that was refused, and what was written to it.
pub fn write(directory: BorrowedFd<'_>, setting: &Setting) -> core::result::Result<(), Failure> {
    let Setting { file, value, .. } = setting;
    write_or_instead(directory, setting)
        .map_err(|errno| Failure::new("cgroup", format!("{file} = {value}"), errno))
}

/// As [`write`], by errno.
///
/// # Errors
/// As write(2).
pub fn write_or_instead(directory: BorrowedFd<'_>, setting: &Setting) -> Result<()> {
    match (cgroup::write(directory, &setting.file, &setting.value), &setting.missing) {
        (Err(Errno::ENOENT), Missing::Pass) => Ok(()),
        (Err(Errno::ENOENT), Missing::Instead { file, value }) => cgroup::write(directory, file, value),
        (other, _) => other,
    }
}

/// Has the kernel check a filter, and keep it while the descriptor or a cgroup holds it.
///
/// # Errors
/// [`Failure`] with the kernel's reason.
pub fn load(program: &[devices::Instruction]) -> core::result::Result<OwnedFd, Failure> {
    let instruction = |it: &devices::Instruction| bpf::Instruction {
        code: it.code,
        registers: it.registers,
        offset: it.offset,
        immediate: it.immediate,
    };
    let program: Vec<bpf::Instruction> = program.iter().map(instruction).collect();
    bpf::load_device_filter(&program).map_err(|bpf::NotLoaded { errno, log }| {
        let reason = log.lines().next_back().unwrap_or_default();
        Failure::new("devices", format!("filter {reason}").trim_end(), errno)
    })
}

/// From here on this filter alone decides for the cgroup and what is below it. Where there can be none
/// before, one system call does; else that one is replaced.
///
/// # Errors
/// [`Failure`]; EPERM without CAP_BPF.
pub fn attach(
    directory: BorrowedFd<'_>,
    origin: Origin,
    filter: &OwnedFd,
) -> core::result::Result<(), Failure> {
    let attached = match origin {
        Origin::Made => bpf::add_device_filter(directory, filter.as_fd()),
        Origin::Found => bpf::filter_devices(directory, filter.as_fd()),
    };
    attached.map_err(|errno| Failure::new("devices", "filter", errno))
}

//! When a process runs, and where: scheduler, I/O priority, memory policy, personality, CPUs.

use super::{Result, check};

/// struct sched_attr of sched_setattr(2), as of SCHED_ATTR_SIZE_VER0.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Attributes {
    pub size: u32,
    pub policy: u32,
    pub flags: u64,
    pub nice: i32,
    pub priority: u32,
    pub runtime: u64,
    pub deadline: u64,
    pub period: u64,
}

/// Gives the calling thread another scheduler. The field `size` is set here.
///
/// # Errors
/// EPERM without CAP_SYS_NICE, EINVAL, EBUSY for a deadline that there is no time for.
pub fn set_scheduler(attributes: Attributes) -> Result<()> {
    let attributes = Attributes { size: core::mem::size_of::<Attributes>() as u32, ..attributes };
    // SAFETY: the structure lives across the call and says its size.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) }).map(drop)
}

/// ioprio_set(2) of the calling thread; `class` is IOPRIO_CLASS_*.
///
/// # Errors
/// EPERM for a class that needs privilege.
pub fn set_io_priority(class: u8, priority: u8) -> Result<()> {
    const IOPRIO_WHO_PROCESS: libc::c_int = 1;
    const IOPRIO_CLASS_SHIFT: u32 = 13;
    let value = u32::from(class) << IOPRIO_CLASS_SHIFT | u32::from(priority);
    // SAFETY: plain numbers.
    check(unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, value) }).map(drop)
}

/// set_mempolicy(2); bit N of `nodes` is node N.
///
/// # Errors
/// EINVAL for a mode or nodes that the machine does not have.
pub fn set_memory_policy(mode: u32, nodes: &[u64]) -> Result<()> {
    // The kernel takes one less than it is told.
    let bits = if nodes.is_empty() { 0 } else { nodes.len() * 64 + 1 };
    let nodes = if nodes.is_empty() { core::ptr::null() } else { nodes.as_ptr() };
    // SAFETY: null, or the pointer and the number of bits describe the slice.
    check(unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, nodes, bits) }).map(drop)
}

/// personality(2).
///
/// # Errors
/// None known.
pub fn set_personality(persona: u32) -> Result<()> {
    // SAFETY: a plain number.
    check(unsafe { libc::syscall(libc::SYS_personality, libc::c_ulong::from(persona)) }).map(drop)
}

/// The CPUs that the calling thread may use; bit N is CPU N (sched_setaffinity(2)).
///
/// # Errors
/// EINVAL when none of them is there.
pub fn set_cpus(cpus: &[u64]) -> Result<()> {
    let size = core::mem::size_of_val(cpus);
    // SAFETY: the pointer and the size describe the slice.
    check(unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, size, cpus.as_ptr()) }).map(drop)
}

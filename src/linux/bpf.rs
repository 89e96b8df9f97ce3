//! Programs in the kernel that filter what a cgroup may do with devices (bpf(2)).

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::{Errno, Result, check, check_fd};

/// One instruction of eBPF, `struct bpf_insn` of linux/bpf.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    pub code: u8,
    /// The destination, and the source above it in four bits each.
    pub registers: u8,
    pub offset: i16,
    pub immediate: i32,
}

/// Why the kernel did not take a program, in its verifier's words too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotLoaded {
    pub errno: Errno,
    pub log: String,
}

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const PROG_DETACH: libc::c_int = 9;
const PROG_GET_FD_BY_ID: libc::c_int = 13;
const PROG_QUERY: libc::c_int = 16;

const TYPE_CGROUP_DEVICE: u32 = 15;
/// Of `enum bpf_attach_type`.
const CGROUP_DEVICE: u32 = 6;
/// Beside those of the cgroups above, all of which must allow.
const ALLOW_MULTI: u32 = 2;
const REPLACE: u32 = 4;
/// Programs of one kind on one cgroup (BPF_CGROUP_MAX_PROGS).
const MOST_PROGRAMS: usize = 64;
/// The verifier's last words stand at its end; more than a page is nobody's reading.
const LOG: usize = 64 << 10;
/// Nothing is called that would ask for a licence of the kernel's own.
const LICENSE: &CStr = c"MIT OR Apache-2.0";

/// The parts of `union bpf_attr` that are used here, each as long as the kernel may write to it.
#[repr(C)]
#[derive(Default)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
}

#[repr(C)]
#[derive(Default)]
struct Attach {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: u32,
}

#[repr(C)]
#[derive(Default)]
struct Query {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    reserved: u32,
    prog_attach_flags: u64,
    link_ids: u64,
    link_attach_flags: u64,
    revision: u64,
}

#[repr(C)]
#[derive(Default)]
struct ById {
    id: u32,
    next_id: u32,
    open_flags: u32,
}

fn bpf<T>(command: libc::c_int, attributes: &mut T) -> libc::c_long {
    // SAFETY: the structure lives across the call and has the size given; what it points to does,
    // too, at each caller.
    unsafe {
        libc::syscall(libc::SYS_bpf, command, core::ptr::from_mut(attributes), core::mem::size_of::<T>())
    }
}

fn number(fd: BorrowedFd<'_>) -> u32 {
    // A descriptor is never negative.
    fd.as_raw_fd().unsigned_abs()
}

/// Loads a filter of devices. It stays in the kernel while a descriptor or a cgroup holds it.
///
/// # Errors
/// [`NotLoaded`]: EPERM without CAP_BPF, EINVAL or EACCES with the verifier's reason.
pub fn load_device_filter(program: &[Instruction]) -> core::result::Result<OwnedFd, NotLoaded> {
    let mut name = [0; 16];
    for (to, from) in name.iter_mut().zip(b"orlop_devices") {
        *to = *from;
    }
    let mut attributes = Load {
        prog_type: TYPE_CGROUP_DEVICE,
        insn_cnt: u32::try_from(program.len()).unwrap_or(u32::MAX),
        insns: program.as_ptr() as u64,
        license: LICENSE.as_ptr() as u64,
        prog_name: name,
        ..Load::default()
    };
    // A log costs the verifier time: it is asked for only once there is something to say.
    let errno = match check_fd(bpf(PROG_LOAD, &mut attributes)) {
        Ok(fd) => return Ok(fd),
        Err(errno) => errno,
    };
    let mut log = vec![0_u8; LOG];
    attributes.log_level = 1;
    attributes.log_size = LOG as u32;
    attributes.log_buf = log.as_mut_ptr() as u64;
    check_fd(bpf(PROG_LOAD, &mut attributes)).map_err(|_| {
        let text = log.split(|byte| *byte == 0).next().unwrap_or_default();
        NotLoaded { errno, log: String::from_utf8_lossy(text).trim_end().to_owned() }
    })
}

/// Adds a filter to a cgroup, for it and all below it.
///
/// # Errors
/// EPERM; EINVAL when it is attached already.
pub fn add_device_filter(cgroup: BorrowedFd<'_>, filter: BorrowedFd<'_>) -> Result<()> {
    attach(cgroup, filter, None)
}

/// From here on this filter counts for the cgroup and all below it, beside those above it; one that
/// was attached before is replaced in the same moment, so that there is none in which neither holds.
///
/// # Errors
/// EPERM; EBADF for a descriptor that is no cgroup's.
pub fn filter_devices(cgroup: BorrowedFd<'_>, filter: BorrowedFd<'_>) -> Result<()> {
    let present = device_filters(cgroup)?;
    let mut present = present.iter().filter_map(|id| by_id(*id).transpose());
    match present.next().transpose()? {
        None => add_device_filter(cgroup, filter)?,
        Some(old) => attach(cgroup, filter, Some(old.as_fd()))?,
    }
    for other in present {
        detach(cgroup, other?.as_fd())?;
    }
    Ok(())
}

/// The numbers of the filters that are attached to this cgroup itself.
///
/// # Errors
/// EPERM.
pub fn device_filters(cgroup: BorrowedFd<'_>) -> Result<Vec<u32>> {
    let mut ids = vec![0_u32; MOST_PROGRAMS];
    let mut attributes = Query {
        target_fd: number(cgroup),
        attach_type: CGROUP_DEVICE,
        prog_ids: ids.as_mut_ptr() as u64,
        prog_cnt: MOST_PROGRAMS as u32,
        ..Query::default()
    };
    check(bpf(PROG_QUERY, &mut attributes))?;
    ids.truncate(attributes.prog_cnt as usize);
    Ok(ids)
}

/// `None` when it is gone meanwhile.
fn by_id(id: u32) -> Result<Option<OwnedFd>> {
    match check_fd(bpf(PROG_GET_FD_BY_ID, &mut ById { id, ..ById::default() })) {
        Err(Errno::ENOENT) => Ok(None),
        other => other.map(Some),
    }
}

fn attach(cgroup: BorrowedFd<'_>, filter: BorrowedFd<'_>, old: Option<BorrowedFd<'_>>) -> Result<()> {
    let mut attributes = Attach {
        target_fd: number(cgroup),
        attach_bpf_fd: number(filter),
        attach_type: CGROUP_DEVICE,
        attach_flags: if old.is_some() { ALLOW_MULTI | REPLACE } else { ALLOW_MULTI },
        replace_bpf_fd: old.map_or(0, number),
    };
    check(bpf(PROG_ATTACH, &mut attributes)).map(drop)
}

/// Takes a filter away from a cgroup.
///
/// # Errors
/// ENOENT when it is not attached.
pub fn detach(cgroup: BorrowedFd<'_>, filter: BorrowedFd<'_>) -> Result<()> {
    let mut attributes = Attach {
        target_fd: number(cgroup),
        attach_bpf_fd: number(filter),
        attach_type: CGROUP_DEVICE,
        ..Attach::default()
    };
    check(bpf(PROG_DETACH, &mut attributes)).map(drop)
}

#[cfg(test)]
#[path = "bpf_tests.rs"]
mod tests;

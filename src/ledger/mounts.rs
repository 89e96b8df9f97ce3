//! The machine's own first mounts: what, where, and how open.

use core::ffi::CStr;

/// What may be done with files of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Openness {
    /// Neither programs nor devices.
    Bare,
    /// Devices, and no programs.
    Devices,
    /// Programs, and no devices.
    Programs,
}

/// Its type, which is its source as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Early {
    pub at: &'static CStr,
    pub kind: &'static CStr,
    pub openness: Openness,
    pub data: &'static CStr,
}

const fn early(at: &'static CStr, kind: &'static CStr, openness: Openness, data: &'static CStr) -> Early {
    Early { at, kind, openness, data }
}

/// In this order. Nothing may ever be mounted over parts of /proc or /sys: containers get fresh
/// ones only while ours are fully visible. /run holds records and mount points, /tmp nothing of
/// ours: 64 MiB are enough for thousands of containers.
pub const EARLY: [Early; 9] = [
    early(c"/proc", c"proc", Openness::Bare, c""),
    early(c"/sys", c"sysfs", Openness::Bare, c""),
    early(c"/dev", c"devtmpfs", Openness::Devices, c"mode=0755"),
    early(c"/dev/pts", c"devpts", Openness::Devices, c"gid=5,mode=620,ptmxmode=666"),
    early(c"/dev/shm", c"tmpfs", Openness::Programs, c"mode=1777"),
    early(c"/dev/mqueue", c"mqueue", Openness::Bare, c""),
    early(c"/run", c"tmpfs", Openness::Bare, c"mode=0755,size=64m"),
    early(c"/tmp", c"tmpfs", Openness::Programs, c"mode=1777,size=64m"),
    early(c"/sys/fs/cgroup", c"cgroup2", Openness::Bare, c"nsdelegate,memory_recursiveprot"),
];

/// What programs expect in /dev: to, at.
pub const LINKS: [(&CStr, &CStr); 4] = [
    (c"/proc/self/fd", c"/dev/fd"),
    (c"/proc/self/fd/0", c"/dev/stdin"),
    (c"/proc/self/fd/1", c"/dev/stdout"),
    (c"/proc/self/fd/2", c"/dev/stderr"),
];

//! Which boot this is, and which was before it: times since boot and numbers of starts mean nothing in another one.

use std::os::fd::AsFd;

use crate::linux::fs;

/// The kernel's own, another one in each boot.
const THIS: &str = "/proc/sys/kernel/random/boot_id";
/// What the disk said, if there is one.
pub const BEFORE: &str = "/run/orlop/boot-before";
/// As the kernel writes it.
pub const LONG: usize = 36;

/// `None`: of a kernel without it.
pub fn this() -> Option<String> {
    fs::read_text(THIS).ok().and_then(|text| id(&text))
}

/// The boot before this one that used the same disk.
pub fn before() -> Option<String> {
    let fd = fs::open_regular(BEFORE).ok()?;
    let bytes = fs::read_regular(fd.as_fd(), LONG * 2).ok()?;
    id(core::str::from_utf8(&bytes).ok()?)
}

/// The text of one, if it is one.
pub fn id(text: &str) -> Option<String> {
    let text = text.trim();
    let is_id = text.len() == LONG && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    is_id.then(|| text.to_owned())
}

//! Every syscall and every `unsafe`: one typed, documented function per kernel operation.

#![allow(unsafe_code, reason = "the one door to the kernel")]

pub(crate) mod input;
pub(crate) mod module;
pub(crate) mod netlink;
pub(crate) mod sysctl;

#[cfg(test)]
pub(crate) mod testing;

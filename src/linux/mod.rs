//! Every syscall and every `unsafe`: one typed, documented function per kernel operation.
//!
//! No policy, no configuration, no logging. Safe crates are used where they fit (nix); what they
//! lack or get wrong is here with the reason. Fds are `OwnedFd` and `BorrowedFd`, always CLOEXEC.

#![allow(unsafe_code)]

pub(crate) mod readiness;
pub(crate) mod socket;
pub(crate) mod terminal;

//! Every syscall and every `unsafe`: one typed, documented function per kernel operation.

#![allow(unsafe_code)]

pub(crate) mod readiness;
pub(crate) mod socket;
pub(crate) mod terminal;

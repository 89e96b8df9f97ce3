//! Every syscall and every `unsafe`: one typed, documented function per kernel operation.

pub(crate) mod readiness;
pub(crate) mod socket;
pub(crate) mod terminal;

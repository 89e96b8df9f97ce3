//! Promises of the harness, kept with a real QEMU, a real kernel and a small guest.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says why and ends")]

mod command;
mod control_socket;
mod guest;
mod machine;

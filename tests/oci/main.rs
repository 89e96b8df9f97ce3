//! `orlop oci` as engines call it, on this computer's own kernel, as root: one promise a test.
//!
//! Containers have no cgroup here, whatever the computer has; what needs one is shown in virtual machines.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail wherever it is"
)]

mod world;

mod arguments;
mod create;
mod exec;
mod hardship;
mod hooks;
mod lifecycle;
mod run;
mod seccomp;
mod terminal;

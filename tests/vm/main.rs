//! Promises of a whole machine, one a file, kept in virtual machines.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says why and ends")]

mod boots_and_says_so;
mod common;

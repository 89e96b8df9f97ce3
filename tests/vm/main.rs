//! What only a booted machine can show: one promise a file.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail wherever it is"
)]

mod common;

mod boots_and_says_so;
mod supervisor_kills;

//! What only a booted machine can show: one promise a file.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail wherever it is"
)]

mod common;

mod boots_and_says_so;
mod broken_boot;
mod logger;
mod power;
mod reaps_orphans;
mod safe_mode;
mod supervisor_kills;
mod upgrade;
mod varlink;

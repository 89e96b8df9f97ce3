//! DECIDE: what should happen, computed from what is known.
//!
//! The rooms in reading order. None of them has files, a clock, an environment or threads to use:
//! they take what they need as arguments, the time too, and return values. Acting on those values
//! is the binary's work (`src/main.rs`), which nothing here can import.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod config;
pub mod container;
pub mod control;
pub mod image;
pub mod keep;
pub mod ledger;
pub mod log;
pub mod network;
pub mod ordered;
pub mod picture;
pub mod simulation;
pub mod supervisor;

//! ACT: the binary. Chooses the role: init, supervisor, helper, or a person's command.

#![deny(unsafe_code)]

// Without the supervisor's loop, only their tests use all of these.
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
mod agent;
mod cli;
#[cfg_attr(not(test), allow(dead_code))]
mod linux;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os())
}

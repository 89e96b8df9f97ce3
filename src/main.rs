//! ACT: the binary. Chooses the role: init, supervisor, helper, or a person's command.

#![deny(unsafe_code)]

// Not all of these is used before the supervisor's loop is there.
#[allow(dead_code, unused_imports)]
mod agent;
mod cli;
#[allow(dead_code)]
mod linux;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os())
}

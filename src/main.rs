//! ACT: the binary. Chooses the role: init, supervisor, helper, or a person's command.

#![deny(unsafe_code)]
#![allow(unreachable_pub, reason = "nobody imports a binary: `pub` says what a room has for the others")]

mod agent;
mod cli;
mod init;
mod linux;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let program = arguments.first().map(String::as_str).unwrap_or_default();
    // The kernel passes stray words of its command line as arguments of /init.
    if nix::unistd::getpid().as_raw() == 1 && program.ends_with("init") {
        init::run();
    }
    match arguments.get(1).map(String::as_str) {
        Some("init") => init::run(),
        Some("log") => exit(agent::log::run()),
        Some("console") => exit(agent::console::run()),
        Some("supervisor") => exit(agent::run()),
        _ => cli::run(std::env::args_os()),
    }
}

fn exit(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

//! ACT: the binary. Chooses the role: init, supervisor, helper, OCI runtime, or a person's command.

#![deny(unsafe_code)]
#![allow(unreachable_pub, reason = "nobody imports a binary: `pub` says what a room has for the others")]

/// musl's own gives every page back at once and asks for it again: a third of the system calls of a start.
/// Tests have threads, and processes that are forked beside them; for those the C library's is made.
#[cfg_attr(not(test), global_allocator)]
static ALLOCATOR: linux::allocator::Allocator = linux::allocator::Allocator::new(&FRESH);
/// What the processes of a start have of their own.
static FRESH: linux::allocator::Fresh = linux::allocator::Fresh::new();

mod agent;
mod cli;
mod copy;
mod engine;
mod init;
mod linux;
mod oci;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let program = arguments.first().map(String::as_str).unwrap_or_default();
    // The kernel passes stray words of its command line as arguments of /init.
    if nix::unistd::getpid().as_raw() == 1 && program.ends_with("init") {
        init::run();
    }
    if oci::NAMES.contains(&program.rsplit('/').next().unwrap_or_default()) {
        return exit(oci::run(std::env::args_os().collect()));
    }
    if let Some(why) = arguments.get(1).and_then(|role| refused(role, arguments.get(2))) {
        eprintln!("error: {why}");
        return exit(WRONG_USAGE);
    }
    match arguments.get(1).map(String::as_str) {
        Some("init") => init::run(),
        Some("log") => exit(agent::log::run()),
        Some("forward") => exit(agent::forward::run()),
        Some("keep") => exit(agent::keep::run()),
        Some("console") => exit(agent::console::run()),
        Some("copy") => exit(agent::copier::run(arguments.get(2..).unwrap_or_default())),
        Some("probe") => exit(agent::probe::run(arguments.get(2..).unwrap_or_default())),
        Some("relay") => exit(agent::relay::run(arguments.get(2..).unwrap_or_default())),
        Some("supervisor") => exit(agent::run()),
        Some("oci") => exit(oci::run(std::env::args_os().skip(1).collect())),
        _ => cli::run(std::env::args_os(), oci::command),
    }
}

const WRONG_USAGE: i32 = 2;

/// Where every role but init has its socket; who starts it puts it there.
const ROLE_FD: i32 = 3;

/// Why this role does not run here. Typed by a person, as root, it would make the computer its own:
/// host name, console, kernel parameters.
fn refused(role: &str, word: Option<&String>) -> Option<&'static str> {
    match role {
        "init" if nix::unistd::getpid().as_raw() == 1 => None,
        "init" if word.is_some_and(|word| word == "--under-another-init") => None,
        "init" => Some(
            "`orlop init` takes the whole computer over, and this one has another init; `orlop-vm run DIR` boots a machine",
        ),
        "supervisor" | "log" | "forward" | "keep" | "console" | "relay" | "copy" | "probe"
            if linux::fd::is_socket(ROLE_FD) =>
        {
            None
        }
        "log" => Some(
            "`orlop log` is a part of a machine, started by it; `orlop logs` prints what containers wrote",
        ),
        "supervisor" | "forward" | "keep" | "console" | "relay" | "copy" | "probe" => {
            Some("this is a part of a machine, started by it; `orlop --help` lists the commands")
        }
        _ => None,
    }
}

fn exit(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

//! `orlop oci`: the OCI runtime command line, with the words and files of runc.
//!
//! One call, one command: it looks at the directory of containers, does what it was asked with the
//! engine, and ends. Success says nothing on the standard error, and a failure one line.

mod arguments;
mod armour;
mod attend;
mod bundle;
mod cgroup;
mod container;
mod create;
mod delete;
mod events;
mod example;
mod exec;
mod failure;
mod features;
mod freeze;
mod granted;
mod handed;
mod id;
mod inspect;
mod kill;
mod log;
mod members;
mod names;
mod net_devices;
mod out;
mod parse;
mod plain;
mod ps;
mod record;
mod reports;
mod resources;
mod run;
mod seccomp_agent;
mod start;
mod stats;
mod store;
mod update;
mod users;
mod values;

use std::ffi::OsString;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use orlop::container::CgroupNaming;

use arguments::{Arguments, CgroupManager, Command};
use cgroup::Hierarchy;
use failure::{Failure, Result, io_at};
use handed::Preserved;
use log::Log;
use out::Out;
use store::Store;

pub(crate) use parse::command;

/// Names under which orlop is this command: an engine that takes a path gets a link.
pub(crate) const NAMES: [&str; 3] = ["orlop-oci", "runc", "crun"];

/// The version of the specification that is kept to.
const SPECIFICATION: &str = orlop::container::VERSION;

const DONE: i32 = 0;
const FAILED: i32 = 1;
/// Of `exec`, so that it is not taken for what the process said.
const NOT_EXECUTED: i32 = 255;

/// What a command works in, decided once.
struct World<'a> {
    /// The directory of all containers.
    place: PathBuf,
    log: &'a Log,
    hierarchy: Hierarchy,
    naming: CgroupNaming,
    preserved: Preserved,
}

/// Runs a command line whose first word is the program's name; the exit code.
pub(crate) fn run(words: Vec<OsString>) -> i32 {
    // Before anything else is done twice. Who only has one of these words as a name loses nothing.
    let makes = |word: &OsString| ["create", "run", "exec"].iter().any(|it| word == it);
    if words.iter().any(makes)
        && let Err(failure) = armour::put_on()
    {
        return finish(Err(failure), FAILED);
    }
    let mut out = Out::new();
    let arguments = match parse::parse(words) {
        Ok(arguments) => arguments,
        Err(error) if !error.use_stderr() => return finish(out.text(&error.render().to_string()), FAILED),
        Err(error) => {
            // The rest of what clap has to say is in the help.
            let text = error.render().to_string();
            let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            return finish(Err(Failure::new(line)), FAILED);
        }
    };
    let failed = match arguments.command {
        Some(Command::Exec(_)) => NOT_EXECUTED,
        _ => FAILED,
    };
    // First of all: whatever is opened takes a number.
    let preserved = match preserved(&arguments) {
        Ok(preserved) => preserved,
        Err(failure) => return finish(Err(failure), failed),
    };
    let verbose = arguments.general.debug || arguments.general.log_level.as_deref() == Some("debug");
    let log = match Log::open(arguments.general.log.as_deref(), arguments.general.log_format, verbose) {
        Ok(log) => log,
        Err(failure) => return finish(Err(failure), failed),
    };
    match perform(&arguments, &log, preserved, &mut out) {
        Ok(code) => code,
        Err(failure) => {
            log.error(&failure);
            finish(Err(failure), failed)
        }
    }
}

fn preserved(arguments: &Arguments) -> Result<Preserved> {
    match &arguments.command {
        Some(Command::Create(asked)) => Preserved::take(asked.handed.preserve_fds),
        Some(Command::Run(asked)) => Preserved::take(asked.create.handed.preserve_fds),
        Some(Command::Exec(asked)) => Preserved::without_listening(asked.handed.preserve_fds),
        _ => Ok(Preserved::default()),
    }
}

fn finish(done: Result<()>, failed: i32) -> i32 {
    match done {
        Ok(()) => DONE,
        Err(failure) => {
            // When even this cannot be written, the exit code still says it.
            let _ = writeln!(std::io::stderr(), "error: {}", failure.line());
            failed
        }
    }
}

fn perform(arguments: &Arguments, log: &Log, preserved: Preserved, out: &mut Out) -> Result<i32> {
    if arguments.version {
        return version(out).map(|()| DONE);
    }
    let Some(asked) = &arguments.command else {
        return out.text(&parse::command().render_help().to_string()).map(|()| DONE);
    };
    let place = Store::place(arguments.general.root.as_deref())?;
    log.debug(&format!("{asked:?} in {}", place.display()));
    let store = || Store::open(&place);
    let world = || World {
        place: place.clone(),
        log,
        hierarchy: Hierarchy::find(arguments.general.cgroup_manager),
        naming: naming(arguments),
        preserved,
    };
    match asked {
        Command::Create(asked) => create::create(&world(), asked)?,
        Command::Start(asked) => start::start(&world(), &asked.id)?,
        Command::Run(asked) => return run::run(&world(), asked),
        Command::Exec(asked) => return exec::exec(&world(), asked),
        Command::Update(asked) => update::update(store()?.as_ref(), asked)?,
        Command::Spec(asked) => example::spec(asked)?,
        Command::State(asked) => inspect::state(store()?.as_ref(), &asked.id, out)?,
        Command::List(asked) => inspect::list(store()?.as_ref(), asked, log, out)?,
        Command::Kill(asked) => kill::kill(store()?.as_ref(), asked)?,
        Command::Delete(asked) => delete::delete(store()?.as_ref(), asked, log)?,
        Command::Ps(asked) => ps::ps(store()?.as_ref(), asked, out)?,
        Command::Pause(asked) => freeze::pause(store()?.as_ref(), &asked.id)?,
        Command::Resume(asked) => freeze::resume(store()?.as_ref(), &asked.id)?,
        Command::Events(asked) => events::events(store()?.as_ref(), asked, out)?,
        Command::Features => features::features(&Hierarchy::find(arguments.general.cgroup_manager), out)?,
        Command::Checkpoint(_) | Command::Restore(_) => {
            return Err(Failure::new("checkpoint and restore are not done here, see `orlop oci features`"));
        }
    }
    Ok(DONE)
}

/// In runc's form, which engines read.
fn version(out: &mut Out) -> Result<()> {
    let commit = option_env!("ORLOP_COMMIT").filter(|commit| !commit.is_empty());
    let commit = commit.map(|commit| format!("commit: {commit}\n")).unwrap_or_default();
    out.text(&format!("orlop version {}\n{commit}spec: {SPECIFICATION}\n", env!("CARGO_PKG_VERSION")))
}

/// Which way `cgroupsPath` is to be read.
fn naming(arguments: &Arguments) -> CgroupNaming {
    if arguments.general.systemd_cgroup || arguments.general.cgroup_manager == CgroupManager::Systemd {
        CgroupNaming::Systemd
    } else {
        CgroupNaming::Path
    }
}

/// Copies of our own, for a process that is to have them.
fn stdio() -> Result<[OwnedFd; 3]> {
    let copy = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().map_err(io_at("standard input and output"));
    Ok([copy(std::io::stdin().as_fd())?, copy(std::io::stdout().as_fd())?, copy(std::io::stderr().as_fd())?])
}

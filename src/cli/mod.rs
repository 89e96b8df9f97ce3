//! A person's commands: arguments → request → table or JSON.
//!
//! Exit codes are decided here, and nowhere else: 0 done, 1 it failed, 2 wrong usage. Those of `exec` and
//! `attach` are the program's own; `session` knows what Docker says when there is none.

mod arguments;
mod attach;
mod audit;
mod change;
mod chart;
mod check;
mod client;
mod containers;
mod cp;
mod detach;
mod drift;
mod edited;
mod events;
mod exec;
mod failure;
mod figures;
mod following;
mod live;
mod logs;
mod machine;
mod monitor;
mod names;
mod reload;
mod screen;
mod session;
mod shutdown;
mod simulate;
mod table;
mod units;
mod upgrade;
mod why;

#[cfg(test)]
mod chart_test;
#[cfg(test)]
mod check_test;
#[cfg(test)]
mod command_test;
#[cfg(test)]
mod live_test;
#[cfg(test)]
mod reload_test;
#[cfg(test)]
mod shutdown_test;
#[cfg(test)]
mod simulate_test;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod why_test;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use orlop::control::PowerAction;

use arguments::{Arguments, Command, DebugCommand};
use change::Wish;
use client::Client;
use failure::Failure;
use screen::{Colours, Screen};

const DONE: u8 = 0;
const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;

/// `arguments`: as the process got them, its own name first. `oci`: the definition of the command that
/// is another room's, for completions and the manual.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>, oci: fn() -> clap::Command) -> ExitCode {
    Screen::with_own(|screen| ExitCode::from(run_on(screen, arguments, oci)))
}

fn run_on(
    screen: &mut Screen<'_>,
    arguments: impl IntoIterator<Item = OsString>,
    oci: fn() -> clap::Command,
) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return explain(screen, &error),
    };
    let done = perform(screen, arguments, oci).and_then(|()| Ok(screen.out.flush()?));
    let Err(failure) = done else { return DONE };
    if let Some(line) = failure.line() {
        // When even this cannot be written, the exit code still says it.
        let _ = writeln!(screen.err, "error: {}", screen::printable(&line));
    }
    match failure {
        Failure::NobodyReads => DONE,
        Failure::Coded { code, .. } => code,
        Failure::Failed(_) | Failure::Disconnected(_) | Failure::Refused(_) => FAILED,
    }
}

/// Help that was asked for, or what is wrong with what was typed.
fn explain(screen: &mut Screen<'_>, error: &clap::Error) -> u8 {
    let text = match screen.colours {
        Colours::On => error.render().ansi().to_string(),
        Colours::Off => error.render().to_string(),
    };
    // A reader who has left misses nothing that the exit code does not say.
    if error.use_stderr() {
        let _ = write!(screen.err, "{text}");
        WRONG_USAGE
    } else {
        let _ = write!(screen.out, "{text}");
        DONE
    }
}

fn perform(screen: &mut Screen<'_>, arguments: Arguments, oci: fn() -> clap::Command) -> Result<(), Failure> {
    let connect = || Client::connect(&arguments.host);
    match &arguments.command {
        Command::Ps(shown) => containers::ps(&mut connect()?, screen, shown.json),
        Command::Status(status) => containers::status(&mut connect()?, screen, status),
        Command::Logs(asked) => logs::logs(&mut connect()?, screen, asked),
        Command::LogLevel(asked) => machine::log_level(&mut connect()?, screen, asked),
        Command::Events(asked) => events::events(&mut connect()?, screen, asked),
        Command::Start(names) => change::change(&mut connect()?, screen, Wish::Up, names),
        Command::Stop(names) => change::change(&mut connect()?, screen, Wish::Down, names),
        Command::Restart(names) => change::change(&mut connect()?, screen, Wish::Again, names),
        Command::Replace(names) => change::change(&mut connect()?, screen, Wish::Beside, names),
        Command::Kill(names) => change::kill(&mut connect()?, screen, names),
        Command::Plan(asked) => reload::plan(&mut connect()?, screen, asked),
        Command::Reload(asked) => reload::reload(&mut connect()?, screen, asked),
        Command::Config(asked) => reload::config(&mut connect()?, screen, asked),
        Command::Boot(shown) if shown.svg => chart::boot(&mut connect()?, screen),
        Command::Boot(shown) => machine::boot(&mut connect()?, screen, shown.json.json),
        Command::Blame => chart::blame(&mut connect()?, screen),
        Command::Graph(asked) if asked.paths.is_empty() => {
            chart::graph_of_machine(&mut connect()?, screen, asked)
        }
        Command::Graph(asked) => chart::graph_of_configuration(screen, asked),
        Command::Why(asked) => why::why(&mut connect()?, screen, asked),
        Command::Version(shown) => machine::version(&mut connect()?, screen, shown.json),
        Command::Poweroff => machine::power(&mut connect()?, screen, PowerAction::Poweroff),
        Command::Reboot => machine::power(&mut connect()?, screen, PowerAction::Reboot),
        Command::Shutdown(asked) => shutdown::shutdown(&mut connect()?, screen, asked),
        Command::Exec(asked) => exec::exec(connect(), screen, asked),
        Command::Attach(asked) => attach::attach(connect, screen, asked),
        Command::Cp(asked) => cp::cp(connect, screen, asked),
        Command::Stats(asked) => figures::stats(&mut connect()?, screen, asked),
        Command::Top(asked) => {
            monitor::top(|time| Client::connect_within(&arguments.host, time), screen, asked)
        }
        Command::Spec(asked) => audit::spec(&mut connect()?, screen, asked),
        Command::Audit(asked) if asked.config.is_empty() => audit::on_machine(&mut connect()?, screen, asked),
        Command::Audit(asked) => audit::of_configuration(screen, asked),
        Command::Pause(asked) => live::pause(&mut connect()?, screen, &asked.names),
        Command::Resume { names } if !names.is_empty() => live::unpause(&mut connect()?, screen, names),
        Command::Resume { .. } => machine::resume(&mut connect()?, screen),
        Command::Update(asked) => live::update(&mut connect()?, screen, asked),
        Command::UpgradeSelf(file) => upgrade::upgrade(&mut connect()?, screen, file),
        Command::Check(paths) => check::check(screen, paths),
        Command::Simulate(asked) => simulate::run(screen, asked),
        Command::Schema => screen.line(orlop::config::schema().trim_end()),
        Command::Debug(DebugCommand::Crash { process, signal, starts, steps }) => {
            machine::crash(&mut connect()?, screen, *process, (*signal, *starts, *steps))
        }
        Command::Debug(DebugCommand::Orphans { count }) => machine::orphans(&mut connect()?, screen, *count),
        Command::Completions { shell } => completions(screen, *shell, oci),
        Command::Man { command } => manual(screen, command, oci),
        Command::Oci { .. } => Err(Failure::Failed(String::from("`oci` is the first word: `orlop oci …`"))),
    }
}

/// All that can be typed.
fn whole(oci: fn() -> clap::Command) -> clap::Command {
    Arguments::command().mut_subcommand("oci", |_| oci().name("oci"))
}

fn completions(
    screen: &mut Screen<'_>,
    shell: clap_complete::Shell,
    oci: fn() -> clap::Command,
) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut whole(oci), "orlop", &mut text);
    Ok(screen.out.write_all(&text)?)
}

fn manual(screen: &mut Screen<'_>, path: &[String], oci: fn() -> clap::Command) -> Result<(), Failure> {
    // That one has no part in the options of a person's commands.
    let (mut command, below) = match path.split_first() {
        Some((first, below)) if first == "oci" => (oci(), below),
        _ => (whole(oci), path),
    };
    command.build();
    for name in below {
        command = command
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| Failure::Failed(format!("there is no command `{}`", path.join(" "))))?;
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    Ok(screen.out.write_all(&text)?)
}

//! `boot`, `version`, `poweroff`, `reboot`, `resume`, `debug`: the machine itself.

use std::time::Duration;

use orlop::config::signal;
use orlop::control::{BootReply, Empty, LogLevelReply, Phase, PowerAction, Process, Request, VersionReply};

use super::arguments::{CrashProcess, LogLevelArguments};
use super::client::{Client, understand};
use super::failure::Failure;
use super::screen::{Screen, Tone, printable};
use super::table::{self, Cell};
use super::units;

pub(crate) fn boot(client: &mut Client, screen: &mut Screen<'_>, json: bool) -> Result<(), Failure> {
    let answer = client.ask(&Request::Boot)?;
    if json {
        return screen.json(&answer);
    }
    let boot: BootReply = understand(answer)?;
    let rows = boot.phases.iter().map(phase).collect();
    table::show(screen, ["PHASE", "BEGAN", "TOOK", "RESULT"], rows)?;
    let ends = boot.phases.iter().map(|phase| phase.start_us.saturating_add(phase.duration_us.unwrap_or(0)));
    let end = units::millis(ends.max().unwrap_or(0));
    let (tone, text) =
        match (boot.complete, boot.phases.iter().filter(|phase| phase.ok == Some(false)).count()) {
            (false, _) => (Tone::Busy, String::from("the boot goes on")),
            (true, 0) => (Tone::Good, format!("boot complete after {end}")),
            (true, 1) => (Tone::Bad, format!("boot complete after {end}, one phase failed")),
            (true, failed) => (Tone::Bad, format!("boot complete after {end}, {failed} phases failed")),
        };
    let text = screen.colours.paint(tone, &text);
    screen.line(&text)
}

pub(crate) fn log_level(
    client: &mut Client,
    screen: &mut Screen<'_>,
    asked: &LogLevelArguments,
) -> Result<(), Failure> {
    let answer = client.ask(&Request::LogLevel { level: asked.level })?;
    if asked.json.json {
        return screen.json(&answer);
    }
    let reply: LogLevelReply = understand(answer)?;
    screen.line(reply.level.as_str())
}

fn phase(phase: &Phase) -> [Cell; 4] {
    let took = phase.duration_us.map(units::millis);
    let result = match (phase.ok, &phase.error) {
        (Some(true), None) => Cell::new(Tone::Good, "ok"),
        (Some(true), Some(text)) => Cell::new(Tone::Busy, text),
        (Some(false), error) => Cell::new(Tone::Bad, error.as_deref().unwrap_or("failed")),
        (None, _) => Cell::new(Tone::Busy, "goes on"),
    };
    [
        Cell::plain(&phase.name),
        Cell::plain(&units::millis(phase.start_us)),
        Cell::maybe(took.as_deref()),
        result,
    ]
}

pub(crate) fn version(client: &mut Client, screen: &mut Screen<'_>, json: bool) -> Result<(), Failure> {
    let answer = client.ask(&Request::Version)?;
    if json {
        return screen.json(&answer);
    }
    let version: VersionReply = understand(answer)?;
    let commit = version.commit.map(|commit| format!(" ({commit})")).unwrap_or_default();
    let mut facts = vec![
        ("orlop", format!("{}{commit}", version.version)),
        ("kernel", version.kernel),
        ("uptime", units::duration(Duration::from_millis(version.uptime_ms))),
        ("supervisor", times(version.supervisor_starts)),
        ("orphans", format!("{} reaped", version.orphans)),
    ];
    if let Some(upgrade) = version.upgrade {
        let text = match (upgrade.ok, upgrade.error) {
            (true, _) => String::from("done"),
            (false, error) => format!("failed: {}", error.as_deref().unwrap_or("unknown")),
        };
        facts.push(("upgrade", text));
    }
    for (name, value) in facts {
        screen.line(&format!("{name:<12}{}", printable(&value)))?;
    }
    if version.safe {
        let text = screen
            .colours
            .paint(Tone::Bad, "safe mode: nothing is started or stopped unasked; `orlop resume` leaves it");
        screen.line(&text)?;
    }
    Ok(())
}

fn times(starts: u64) -> String {
    match starts {
        1 => String::from("started once"),
        starts => format!("started {starts} times"),
    }
}

pub(crate) fn power(
    client: &mut Client,
    screen: &mut Screen<'_>,
    action: PowerAction,
) -> Result<(), Failure> {
    let Empty {} = client.call(&Request::Power { action })?;
    screen.line(match action {
        PowerAction::Poweroff => "the machine stops everything and powers off",
        PowerAction::Reboot => "the machine stops everything and boots again",
    })
}

pub(crate) fn resume(client: &mut Client, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let version: VersionReply = client.call(&Request::Version)?;
    let Empty {} = client.call(&Request::Resume)?;
    screen.line(match version.safe {
        true => "the machine starts what is wanted",
        false => "the machine was not in safe mode: nothing changes",
    })
}

pub(crate) fn crash(
    client: &mut Client,
    screen: &mut Screen<'_>,
    process: CrashProcess,
    (number, starts, steps): (i32, u32, u32),
) -> Result<(), Failure> {
    let (process, name) = match process {
        CrashProcess::Supervisor => (Process::Supervisor, "supervisor"),
        CrashProcess::Log => (Process::Log, "logger"),
        CrashProcess::Forward => (Process::Forward, "forwarder"),
        CrashProcess::Keep => (Process::Keep, "keeper"),
        CrashProcess::Init => (Process::Init, "init"),
    };
    let Empty {} = client.call(&Request::DebugCrash { process, signal: number, starts, steps })?;
    match process {
        Process::Supervisor | Process::Log | Process::Forward | Process::Keep => {
            screen.line(&format!("the {name} dies of {}", signal::name(number)))
        }
        Process::Init => screen.line(&format!("{name} is sent {}", signal::name(number))),
    }
}

pub(crate) fn orphans(client: &mut Client, screen: &mut Screen<'_>, count: u32) -> Result<(), Failure> {
    let Empty {} = client.call(&Request::DebugOrphans { count })?;
    screen.line(&format!("{count} orphans are being made"))
}

//! The command line of `orlop-vm`: boots a machine for a person, and says how it ended.

mod command;

use std::process::ExitCode;
use std::thread::Scope;
use std::time::{Duration, Instant};

use clap::Parser;
use orlop_vm::{Accelerator, End, Error, Machine};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use command::{CommandLine, Run, Task};

/// A machine stops its containers within a minute unless its configuration says otherwise; then
/// it has half of that again.
const POWER_OFF: Duration = Duration::from_secs(90);

/// How long somebody who asked for the end may look at a machine that forgot it.
const PRESS_AGAIN: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let CommandLine { task: Task::Run(run) } = CommandLine::parse();
    match boot(&run) {
        Ok(end) => {
            eprintln!("orlop-vm: {end}");
            exit_code(&end)
        }
        Err(error) => {
            eprintln!("orlop-vm: {error}");
            ExitCode::FAILURE
        }
    }
}

/// 0: it ended as machines should. 2, wrong usage, is clap's.
fn exit_code(end: &End) -> ExitCode {
    match end {
        End::PoweredOff | End::Rebooted => ExitCode::SUCCESS,
        End::Panicked | End::Watchdog | End::Killed { .. } | End::Failed { .. } => ExitCode::FAILURE,
    }
}

fn boot(run: &Run) -> Result<End, Error> {
    // Before QEMU is started: a signal that comes meanwhile waits for its handler.
    let signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|source| Error::Host { doing: "catch signals".to_owned(), source })?;
    let machine = Machine::boot(&run.options())?;
    describe(run, &machine);
    let _control = run.control.as_deref().map(|path| machine.serve_control(path)).transpose()?;
    let no_more_signals = signals.handle();
    // The threads end with the machine, so that it is put away behind them.
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("signals".into())
            .spawn_scoped(scope, || end_on_signals(signals, scope, &machine))
            .map_err(|source| Error::Host { doing: "start a thread".to_owned(), source })?;
        let end = machine.wait_for_end_without_deadline();
        no_more_signals.close();
        end
    })
}

fn describe(run: &Run, machine: &Machine) {
    let how = match machine.accelerator() {
        Accelerator::Kvm => "KVM",
        Accelerator::Auto | Accelerator::Emulated => "emulated: no working KVM here",
        Accelerator::InstructionCount => "emulated, counting instructions",
    };
    eprintln!("orlop-vm: boots {} ({how})", run.directory.display());
    for publish in &run.publish {
        let host = machine.published(publish.guest).unwrap_or(publish.host);
        eprintln!("orlop-vm: {}:{host} leads to port {}", publish.address, publish.guest);
    }
}

/// Nobody's second thought comes this fast; `timeout`, for one, sends each signal twice.
const ONE_SIGNAL: Duration = Duration::from_millis(500);

/// The first asks the machine to power off, the second cuts its power, and so does time.
fn end_on_signals<'scope>(mut signals: Signals, scope: &'scope Scope<'scope, '_>, machine: &'scope Machine) {
    let mut asked: Option<Instant> = None;
    for _ in signals.forever() {
        if asked.is_some_and(|asked| asked.elapsed() < ONE_SIGNAL) {
            continue;
        }
        if asked.is_some() || machine.power_button().is_err() {
            machine.cut_power();
            continue;
        }
        asked = Some(Instant::now());
        eprintln!("\norlop-vm: asked the machine to power off; once more cuts its power");
        // Without this thread only the deadline is lost, and the second press.
        let _ = std::thread::Builder::new().spawn_scoped(scope, || see_it_off(machine));
    }
}

/// A kernel that is still starting forgets a press, so it is repeated; a machine that ends does not mind.
fn see_it_off(machine: &Machine) {
    let began = Instant::now();
    while machine.has_not_ended_after(PRESS_AGAIN) {
        if began.elapsed() >= POWER_OFF {
            eprintln!("orlop-vm: not off after {} s; cuts its power", POWER_OFF.as_secs());
            machine.cut_power();
            return;
        }
        // QEMU that does not answer is ended by the deadline.
        let _ = machine.power_button();
    }
}

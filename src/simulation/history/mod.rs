//! Random histories: containers that behave in every way, people who ask for anything at any time, reports
//! that come late, disks that fill up, supervisors that die in between.
//!
//! A history is data: drawn from a seed (`draw.rs`), lived through under the eyes of the watch, and, when a
//! promise breaks, made shorter for as long as it still does (`shrink.rs`).

mod changed;
mod draw;
mod long;
mod shrink;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::core::Core;
use super::disk::Saves;
use super::lot::Lot;
use super::machine::{Machine, Safe};
use super::play::{Play, failure};
use super::promise::{Breach, Promise};
use crate::config::{
    Budget, Config, Container, Dependency, Gate, Group, HealthCheck, Kind, Readiness, Restart, RestartPolicy,
    RestartRule, StartBy, Timetable,
};
use crate::supervisor::{Event, Exit, Fault, Notice, Outcome, Probed};

use shrink::shrink;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

const GROUP: &str = "all";

/// Long enough for the longest chain of grace periods, for a few of the longest pauses, and for the slowest start of one
/// that nobody can kill and that ends by itself late.
const QUIET: Duration = Duration::from_secs(200);

/// Of those that say themselves when they are ready.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// The time of the shutdown that follows when a container asks for a reboot.
const REBOOT: Duration = Duration::from_secs(30);

/// A core that is told so often within one act does not come to rest: all others together make half as many turns in the
/// longest.
const MOST_TURNS: u32 = 20_000;

#[derive(Debug, Clone)]
pub struct History {
    /// Of what happens at one moment, and of the core.
    seed: u64,
    /// When it begins: nothing starts at the very first moment of a machine. And the time of day at boot.
    begin: Duration,
    at_boot: Duration,
    units: Vec<UnitPlan>,
    group: Option<GroupPlan>,
    acts: Vec<Act>,
    last: Act,
}

#[derive(Debug, Clone, PartialEq)]
struct UnitPlan {
    /// One bit for each earlier container, and how it depends on all of them.
    depends_on: u8,
    edge: Dependency,
    /// One bit for each earlier container; nothing that is depended on.
    conflicts: u8,
    /// When its gate opens.
    gate: Option<Duration>,
    ready: Readiness,
    check: Option<HealthCheck>,
    watchdog: Option<Duration>,
    start: StartBy,
    kind: Kind,
    timetable: Option<Timetable>,
    run_timeout: Option<Duration>,
    restart: Restart,
    rules: Vec<RestartRule>,
    policy: RestartPolicy,
    grace: Duration,
    plays: Vec<Play>,
}

/// One bit for each container.
#[derive(Debug, Clone, Copy, PartialEq)]
struct GroupPlan {
    members: u8,
    budget: Option<Budget>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    Pass(Duration),
    Ask(Ask, usize),
    AskGroup(Ask),
    SetAside(usize),
    /// The supervisor dies after so many of the effects of this, and is gone for a while.
    AskAndDie(Ask, usize, usize, Duration),
    Stale {
        unit: usize,
        what: u64,
        ahead: bool,
    },
    Crash(Duration, Safe),
    Resume,
    /// The supervisor dies after so many of its effects.
    Shutdown(Duration, usize),
    Disk(Saves),
    SlowDisk(Duration),
    /// The clock is set.
    Clock {
        at_boot: Duration,
    },
    /// The supervisor dies after so many of the effects of this, if it does.
    Reload(Change, usize, Option<usize>),
}

/// What is another one of a container's declaration.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    /// It has to be started anew.
    Program,
    Restart,
    Grace,
    /// It depends on nothing, or on what it did at first.
    Edges,
    /// It is not declared any more, or is again.
    Declared,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Ask {
    Start,
    Stop,
    Restart,
    Kill(i32),
    ImageInvalid,
    Quarantine,
    /// Or lets go on.
    Pause(bool),
}

/// A history that breaks a promise.
#[derive(Debug)]
pub struct Broken {
    pub seed: u64,
    pub history: History,
    pub breach: Breach,
}

/// Lives through the histories of `seeds`, and returns the first that breaks a promise, as short as it gets.
/// `blank` is a container with nothing declared.
pub fn first_broken<C: Core>(blank: &Container, seeds: impl Iterator<Item = u64>) -> Option<Broken> {
    first_broken_of::<C>(blank, seeds, History::draw)
}

/// The same of hours; see `long.rs`.
pub fn first_broken_hour<C: Core>(blank: &Container, seeds: impl Iterator<Item = u64>) -> Option<Broken> {
    first_broken_of::<C>(blank, seeds, History::draw_hour)
}

fn first_broken_of<C: Core>(
    blank: &Container,
    mut seeds: impl Iterator<Item = u64>,
    draw: fn(u64) -> History,
) -> Option<Broken> {
    seeds.find_map(|seed| {
        let history = draw(seed);
        let breach = history.live::<C>(blank).err()?;
        let (history, breach) = shrink::<C>(blank, history, breach);
        Some(Broken { seed, history, breach })
    })
}

impl History {
    /// What happens, and the first promise that is broken by it.
    pub fn live<C: Core>(&self, blank: &Container) -> Result<(), Breach> {
        let mut machine = self.machine::<C>(blank);
        machine.tell_and_do(Event::Clock { at_boot: self.at_boot }, usize::MAX);
        machine.tell(Event::Booted);
        kept(&machine)?;
        for act in &self.acts {
            self.play(act, &mut machine)?;
        }
        self.play(&self.last, &mut machine)?;
        // Whatever is wrong with it is repaired: what was asked for has to come about.
        self.play(&Act::Disk(Saves::Work), &mut machine)?;
        self.play(&Act::SlowDisk(Duration::ZERO), &mut machine)?;
        pass(&mut machine, QUIET)?;
        machine.check_end();
        kept(&machine)
    }

    fn machine<C: Core>(&self, blank: &Container) -> Machine<C> {
        let mut machine = Machine::new(self.begin, self.config(blank), self.seed);
        machine.reboots_in = Some(REBOOT);
        machine.lot = Some(Lot::new(self.seed));
        machine.watch();
        for (unit, name) in self.units.iter().zip(NAMES) {
            machine.plays.insert(name.to_string(), unit.plays.clone());
            machine.gates.extend(unit.gate.map(|opens| (gate(name), opens)));
        }
        machine
    }

    fn config(&self, blank: &Container) -> Config {
        let mut config = Config::default();
        for (unit, name) in self.units.iter().zip(NAMES) {
            let mut container = blank.clone();
            container.restart = unit.restart;
            container.restart_policy = unit.policy;
            container.stop_grace_period = unit.grace;
            container.ready = unit.ready;
            container.ready_timeout = READY_TIMEOUT;
            container.healthcheck = unit.check.clone().unwrap_or_default();
            container.watchdog = unit.watchdog;
            container.start = unit.start;
            (container.kind, container.timetable) = (unit.kind, unit.timetable);
            container.run_timeout = unit.run_timeout;
            container.restart_rules = unit.rules.clone();
            for (bit, dependency) in NAMES.iter().enumerate().take(config.containers.len()) {
                if unit.depends_on & (1 << bit) != 0 {
                    container.depends_on.insert(dependency.to_string(), unit.edge);
                }
            }
            for (bit, other) in NAMES.iter().enumerate().take(config.containers.len()) {
                if unit.conflicts & (1 << bit) != 0 && unit.depends_on == 0 {
                    container.conflicts.insert(other.to_string());
                }
            }
            container.gates.extend(unit.gate.map(|_| gate(name)));
            config.containers.insert(name.to_string(), Box::new(container));
        }
        if let Some(plan) = self.group {
            let is_member =
                |(bit, unit): &(usize, &UnitPlan)| plan.members & (1 << bit) != 0 && unit.conflicts == 0;
            let members = self.units.iter().enumerate().filter(is_member);
            let containers = members.filter_map(|(bit, _)| Some((*NAMES.get(bit)?).to_string())).collect();
            let group = Group { containers, budget: plan.budget, share: Default::default() };
            config.groups.insert(GROUP.to_string(), group);
        }
        config
    }

    fn name(&self, unit: usize) -> String {
        let place = unit.checked_rem(self.units.len()).unwrap_or(0);
        NAMES.get(place).copied().unwrap_or_default().to_string()
    }

    fn play<C: Core>(&self, act: &Act, machine: &mut Machine<C>) -> Result<(), Breach> {
        match *act {
            Act::Pass(time) => return pass(machine, time),
            Act::Ask(ask, unit) => drop(machine.tell(ask.event(self.name(unit)))),
            Act::AskGroup(ask) => drop(machine.tell(ask.event(GROUP.to_string()))),
            Act::SetAside(unit) => machine.set_aside(&self.name(unit)),
            Act::AskAndDie(ask, unit, effects, gone) => {
                machine.tell_and_do(ask.event(self.name(unit)), effects);
                machine.crash(gone, Safe::No);
            }
            Act::Stale { unit, what, ahead } => return stale(machine, self.name(unit), what, ahead),
            Act::Crash(gone, safe) => machine.crash(gone, safe),
            Act::Resume => drop(machine.tell(Event::Resume)),
            Act::Shutdown(time, effects) => {
                let deadline = machine.now.saturating_add(time);
                if effects < usize::MAX {
                    machine.tell_and_do(Event::Shutdown { deadline }, effects);
                    machine.crash(Duration::ZERO, Safe::No);
                } else {
                    machine.tell(Event::Shutdown { deadline });
                }
            }
            Act::Reload(change, unit, dies) => {
                let config = self.changed(machine, change, &self.name(unit));
                machine.tell(Event::Resume);
                let done = machine.reload(config, dies.unwrap_or(usize::MAX));
                if done && dies.is_some() {
                    machine.crash(Duration::ZERO, Safe::No);
                }
            }
            Act::Disk(saves) => machine.disk.saves = saves,
            Act::SlowDisk(time) => machine.disk.slow = time,
            Act::Clock { at_boot } => drop(machine.tell(Event::Clock { at_boot })),
        }
        kept(machine)
    }
}

fn gate(name: &str) -> Gate {
    Gate::Path(format!("/run/{name}"))
}

fn kept<C: Core>(machine: &Machine<C>) -> Result<(), Breach> {
    machine.breach().cloned().map_or(Ok(()), Err)
}

fn pass<C: Core>(machine: &mut Machine<C>, time: Duration) -> Result<(), Breach> {
    let end = machine.now.saturating_add(time);
    for _ in 0..MOST_TURNS {
        let goes_on = machine.step(end);
        kept(machine)?;
        if !goes_on {
            return Ok(());
        }
    }
    let text = format!("more than {MOST_TURNS} turns in {time:?}");
    Err(Breach { promise: Promise::Awaited, at: machine.now, text })
}

impl Ask {
    fn event(self, name: String) -> Event {
        match self {
            Self::Start => Event::Start { name },
            Self::Stop => Event::Stop { name },
            Self::Restart => Event::Restart { name },
            Self::Kill(signal) => Event::Kill { name, signal },
            Self::ImageInvalid => Event::ImageInvalid { name, reason: "torn".to_string() },
            Self::Pause(paused) => Event::Paused { name, paused },
            Self::Quarantine => Event::Quarantine { name, reason: "cursed".to_string() },
        }
    }
}

/// A report about a generation that is not there changes nothing. Times that have come would, so that these
/// are let pass first, without new ones that come of a slow disk.
fn stale<C: Core>(machine: &mut Machine<C>, name: String, what: u64, ahead: bool) -> Result<(), Breach> {
    let slow = core::mem::take(&mut machine.disk.slow);
    pass(machine, Duration::ZERO)?;
    let now = machine.core.status(&name).map_or(0, |status| status.generation);
    let generation = if ahead { now.wrapping_add(1) } else { now.wrapping_sub(1) };
    let before = machine.core.record(&name);
    let event = stale_event(name.clone(), generation, what, machine.now);
    let told = machine.log.len();
    let outcome = machine.tell(event);
    machine.disk.slow = slow;
    kept(machine)?;
    let unchanged = before == machine.core.record(&name) && machine.log.len() == told.saturating_add(1);
    if matches!(outcome, Outcome::Ignored(_)) && unchanged {
        return Ok(());
    }
    let text = format!("{name}, generation {generation}: {outcome:?}");
    Err(Breach { promise: Promise::StaleReportsAreIgnored, at: machine.now, text })
}

fn stale_event(name: String, generation: u64, what: u64, at: Duration) -> Event {
    let text = "no".to_string();
    match what {
        0 => Event::Started { name, generation, pid: 1, pidfd_inode: 1, stop_signal: None, check: None },
        1 => Event::StartFailed { name, generation, failure: failure(Fault::Permanent) },
        2 => Event::Ended { name, generation, exit: Exit::Code(1), oom: None, at },
        3 => Event::Emptied { name, generation },
        4 => Event::CleanFailed { name, generation, text },
        5 => Event::KillFailed { name, generation, text },
        6 => Event::Created { name, generation, pid: 1, pidfd_inode: 1 },
        7 => Event::Notified { name, generation, notice: Notice::Ready },
        9 => Event::SetAside { name, generation },
        8 => Event::Probed { name, generation, number: 1, answer: Probed::Passed },
        _ => Event::SignalFailed { name, generation },
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SEED={} HISTORIES=1 HOURS=1, shortened:\n{}\n{}", self.seed, self.history, self.breach)
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, name) in self.units.iter().zip(NAMES) {
            let above = NAMES.iter().enumerate().filter(|(bit, _)| unit.depends_on & (1 << bit) != 0);
            let above: Vec<&str> = above.map(|(_, name)| *name).take_while(|it| *it < name).collect();
            writeln!(f, "{name}: depends_on {above:?}, restart {:?}, grace {:?}", unit.restart, unit.grace)?;
            writeln!(f, "    {:?} {:?} {:?} {:?}", unit.edge, unit.ready, unit.check, unit.watchdog)?;
            writeln!(f, "    conflicts {:b}, gate {:?}, start {:?}", unit.conflicts, unit.gate, unit.start)?;
            writeln!(f, "    {:?} {:?} {:?}", unit.kind, unit.timetable, unit.run_timeout)?;
            writeln!(f, "    {:?} {:?}", unit.policy, unit.rules)?;
            for play in &unit.plays {
                writeln!(f, "    {play:?}")?;
            }
        }
        writeln!(f, "{:?}", self.group)?;
        for act in self.acts.iter().chain([&self.last]) {
            writeln!(f, "{act:?}")?;
        }
        write!(f, "(lot {}, from {:?} on, {:?} at boot)", self.seed, self.begin, self.at_boot)
    }
}

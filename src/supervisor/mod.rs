//! (now, Event) → Effects: states, dependencies, restarts, shutdown.
//!
//! The deciding core of supervision. It is told what happened and when ([`Supervisor::handle`]), and is
//! asked what to do ([`Supervisor::poll_effect`]) and when to look again ([`Supervisor::poll_timeout`]).
//! It does nothing itself, knows no clock (time is a [`Duration`] since boot), and refuses to panic:
//! an event that makes no sense in a state is an [`Outcome::Ignored`] with its reason.
//!
//! `state.rs` has the model, in prose and as a picture. Each event is handled in two phases:
//!
//! 1. *React* (`asked.rs`, `facts.rs`, `adopt.rs`): the one container that it is about changes its
//!    state, nothing else happens. *Settle* (`settle.rs`, `shutdown.rs`): times that have come, stops
//!    that may go on and starts that may be made change further states, until nothing moves.
//! 2. *Act* (`act.rs`): what the agent has to do follows from the states that were reached.
//!
//! `depends_on` orders starts and stops. `started` is satisfied by a dependency that has been ready since boot and
//! since it was last `failed` or `invalid`, `healthy` by one whose health check passes, `completed` by one whose last
//! end was a good one; who waits for what is not so starts by itself when it is. A container is not stopped because
//! one that it depends on ended, unless the dependency says `restart`: then it follows it down and up. A stop waits
//! for the dependents that are going down too, never for those that stay up. `up.rs` and `well.rs` have what is
//! known of one that runs.

mod act;
mod adopt;
mod asked;
mod backoff;
mod cause;
mod closing;
mod ending;
mod event;
mod facts;
mod gates;
mod governor;
mod groups;
mod jobs;
mod judge;
mod listen;
mod next;
mod notice;
mod order;
mod plan;
mod record;
mod reload;
mod settle;
mod shutdown;
mod state;
mod status;
mod timetable;
mod unit;
mod units;
mod up;
mod well;

#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{Config, Gate, Group};
use crate::ordered::Ordered;

pub use cause::{Cause, CauseKind};
pub use closing::{Closing, Leaving, Stage, Trace};
pub use ending::Ending;
pub use event::{Change, Effect, Event, Exit, Fault, Found, Note, Outcome, Refusal, Shortage, StartFailure};
pub use governor::{BURST, MAX_IN_FLIGHT, REFILL};
pub use next::Next;
pub use notice::{MAX_NOTICE, notices};
pub use plan::{Action, Plan, Planned, plan};
pub use record::{EndRecord, Record, RecordError};
pub use reload::{Numbers, Reload};
pub use settle::{KILL_WAIT, START_DEADLINE};
pub use state::{By, Phase, Remains, State, StateKind, Wait, Wanted, Why};
pub use status::Status;
pub use up::{Health, MAX_PROBES, Notice, Probed, Probing, Pulse, Ready, Up};

use governor::Governor;
use judge::Court;
use shutdown::Shutdown;
use unit::{End, Moment, Process, Spec, Unit};
use units::Units;

/// The states of all containers, and everything that is decided about them.
#[derive(Debug)]
pub struct Supervisor {
    units: Units,
    groups: BTreeMap<String, Group>,
    /// Names, dependencies before their dependents.
    order: Vec<String>,
    /// Which configuration this is; see `reload.rs`.
    number: u64,
    seed: u64,
    /// The latest time that was told: time never goes back.
    now: Duration,
    booted: bool,
    safe: bool,
    shutdown: Option<Shutdown>,
    governor: Governor,
    /// The time of day when the machine booted, as the clock has it.
    at_boot: Duration,
    /// All have come up once, or shown that they do not.
    boot_complete: bool,
    /// As of the last look.
    open_gates: BTreeSet<Gate>,
    /// Those that had conflicts before the last reload.
    leaving: Vec<String>,
    /// Times that one began to wait for its gates.
    gate_waits: u64,
    effects: VecDeque<Effect>,
    /// When to look again, as of the last event: nothing else changes it.
    timeout: Option<Duration>,
}

impl Supervisor {
    /// All that `config` declares, wanted up; nothing starts before [`Event::Booted`]. `seed` decides the
    /// jitter of pauses.
    pub fn new(now: Duration, config: &Config, seed: u64) -> Self {
        let mut units = Units::default();
        for (name, container) in &config.containers {
            let spec = Spec::of(container);
            let unknown = spec.depends_on.iter().find(|it| it.required && !is_declared(config, &it.name));
            let invalid =
                unknown.map(|it| Cause::config(&format!("it depends on {}, which is not declared", it.name)));
            units.insert(Unit::new(name, spec, invalid, now));
        }
        for (name, reasons) in &config.invalid {
            let cause = Cause::config(&reasons.join("; "));
            units.insert(Unit::new(name, Spec::unreadable(), Some(cause), now));
        }
        order::oneshots_first(&mut units);
        gates::make_mutual(&mut units);
        groups::tell_members(&mut units, &config.groups);
        let names = |unit: &Unit| unit.spec.dependencies().map(String::from).collect();
        let edges = |unit: &Unit| (unit.name.clone(), names(unit));
        let (mut order, cyclic) = order::sort(&units.values().map(edges).ordered());
        for name in &cyclic {
            let cause = Cause::config("it depends on a circle of dependencies");
            units.insert(Unit::new(name, Spec::unreadable(), Some(cause), now));
        }
        order.extend(cyclic);
        for (rank, name) in order.iter().enumerate() {
            if let Some(unit) = units.get_mut(name) {
                unit.rank = rank;
            }
        }
        let governor = Governor::new(now);
        Self {
            units,
            groups: config.groups.clone(),
            order,
            number: 0,
            seed,
            now,
            booted: false,
            safe: false,
            shutdown: None,
            governor,
            at_boot: Duration::ZERO,
            boot_complete: false,
            open_gates: BTreeSet::new(),
            leaving: Vec::new(),
            gate_waits: 0,
            effects: VecDeque::new(),
            // Nothing has a time before it is booted.
            timeout: None,
        }
    }

    /// Takes in what happened. Afterwards, all of [`Self::poll_effect`] is to be done, in its order.
    pub fn handle(&mut self, now: Duration, event: Event) -> Outcome {
        self.now = self.now.max(now);
        let now = self.now;
        let outcome = self.react(now, event);
        self.settle(now);
        self.trace(now);
        self.act();
        self.forget();
        if self.finishes_shutdown(now) {
            self.effects.push_back(Effect::ShutdownDone);
        }
        self.timeout = self.next_timeout();
        outcome
    }

    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn become_safe(&mut self, safe: bool) -> Outcome {
        self.safe = safe;
        Outcome::Done
    }

    fn react(&mut self, now: Duration, event: Event) -> Outcome {
        match event {
            Event::Adopted { record, found } => self.adopt(now, *record, found),
            Event::Booted if self.booted => Outcome::Ignored("adoption was over already"),
            Event::Booted => self.end_adoption(now),
            Event::Reload(reload) => self.reload(now, reload),
            Event::SafeMode => self.become_safe(true),
            Event::Resume if self.safe => self.become_safe(false),
            Event::Resume => Outcome::Ignored("this is not safe mode"),
            Event::Gates { open } => self.gates_are_open(open),
            Event::Clock { at_boot } => self.clock(now, at_boot),
            Event::Shutdown { deadline } => self.shut_down(now, deadline),
            Event::Tick => Outcome::Done,
            Event::Start { name } => self.person_starts(now, &name, Unit::asked_to_start),
            Event::Restart { name } => self.person_starts(now, &name, Unit::asked_to_restart),
            Event::Stop { name } => self.person_stops(now, &name),
            Event::Kill { name, signal } => self.person_signals(&name, signal),
            Event::ImageInvalid { name, reason } => self.make_invalid(now, &name, Cause::image(&reason)),
            Event::Quarantine { name, reason } => self.make_invalid(now, &name, Cause::quarantine(&reason)),
            Event::Created { name, generation, pid, pidfd_inode } => {
                self.about(now, &name, generation, |unit, _| unit.created(Process { pid, pidfd_inode }))
            }
            Event::Started { name, generation, pid, pidfd_inode, stop_signal, check } => {
                self.about(now, &name, generation, |unit, moment| {
                    unit.started(moment.now, Process { pid, pidfd_inode }, stop_signal, check)
                })
            }
            Event::Notified { notice: Notice::Trigger, .. } if self.safe => {
                Outcome::Ignored("nothing is stopped unasked in safe mode")
            }
            Event::Notified { name, generation, notice } => {
                self.about(now, &name, generation, |unit, moment| unit.notified(moment.now, notice))
            }
            Event::Probed { name, generation, number, answer } => {
                let seed = self.seed;
                self.about(now, &name, generation, |unit, at| unit.probed(at, seed, number, answer))
            }
            Event::Connected { name } => self.connected(now, &name),
            Event::ListenFailed { name, failure } => self.listen_failed(now, &name, failure),
            Event::Paused { name, paused } => self.pause(now, &name, paused),
            Event::StartFailed { name, generation, failure } => {
                self.about(now, &name, generation, |unit, at| unit.start_failed(at, failure))
            }
            Event::Ended { name, generation, exit, oom, at } => {
                let end = End::Exited { exit, oom, at };
                self.about(now, &name, generation, |unit, moment| unit.ended(moment, end))
            }
            Event::Emptied { name, generation } => {
                let court = self.court(now);
                self.about(now, &name, generation, |unit, _| unit.emptied(court))
            }
            Event::SetAside { name, generation } => self.set_aside(now, &name, generation),
            Event::CleanFailed { name, generation, text } => {
                self.about(now, &name, generation, |unit, at| unit.clean_failed(at.now, text))
            }
            Event::Hangs { name, generation, text } => {
                self.about(now, &name, generation, |unit, _| unit.hangs(&text))
            }
            Event::SignalFailed { name, generation } => {
                self.about(now, &name, generation, Unit::signal_failed)
            }
            Event::KillFailed { name, generation, text } => {
                self.about(now, &name, generation, |unit, at| unit.kill_failed(at.now, text))
            }
        }
    }

    fn moment(&self, now: Duration, name: &str) -> Moment {
        let unit = self.units.get(name);
        let patience = unit.map_or(KILL_WAIT, |unit| self.kill_wait(now, unit));
        Moment { now, patience }
    }

    fn court(&self, now: Duration) -> Court {
        let ends = self.shutdown.is_some();
        Court { now, seed: self.seed, at_boot: self.at_boot, reboots: !self.safe && !ends, ends }
    }

    /// When [`Event::Tick`] is due, if nothing happens before; since boot, never in the past.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    fn next_timeout(&self) -> Option<Duration> {
        // In safe mode nothing follows from what one that runs does.
        let counts = |unit: &&Unit| !self.safe || unit.state.kind() != StateKind::Running;
        let states = self.units.values().filter(counts).filter_map(|unit| unit.state.deadline());
        let shutdown = self.shutdown.as_ref().and_then(|shutdown| self.shutdown_timeout(self.now, shutdown));
        states.chain(shutdown).chain(self.turn_timeout()).chain(self.probe_timeout()).min()
    }

    /// What must outlive this supervisor.
    pub fn record(&self, name: &str) -> Option<Record> {
        self.units.get(name).map(Record::of)
    }

    pub fn status(&self, name: &str) -> Option<Status> {
        self.units.get(name).map(|unit| self.status_of(unit))
    }

    /// All containers, by name.
    pub fn statuses(&self) -> impl Iterator<Item = Status> {
        self.units.values().map(|unit| self.status_of(unit))
    }

    pub fn state(&self, name: &str) -> Option<State> {
        self.units.get(name).map(|unit| unit.state)
    }

    pub fn is_safe(&self) -> bool {
        self.safe
    }

    pub fn is_shutting_down(&self) -> bool {
        self.shutdown.is_some()
    }
}

fn is_declared(config: &Config, name: &str) -> bool {
    config.containers.contains_key(name) || config.invalid.contains_key(name)
}

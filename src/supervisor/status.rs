//! What people and programs see of a container.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::Supervisor;
use super::cause::Cause;
use super::event::Exit;
use super::next::Next;
use super::order;
use super::state::{Phase, State, StateKind, Wait, Wanted};
use super::unit::Unit;
use super::up::Health;

/// What programs add to a signal to make it an exit code, as shells and Docker do.
const SIGNAL_EXIT: i32 = 128;

/// Times are since boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub name: String,
    pub group: Option<String>,
    pub wanted: Wanted,
    pub state: StateKind,
    /// It is in this state.
    pub since: Duration,
    pub ready: bool,
    pub health: Health,
    /// What the last probe that failed said.
    pub report: Option<String>,
    /// What it says of itself, as STATUS= of sd_notify(3).
    pub says: Option<String>,
    /// Of the main process, while there is one.
    /// Running, and standing still.
    pub paused: bool,
    pub pid: Option<i32>,
    /// 0: never started.
    pub generation: u64,
    /// Times that it was started again by itself; those that a person asked for are counted apart.
    pub restarts: u32,
    pub restarts_asked: u32,
    pub cause: Option<Cause>,
    /// Of this generation, or the last one.
    pub started_at: Option<Duration>,
    pub next_start: Option<Duration>,
    /// How the last generation ended, 128 + n for signal n; none while one is alive.
    pub exit_code: Option<i32>,
    /// It waits for somebody to connect.
    pub listens: bool,
    /// The containers that must come up before it starts, or go down before it stops.
    pub waits_for: Vec<String>,
    /// What follows by itself, and by when.
    pub next: Next,
    pub next_at: Option<Duration>,
    /// Since its last healthy run, or a person's word.
    pub failures: u32,
    /// Of these the budget is spent.
    pub held: bool,
}

impl Supervisor {
    pub(super) fn status_of(&self, unit: &Unit) -> Status {
        let (next, next_at) = unit.next_step();
        Status {
            name: unit.name.clone(),
            group: unit.spec.group.as_ref().map(|group| group.name.clone()),
            wanted: unit.wanted,
            state: unit.state.kind(),
            since: unit.since_state,
            ready: unit.is_ready(),
            health: unit.health(),
            report: unit.report.clone().filter(|_| unit.state.kind() == StateKind::Running),
            says: unit.says.clone().filter(|_| unit.state.kind() == StateKind::Running),
            paused: unit.up().is_some_and(|up| up.paused),
            pid: unit.process.map(|process| process.pid),
            generation: unit.generation,
            restarts: unit.restarts,
            restarts_asked: unit.restarts_asked,
            cause: self.cause_of(unit),
            started_at: unit.started_at,
            next_start: match unit.state {
                State::Backoff { until } | State::Waiting { on: Wait::Time(until), .. } => Some(until),
                State::Waiting { .. }
                | State::Starting { .. }
                | State::Running { .. }
                | State::Stopping { .. }
                | State::Exited
                | State::Failed
                | State::Stuck { .. }
                | State::Invalid => None,
            },
            exit_code: unit.exit().map(|exit| match exit {
                Exit::Code(code) => code,
                Exit::Signal(signal) => signal.saturating_add(SIGNAL_EXIT),
            }),
            listens: unit.listens(),
            waits_for: self.waits_for(unit),
            next,
            next_at,
            failures: unit.failures.count,
            held: unit.held,
        }
    }

    /// Whether none is on its way up for the first time any more.
    pub fn have_come_up(&self) -> bool {
        self.units.values().all(|unit| match unit.state {
            State::Starting { .. } => false,
            State::Waiting {
                on: Wait::Time(_) | Wait::Conflict | Wait::Gates | Wait::Shutdown | Wait::Connection,
                ..
            } => true,
            State::Waiting { .. } => order::unsatisfied(&self.units, unit).next().is_some(),
            State::Running { .. }
            | State::Stopping { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Stuck { .. }
            | State::Invalid => true,
        })
    }

    /// A container that waits shows what for; every other what was kept.
    pub(super) fn cause_of(&self, unit: &Unit) -> Option<Cause> {
        match unit.state {
            State::Waiting { on: Wait::Dependencies, .. } => {
                let first = order::unsatisfied(&self.units, unit).next();
                first.map(|edge| order::dependency_cause(&self.units, edge))
            }
            State::Waiting { on: Wait::Conflict, .. } => self.conflict_cause(unit),
            State::Waiting { on: Wait::Gates, .. } => Some(self.gate_cause(unit)),
            State::Waiting {
                on: Wait::Boot | Wait::Resume | Wait::Turn | Wait::Time(_) | Wait::Shutdown | Wait::Connection,
                ..
            }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Stuck { .. }
            | State::Invalid => unit.cause.clone(),
        }
    }

    fn waits_for(&self, unit: &Unit) -> Vec<String> {
        match unit.state {
            State::Waiting {
                on: Wait::Time(_) | Wait::Gates | Wait::Shutdown | Wait::Connection, ..
            } => Vec::new(),
            State::Waiting { on: Wait::Conflict, .. } => {
                self.opponents(unit).map(|other| other.name.clone()).collect()
            }
            State::Waiting { .. } => {
                order::unsatisfied(&self.units, unit).map(|edge| edge.name.clone()).collect()
            }
            State::Stopping { phase: Phase::Held, .. } => {
                order::stopping_dependents(&self.order, &self.units, &unit.name)
            }
            State::Stopping { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Stuck { .. }
            | State::Invalid => Vec::new(),
        }
    }
}

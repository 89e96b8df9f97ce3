//! How far a shutdown has come: who is up still and what for, and how those went who are down.
//!
//! Read off the states after every turn, so that there is nothing else to keep: a supervisor that takes over in the
//! middle tells what it has seen itself.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;
use core::time::Duration;

use super::Supervisor;
use super::cause::seconds;
use super::order;
use super::state::{Phase, State};
use super::unit::Unit;

/// Names in a line for people: a console has no room for hundreds.
const NAMED: usize = 6;

/// A shutdown as it is now. Times are since boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    pub began: Duration,
    pub deadline: Duration,
    /// When all was down, or had to be.
    pub done: Option<Duration>,
    /// Who was up when it began, in the order in which they go.
    pub containers: Vec<Leaving>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    pub name: String,
    pub stage: Stage,
    /// When its stage is over at the latest.
    pub until: Option<Duration>,
    /// Who has to go before it.
    pub waits_for: Vec<String>,
    pub trace: Trace,
}

/// When a container was sent its stop signal, killed, and gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trace {
    pub asked: Option<Duration>,
    pub killed: Option<Duration>,
    pub gone: Option<Duration>,
}

/// How far a container is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was asked of it yet.
    Up,
    /// For those that depend on it.
    Waits,
    /// It was sent its stop signal.
    Asked,
    Killed,
    /// Its main process is gone.
    Emptied,
    Stuck,
    Gone,
}

impl Closing {
    /// Those that are not down.
    pub fn left(&self) -> impl Iterator<Item = &Leaving> {
        self.containers.iter().filter(|leaving| leaving.stage != Stage::Gone)
    }

    /// What is in the way, in a line; nothing, if nothing is.
    pub fn progress(&self, now: Duration) -> Option<String> {
        // Who waits for others does not hold anything up.
        let (mut left, waiting): (Vec<&Leaving>, Vec<&Leaving>) =
            self.left().partition(|leaving| leaving.stage != Stage::Waits);
        left.extend(waiting);
        if left.is_empty() {
            return None;
        }
        let mut line = format!("{} left; up still: ", seconds(self.deadline.saturating_sub(now)));
        for (at, leaving) in left.iter().take(NAMED).enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let _ = write!(line, "{comma}{} ({})", leaving.name, leaving.words(now));
        }
        if let Some(more) = left.len().checked_sub(NAMED).filter(|more| *more > 0) {
            let _ = write!(line, ", and {more} more");
        }
        Some(line)
    }

    /// How it went, once it is done: lines, the first about all.
    pub fn summary(&self) -> Vec<String> {
        let Some(done) = self.done else { return Vec::new() };
        let took = seconds(done.saturating_sub(self.began));
        let left: Vec<&str> = self.left().map(|leaving| leaving.name.as_str()).collect();
        let mut lines = Vec::from([match left.as_slice() {
            [] => format!("all is down after {took}"),
            left => format!("the time is over after {took}; up still: {}", left.join(", ")),
        }]);
        let killed = |leaving: &&Leaving| leaving.trace.killed.is_some() && leaving.trace.asked.is_some();
        lines.extend(self.containers.iter().filter(killed).map(|leaving| {
            let Trace { asked, killed, .. } = leaving.trace;
            let had = killed.unwrap_or_default().saturating_sub(asked.unwrap_or_default());
            format!("{} did not end within {} and was killed", leaving.name, seconds(had))
        }));
        lines
    }
}

impl Leaving {
    fn words(&self, now: Duration) -> String {
        let until = self.until.map(|until| seconds(until.saturating_sub(now)));
        let within = until.map(|until| format!(", {until} more")).unwrap_or_default();
        match self.stage {
            Stage::Up => "not asked yet".to_string(),
            Stage::Waits => format!("after {}", self.waits_for.join(", ")),
            Stage::Asked => format!("asked to end{within}"),
            Stage::Killed => "killed".to_string(),
            Stage::Emptied => "its last processes end".to_string(),
            Stage::Stuck => "killed, and does not go".to_string(),
            Stage::Gone => "gone".to_string(),
        }
    }
}

impl Stage {
    fn of(state: State) -> (Self, Option<Duration>) {
        match state {
            State::Stopping { phase: Phase::Held, .. } => (Self::Waits, None),
            State::Stopping { phase: Phase::Term { until }, .. } => (Self::Asked, Some(until)),
            State::Stopping { phase: Phase::Kill { until }, .. } => (Self::Killed, Some(until)),
            State::Stopping { phase: Phase::Clean { until }, .. } => (Self::Emptied, Some(until)),
            State::Stuck { .. } => (Self::Stuck, None),
            State::Starting { .. } | State::Running { .. } => (Self::Up, None),
            State::Waiting { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Invalid => (Self::Gone, None),
        }
    }
}

impl Supervisor {
    /// Of the shutdown that goes on.
    pub fn closing(&self) -> Option<Closing> {
        let shutdown = self.shutdown.as_ref()?;
        let units = self.order.iter().rev().filter_map(|name| self.units.get(name));
        let containers = units.filter_map(|unit| Some(self.leaving(unit, *shutdown.traces.get(&unit.name)?)));
        Some(Closing {
            began: shutdown.began,
            deadline: shutdown.deadline,
            done: shutdown.done,
            containers: containers.collect(),
        })
    }

    fn leaving(&self, unit: &Unit, trace: Trace) -> Leaving {
        let (stage, until) = Stage::of(unit.state);
        let waits_for = match stage {
            Stage::Waits => order::stopping_dependents(&self.order, &self.units, &unit.name),
            Stage::Up | Stage::Asked | Stage::Killed | Stage::Emptied | Stage::Stuck | Stage::Gone => {
                Vec::new()
            }
        };
        Leaving { name: unit.name.clone(), stage, until, waits_for, trace }
    }

    /// After every turn.
    pub(super) fn trace(&mut self, now: Duration) {
        let Some(shutdown) = self.shutdown.as_mut().filter(|it| it.done.is_none()) else { return };
        for unit in self.units.values() {
            trace(&mut shutdown.traces, unit, now);
        }
    }
}

fn trace(traces: &mut BTreeMap<String, Trace>, unit: &Unit, now: Duration) {
    let (stage, _) = Stage::of(unit.state);
    let known = match traces.get_mut(&unit.name) {
        Some(known) => known,
        // It was down when the shutdown began.
        None if stage == Stage::Gone => return,
        None => traces.entry(unit.name.clone()).or_default(),
    };
    match stage {
        Stage::Asked => drop(known.asked.get_or_insert(now)),
        Stage::Killed => drop(known.killed.get_or_insert(now)),
        Stage::Gone => drop(known.gone.get_or_insert(now)),
        Stage::Up | Stage::Waits | Stage::Emptied | Stage::Stuck => {}
    }
    if stage != Stage::Gone {
        known.gone = None;
    }
}

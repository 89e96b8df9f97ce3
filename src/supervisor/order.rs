//! The order in which dependencies are started, and stopped: one list, read in both directions.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::cause::Cause;
use super::state::StateKind;
use super::unit::{Edge, Unit};
use super::units::Units;
use super::up::Health;
use crate::config::{Condition, Kind};

/// All names, dependencies before their dependents; and those that depend on themselves, which can
/// have no place in any order.
///
/// A checked configuration has none of the latter. They are found all the same, because a cycle that
/// slipped through would wait for itself for ever.
pub(super) fn sort(depends_on: &BTreeMap<String, Vec<String>>) -> (Vec<String>, Vec<String>) {
    let mut dependents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, dependencies) in depends_on {
        let known = dependencies.iter().filter(|dependency| depends_on.contains_key(*dependency));
        missing.insert(name, known.clone().count());
        for dependency in known {
            dependents.entry(dependency).or_default().push(name);
        }
    }
    let free = |missing: &BTreeMap<&str, usize>| -> Vec<String> {
        missing.iter().filter(|(_, n)| **n == 0).map(|(name, _)| name.to_string()).collect()
    };
    let mut order = free(&missing);
    let mut next = 0;
    while let Some(name) = order.get(next).cloned() {
        next += 1;
        for dependent in dependents.get(name.as_str()).into_iter().flatten() {
            if let Some(left) = missing.get_mut(dependent) {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    order.push(dependent.to_string());
                }
            }
        }
    }
    let cyclic = missing.iter().filter(|(_, left)| **left > 0);
    let cyclic = cyclic.map(|(name, _)| name.to_string()).collect();
    (order, cyclic)
}

/// At boot oneshots come before services: adds to each service those that depend on no service themselves, so that
/// nobody waits in a circle that nobody wrote. Their first end is waited for, whatever it is. One that waits for the
/// machine, or for a time, holds nobody up, nor does who depends on it.
pub(super) fn oneshots_first(units: &mut Units) {
    let holds_up =
        |it: &Unit| it.spec.kind != Kind::Service && it.spec.timetable.is_none() && it.spec.gates.is_empty();
    let is_first = |unit: &&Unit| below(units, unit).into_iter().all(holds_up);
    let oneshots = units.values().filter(|unit| unit.spec.kind == Kind::Oneshot).filter(is_first);
    let oneshots: Vec<String> = oneshots.map(|unit| unit.name.clone()).collect();
    for unit in units.values_mut().filter(|unit| unit.spec.kind == Kind::Service) {
        for name in &oneshots {
            if !unit.spec.dependencies().any(|known| known == name) {
                unit.spec.depends_on.push(Edge {
                    name: name.clone(),
                    condition: Condition::Completed,
                    restart: false,
                    required: false,
                });
            }
        }
    }
}

/// The direct dependencies that `unit` still has to wait for.
pub(super) fn unsatisfied<'a>(units: &'a Units, unit: &'a Unit) -> impl Iterator<Item = &'a Edge> {
    unit.spec.depends_on.iter().filter(|edge| !is_satisfied(edge, units.get(&edge.name)))
}

fn is_satisfied(edge: &Edge, on: Option<&Unit>) -> bool {
    let Some(on) = on else { return !edge.required };
    let fulfilled = match edge.condition {
        // Who follows it down has to find it up.
        Condition::Started if edge.restart => on.is_ready(),
        // Who connects to it meanwhile waits, and has it started.
        Condition::Started => on.ran && !on.comes_anew() || on.listens(),
        Condition::Healthy => on.health() == Health::Healthy,
        Condition::Completed => on.completed,
    };
    fulfilled || !edge.required && on.has_been_tried()
}

/// Finds out anew who is passed over: waits for somebody who has been tried and was not what it requires, or is passed over
/// himself.
pub(super) fn pass_over(units: &mut Units) {
    let requires = |unit: &Unit| unit.spec.depends_on.iter().any(|edge| edge.required);
    let mut open: Vec<String> = Vec::new();
    for unit in units.values_mut() {
        unit.passed_over = false;
        if unit.state.kind() == StateKind::Waiting && requires(unit) {
            open.push(unit.name.clone());
        }
    }
    loop {
        let is_over = |name: &String| {
            let mut missing = units.get(name).into_iter().flat_map(|unit| unsatisfied(units, unit));
            missing.any(|edge| edge.required && units.get(&edge.name).is_none_or(Unit::has_been_tried))
        };
        let (over, rest): (Vec<String>, Vec<String>) = open.into_iter().partition(is_over);
        for name in &over {
            if let Some(unit) = units.get_mut(name) {
                unit.passed_over = true;
            }
        }
        if over.is_empty() {
            return;
        }
        open = rest;
    }
}

/// The dependency that went down and takes `unit` along.
pub(super) fn lost<'a>(units: &Units, unit: &'a Unit) -> Option<&'a Edge> {
    let is_up = |edge: &Edge| match units.get(&edge.name).map(|on| on.state.kind()) {
        Some(StateKind::Running) => true,
        Some(
            StateKind::Waiting
            | StateKind::Starting
            | StateKind::Stopping
            | StateKind::Backoff
            | StateKind::Exited
            | StateKind::Failed
            | StateKind::Stuck
            | StateKind::Invalid,
        )
        | None => false,
    };
    unit.spec.depends_on.iter().find(|edge| edge.restart && edge.required && !is_up(edge))
}

/// Why the dependency of `edge` does not let its dependent start; the text ends a sentence.
pub(super) fn dependency_cause(units: &Units, edge: &Edge) -> Cause {
    let name = edge.name.as_str();
    let Some(unit) = units.get(name) else {
        return Cause::dependency(name, "is not declared");
    };
    let why = unit.cause.as_ref().map(|cause| cause.text.as_str());
    let awaited = match (edge.condition, unit.health()) {
        (Condition::Started, _) => "has not started yet",
        (Condition::Healthy, Health::None) if unit.state.kind() == StateKind::Running => {
            "has no health check"
        }
        (Condition::Healthy, Health::Unhealthy) => "is unhealthy",
        (Condition::Healthy, Health::None | Health::Starting | Health::Healthy) => "is not healthy yet",
        (Condition::Completed, _) => "has not completed yet",
    };
    match (unit.state.kind(), why) {
        (StateKind::Failed | StateKind::Invalid, Some(text)) => Cause::dependency(name, text),
        (StateKind::Failed, None) => Cause::dependency(name, "failed"),
        (StateKind::Invalid, None) => Cause::dependency(name, "is invalid"),
        (StateKind::Exited, _) if unit.ran => Cause::dependency(name, "is stopped"),
        (StateKind::Exited, _) => Cause::dependency(name, "is stopped and never ran"),
        (StateKind::Running, _) if edge.condition == Condition::Started => {
            Cause::dependency(name, "is not ready yet")
        }
        (
            StateKind::Waiting
            | StateKind::Starting
            | StateKind::Running
            | StateKind::Stopping
            | StateKind::Backoff
            | StateKind::Stuck,
            _,
        ) => Cause::dependency(name, awaited),
    }
}

/// The names that a stop still has to wait for: dependencies, direct or not, of what is going down.
pub(super) fn held_back<'a>(order: &'a [String], units: &'a Units) -> BTreeSet<&'a str> {
    let mut held = BTreeSet::new();
    if !units.values().any(Unit::is_stopping) {
        return held;
    }
    for unit in order.iter().rev().filter_map(|name| units.get(name)) {
        if unit.is_stopping() || held.contains(unit.name.as_str()) {
            held.extend(unit.spec.dependencies());
        }
    }
    held
}

/// The containers that go down before `name`: its dependents, direct or not, that are stopping.
pub(super) fn stopping_dependents(order: &[String], units: &Units, name: &str) -> Vec<String> {
    let mut above = BTreeSet::from([name]);
    let mut stopping = Vec::new();
    for unit in order.iter().filter_map(|name| units.get(name)) {
        if unit.spec.dependencies().any(|dependency| above.contains(dependency)) {
            above.insert(&unit.name);
            if unit.is_stopping() {
                stopping.push(unit.name.clone());
            }
        }
    }
    stopping
}

/// `top` and all that it depends on, dependencies first.
pub(super) fn below<'a>(units: &'a Units, top: &'a Unit) -> Vec<&'a Unit> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut open = Vec::from([(top, false)]);
    while let Some((unit, visited)) = open.pop() {
        if visited {
            found.push(unit);
        } else if seen.insert(unit.name.as_str()) {
            open.push((unit, true));
            let dependencies = unit.spec.dependencies().filter_map(|name| units.get(name));
            open.extend(dependencies.map(|unit| (unit, false)));
        }
    }
    found
}

//! The order in which dependencies are started, and stopped: one list, read in both directions.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::cause::Cause;
use super::state::StateKind;
use super::unit::Unit;
use super::units::Units;

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

/// The direct dependencies that `unit` still has to wait for.
pub(super) fn unsatisfied<'a>(units: &'a Units, unit: &'a Unit) -> impl Iterator<Item = &'a str> {
    let dependencies = unit.spec.depends_on.iter();
    dependencies.filter(|name| !units.get(name).is_some_and(|unit| unit.ran)).map(String::as_str)
}

/// Why the dependency `name` is not there yet; the text ends a sentence.
pub(super) fn dependency_cause(units: &Units, name: &str) -> Cause {
    let Some(unit) = units.get(name) else {
        return Cause::dependency(name, "is not declared");
    };
    let why = unit.cause.as_ref().map(|cause| cause.text.as_str());
    match (unit.state.kind(), why) {
        (StateKind::Failed | StateKind::Invalid, Some(text)) => Cause::dependency(name, text),
        (StateKind::Failed, None) => Cause::dependency(name, "failed"),
        (StateKind::Invalid, None) => Cause::dependency(name, "is invalid"),
        (StateKind::Exited, _) => Cause::dependency(name, "is stopped and never ran"),
        (
            StateKind::Waiting
            | StateKind::Starting
            | StateKind::Running
            | StateKind::Stopping
            | StateKind::Backoff
            | StateKind::Stuck,
            _,
        ) => Cause::dependency(name, "has not started yet"),
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
            held.extend(unit.spec.depends_on.iter().map(String::as_str));
        }
    }
    held
}

/// The containers that go down before `name`: its dependents, direct or not, that are stopping.
pub(super) fn stopping_dependents(order: &[String], units: &Units, name: &str) -> Vec<String> {
    let mut above = BTreeSet::from([name]);
    let mut stopping = Vec::new();
    for unit in order.iter().filter_map(|name| units.get(name)) {
        if unit.spec.depends_on.iter().any(|dependency| above.contains(dependency.as_str())) {
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
            let dependencies = unit.spec.depends_on.iter();
            open.extend(dependencies.filter_map(|name| units.get(name)).map(|unit| (unit, false)));
        }
    }
    found
}

//! (what is declared, what is to be declared) → what a reload does to each container, before any of it is done.
//!
//! Of two configurations only: what a person has stopped stays down, whatever is planned for it, and is started
//! with its new declaration when it is.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::order;
use crate::config::{Config, Container, KeyChange, Kind, container_changes, host_changes};
use crate::ordered::Ordered;

/// What a reload does, in its order: stops with dependents first, then everything else with dependencies first.
/// What is not in it stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    pub containers: Vec<Planned>,
    pub host: Vec<KeyChange>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub name: String,
    /// Where it is declared; of one that is not any more, where it was.
    pub declared_at: String,
    pub action: Action,
    pub keys: Vec<KeyChange>,
    /// The dependency that takes it along.
    pub follows: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It was not declared, or not so that it could run.
    Start,
    /// It is not declared any more.
    Stop,
    Restart,
    /// It goes on running; one that runs at its times is another from the next one on.
    Change,
}

impl Action {
    pub const ALL: [Self; 4] = [Self::Start, Self::Stop, Self::Restart, Self::Change];

    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Change => "change",
        }
    }
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.host.is_empty()
    }

    /// Those that run with this declaration only once they have been started anew.
    pub fn replaced(&self) -> impl Iterator<Item = &str> {
        let is_new = |planned: &&Planned| match planned.action {
            Action::Start => true,
            Action::Restart | Action::Change => planned.keys.iter().any(|change| change.class.forces()),
            Action::Stop => false,
        };
        self.containers.iter().filter(is_new).map(|planned| planned.name.as_str())
    }
}

/// What makes `old` into `new`.
pub fn plan(old: &Config, new: &Config) -> Plan {
    let declared = old.containers.keys().chain(old.invalid.keys());
    let gone = declared.filter(|name| !new.containers.contains_key(*name));
    let gone = gone.map(|name| Planned {
        name: name.clone(),
        declared_at: old.containers.get(name).map_or(String::new(), |it| it.declared_at.clone()),
        action: Action::Stop,
        keys: Vec::new(),
        follows: None,
    });
    let kept = new.containers.values().filter_map(|container| planned(old, container));
    let mut planned: BTreeMap<String, Planned> = gone.chain(kept).map(|it| (it.name.clone(), it)).ordered();
    let (before, after) = (in_order(old), in_order(new));
    for name in &after {
        follow(new, name, &mut planned);
    }
    let is_stop = |planned: &Planned| planned.action == Action::Stop;
    let mut containers: Vec<Planned> = Vec::new();
    let stops = before.iter().rev().chain(old.invalid.keys());
    for name in stops {
        if planned.get(name).is_some_and(is_stop) {
            containers.extend(planned.remove(name));
        }
    }
    containers.extend(after.iter().filter_map(|name| planned.remove(name)));
    Plan { containers, host: host_changes(old, new) }
}

fn planned(old: &Config, container: &Container) -> Option<Planned> {
    let (action, keys) = match old.containers.get(&container.name) {
        None => (Action::Start, Vec::new()),
        Some(before) => {
            let keys = container_changes(before, container);
            // It does not run now, or is not cut short.
            let ends_first = comes_again(before) && comes_again(container);
            let forced = !ends_first && keys.iter().any(|change| change.class.forces());
            let action = if forced { Action::Restart } else { Action::Change };
            (action, Some(keys).filter(|keys| !keys.is_empty())?)
        }
    };
    let (name, declared_at) = (container.name.clone(), container.declared_at.clone());
    Some(Planned { name, declared_at, action, keys, follows: None })
}

/// It runs at its times, or when the machine ends.
fn comes_again(container: &Container) -> bool {
    container.timetable.is_some() || container.kind == Kind::Shutdown
}

/// A dependent that goes down with its dependency, as its edge says, once that is known to; and one that finds a
/// dependency that is not there yet.
fn follow(new: &Config, name: &str, planned: &mut BTreeMap<String, Planned>) {
    let Some(container) = new.containers.get(name) else { return };
    let comes_up = |it: &Planned| matches!(it.action, Action::Start | Action::Restart);
    let mut edges = container.depends_on.iter().filter(|(_, edge)| edge.restart && edge.required);
    let Some((on, _)) = edges.find(|(on, _)| planned.get(*on).is_some_and(comes_up)) else { return };
    let entry = planned.entry(name.into()).or_insert_with(|| Planned {
        name: name.into(),
        declared_at: container.declared_at.clone(),
        action: Action::Change,
        keys: Vec::new(),
        follows: None,
    });
    if entry.action == Action::Change {
        entry.action = Action::Restart;
        entry.follows = Some(on.clone());
    }
}

fn in_order(config: &Config) -> Vec<String> {
    let edges = |container: &Container| container.depends_on.keys().cloned().collect();
    let graph = config.containers.values().map(|container| (container.name.clone(), edges(container)));
    let (mut order, cyclic) = order::sort(&graph.ordered());
    order.extend(cyclic);
    order
}

#[cfg(test)]
#[path = "plan_tests.rs"]
pub(super) mod tests;

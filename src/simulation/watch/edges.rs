//! Who waits for whom: what is declared, and that oneshots come first. Who is never together with whom.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::config::{Condition, Config, Container, Dependency, Kind};
use crate::ordered::Ordered;

/// By name, what each has to wait for.
pub(super) fn of(config: &Config) -> BTreeMap<String, BTreeMap<String, Dependency>> {
    let declared = config.containers.iter().map(|(name, it)| (name.clone(), it.depends_on.clone()));
    let mut edges: BTreeMap<String, BTreeMap<String, Dependency>> = declared.ordered();
    let is_oneshot = |it: &Container| it.kind == Kind::Oneshot && comes_by_itself(it);
    for (name, _) in config.containers.iter().filter(|(name, it)| is_oneshot(it) && is_first(config, name)) {
        puts_first(config, name, &mut edges);
    }
    edges
}

/// It waits for no service, and for nobody who waits for the machine, or for a time.
fn is_first(config: &Config, oneshot: &str) -> bool {
    let below = |name: &str| config.containers.get(name).into_iter().flat_map(|it| it.depends_on.keys());
    let below = reached(oneshot, |name| below(name).map(String::as_str));
    let mut below = below.iter().filter_map(|name| config.containers.get(*name));
    below.all(|it| it.kind != Kind::Service && comes_by_itself(it))
}

fn comes_by_itself(container: &Container) -> bool {
    container.timetable.is_none() && container.gates.is_empty()
}

/// Each service waits for the first end of this oneshot, however it is.
fn puts_first(config: &Config, oneshot: &str, edges: &mut BTreeMap<String, BTreeMap<String, Dependency>>) {
    for (name, _) in config.containers.iter().filter(|(_, it)| it.kind == Kind::Service) {
        let first = Dependency { condition: Condition::Completed, restart: false, required: false };
        edges.entry(name.clone()).or_default().entry(oneshot.to_string()).or_insert(first);
    }
}

/// Whichever of the two says so.
pub(super) fn conflicts(config: &Config) -> BTreeMap<String, BTreeSet<String>> {
    let mut conflicts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, container) in &config.containers {
        for other in &container.conflicts {
            conflicts.entry(name.clone()).or_default().insert(other.clone());
            conflicts.entry(other.clone()).or_default().insert(name.clone());
        }
    }
    conflicts
}

/// By name, all that wait for each, through others too.
pub(super) fn dependents<'a>(
    edges: impl Iterator<Item = (&'a str, &'a BTreeMap<String, Dependency>)>,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut direct: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, depends_on) in edges {
        depends_on.keys().for_each(|on| direct.entry(on).or_default().push(name));
    }
    let all = |name: &str| reached(name, |name| direct.get(name).into_iter().flatten().copied());
    let owned = |all: BTreeSet<&str>| all.into_iter().map(String::from).collect();
    direct.keys().map(|name| (name.to_string(), owned(all(name)))).ordered()
}

fn reached<'a, I: Iterator<Item = &'a str>>(from: &str, next: impl Fn(&str) -> I) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&'a str> = next(from).collect();
    while let Some(name) = open.pop() {
        if found.insert(name) {
            open.extend(next(name));
        }
    }
    found
}

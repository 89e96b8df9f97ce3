//! Who waits for whom: what is declared, and that oneshots come first.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::config::{Condition, Config, Container, Dependency, Kind};

pub(super) struct Edges<'a> {
    /// By name, what each has to wait for.
    pub(super) of: BTreeMap<String, BTreeMap<String, Dependency>>,
    /// Whichever of the two says so.
    pub(super) conflicts: BTreeMap<String, BTreeSet<String>>,
    dependents: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Edges<'a> {
    pub(super) fn new(config: &'a Config) -> Self {
        let mut edges = Self { of: BTreeMap::new(), conflicts: BTreeMap::new(), dependents: BTreeMap::new() };
        for (name, container) in &config.containers {
            edges.of.insert(name.clone(), container.depends_on.clone());
            for other in &container.conflicts {
                edges.conflicts.entry(name.clone()).or_default().insert(other.clone());
                edges.conflicts.entry(other.clone()).or_default().insert(name.clone());
            }
            for on in container.depends_on.keys() {
                edges.dependents.entry(on).or_default().push(name);
            }
        }
        let comes_first =
            |it: &Container| it.kind == Kind::Oneshot && it.timetable.is_none() && it.gates.is_empty();
        for (name, _) in config.containers.iter().filter(|(_, it)| comes_first(it)) {
            edges.comes_first(config, name);
        }
        edges
    }

    /// Each service waits for the first end of this oneshot, however it is, unless the oneshot waits for the service.
    fn comes_first(&mut self, config: &'a Config, oneshot: &'a str) {
        let below = |name: &str| config.containers.get(name).into_iter().flat_map(|it| it.depends_on.keys());
        let below = reached(oneshot, |name| below(name).map(String::as_str));
        let services = config.containers.iter().filter(|(_, it)| it.kind == Kind::Service);
        for (name, _) in services.filter(|(name, _)| !below.contains(name.as_str())) {
            let edges = self.of.entry(name.clone()).or_default();
            if !edges.contains_key(oneshot) {
                let first = Dependency { condition: Condition::Completed, restart: false, required: false };
                edges.insert(oneshot.to_string(), first);
                self.dependents.entry(oneshot).or_default().push(name);
            }
        }
    }

    /// All that wait for it, through others too.
    pub(super) fn dependents(&self, name: &str) -> BTreeSet<String> {
        let direct = |name: &str| self.dependents.get(name).into_iter().flatten().copied();
        reached(name, direct).into_iter().map(String::from).collect()
    }
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

//! Dependencies: on containers that exist, and not in a circle.

use super::super::diagnostic::{Mistake, Severity};
use super::super::family::family;
use super::super::life::{Condition, Dependency, Kind, Restart, Test};
use super::super::model::{Config, Container};
use super::super::nearest::nearest;
use super::super::report::Report;
use super::super::tree::{Map, Node, Path, Place, Step};
use super::cycle::{self, Edges};
use super::{names, place};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// More circles than this are not shown one by one; every container on one is invalid all the same.
const MAX_CYCLES: usize = 32;

pub(crate) fn check(report: &mut Report<'_>, tree: &Map, config: &Config) {
    let known: BTreeSet<&str> = names(tree, "container").collect();
    let mut edges = Edges::new();
    for (name, container) in &config.containers {
        for (on, dependency) in &container.depends_on {
            let (at, path) = locate(tree, name, on);
            if known.contains(on.as_str()) {
                edges.entry(name).or_default().insert(on, at);
                match config.containers.get(on).and_then(|other| never_comes(container, dependency, other)) {
                    Some((Severity::Error, mistake)) => report.error(at, &path, mistake),
                    Some((Severity::Warning, mistake)) => report.warning(at, &path, mistake),
                    None => {}
                }
                continue;
            }
            let mistake =
                Mistake::new(format!("`{name}` depends on `{on}`, and there is no container of this name"));
            let others = || known.iter().copied().filter(|known| known != name);
            let help = match nearest(on, others().chain(others().filter_map(family))) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("declare [container.{on}], or leave it out"),
            };
            if dependency.required {
                report.error(at, &path, mistake.help(help));
            } else {
                report.warning(at, &path, mistake.help(help));
            }
        }
    }
    report_cycles(report, &edges);
}

/// What is waited for and will not be.
fn never_comes(from: &Container, dependency: &Dependency, other: &Container) -> Option<(Severity, Mistake)> {
    let on = &other.name;
    if from.kind != Kind::Shutdown && other.kind == Kind::Shutdown {
        let mistake =
            Mistake::new(format!("`{on}` runs when the machine ends, and who waits for it would never run"));
        return Some((Severity::Error, mistake.help("leave it out")));
    }
    if dependency.restart && other.kind != Kind::Service {
        let mistake =
            Mistake::new(format!("`{on}` comes to an end, and who goes down with it would never run"));
        return Some((Severity::Error, mistake.help("leave `restart` out")));
    }
    match dependency.condition {
        Condition::Healthy if other.healthcheck.test == Some(Test::Disabled) => {
            let mistake = Mistake::new(format!("`{on}` has no health check, and will never be healthy"));
            Some((Severity::Error, mistake.help("write \"started\", or give it a healthcheck")))
        }
        Condition::Completed if other.kind == Kind::Service && other.restart != Restart::No => {
            let mistake = Mistake::new(format!("`{on}` is a service, and may never end"));
            Some((Severity::Warning, mistake.help(format!("write type = \"oneshot\" in [container.{on}]"))))
        }
        Condition::Started | Condition::Healthy | Condition::Completed => None,
    }
}

/// Where `name` says that it depends on `on`.
fn locate<'t>(tree: &'t Map, name: &'t str, on: &'t str) -> (Place, Path<'t>) {
    let list = Path::keys(&["container", name, "depends_on"]);
    let node = Node::locate(tree, &list);
    if let Some(entry) = node.and_then(Node::map).and_then(|map| map.entries.get(on)) {
        return (entry.at, list.and(Step::Key(on)));
    }
    let items = node.map(Node::each).unwrap_or_default();
    match items.iter().position(|item| item.text() == Some(on)) {
        Some(index) => {
            let path = list.and(Step::Item(index));
            (place(tree, &path), path)
        }
        None => (place(tree, &list), list),
    }
}

/// The shortest circle through each dependency that is on one, unless it is in a circle shown before.
fn report_cycles(report: &mut Report<'_>, edges: &Edges<'_>) {
    let mut shown: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut cycles: usize = 0;
    for circular in cycle::components(edges) {
        let inside = |from: &str| edges.get(from).into_iter().flat_map(|on| on.keys().copied());
        for (from, on) in circular.iter().flat_map(|from| inside(from).map(|on| (*from, on))) {
            if cycles >= MAX_CYCLES || shown.contains(&(from, on)) || !circular.contains(on) {
                continue;
            }
            if let Some(way) = cycle::shortest(edges, on, from) {
                cycles = cycles.saturating_add(1);
                report_cycle(report, edges, &way, &mut shown);
            }
        }
        for name in circular {
            report.invalidate(name, format!("`{name}` waits for itself, through its dependencies"));
        }
    }
}

/// `way` is the containers on the circle, each depending on the next, and the last on the first.
fn report_cycle<'t>(
    report: &mut Report<'_>,
    edges: &Edges<'t>,
    way: &[&'t str],
    shown: &mut BTreeSet<(&'t str, &'t str)>,
) {
    // The circle begins with the name that comes first, whoever found it.
    let start = (0..way.len()).min_by_key(|index| way.get(*index)).unwrap_or_default();
    let mut circle: Vec<&str> = way.iter().cycle().skip(start).take(way.len()).copied().collect();
    let Some(first) = circle.first().copied() else { return };
    circle.push(first);
    let mut notes = Vec::new();
    let mut first_at = None;
    for pair in circle.windows(2) {
        let [from, on] = pair else { continue };
        let Some(at) = edges.get(from).and_then(|edges| edges.get(on)) else { continue };
        shown.insert((from, on));
        first_at = first_at.or(Some((*at, *from)));
        notes.push(format!("{}: `{from}` depends on `{on}`", report.short(*at)));
    }
    let names: Vec<String> = circle.iter().map(|name| name.to_string()).collect();
    let mistake = Mistake::new(format!("containers wait for each other: {}", names.join(" -> ")));
    if let Some((at, from)) = first_at {
        let path = Path::keys(&["container", from, "depends_on"]);
        report.error_with(at, &path, mistake.help("take one of these dependencies out"), notes);
    }
}

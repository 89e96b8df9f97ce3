//! Conflicts: with containers that exist, and that need not be up for this one.

use super::super::diagnostic::Mistake;
use super::super::life::Condition;
use super::super::model::{Config, Container};
use super::super::nearest::nearest;
use super::super::report::Report;
use super::super::tree::{Map, Path, Step};
use super::{names, place};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

pub(crate) fn check(report: &mut Report<'_>, tree: &Map, config: &Config) {
    let known: BTreeSet<&str> = names(tree, "container").collect();
    for (name, container) in &config.containers {
        let list = Path::keys(&["container", name, "conflicts"]);
        for on in &container.conflicts {
            let Some(mistake) = mistake(name, on, &known, config) else { continue };
            let written = super::super::tree::Node::locate(tree, &list).map(|node| node.texts());
            let index = written.unwrap_or_default().iter().position(|text| *text == on.as_str());
            let path = list.and(Step::Item(index.unwrap_or_default()));
            report.error(place(tree, &path), &path, mistake);
        }
    }
}

fn mistake(name: &str, on: &str, known: &BTreeSet<&str>, config: &Config) -> Option<Mistake> {
    if name == on {
        return Some(Mistake::new(format!("`{name}` is in conflict with itself")).help("leave it out"));
    }
    if !known.contains(on) {
        let mistake = Mistake::new(format!("there is no container `{on}`"));
        return Some(match nearest(on, known.iter().copied().filter(|known| *known != name)) {
            Some(near) => mistake.help(format!("did you mean `{near}`?")),
            None => mistake.help(format!("declare [container.{on}], or leave it out")),
        });
    }
    let (above, below) = if needs(config, name, on) { (name, on) } else { (on, name) };
    needs(config, above, below).then(|| {
        let mistake = Mistake::new(format!("`{above}` needs `{below}` up, and is in conflict with it"));
        mistake.help("leave out the conflict, or the dependency")
    })
}

/// Whether `below` has to be up for `name` to start, directly or by others between them.
fn needs(config: &Config, name: &str, below: &str) -> bool {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut next: Vec<&Container> = config.containers.get(name).map(Box::as_ref).into_iter().collect();
    while let Some(container) = next.pop() {
        for (on, dependency) in &container.depends_on {
            // Who waits for an end does not need it up.
            if dependency.condition == Condition::Completed || !dependency.required {
                continue;
            }
            if on == below {
                return true;
            }
            if seen.insert(on) {
                next.extend(config.containers.get(on).map(Box::as_ref));
            }
        }
    }
    false
}

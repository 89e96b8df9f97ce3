//! Groups: of containers that exist, and that are in no other; a name means one thing.

use super::super::diagnostic::Mistake;
use super::super::life::Exhausted;
use super::super::model::Config;
use super::super::nearest::nearest;
use super::super::report::Report;
use super::super::tree::{Map, Node, Path, Step};
use super::{names, place};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

pub(crate) fn check(report: &mut Report<'_>, tree: &Map, config: &mut Config) {
    let known: BTreeSet<&str> = names(tree, "container").collect();
    let mut of: BTreeMap<String, String> = BTreeMap::new();
    for (name, group) in &config.groups {
        let table = Path::keys(&["group", name]);
        if known.contains(name.as_str()) {
            let mistake = Mistake::new(format!("`{name}` is a container too"));
            report.error(place(tree, &table), &table, mistake.help("give the group another name"));
        }
        let list = Path::keys(&["group", name, "containers"]);
        for member in &group.containers {
            let mistake = match (known.contains(member.as_str()), of.get(member)) {
                (false, _) => unknown(member, &known),
                (true, Some(other)) => Mistake::new(format!("`{member}` is in [group.{other}] already")),
                (true, None) => {
                    of.insert(member.clone(), name.clone());
                    continue;
                }
            };
            let written = Node::locate(tree, &list).map(Node::texts).unwrap_or_default();
            let index = written.iter().position(|text| *text == member.as_str());
            let path = list.and(Step::Item(index.unwrap_or_default()));
            report.error(place(tree, &path), &path, mistake);
        }
    }
    config.groups.retain(|name, _| !report.wrong_groups.contains(name));
    for (name, container) in &config.containers {
        if container.restart_policy.then == Exhausted::RestartGroup && !of.contains_key(name) {
            let path = Path::keys(&["container", name, "restart_policy", "then"]);
            let mistake = Mistake::new(format!("`{name}` is in no group"));
            report.error(place(tree, &path), &path, mistake.help("write then = \"hold\", or a [group.NAME]"));
        }
    }
}

fn unknown(name: &str, known: &BTreeSet<&str>) -> Mistake {
    let mistake = Mistake::new(format!("there is no container `{name}`"));
    match nearest(name, known.iter().copied()) {
        Some(near) => mistake.help(format!("did you mean `{near}`?")),
        None => mistake.help(format!("declare [container.{name}], or leave it out")),
    }
}

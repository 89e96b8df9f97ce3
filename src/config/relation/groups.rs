//! Groups: of containers that exist, and that are in no other; a name means one thing.

use super::super::diagnostic::Mistake;
use super::super::life::{Exhausted, Pod, Shared};
use super::super::model::{Config, Container, NetworkMode, UserNamespace};
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
    pods(report, tree, config);
    for (name, container) in &config.containers {
        if container.restart_policy.then == Exhausted::RestartGroup && !of.contains_key(name) {
            let path = Path::keys(&["container", name, "restart_policy", "then"]);
            let mistake = Mistake::new(format!("`{name}` is in no group"));
            report.error(place(tree, &path), &path, mistake.help("write then = \"hold\", or a [group.NAME]"));
        }
    }
}

/// Tells those whose group shares namespaces, unless they ask for what cannot be shared.
fn pods(report: &mut Report<'_>, tree: &Map, config: &mut Config) {
    let Config { groups, containers, .. } = config;
    for (name, group) in groups.iter().filter(|(_, group)| !group.share.is_empty()) {
        for member in &group.containers {
            let Some(container) = containers.get_mut(member) else { continue };
            let table = tree.get("container").and_then(Node::map).and_then(|map| map.get(member));
            let written = |key| table.and_then(Node::map).is_some_and(|map| map.get(key).is_some());
            if let Some((key, why)) = unshareable(container, &group.share, written) {
                let path = Path::keys(&["container", member, key]);
                let mistake = Mistake::new(format!("`{member}` is in [group.{name}], {why}"));
                let help = format!("leave `{key}` out, or `{member}` out of the group");
                report.error(place(tree, &path), &path, mistake.help(help));
                continue;
            }
            if group.share.contains(&Shared::Uts) {
                container.hostname = name.replace('@', "-");
            }
            container.pod = Some(Pod { group: name.clone(), share: group.share.clone() });
        }
    }
}

/// The key that stands in the way, and why.
fn unshareable(
    container: &Container,
    share: &BTreeSet<Shared>,
    written: impl Fn(&'static str) -> bool,
) -> Option<(&'static str, &'static str)> {
    if container.userns == UserNamespace::Host {
        return Some(("userns", "whose containers share one range of ids, which is not the machine's"));
    }
    if share.contains(&Shared::Network) && container.network_mode == NetworkMode::Host {
        return Some(("network_mode", "whose containers share a network, which is not the machine's"));
    }
    let named = share.contains(&Shared::Uts) && written("hostname");
    named.then_some(("hostname", "whose containers share a host name, which is the group's"))
}

fn unknown(name: &str, known: &BTreeSet<&str>) -> Mistake {
    let mistake = Mistake::new(format!("there is no container `{name}`"));
    match nearest(name, known.iter().copied()) {
        Some(near) => mistake.help(format!("did you mean `{near}`?")),
        None => mistake.help(format!("declare [container.{name}], or leave it out")),
    }
}

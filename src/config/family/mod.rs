//! Templates, instances and replicas: tables that many containers are made of → a table for each of them.
//!
//! `[container."worker@"]` is a template, `[container."worker@a"]` an instance, which has what the template has
//! and it has not itself (`inherit`). `replicas = 3` in `[container.web]`, or in a template, makes the instances
//! `web@1` to `web@3`; what has instances is a family, and `web` in another's `depends_on` is all of them
//! (`members`). `%i` in any of their texts is what stands after the `@` (`specifier`).
//!
//! All this is done to the tree, before anybody asks what a key means: an instance is judged as if it had been
//! written out, and each of its values still knows the place where it stands. The table that the instances
//! are made of stays in the tree, marked, so that its keys are judged where nobody inherits them, too.

mod inherit;
mod members;
mod specifier;
#[cfg(test)]
mod tests;

use super::MAX_CONTAINERS;
use super::diagnostic::Mistake;
use super::nearest::nearest;
use super::report::Report;
use super::tree::{Entry, Map, Node, Path, Place, Value};
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Values that are made by inheritance, all together: 128 for each of as many containers as there may be.
/// A machine is smaller than what a page of text could ask for.
const MAX_MADE: usize = 128 * MAX_CONTAINERS;

/// The key that makes instances.
const REPLICAS: &str = "replicas";

/// What stands before the `@` of an instance's name: `web` of `web@1`.
pub fn family(name: &str) -> Option<&str> {
    name.split_once('@')
        .filter(|(family, instance)| !family.is_empty() && !instance.is_empty())
        .map(|it| it.0)
}

/// What instances are made of, and which there are.
struct Family {
    /// The name of its table: `worker@`, or `web`.
    table: String,
    at: Place,
    /// The whole names, those that replicas make first.
    members: Vec<String>,
    /// Whether these are all: a number of replicas that is none says nothing.
    whole: bool,
}

type Families = BTreeMap<String, Family>;

/// Makes the instances of all families.
pub(crate) fn expand(report: &mut Report<'_>, tree: &mut Map) {
    let Some(containers) = tree.entries.get_mut("container") else { return };
    let Value::Table(map) = &mut containers.node.value else { return };
    let mut families = tables(report, map);
    let declared = instances(report, map, &families);
    let others = map.entries.len().saturating_sub(families.len()).saturating_sub(declared.len());
    let mut room = MAX_CONTAINERS.saturating_sub(others);
    let mut left = MAX_MADE;
    for (base, family) in &mut families {
        let own = declared.iter().filter(|(of, _)| of == base).map(|(_, name)| name.clone()).collect();
        family.members = names(report, map, base, family, own, &mut room);
        make(report, map, base, family, &mut left);
    }
    members::resolve(report, map, &families, &mut left);
}

/// What was found wrong in a template is said; it is no container that could be invalid.
pub(crate) fn forget_templates(report: &mut Report<'_>, tree: &Map) {
    let map = tree.get("container").and_then(Node::map);
    let templates = map.into_iter().flat_map(|map| &map.entries);
    for (name, _) in templates.filter(|(_, entry)| entry.node.map().is_some_and(|map| map.template)) {
        report.invalid.remove(name);
    }
}

/// The tables that instances are made of, under the names of their families.
fn tables(report: &mut Report<'_>, map: &Map) -> Families {
    let mut families = Families::new();
    for (name, entry) in &map.entries {
        let Some(table) = entry.node.map() else { continue };
        let base = match name.strip_suffix('@') {
            Some(base) if !base.is_empty() && !base.contains('@') => base,
            // A number that is none is judged with the other keys; until then it is a container.
            None if !name.contains('@') && replicas(table).is_some() => name,
            Some(_) | None => continue,
        };
        if name != base && map.has(base) {
            let mistake = Mistake::new(format!("`{base}` and `{name}` are both declared"));
            let help = "what depends on the one could mean the other: give one of them another name";
            report.error(entry.at, &Path::keys(&["container", name]), mistake.help(help));
        }
        let whole = !table.has(REPLICAS) || replicas(table).is_some();
        let family = Family { table: name.clone(), at: entry.at, members: Vec::new(), whole };
        families.entry(base.to_owned()).or_insert(family);
    }
    families
}

fn replicas(table: &Map) -> Option<usize> {
    let count = table.get(REPLICAS).and_then(Node::integer);
    count.and_then(|count| usize::try_from(count).ok()).filter(|count| *count <= MAX_CONTAINERS)
}

/// The instances that have tables of their own: family and name.
fn instances(report: &mut Report<'_>, map: &mut Map, families: &Families) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, entry) in &mut map.entries {
        let Some(base) = family(name) else { continue };
        let path = Path::keys(&["container", name]);
        if !families.contains_key(base) {
            let mistake = Mistake::new(format!("there is no template for `{name}`"));
            let help = match nearest(base, families.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}@{}`?", instance(name)),
                None => format!("declare [container.\"{base}@\"], or write the name without `@`"),
            };
            report.error(entry.at, &path, mistake.help(help));
            entry.node.value = Value::Wrong;
            continue;
        }
        if let Value::Table(own) = &mut entry.node.value
            && let Some(key) = own.entries.remove(REPLICAS)
        {
            let mistake =
                Mistake::new(format!("`{name}` is one container")).help("replicas are a template's");
            report.error(key.at, &path, mistake);
        }
        found.push((base.to_owned(), name.clone()));
    }
    found
}

/// What stands after the `@`.
fn instance(name: &str) -> &str {
    name.split_once('@').map_or("", |(_, instance)| instance)
}

/// The names of a family's members: its replicas, then those of `own` that are none of them. `room`: how many
/// containers there may still be.
fn names(
    report: &mut Report<'_>,
    map: &Map,
    base: &str,
    family: &Family,
    own: Vec<String>,
    room: &mut usize,
) -> Vec<String> {
    let count = map.get(&family.table).and_then(Node::map).and_then(replicas);
    let mut members: Vec<String> =
        (1..=count.unwrap_or(0)).map(|number| format!("{base}@{number}")).collect();
    for name in own {
        if members.contains(&name) {
            continue;
        }
        let is_number = instance(&name).bytes().all(|byte| byte.is_ascii_digit());
        if let (Some(count), true) = (count, is_number) {
            let at = map.entries.get(&name).map_or(family.at, |entry| entry.at);
            let mistake = Mistake::new(format!("`{name}` is none of the {count} replicas of `{base}`"));
            let help = "replicas are counted from 1; raise the number, or give it a name with a letter";
            report.error(at, &Path::keys(&["container", &name]), mistake.help(help));
        }
        members.push(name);
    }
    if members.is_empty() && count.is_none() && family.whole {
        let mistake = Mistake::new(format!("`{}` has no instance, and runs nothing", family.table));
        let help = format!("declare [container.\"{base}@a\"], or write replicas = 2");
        report.warning(family.at, &Path::keys(&["container", &family.table]), mistake.help(help));
    }
    if members.len() > *room {
        let first = members.get(*room).map(String::as_str).unwrap_or_default();
        let message = format!(
            "there are more than {MAX_CONTAINERS} containers; `{first}` and those after it are left out"
        );
        report.error(family.at, &Path::keys(&["container", first]), Mistake::new(message));
        members.truncate(*room);
    }
    *room = room.saturating_sub(members.len());
    members
}

/// Gives each member what the family's table has, and marks that.
fn make(report: &mut Report<'_>, map: &mut Map, base: &str, family: &mut Family, left: &mut usize) {
    let Some(entry) = map.entries.get(&family.table).cloned() else { return };
    let Value::Table(table) = &entry.node.value else { return };
    let mut table = table.clone();
    table.entries.remove(REPLICAS);
    let weight = inherit::weight(&table);
    let reasons = report.invalid.remove(&family.table).unwrap_or_default();
    let mut made = Vec::new();
    for name in core::mem::take(&mut family.members) {
        if *left < weight {
            let message =
                format!("what `{}` and other templates make is too much; `{name}` is left out", family.table);
            let mistake = Mistake::new(message).help("take replicas or keys away");
            report.error(family.at, &Path::keys(&["container", &name]), mistake);
            map.entries.remove(&name);
            continue;
        }
        *left = left.saturating_sub(weight);
        let own = map.entries.remove(&name).unwrap_or_else(|| Entry { node: empty(&entry), ..entry.clone() });
        let mut whole = inherit::from(own, &table);
        specifier::fill(report, &name, base, instance(&name), &mut whole);
        for reason in &reasons {
            report.invalidate(&name, reason.to_string());
        }
        map.entries.insert(name.clone(), whole);
        made.push(name);
    }
    family.members = made;
    if let Some(Entry { node: Node { value: Value::Table(table), .. }, .. }) =
        map.entries.get_mut(&family.table)
    {
        table.template = true;
        specifier::hide(table);
    }
}

/// The table of a replica that is not written out; it stands where its family's does.
fn empty(entry: &Entry) -> Node {
    Node { at: entry.node.at, value: Value::Table(Map { declared: true, ..Map::default() }) }
}

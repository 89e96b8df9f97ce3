//! Where another container is named, a family's name is all of its members.

use super::super::diagnostic::Mistake;
use super::super::report::Report;
use super::super::tree::{Entry, Map, Node, Path, Place, Step, Value};
use super::{Families, inherit};
use alloc::collections::btree_map;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The keys of a container that name others: lists of names, or tables with names as keys.
const NAMING: [&str; 2] = ["depends_on", "conflicts"];

/// Writes the members' names in the place of their family's.
pub(super) fn resolve(report: &mut Report<'_>, map: &mut Map, families: &Families, left: &mut usize) {
    for (name, entry) in &mut map.entries {
        let Value::Table(container) = &mut entry.node.value else { continue };
        if container.template {
            continue;
        }
        for key in NAMING {
            let Some(Entry { node, .. }) = container.entries.get_mut(key) else { continue };
            let path = Path::keys(&["container", name, key]);
            let mut resolver = Resolver { report, families, left };
            match &mut node.value {
                Value::List(items) => *items = resolver.list(&path, core::mem::take(items)),
                Value::Table(table) => resolver.table(&path, table),
                Value::Text(_)
                | Value::Integer { .. }
                | Value::Float { .. }
                | Value::Flag(_)
                | Value::Moment
                | Value::Wrong => {}
            }
        }
    }
}

struct Resolver<'r, 'a> {
    report: &'r mut Report<'a>,
    families: &'r Families,
    left: &'r mut usize,
}

impl Resolver<'_, '_> {
    fn list(&mut self, path: &Path<'_>, items: Vec<Node>) -> Vec<Node> {
        let mut resolved = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            match item.text().and_then(|name| self.members(name, &path.and(Step::Item(index)), item.at, 1)) {
                Some(members) => {
                    let named = |name: &String| Node { at: item.at, value: Value::Text(name.clone()) };
                    resolved.extend(members.iter().map(named));
                }
                None => resolved.push(item),
            }
        }
        resolved
    }

    /// What is said of one member by its own name counts.
    fn table(&mut self, path: &Path<'_>, table: &mut Map) {
        let named: Vec<String> =
            table.entries.keys().filter(|name| self.families.contains_key(*name)).cloned().collect();
        for name in named {
            let Some(entry) = table.entries.remove(&name) else { continue };
            let weight = entry.node.map().map_or(1, inherit::weight);
            match self.members(&name, &path.and(Step::Key(&name)), entry.at, weight) {
                Some(members) => {
                    for member in members {
                        if let btree_map::Entry::Vacant(free) = table.entries.entry(member.clone()) {
                            free.insert(entry.clone());
                        }
                    }
                }
                None => {
                    table.entries.insert(name, entry);
                }
            }
        }
    }

    /// `None`: it is no family.
    fn members(&mut self, name: &str, path: &Path<'_>, at: Place, weight: usize) -> Option<&'_ [String]> {
        let family = self.families.get(name).filter(|family| family.whole)?;
        if family.members.is_empty() {
            let mistake = Mistake::new(format!("`{name}` has no instance: nothing is waited for"));
            self.report.warning(at, path, mistake);
        }
        let needed = family.members.len().saturating_mul(weight);
        if needed > *self.left {
            let mistake = Mistake::new(format!("all of `{name}` are more than can be waited for here"));
            self.report.error(at, path, mistake.help("wait for one of them"));
            return Some(&[]);
        }
        *self.left = self.left.saturating_sub(needed);
        Some(&family.members)
    }
}

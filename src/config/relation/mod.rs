//! What must hold between tables: names that are used and names that exist.

mod conflicts;
mod cycle;
mod depends;
mod forward;
mod groups;
mod mounts;
mod network;
mod sockets;
mod totals;

use super::model::Config;
use super::report::Report;
use super::tree::{Entry, Map, Node, Path, Place};

/// `tree` is what `config` was taken from. What is wrong in the host's part is taken out of `config`.
pub(crate) fn check(report: &mut Report<'_>, tree: &Map, config: &mut Config) {
    depends::check(report, tree, config);
    conflicts::check(report, tree, config);
    forward::check(report, tree, config);
    groups::check(report, tree, config);
    mounts::check(report, tree, config);
    network::check(report, tree, config);
    sockets::check(report, tree, config);
    totals::check(report, tree, config);
}

/// Where the value at `path` stands.
fn place(tree: &Map, path: &Path<'_>) -> Place {
    Node::locate(tree, path).map_or(Place { file: 0, start: 0, end: 0 }, |node| node.at)
}

/// The names of a table of tables, right or wrong; no templates.
fn names<'t>(tree: &'t Map, table: &str) -> impl Iterator<Item = &'t str> {
    let map = tree.get(table).and_then(Node::map);
    let real = |entry: &Entry| !entry.node.map().is_some_and(|map| map.template);
    map.into_iter()
        .flat_map(|map| map.entries.iter())
        .filter(move |(_, entry)| real(entry))
        .map(|(name, _)| name.as_str())
}

//! Collectors: each is one place, and has one entry.

use super::super::collector::TlsFiles;
use super::super::diagnostic::Mistake;
use super::super::model::Config;
use super::super::report::Report;
use super::super::tree::{Map, Node, Path, Place, Step};
use super::super::value::forward;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Reports a second one of the same name: how far logs were sent is kept by it. The first is left in `config`. And files
/// that whoever opens them might wait for.
pub(crate) fn check(report: &mut Report<'_>, tree: &Map, config: &mut Config) {
    let list = Path::keys(&["host", "log", "forward"]);
    let mut first: BTreeMap<String, Place> = BTreeMap::new();
    for (index, entry) in Node::locate(tree, &list).map(Node::each).unwrap_or_default().iter().enumerate() {
        for key in OF_TLS {
            let Some(node) = entry.map().and_then(|entry| entry.get(key)) else { continue };
            if node.text().is_some_and(is_on_disk) {
                let mistake = Mistake::new(format!("`{key}` is on the disk, which may not answer"))
                    .help("put it beside the configuration");
                let item = list.and(Step::Item(index));
                report.error_with(node.at, &item.and(Step::Key(key)), mistake, Vec::new());
            }
        }
        let Some(node) = entry.map().and_then(|entry| entry.get("to")) else { continue };
        let Some(to) = node.read(forward::destination).map(|to| to.to_string()) else { continue };
        let Some(known) = first.get(&to).copied() else {
            first.insert(to, node.at);
            continue;
        };
        let item = list.and(Step::Item(index));
        let notes = Vec::from([format!("first at {}", report.short(known))]);
        let mistake = Mistake::new(format!("logs are sent to {to} already"))
            .help("leave one of both out; another `server_name` does not make it another collector");
        report.error_with(node.at, &item.and(Step::Key("to")), mistake, notes);
    }
    let mut known: Vec<String> = Vec::new();
    config.host.log_forward.retain(|forward| {
        let to = forward.to.to_string();
        let is_new = !known.contains(&to);
        known.extend(is_new.then_some(to));
        is_new && !forward.files.as_ref().is_some_and(|files| paths(files).any(is_on_disk))
    });
}

/// Files of TLS.
const OF_TLS: [&str; 3] = ["ca", "cert", "key"];

fn paths(files: &TlsFiles) -> impl Iterator<Item = &str> {
    let own = files.own.iter().flat_map(|(cert, key)| [cert, key]);
    core::iter::once(&files.ca).chain(own).map(String::as_str)
}

/// Where `[host.disk]` is mounted.
fn is_on_disk(path: &str) -> bool {
    path.starts_with("/var/lib/orlop/")
}

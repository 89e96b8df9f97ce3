//! Volumes that are mounted by name are declared, and declared rightly.

use super::super::diagnostic::Mistake;
use super::super::model::{Config, VolumeSource};
use super::super::nearest::nearest;
use super::super::report::Report;
use super::super::tree::{Map, Node, Path, Step, Value};
use super::super::value::mount;
use super::{names, place};
use alloc::collections::BTreeMap;
use alloc::format;

pub(crate) fn check(report: &mut Report<'_>, tree: &Map, config: &mut Config) {
    config.volumes.retain(|name, _| !report.wrong_volumes.contains(name));
    for name in config.containers.keys() {
        let list = Path::keys(&["container", name, "volumes"]);
        let items = Node::locate(tree, &list).filter(|node| matches!(node.value, Value::List(_)));
        for (index, item) in items.map(Node::each).unwrap_or_default().iter().enumerate() {
            let Some(VolumeSource::Named(volume)) = source(item) else { continue };
            if config.volumes.contains_key(&volume) {
                continue;
            }
            let path = list.and(Step::Item(index));
            let mistake = if names(tree, "volume").any(|known| known == volume) {
                Mistake::new(format!("[volume.{volume}] is wrong itself"))
            } else {
                let help = match nearest(&volume, names(tree, "volume")) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("declare it: [volume.{volume}]"),
                };
                Mistake::new(format!("`{name}` mounts `{volume}`, and there is no volume of this name"))
                    .help(help)
            };
            report.error(place(tree, &path), &path, mistake);
        }
    }
    one_place_for_all(report, tree, config);
}

/// One table says for all instances what they mount: that they write to one place may not be what was meant.
fn one_place_for_all(report: &mut Report<'_>, tree: &Map, config: &Config) {
    let mut first: BTreeMap<(&str, &VolumeSource), &str> = BTreeMap::new();
    for (name, container) in &config.containers {
        let Some(family) = super::super::family(name) else { continue };
        for (index, mount) in container.volumes.iter().enumerate() {
            if mount.read_only || mount.source == VolumeSource::Anonymous {
                continue;
            }
            let taken = *first.entry((family, &mount.source)).or_insert(name);
            if taken == name {
                continue;
            }
            let (VolumeSource::Named(what) | VolumeSource::Bind(what)) = &mount.source else { continue };
            let list = Path::keys(&["container", name, "volumes"]);
            let path = list.and(Step::Item(index));
            let mistake = Mistake::new(format!("`{taken}` and `{name}` both write to `{what}`"));
            let help = format!("`{what}-%i` is another one for each; `:ro` is for what they only read");
            report.warning(place(tree, &path), &path, mistake.help(help));
        }
    }
}

/// What an item of `volumes` mounts, in either form.
fn source(item: &Node) -> Option<VolumeSource> {
    match item.map() {
        Some(map) => map.get("source").and_then(|node| node.read(mount::source_of)),
        None => item.read(mount::volume).map(|volume| volume.source),
    }
}

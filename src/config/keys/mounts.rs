//! `volumes`, `tmpfs` of a container, and `[volume.NAME]`.

use super::super::diagnostic::Mistake;
use super::super::model::{Container, Tmpfs, Volume, VolumeMount, VolumeSource};
use super::super::shape::{Key, Keys, Problem, Shape, refused, word};
use super::super::tree::{Map, Node, Step};
use super::super::value::{mount, path};
use super::kinds::{self, size_from};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The smallest tmpfs: one page would not hold a file and its folder.
const LEAST_VOLUME: u64 = 64 << 10;

/// `[volume.NAME]`
pub(crate) static NAMED: Keys<Volume> = Keys {
    what: "a volume",
    keys: &[Key::new(
        "size",
        size_from(LEAST_VOLUME),
        "size = \"64M\"",
        "The most it may hold. A volume is a tmpfs of this size. Without it: half of the machine's memory.",
        |node, volume: &mut Volume| volume.size = node.bytes(),
    )],
    refused: &[
        refused("driver", "every volume is a tmpfs in this version: leave it out"),
        refused("driver_opts", "every volume is a tmpfs in this version: size = \"64M\" is its one key"),
        refused("external", "every volume belongs to the machine: leave it out"),
        refused("name", "the name is the table's: [volume.NAME]"),
        refused("labels", "volumes have no labels in this version"),
    ],
    rules: &[],
};

/// The long form of an item of `volumes`.
pub(crate) static VOLUME: Keys<Long> = Keys {
    what: "a volume's long form",
    keys: &[
        Key::new(
            "type",
            Shape::Word {
                words: &[
                    word("volume", "A [volume.NAME], or a private volume when there is no `source`."),
                    word("bind", "A path on the machine."),
                    word("tmpfs", "A tmpfs of its own."),
                ],
                refused: &[
                    refused("npipe", "there are no Windows pipes here"),
                    refused("cluster", "there is no cluster: write \"volume\""),
                    refused("image", "an image cannot be mounted in this version"),
                ],
            },
            "type = \"volume\"",
            "What is mounted.",
            |node, long: &mut Long| long.kind = node.text().map(String::from).unwrap_or_default(),
        )
        .required(),
        Key::new(
            "source",
            Shape::Text(&kinds::VOLUME_SOURCE),
            "source = \"data\"",
            "The volume's name, or an absolute path on the machine.",
            |node, long: &mut Long| long.source = node.read(mount::source_of),
        ),
        Key::new(
            "target",
            Shape::Text(&kinds::TARGET),
            "target = \"/data\"",
            "Where it is in the container.",
            |node, long: &mut Long| long.target = node.read(path::mount_point).unwrap_or_default(),
        )
        .required(),
        Key::new(
            "read_only",
            Shape::Flag,
            "read_only = true",
            "Whether the container can only read it.",
            |node, long: &mut Long| long.read_only = node.flag().unwrap_or_default(),
        )
        .default("false"),
        Key::new(
            "tmpfs",
            Shape::Table(&TMPFS),
            "tmpfs = { size = \"64M\" }",
            "For `type = \"tmpfs\"`: its size and mode.",
            |node, long: &mut Long| super::fill(&TMPFS, node, &mut long.tmpfs),
        ),
    ],
    refused: &[
        refused("bind", "a bind takes no options in this version: leave it out"),
        refused("volume", "a volume takes no options in this version: leave it out"),
        refused("image", "an image cannot be mounted in this version"),
        refused("consistency", "a mount is always consistent: leave it out"),
        refused("destination", "write target = \"/data\""),
        refused("readonly", "write read_only = true"),
    ],
    rules: &[source_fits_type],
};

static TMPFS: Keys<Tmpfs> = Keys {
    what: "`tmpfs`",
    keys: &[
        Key::new(
            "size",
            size_from(1),
            "size = \"64M\"",
            "The most it may hold.",
            |node, tmpfs: &mut Tmpfs| tmpfs.size = node.bytes(),
        ),
        Key::new(
            "mode",
            Shape::Text(&kinds::MODE),
            "mode = \"1777\"",
            "Its permissions, in octal.",
            |node, tmpfs: &mut Tmpfs| tmpfs.mode = node.read(mount::mode),
        ),
    ],
    refused: &[],
    rules: &[],
};

#[derive(Default)]
pub(crate) struct Long {
    kind: String,
    source: Option<VolumeSource>,
    target: String,
    read_only: bool,
    tmpfs: Tmpfs,
}

pub(crate) fn take_volumes(node: &Node, container: &mut Container) {
    for item in node.each() {
        if let Some(volume) = item.read(mount::volume) {
            make_room(container, &volume.target);
            container.volumes.push(volume);
        } else if let Some(map) = item.map().filter(|map| !map.incomplete) {
            let mut long = Long::default();
            VOLUME.fill(map, &mut long);
            let Long { kind, source, target, read_only, tmpfs } = long;
            make_room(container, &target);
            if kind == "tmpfs" {
                container.tmpfs.push(Tmpfs { target, ..tmpfs });
            } else {
                let source = source.unwrap_or(VolumeSource::Anonymous);
                container.volumes.push(VolumeMount { source, target, read_only });
            }
        }
    }
}

pub(crate) fn take_tmpfs(node: &Node, container: &mut Container) {
    for tmpfs in node.read_each(mount::tmpfs) {
        make_room(container, &tmpfs.target);
        container.tmpfs.push(tmpfs);
    }
}

/// What `security` has put there gives way.
fn make_room(container: &mut Container, target: &str) {
    container.tmpfs.retain(|tmpfs| tmpfs.target != target);
}

fn source_fits_type(long: &Map, problems: &mut Vec<Problem>) {
    let source = long.get("source").and_then(|node| node.read(mount::source_of));
    let mut wrong = |key, message: &str, help: &str| {
        problems.push(Problem::error(key, Mistake::new(message).help(help)));
    };
    match (long.text("type"), source) {
        (Some("bind"), None) if !long.has("source") => {
            wrong("", "a bind needs a `source`", "write source = \"/path/on/the/machine\"");
        }
        (Some("bind"), Some(VolumeSource::Named(_))) => {
            wrong("source", "the source of a bind is an absolute path", "or write type = \"volume\"");
        }
        (Some("volume"), Some(VolumeSource::Bind(_))) => {
            wrong("source", "the source of a volume is its name", "or write type = \"bind\"");
        }
        (Some("tmpfs"), Some(_)) => wrong("source", "a tmpfs has no source", "leave it out"),
        _ => {}
    }
    if long.text("type") != Some("tmpfs") && long.get("tmpfs").is_some() {
        wrong("tmpfs", "only a tmpfs takes `tmpfs`", "write type = \"tmpfs\", or leave it out");
    }
    if long.text("type") == Some("tmpfs") && long.get("read_only").and_then(Node::flag) == Some(true) {
        wrong("read_only", "a tmpfs that can only be read stays empty", "leave it out");
    }
}

/// Two mounts in one place: one of them would be hidden.
pub(crate) fn one_mount_a_target(container: &Map, problems: &mut Vec<Problem>) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for key in ["volumes", "tmpfs"] {
        let Some(node) = container.get(key) else { continue };
        let is_list = matches!(node.value, super::super::tree::Value::List(_));
        for (index, item) in node.each().iter().enumerate() {
            let short = if key == "tmpfs" { item.read(mount::tmpfs).map(|tmpfs| tmpfs.target) } else { None };
            let short = short.or_else(|| item.read(mount::volume).map(|volume| volume.target));
            let long =
                || item.map().and_then(|map| map.get("target")).and_then(|node| node.read(path::mount_point));
            let Some(target) = short.or_else(long) else { continue };
            if let Some(first) = seen.insert(target.clone(), key) {
                let message = format!("{target} is mounted on twice: in `{first}` and here");
                let problem = Problem::error(key, Mistake::new(message));
                problems.push(if is_list { problem.inside(Step::Item(index)) } else { problem });
            }
        }
    }
}

//! The program: `command`, `environment`, `env_file`, `user`, capabilities.

use super::super::diagnostic::Mistake;
use super::super::model::{Capabilities, Container, EnvFile, Seccomp};
use super::super::shape::{Key, Keys, Problem, Shape, refused};
use super::super::tree::{Map, Node, Step};
use super::super::value::{capability, environment, path, words};
use super::kinds;
use crate::ordered::Ordered;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A command: a string that is split like a shell would, or a list of words.
pub(crate) const COMMAND: Shape =
    Shape::Any(&[Shape::Text(&kinds::COMMAND), Shape::List(&Shape::Text(&kinds::ANY))]);

/// Variables: a table, or a list of `NAME=value`.
pub(crate) const ENVIRONMENT: Shape = Shape::Any(&[
    Shape::Map { name: &kinds::ENV_NAME, value: &kinds::SCALAR },
    Shape::List(&Shape::Text(&kinds::ENV)),
]);

/// Labels: a table, or a list of `key=value`.
pub(crate) const LABELS: Shape = Shape::Any(&[
    Shape::Map { name: &kinds::LABEL_KEY, value: &kinds::SCALAR },
    Shape::List(&Shape::Text(&kinds::LABEL)),
]);

/// Files with variables: paths, or tables with a path.
pub(crate) const ENV_FILES: Shape =
    Shape::OneOrMore(&Shape::Any(&[Shape::Text(&kinds::BESIDE), Shape::Table(&ENV_FILE)]));

static ENV_FILE: Keys<EnvFile> = Keys {
    what: "an entry of `env_file`",
    keys: &[
        Key::new(
            "path",
            Shape::Text(&kinds::BESIDE),
            "path = \"db.env\"",
            "The file, relative to the config folder; an absolute path is one on the machine.",
            |node, file: &mut EnvFile| file.path = node.read(path::beside).unwrap_or_default(),
        )
        .required(),
        Key::new(
            "required",
            Shape::Flag,
            "required = false",
            "Whether the container cannot start without it.",
            |node, file: &mut EnvFile| file.required = node.flag().unwrap_or(file.required),
        )
        .default("true"),
    ],
    refused: &[refused("format", "there is one format, a line NAME=value each: leave it out")],
    rules: &[],
};

pub(crate) fn command(node: &Node) -> Option<Vec<String>> {
    match node.text() {
        Some(text) => words::split(text).ok(),
        None => Some(node.texts()),
    }
}

pub(crate) const TTY: Key<Container> = Key::new(
    "tty",
    Shape::Flag,
    "tty = true",
    "Whether it has a terminal: `orlop attach` shows it and types there, and its log is what is written on it. Lines \
     then end with a carriage return, and the standard error is no other than the output.",
    |node, container: &mut Container| container.tty = node.flag().unwrap_or_default(),
)
.default("false");

pub(crate) const STDIN_OPEN: Key<Container> = Key::new(
    "stdin_open",
    Shape::Flag,
    "stdin_open = true",
    "Whether it has a standard input, which `orlop attach` writes to, and which does not end. Without it the input \
     is empty, unless it is a terminal.",
    |node, container: &mut Container| container.stdin_open = node.flag().unwrap_or_default(),
)
.default("false");

pub(crate) fn take_environment(node: &Node, container: &mut Container) {
    container.environment = pairs(node, environment::assignment);
}

pub(crate) fn take_labels(node: &Node, container: &mut Container) {
    container.labels = pairs(node, environment::label_assignment).into_iter().ordered();
}

type Split = fn(&str) -> Result<(&str, &str), Mistake>;

/// Keys and values in the order written, from a table or from a list.
fn pairs(node: &Node, split: Split) -> Vec<(String, String)> {
    let owned = |(key, value): (&str, &str)| (key.to_string(), value.to_string());
    match node.map() {
        Some(map) => {
            let written = map.in_order().into_iter();
            written.filter_map(|(key, entry)| entry.node.scalar().map(|value| owned((key, value)))).collect()
        }
        None => node
            .each()
            .iter()
            .filter_map(|item| item.text().and_then(|text| split(text).ok()).map(owned))
            .collect(),
    }
}

pub(crate) fn take_env_files(node: &Node, container: &mut Container) {
    container.env_file = node.each().iter().filter_map(env_file).collect();
}

fn env_file(node: &Node) -> Option<EnvFile> {
    let mut file = EnvFile { path: node.read(path::beside).unwrap_or_default(), required: true };
    match node.map() {
        Some(map) if map.incomplete => return None,
        Some(map) => ENV_FILE.fill(map, &mut file),
        None => node.text().map(drop)?,
    }
    Some(file)
}

pub(crate) fn take_groups(node: &Node, container: &mut Container) {
    let one = |node: &Node| {
        node.integer().map(|id| id.to_string()).or_else(|| node.text().map(ToString::to_string))
    };
    container.group_add = node.each().iter().filter_map(one).collect();
}

pub(crate) fn take_cap_add(node: &Node, container: &mut Container) {
    container.cap_add = union(node);
}

/// Comes after `cap_add`: with ALL in one of the two, the other names the exceptions.
pub(crate) fn take_cap_drop(node: &Node, container: &mut Container) {
    let drop = union(node);
    match container.cap_add {
        Capabilities::ALL => {
            container.cap_add = Capabilities::ALL.without(drop);
            container.cap_drop = drop;
        }
        add => container.cap_drop = drop.without(add),
    }
}

pub(crate) fn seccomp(node: &Node) -> Seccomp {
    match node.text() {
        None | Some("default") => Seccomp::Default,
        Some("unconfined") => Seccomp::Unconfined,
        Some(_) => node.read(path::beside).map_or(Seccomp::Default, Seccomp::File),
    }
}

fn union(node: &Node) -> Capabilities {
    node.read_each(capability::parse).into_iter().fold(Capabilities::default(), Capabilities::and)
}

pub(crate) fn no_capability_in_both(container: &Map, problems: &mut Vec<Problem>) {
    let sets = |key| container.get(key).map(|node| node.read_each(capability::parse)).unwrap_or_default();
    let added = sets("cap_add");
    for (index, item) in container.get("cap_drop").map(Node::each).unwrap_or_default().iter().enumerate() {
        if let Some(dropped) = item.read(capability::parse).filter(|dropped| added.contains(dropped)) {
            let name =
                if dropped == Capabilities::ALL { String::from("ALL") } else { dropped.names().collect() };
            let mistake = Mistake::new(format!("{name} is in `cap_add` and in `cap_drop`"));
            problems.push(
                Problem::error("cap_drop", mistake.help("take it out of one of the two"))
                    .inside(Step::Item(index)),
            );
        }
    }
}

pub(crate) fn no_variable_twice(container: &Map, problems: &mut Vec<Problem>) {
    let lists: [(&str, Split); 2] =
        [("environment", environment::assignment), ("labels", environment::label_assignment)];
    for (key, split) in lists {
        let Some(node) = container.get(key).filter(|node| node.map().is_none()) else { continue };
        let mut seen = BTreeMap::new();
        for (index, item) in node.each().iter().enumerate() {
            let Some((name, _)) = item.text().and_then(|text| split(text).ok()) else { continue };
            if seen.insert(name, ()).is_some() {
                let mistake = Mistake::new(format!("`{name}` is given twice in `{key}`"));
                problems.push(Problem::error(key, mistake).inside(Step::Item(index)));
            }
        }
    }
}

/// There is no shell between us and the program, unless it is one.
pub(crate) fn no_shell(container: &Map, problems: &mut Vec<Problem>) {
    for key in ["command", "entrypoint"] {
        let words = container.text(key).and_then(|text| words::split(text).ok()).unwrap_or_default();
        let Some(operator) = words::operator(&words) else { continue };
        let message = format!("`{operator}` goes to the program as it is: no shell reads `{key}`");
        let help = format!("write {key} = [\"/bin/sh\", \"-c\", \"…\"]");
        problems.push(Problem::warning(key, Mistake::new(message).help(help)));
    }
}

//! `depends_on` of a container.

use super::super::diagnostic::Mistake;
use super::super::life::{Condition, Dependency};
use super::super::model::Container;
use super::super::shape::{Key, Keys, Problem, Shape, refused, word};
use super::super::tree::{Map, Node, Step};
use super::kinds;
use crate::ordered::Ordered;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What a dependency waits for.
const CONDITION: Shape = Shape::Word {
    words: &[
        word("started", "The other container is ready, or was and will be again by itself."),
        word("healthy", "Its health check passes."),
        word("completed", "It ended, with code 0."),
    ],
    refused: &[
        refused("service_started", "write \"started\""),
        refused("service_healthy", "write \"healthy\""),
        refused("service_completed_successfully", "write \"completed\""),
        refused("ready", "write \"started\": that waits until it is ready"),
    ],
};

static DEPENDENCY: Keys<Dependency> = Keys {
    what: "a dependency",
    keys: &[
        Key::new(
            "condition",
            CONDITION,
            "condition = \"healthy\"",
            "What it waits for.",
            |node, dependency: &mut Dependency| dependency.condition = condition(node),
        )
        .required(),
        Key::new(
            "restart",
            Shape::Flag,
            "depends_on = { db = { condition = \"healthy\", restart = true } }",
            "Whether it goes down whenever the other one does, and comes back after it.",
            |node, dependency: &mut Dependency| dependency.restart = node.flag() == Some(true),
        )
        .default("false"),
        Key::new(
            "required",
            Shape::Flag,
            "depends_on = { cache = { condition = \"started\", required = false } }",
            "Whether it stays down when the other one does not come up, or is not declared.",
            |node, dependency: &mut Dependency| dependency.required = node.flag() != Some(false),
        )
        .default("true"),
    ],
    refused: &[],
    rules: &[restart_has_something_to_follow],
};

/// A list of names, or a table with a condition for each.
pub(crate) const DEPENDS_ON: Shape = Shape::Any(&[
    Shape::List(&Shape::Text(&kinds::OTHER)),
    Shape::Map { name: &kinds::OTHER, value: &Shape::Any(&[CONDITION, Shape::Table(&DEPENDENCY)]) },
]);

const PLAIN: Dependency = Dependency { condition: Condition::Started, restart: false, required: true };

pub(crate) fn take(node: &Node, container: &mut Container) {
    let Some(map) = node.map() else {
        container.depends_on = node.texts().into_iter().map(|name| (name, PLAIN)).ordered();
        return;
    };
    let named = map.entries.iter().map(|(name, entry): (&String, _)| {
        let mut dependency = PLAIN;
        match entry.node.map() {
            Some(keys) => DEPENDENCY.fill(keys, &mut dependency),
            None => dependency.condition = condition(&entry.node),
        }
        (name.clone(), dependency)
    });
    container.depends_on = named.ordered();
}

fn condition(node: &Node) -> Condition {
    match node.text() {
        Some("healthy") => Condition::Healthy,
        Some("completed") => Condition::Completed,
        Some(_) | None => Condition::Started,
    }
}

fn restart_has_something_to_follow(dependency: &Map, problems: &mut Vec<Problem>) {
    let completed = dependency.get("condition").and_then(Node::text) == Some("completed");
    if dependency.get("restart").and_then(Node::flag) != Some(true) {
        return;
    }
    if dependency.get("required").and_then(Node::flag) == Some(false) {
        let mistake = Mistake::new("who goes down with the other one requires it");
        problems.push(Problem::error("required", mistake.help("leave `restart` or `required` out")));
    }
    if completed {
        let mistake =
            Mistake::new("`restart` follows one that runs, and \"completed\" waits for one that ended");
        problems.push(Problem::error("restart", mistake.help("leave `restart` out")));
    }
}

/// A list may name a container twice; a table cannot.
pub(crate) fn no_dependency_twice(container: &Map, problems: &mut Vec<Problem>) {
    let Some(node) = container.get("depends_on").filter(|node| node.map().is_none()) else { return };
    let mut seen: Vec<&str> = Vec::new();
    for (index, item) in node.each().iter().enumerate() {
        let Some(name) = item.text() else { continue };
        if seen.contains(&name) {
            let mistake = Mistake::new(format!("`{name}` is listed twice"));
            problems.push(Problem::error("depends_on", mistake).inside(Step::Item(index)));
        }
        seen.push(name);
    }
}

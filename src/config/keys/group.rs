//! `[group.NAME]`.

use super::super::diagnostic::Mistake;
use super::super::life::{Budget, Exhausted, Group, MOST_ATTEMPTS, Shared};
use super::super::model::Config;
use super::super::shape::{Key, Keys, Problem, Shape, refused, word};
use super::super::tree::{Map, Node, Step};
use super::kinds::{self, time_from};
use super::restart::{LONGEST_WINDOW, exhausted};
use crate::ordered::Ordered;
use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

static EACH_NAME: Shape = Shape::Text(&kinds::OTHER);

static EACH_SHARED: Shape = Shape::Word {
    words: &[
        word("network", "One loopback, one set of ports."),
        word("ipc", "System V's semaphores, queues and memory, and POSIX's message queues."),
        word("uts", "One host name, which is the group's."),
    ],
    refused: &[
        refused("net", "write network"),
        refused("pid", "the end of the first process in it would be the end of all others"),
        refused("user", "it is shared whenever anything is"),
        refused("cgroup", "each container has its own limits"),
        refused("mount", "share files by a volume"),
    ],
};

fn shared(word: &str) -> Option<Shared> {
    match word {
        "network" => Some(Shared::Network),
        "ipc" => Some(Shared::Ipc),
        "uts" => Some(Shared::Uts),
        _ => None,
    }
}

static BUDGET: Keys<Budget> = Keys {
    what: "`restart_policy` of a group",
    keys: &[
        Key::new(
            "max_attempts",
            Shape::Integer { min: 1, max: MOST_ATTEMPTS as i64 },
            "restart_policy = { max_attempts = 10 }",
            "How many failures of all its containers within `window` are one too many.",
            |node, budget: &mut Budget| budget.max_attempts = node.number().unwrap_or(budget.max_attempts),
        )
        .required(),
        Key::new(
            "window",
            time_from(Duration::from_secs(1), LONGEST_WINDOW),
            "restart_policy = { max_attempts = 10, window = \"10m\" }",
            "How far back failures count.",
            |node, budget: &mut Budget| budget.window = node.time().unwrap_or(budget.window),
        )
        .default("\"60s\""),
        Key::new(
            "then",
            Shape::Word {
                words: &[
                    word("hold", "Those that fail are tried again at their longest pause, for ever."),
                    word("fail", "All of them are stopped, and `failed`, until a person starts them."),
                    word("restart-group", "All of them are stopped, and started again."),
                    word("reboot", "The machine is rebooted, unless it was booted in the last ten minutes."),
                ],
                refused: &[],
            },
            "restart_policy = { max_attempts = 10, then = \"restart-group\" }",
            "What happens then.",
            |node, budget: &mut Budget| budget.then = exhausted(node),
        )
        .default("\"hold\""),
    ],
    refused: &[
        refused("delay", "each container has its own"),
        refused("max_delay", "each container has its own"),
        refused("healthy_after", "each container has its own"),
    ],
    rules: &[],
};

pub(crate) static GROUP: Keys<Group> = Keys {
    what: "a group",
    keys: &[
        Key::new(
            "containers",
            Shape::List(&EACH_NAME),
            "containers = [\"db\", \"web\"]",
            "Those that are started, stopped and restarted by the group's name. A container is in one group at most.",
            |node, group: &mut Group| {
                group.containers = node.texts().into_iter().map(|name| name.to_string()).collect();
            },
        )
        .required(),
        Key::new(
            "restart_policy",
            Shape::Table(&BUDGET),
            "restart_policy = { max_attempts = 10, then = \"restart-group\" }",
            "A failure budget for all of them together, beside each one's own.",
            |node, group: &mut Group| {
                let mut budget = Budget { max_attempts: 1, window: WINDOW, then: Exhausted::Hold };
                super::fill(&BUDGET, node, &mut budget);
                group.budget = Some(budget);
            },
        ),
        Key::new(
            "share",
            Shape::List(&EACH_SHARED),
            "share = [\"network\", \"ipc\", \"uts\"]",
            "Namespaces that its containers have in common, as those of a pod: they reach one another on 127.0.0.1, have \
             System V's memory and all message queues in common, or the group's name as their host name. With any of \
             them they share one range of ids as well.",
            |node, group: &mut Group| {
                group.share = node.texts().into_iter().filter_map(|word| shared(&word)).ordered();
            },
        )
        .default("[]"),
    ],
    refused: &[
        refused("members", "write containers = [\"db\", \"web\"]"),
        refused("network_mode", "write share = [\"network\"], or network_mode in each container"),
    ],
    rules: &[somebody_is_in_it],
};

/// As of a container's budget.
const WINDOW: Duration = Duration::from_secs(60);

pub(crate) fn take(node: &Node, config: &mut Config) {
    for (name, entry) in node.map().into_iter().flat_map(|map| &map.entries) {
        let Some(map) = entry.node.map() else { continue };
        let mut group = Group { containers: BTreeSet::new(), budget: None, share: BTreeSet::new() };
        GROUP.fill(map, &mut group);
        config.groups.insert(name.to_string(), group);
    }
}

fn somebody_is_in_it(group: &Map, problems: &mut Vec<Problem>) {
    let Some(node) = group.get("containers") else { return };
    let names = node.texts();
    if names.is_empty() {
        problems.push(Problem::error("containers", Mistake::new("nobody is in this group")));
    }
    for (index, name) in names.iter().enumerate() {
        if names.iter().take(index).any(|earlier| earlier == name) {
            let mistake = Mistake::new(alloc::format!("`{name}` is listed twice"));
            problems.push(Problem::error("containers", mistake).inside(Step::Item(index)));
        }
    }
}

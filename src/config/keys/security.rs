//! How far a container is opened to the machine: `security`, `privileged`, `userns`, and what they leave
//! to say.

use super::super::diagnostic::Mistake;
use super::super::model::{Capabilities, CgroupMode, Container, Seccomp, Tmpfs, UserNamespace};
use super::super::shape::{Key, Problem, Shape, refused, word};
use super::super::sysctl::{SysctlOwner, sysctl_owner};
use super::super::tree::{Map, Node};
use super::{host, kinds};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::ToString;

/// pids.max of `security = "strict"`: enough for a program with threads, and no server with forks.
const STRICT_PIDS: u64 = 256;

/// Comes before all keys that it presets, and they win.
pub(crate) const SECURITY: Key<Container> = Key::new(
    "security",
    Shape::Word {
        words: &[
            word("default", "What fits most programs: a range of ids of its own and nine capabilities."),
            word(
                "strict",
                "No capabilities, a root that can only be read, with /tmp and /run in memory, and at most 256 \
                 processes.",
            ),
            word(
                "docker",
                "Docker's fourteen capabilities, and programs may gain privileges: for images with sudo or ping.",
            ),
        ],
        refused: &[refused("privileged", "write privileged = true")],
    },
    "security = \"strict\"",
    "What it begins with; every other key goes over it.",
    take_security,
)
.default("\"default\"");

pub(crate) const PRIVILEGED: Key<Container> = Key::new(
    "privileged",
    Shape::Flag,
    "privileged = true",
    "All capabilities and system calls, all devices, nothing masked or read-only, and a cgroup that it may divide; \
     what other keys say goes over it. It still has ids of its own: only with `userns = \"host\"` it is the \
     machine's root, and nothing keeps it from the machine.",
    take_privileged,
)
.default("false");

pub(crate) const USERNS: Key<Container> = Key::new(
    "userns",
    Shape::Word {
        words: &[
            word("private", "A range of its own: its root is nobody outside."),
            word("host", "The machine's: its root is the machine's, held by capabilities and filters alone."),
        ],
        refused: &[
            refused("auto", "write \"private\": every container has a range of its own"),
            refused("keep-id", "write \"private\": every container has a range of its own"),
            refused("remap", "write \"private\": every container has a range of its own"),
        ],
    },
    "userns = \"host\"",
    "Whose user and group ids it has.",
    |node, container: &mut Container| {
        let host = node.text() == Some("host");
        container.userns = if host { UserNamespace::Host } else { UserNamespace::Private };
    },
)
.default("\"private\"");

pub(crate) const NO_NEW_PRIVILEGES: Key<Container> = Key::new(
    "no_new_privileges",
    Shape::Flag,
    "no_new_privileges = false",
    "Whether programs with a set-user-ID bit or file capabilities gain nothing by it.",
    |node, container: &mut Container| {
        container.no_new_privileges = node.flag().unwrap_or(container.no_new_privileges);
    },
)
.default("true");

pub(crate) const APPARMOR: Key<Container> = Key::new(
    "apparmor",
    Shape::Text(&kinds::APPARMOR),
    "apparmor = \"web\"",
    "The AppArmor profile of the program, by the name that the kernel has it under. Without it: none.",
    |node, container: &mut Container| container.apparmor = node.text().map(ToString::to_string),
);

pub(crate) const CGROUP: Key<Container> = Key::new(
    "cgroup",
    Shape::Word {
        words: &[
            word("private", "It can be read, and nothing else."),
            word(
                "delegate",
                "The container's root may divide it: for a distribution's own init, or a builder of containers. \
                 The limits stay the machine's.",
            ),
        ],
        refused: &[refused("host", "no container sees the machine's cgroups: \"private\" or \"delegate\"")],
    },
    "cgroup = \"delegate\"",
    "What it may do with its cgroup, which is the root of what it sees in /sys/fs/cgroup.",
    |node, container: &mut Container| {
        let delegate = node.text() == Some("delegate");
        container.cgroup = if delegate { CgroupMode::Delegate } else { CgroupMode::Private };
    },
)
.default("\"private\"");

pub(crate) const SYSCTLS: Key<Container> = Key::new(
    "sysctls",
    host::PARAMETERS,
    "sysctls = { \"net.core.somaxconn\" = 1024 }",
    "Kernel parameters that its own namespaces have values of their own for: `net.…`, `kernel.shm…`, `kernel.msg…`, \
     `kernel.sem`, `fs.mqueue.…`, `user.…`.",
    |node, container: &mut Container| host::flatten("", node, &mut container.sysctls),
)
.default("{}");

pub(crate) const INIT: Key<Container> = Key::new(
    "init",
    Shape::Flag,
    "init = true",
    "Whether a small init of Orlop's is its process 1: it passes signals on to the program, reaps what others leave, \
     and ends as the program does. Nothing has to be in the image for it.",
    |node, container: &mut Container| container.init = node.flag().unwrap_or_default(),
)
.default("false");

fn take_security(node: &Node, container: &mut Container) {
    match node.text() {
        Some("strict") => {
            container.cap_base = Capabilities::default();
            container.read_only = true;
            container.limits.pids = Some(STRICT_PIDS);
            for (target, mode) in [("/tmp", 0o1777), ("/run", 0o755)] {
                container.tmpfs.push(Tmpfs { target: target.into(), size: None, mode: Some(mode) });
            }
        }
        Some("docker") => {
            container.cap_base = Capabilities::DOCKER;
            container.no_new_privileges = false;
        }
        Some(_) | None => {}
    }
}

fn take_privileged(node: &Node, container: &mut Container) {
    if node.flag() == Some(true) {
        container.privileged = true;
        container.cap_base = Capabilities::ALL;
        container.seccomp = Seccomp::Unconfined;
        container.no_new_privileges = false;
        container.cgroup = CgroupMode::Delegate;
    }
}

pub(crate) fn not_strict_and_privileged(container: &Map, problems: &mut alloc::vec::Vec<Problem>) {
    if container.text("security") == Some("strict") && is_privileged(container) {
        let mistake = Mistake::new("`security = \"strict\"` and `privileged` contradict each other");
        problems.push(Problem::error("privileged", mistake.help("leave one of them out")));
    }
}

fn is_privileged(container: &Map) -> bool {
    container.get("privileged").and_then(Node::flag) == Some(true)
}

/// That of the machine's root nothing is left but what is written here is better said early.
pub(crate) fn machines_root(container: &Map, problems: &mut alloc::vec::Vec<Problem>) {
    if container.text("userns") == Some("host") && is_privileged(container) {
        let mistake = Mistake::new("it is the machine's root: nothing keeps it from the machine");
        let help = "without userns = \"host\" a privileged container has ids of its own";
        problems.push(Problem::warning("privileged", mistake.help(help)));
    }
}

/// Of its own namespaces alone: all others are the whole machine's.
pub(crate) fn own_sysctls(container: &Map, problems: &mut alloc::vec::Vec<Problem>) {
    let mut sysctls = BTreeMap::new();
    container.get("sysctls").into_iter().for_each(|node| host::flatten("", node, &mut sysctls));
    let host = |key| container.text(key) == Some("host");
    for key in sysctls.keys() {
        let (why, help) = match sysctl_owner(key) {
            None => ("is the whole machine's", format!("write it in [host]: sysctls = {{ \"{key}\" = … }}")),
            Some(SysctlOwner::Uts) => ("is the host name", "write hostname = \"…\"".to_string()),
            Some(SysctlOwner::Network) if host("network_mode") => (
                "is the machine's with network_mode = \"host\"",
                "write it in [host], or leave it out".to_string(),
            ),
            Some(SysctlOwner::User) if host("userns") => {
                ("is the machine's with userns = \"host\"", "write it in [host], or leave it out".to_string())
            }
            Some(_) => continue,
        };
        problems.push(Problem::error("sysctls", Mistake::new(format!("`{key}` {why}")).help(help)));
    }
}

//! What a container shares with others of its group: namespaces, by their places, and the range of ids that owns them.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use super::{ALL_GROUPS, Facts, LOW_PORTS, PING_GROUPS, USER_NAMESPACES, range};
use crate::config::{Container, Pod, Shared};
use crate::container::steps::{NamespaceKind, SharedNamespaces};

/// What has to be there before it starts.
pub(super) fn shared(container: &Container, facts: &Facts) -> Option<SharedNamespaces> {
    let pod = container.pod.as_ref()?;
    let kinds = NamespaceKind::ALL.into_iter().filter(|kind| is_shared(pod, *kind)).collect();
    let set = |(kind, key, value): (NamespaceKind, &str, &str)| (kind, key.to_owned(), value.to_owned());
    let sysctls = DEFAULTS.into_iter().filter(|(kind, ..)| is_shared(pod, *kind)).map(set).collect();
    Some(SharedNamespaces { path: folder(pod, facts), kinds, ids: range(container, facts), sysctls })
}

/// What containers get by default of what they do not share. Whoever is in a group by the time it starts, nobody in it makes
/// user namespaces unless one of them declares that they may.
const DEFAULTS: [(NamespaceKind, &str, &str); 3] = [
    (NamespaceKind::Network, LOW_PORTS, "0"),
    (NamespaceKind::Network, PING_GROUPS, ALL_GROUPS),
    (NamespaceKind::User, USER_NAMESPACES, "0"),
];

/// Whether the parameters of its network, or of its user namespace, are set when those are made, and not at its start.
pub(super) fn has_defaults(container: &Container, kind: NamespaceKind) -> bool {
    container.pod.as_ref().is_some_and(|pod| is_shared(pod, kind))
}

/// Where it finds its namespace of this kind; `None`: it has one of its own.
pub(super) fn place(container: &Container, facts: &Facts, kind: NamespaceKind) -> Option<String> {
    let pod = container.pod.as_ref().filter(|pod| is_shared(pod, kind))?;
    Some(format!("{}/{}", folder(pod, facts), kind.name()))
}

fn folder(pod: &Pod, facts: &Facts) -> String {
    format!("{}/{}", facts.pods, pod.group)
}

fn is_shared(pod: &Pod, kind: NamespaceKind) -> bool {
    match kind {
        NamespaceKind::User => true,
        NamespaceKind::Network => pod.share.contains(&Shared::Network),
        NamespaceKind::Ipc => pod.share.contains(&Shared::Ipc),
        NamespaceKind::Uts => pod.share.contains(&Shared::Uts),
        NamespaceKind::Mount | NamespaceKind::Pid | NamespaceKind::Cgroup | NamespaceKind::Time => false,
    }
}

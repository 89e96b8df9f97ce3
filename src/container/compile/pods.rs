//! What a container shares with others of its group: namespaces, by their places, and the range of ids that owns them.

use alloc::format;
use alloc::string::String;

use super::{Facts, range};
use crate::config::{Container, Pod, Shared};
use crate::container::steps::{NamespaceKind, SharedNamespaces};

/// What has to be there before it starts.
pub(super) fn shared(container: &Container, facts: &Facts) -> Option<SharedNamespaces> {
    let pod = container.pod.as_ref()?;
    let kinds = NamespaceKind::ALL.into_iter().filter(|kind| is_shared(pod, *kind)).collect();
    Some(SharedNamespaces { path: folder(pod, facts), kinds, ids: range(container, facts) })
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

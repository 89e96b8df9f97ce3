//! `features`: what this runtime understands (features.md), taken from the tables that understand it.
//!
//! What is not done is not left out but said to be off.

use orlop::config::Capabilities;
use orlop::container::seccomp::{Action, Architecture, Flag, Operator};
use orlop::container::{KNOWN_OPTIONS, NamespaceKind, memory_policy_names};
use serde_json::json;

use super::SPECIFICATION;
use super::cgroup::Hierarchy;
use super::failure::Result;
use super::names::names;
use super::out::Out;

/// The oldest version of the specification whose config.json is understood.
const OLDEST: &str = "1.0.0";

/// # Errors
/// Nobody reads it.
pub(crate) fn features(hierarchy: &Hierarchy, out: &mut Out) -> Result<()> {
    let capabilities: Vec<String> = Capabilities::ALL.names().collect();
    let enabled = json!({"enabled": true});
    let mut namespaces = NamespaceKind::ALL.map(NamespaceKind::name);
    namespaces.sort_unstable();
    let (modes, flags) = memory_policy_names();
    let (modes, flags): (Vec<&str>, Vec<&str>) = (modes.collect(), flags.collect());
    let mut features = json!({
        "ociVersionMin": OLDEST,
        "ociVersionMax": SPECIFICATION,
        "hooks": ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
        "mountOptions": KNOWN_OPTIONS.as_slice(),
        "linux": {
            "namespaces": namespaces,
            "capabilities": capabilities,
            "cgroup": {"v1": false, "v2": true, "systemd": true, "systemdUser": false, "rdma": true},
            "seccomp": {
                "enabled": true,
                "actions": names::<Action>(),
                "operators": names::<Operator>(),
                "archs": names::<Architecture>(),
                "knownFlags": names::<Flag>(),
                "supportedFlags": names::<Flag>(),
            },
            "apparmor": enabled,
            "selinux": enabled,
            "memoryPolicy": {"modes": modes, "flags": flags},
            "intelRdt": {"enabled": false, "schemata": false, "monitoring": false},
            "mountExtensions": {"idmap": enabled},
            "netDevices": enabled,
        },
        "annotations": {
            "org.opencontainers.runc.checkpoint.enabled": "false",
            "org.orlop.version": env!("CARGO_PKG_VERSION"),
        },
        // No annotation changes what is done.
        "potentiallyUnsafeConfigAnnotations": [],
    });
    if let (Some(missing), Some(annotations)) = (hierarchy.missing(), features.get_mut("annotations")) {
        annotations["org.orlop.missing"] = missing.into();
    }
    out.pretty_json(&features)
}

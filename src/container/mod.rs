//! Container → OCI runtime spec → ordered steps.
//!
//! The spec is the one intermediate form; the steps are data, printable, and executed in one place
//! (`engine/`). Nothing here looks at a file or asks the kernel.

mod audit;
mod cgroup_path;
mod compile;
pub mod devices;
pub mod drift;
mod environment;
pub mod figures;
mod limits;
mod mount_options;
mod plan;
pub mod process;
mod refused;
mod resources;
mod scheduling;
pub mod seccomp;
pub mod spec;
mod steps;
mod update;
mod users;

pub use audit::{Audit, Finding, Level, audit};
pub use cgroup_path::{CgroupNaming, cgroup_path, lent_to_user};
pub use compile::{
    Confinement, Defaults, DeviceKind, Facts, HostDevice, MASKED, NOTIFY_FILE, READ_ONLY, SYSLOG, VERSION,
    arguments, capabilities, compile, compile_with, confinement, delegated_to, has_notify_socket, root,
};
pub use environment::{BadLine, environment, last_of_each, parse_env_file};
pub use mount_options::{Attributes, KNOWN_OPTIONS, MountOptions, Propagation, Reach};
pub use plan::{host_id, is_bind, kinds_of, plan, plan_exec, plan_with};
pub use refused::Refused;
pub use resources::{Missing, Place, Present, Setting, When, controllers, settings};
pub use scheduling::{IoClass, MemoryPolicy, Scheduling, memory_policy_names, scheduler_names};
pub use spec::Spec;
pub use steps::{
    Bind, CapabilitySets, Files, Fresh, IdMap, InsideStep, Manner, Names, NamespaceKind, Node, NodeKind,
    Plan, Root, SetupStep, SharedNamespaces, Taking, Volume,
};
pub use update::{all_settings, changed_settings};
pub use users::{NotFound, Resolved, resolve, user_name};

/// Ids of one container: `0..RANGE` inside is `first..first + RANGE` outside.
pub const RANGE: u32 = 65_536;
/// The first range begins here, above every id that a distribution gives out.
pub const FIRST_ID: u32 = 1 << 20;
/// As many ranges as fit below 2^31 with room to spare.
pub const SLOTS: u32 = 16_384;

/// Assigns every name a range of its own: names in the order of their hash take slot
/// `hash % SLOTS`, or the next that is free. `taken` keeps those given out earlier in this boot.
#[must_use]
pub fn assign_ids<'a>(
    names: impl Iterator<Item = &'a str>,
    taken: &alloc::collections::BTreeMap<alloc::string::String, u32>,
) -> alloc::collections::BTreeMap<alloc::string::String, u32> {
    let mut given = taken.clone();
    let mut used: alloc::collections::BTreeSet<u32> = taken.values().copied().collect();
    let mut wanted: alloc::vec::Vec<(u64, &str)> =
        names.filter(|name| !taken.contains_key(*name)).map(|name| (hash(name), name)).collect();
    wanted.sort_unstable();
    for (hash, name) in wanted {
        let mut slot = (hash % u64::from(SLOTS)) as u32;
        let mut tries = 0;
        while used.contains(&slot) && tries < SLOTS {
            slot = (slot + 1) % SLOTS;
            tries += 1;
        }
        used.insert(slot);
        given.insert(name.into(), slot);
    }
    given
}

/// The first id outside of a slot's range.
#[must_use]
pub fn first_id(slot: u32) -> u32 {
    FIRST_ID + (slot % SLOTS) * RANGE
}

/// FNV-1a: stable over releases, which is all that is asked of it.
fn hash(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;

    #[test]
    fn ranges_are_stable_by_name_and_never_shared() {
        let names: Vec<String> = (0..1000).map(|n| format!("container-{n}")).collect();
        let first = assign_ids(names.iter().map(String::as_str), &BTreeMap::new());
        let again = assign_ids(names.iter().rev().map(String::as_str), &BTreeMap::new());
        assert_eq!(first, again, "the order of declaration does not matter");
        let mut slots: Vec<u32> = first.values().copied().collect();
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), 1000);
        assert!(slots.iter().all(|slot| first_id(*slot).checked_add(RANGE).is_some()));
    }

    #[test]
    fn a_range_given_out_stays_when_names_come_and_go() {
        let before = assign_ids(["a", "b"].into_iter(), &BTreeMap::new());
        let after = assign_ids(["c", "a"].into_iter(), &before);
        assert_eq!(after["a"], before["a"]);
        assert_eq!(after["b"], before["b"]);
        assert_ne!(after["c"], after["a"]);
    }
}

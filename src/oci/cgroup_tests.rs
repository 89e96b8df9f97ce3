//! Which hierarchy is used. What needs one of version 2 is tried in a virtual machine.

use super::*;

#[test]
fn without_a_cgroup_v2_it_says_what_is_missing() {
    let missing = Hierarchy::find(CgroupManager::Disabled).missing();
    assert_eq!(
        missing.as_deref(),
        Some(
            "--cgroup-manager=disabled: containers have no cgroup, no limits, no device filter, and cannot be paused, updated or measured"
        )
    );
}

//! A fork bomb gets as many processes as `limits.pids` says, and one call ends all of them.

use serde_json::json;

use crate::common::{container, world};

#[test]
fn fork_bomb_stays_in_pids() {
    let bomb =
        container("bomb", "forkbomb", "limits = { pids = 40, cpus = 0.2 }\nstop_grace_period = \"1s\"");
    let others = container("neighbour", "sleep", "") + &container("alone", "sleep", "limits = { pids = 1 }");
    let machine = world(&(bomb + &others)).boot();
    assert_eq!(machine.logged("bomb", "then"), "forked 39, then EAGAIN\n");
    let details = machine.ok("Status", json!({ "name": "bomb" }));
    assert_eq!(details["details"]["processes"], 40, "{details}");
    assert_eq!(machine.wait("neighbour", "running")["restarts"], 0);
    // Setup is none of the processes that are counted.
    assert_eq!(machine.wait("alone", "running")["restarts"], 0);
    assert_eq!(machine.ok("Status", json!({ "name": "alone" }))["details"]["processes"], 1);
    machine.ok("Stop", json!({ "name": "bomb" }));
    machine.wait("bomb", "exited");
    machine.power_off();
}

//! PID 1 reaps every orphan, while a supervisor is there and while there is none.

use std::time::Duration;

use serde_json::json;

use crate::common::{container, count, world};

/// Looking costs the machine as much as some dozens of orphans.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Some batches of orphans are made in this time: a count that goes on to grow is seen to.
const SETTLED: Duration = Duration::from_secs(3);

#[test]
fn reaps_every_orphan() {
    let toml = format!("[host]\nfault_injection = true\n{}", container("still", "sleep", ""));
    let machine = world(&toml).boot();
    // The process that loads the devices' modules is an orphan too.
    machine.wait_for_console("boot complete").unwrap_or_else(|error| panic!("{error}"));
    machine.wait("still", "running");
    let before = machine.identity("still");
    let reaped = || machine.ok("Version", json!({}))["orphans"].as_u64().unwrap();
    let at_boot = reaped();
    let made = count(20_000);
    machine.ok("DebugOrphans", json!({ "count": made }));
    // PID 1 alone has to see to them for a while.
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(2);
    while reaped() < at_boot + made {
        assert!(machine.has_not_ended_after(BETWEEN_LOOKS));
    }
    assert!(machine.has_not_ended_after(SETTLED));
    assert_eq!(reaped(), at_boot + made, "more reaped than made");
    assert_eq!(machine.identity("still"), before);
    machine.power_off();
}

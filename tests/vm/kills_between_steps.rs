//! The supervisor dies between every two steps of a start and of an end, one after the other: no
//! status is lost, nothing starts twice, and what has nothing to do with it does not notice.

use serde_json::json;

use crate::common::{container, count, world};
use crate::supervisor_kills::{OFTEN, ONE_LINE, check_ends};

/// A start and an end take about twenty; one more round shows that it goes on.
const STEPS: u64 = 40;

#[test]
fn loses_no_status_wherever_the_supervisor_dies() {
    let toml = [
        "[host]\nfault_injection = true".to_owned(),
        container("still", "sleep", ""),
        container("often", ONE_LINE, OFTEN),
    ];
    let machine = world(&toml.join("\n")).boot();
    machine.wait("still", "running");
    let before = machine.identities(&["still"]);
    for step in 1..=count(STEPS) {
        // Always from the same place, so that each number is another step.
        machine.wait("often", "backoff");
        machine.ok(
            "DebugCrash",
            json!({ "process": "supervisor", "signal": "SIGKILL", "steps": step % STEPS + 1 }),
        );
        let version = machine.supervisor(step + 1);
        assert_eq!(version["safe"], false, "after step {step}");
        assert_eq!(machine.identities(&["still"]), before, "after step {step}");
    }
    check_ends(&machine);
}

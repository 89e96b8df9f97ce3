//! After three supervisors that died before they served, the next starts nothing unasked.

use serde_json::json;

use crate::common::{container, world};

#[test]
fn three_deaths_before_serving_lead_to_safe_mode_and_resume_leaves_it() {
    let often = "restart = \"always\"\nrestart_policy = { delay = \"2s\", max_delay = \"2s\" }";
    let toml = [
        "[host]\nfault_injection = true".to_owned(),
        container("still", "sleep", ""),
        container("often", "exit 1", often),
    ];
    let machine = world(&toml.join("\n")).boot();
    machine.wait("still", "running");
    let before = machine.identity("still");

    // Two are no pattern yet.
    machine.ok("DebugCrash", json!({ "process": "supervisor", "starts": 2 }));
    assert_eq!(machine.supervisor(4)["safe"], false);

    machine.ok("DebugCrash", json!({ "process": "supervisor", "starts": 3 }));
    assert_eq!(machine.supervisor(8)["safe"], true);
    machine.wait_for_console("safe mode: three supervisors in a row died").unwrap();
    assert_eq!(machine.identity("still"), before);
    // A death after it served changes nothing about that.
    machine.crash("supervisor", "SIGKILL");
    assert_eq!(machine.supervisor(9)["safe"], true);

    // What a person asks for is done.
    machine.ok("Restart", json!({ "name": "still" }));
    machine.until("still", "to run anew", |it| it["state"] == "running" && it["pid"] != before[1]);
    let restarts = || machine.container("often").unwrap()["restarts"].clone();
    let unasked = restarts();
    machine.ok("Resume", json!({}));
    assert_eq!(machine.ok("Version", json!({}))["safe"], false);
    machine.until("often", "to be started again", |it| it["restarts"] != unasked);
    machine.crash("supervisor", "SIGKILL");
    assert_eq!(machine.supervisor(10)["safe"], false);
    machine.power_off();
}

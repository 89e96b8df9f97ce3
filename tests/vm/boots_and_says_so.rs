//! A machine boots, says so on its console, and shows the phases of its boot.

use serde_json::json;

use crate::common::{container, world};

#[test]
fn boots_and_says_so() {
    let machine = world(&container("web", "sleep", "")).boot();
    machine.wait_for_console("boot complete").unwrap_or_else(|error| panic!("{error}"));
    let web = machine.wait("web", "running");
    assert_eq!(web["wanted"], "up");
    assert_eq!(web["image"], "dir:payload");
    let boot = machine.ok("Boot", json!({}));
    let phases = boot["phases"].as_array().unwrap();
    let names: Vec<&str> = phases.iter().map(|phase| phase["name"].as_str().unwrap()).collect();
    for name in
        ["root", "mounts", "cgroups", "supervisor", "configuration", "modules", "network", "containers"]
    {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert!(phases.iter().all(|phase| phase["ok"] == true), "{phases:#?}");
    assert_eq!(boot["complete"], true);
    machine.power_off();
}

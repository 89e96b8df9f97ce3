//! A machine that is being ended says what it waits for, to whoever asks and at its console.

use orlop_vm::End;
use serde_json::{Value, json};

use crate::common::{container, world};

fn stage<'a>(shutdown: &'a Value, name: &str) -> &'a Value {
    let containers = shutdown["shutdown"]["containers"].as_array().unwrap();
    let found = containers.iter().find(|it| it["name"] == name);
    &found.unwrap_or_else(|| panic!("{name} is not in {shutdown}"))["stage"]
}

#[test]
fn a_shutdown_answers_while_it_goes_on_and_after_the_death_of_a_supervisor() {
    let deaf = container("deaf", "ignore-term", "stop_grace_period = \"1h\"\ndepends_on = [\"below\"]");
    let host = "[host]\nfault_injection = true\npoweroff_timeout = \"30s\"";
    let machine = world(&[host, &deaf, &container("below", "sleep", "")].join("\n")).boot();
    machine.wait("deaf", "running");
    assert_eq!(machine.ok("Shutdown", json!({})), json!({ "shutdown": null }));
    machine.ok("Power", json!({ "action": "poweroff" }));
    for after_a_death in [false, true] {
        let told = machine.ok("Shutdown", json!({}));
        assert_eq!((stage(&told, "deaf"), stage(&told, "below")), (&json!("asked"), &json!("waits")));
        assert_eq!(told["shutdown"]["action"], "poweroff");
        let by = told["shutdown"]["by"].as_str().unwrap();
        assert!(by.contains("org.orlop.control."), "{by}");
        if !after_a_death {
            machine.crash("supervisor", "SIGKILL");
            machine.supervisor(2);
        }
    }
    let end = machine.wait_for_end().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(end, End::PoweredOff);
    let console = machine.console();
    for line in ["left; up still: deaf (asked to end, ", "below (after deaf)", "deaf did not end within "] {
        assert!(console.contains(line), "no {line:?} in\n{console}");
    }
}

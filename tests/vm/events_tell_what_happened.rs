//! What happened is told: each state of a container with cause and generation, its end with what it used, who asked for
//! what, the boot, helpers and supervisors that died; nothing of it is lost with a supervisor.

use serde_json::{Value, json};

use crate::common::{Booted, container, world};

/// All that is kept, about these.
fn told(machine: &Booted, names: &[&str]) -> Vec<Value> {
    let mut events = Vec::new();
    let taken = machine.stream("Events", json!({ "names": names }), |answer| {
        assert_eq!(answer["dropped"], 0);
        events.extend(answer["events"].as_array().unwrap().iter().cloned());
        true
    });
    taken.unwrap_or_else(|error| panic!("{error}"));
    events
}

#[track_caller]
fn find<'a>(events: &'a [Value], what: &str, wanted: impl Fn(&Value) -> bool) -> &'a Value {
    events.iter().find(|event| wanted(event)).unwrap_or_else(|| panic!("no {what} in {events:#?}"))
}

#[test]
fn events_tell_what_happened() {
    let config = "[host]\nfault_injection = true\n".to_owned()
        + &container("web", "sleep", "")
        + &container("stays", "sleep", "")
        + &container("crashes", "exit 3", "restart = \"no\"");
    let machine = world(&config).boot();
    machine.wait("web", "running");
    machine.wait("crashes", "failed");
    machine.logged("stays", "sleeping");
    machine.wait_for_console("boot complete").unwrap_or_else(|error| panic!("{error}"));
    a_containers_states_and_its_end(&machine);
    let before = who_asked_and_what_the_boot_did(&machine);
    nothing_is_lost_with_a_supervisor(&machine, &before);
    who_follows_hears_how_it_ends(&machine);
    let end = machine.wait_for_end().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(end, orlop_vm::End::PoweredOff);
}

fn a_containers_states_and_its_end(machine: &Booted) {
    let crashes = told(machine, &["crashes"]);
    let states: Vec<_> = crashes.iter().filter(|event| event["kind"] == "state").collect();
    let chain: Vec<_> =
        states.iter().map(|state| json!([state["from"], state["to"], state["generation"]])).collect();
    let expected = [
        json!(["waiting", "starting", 1]),
        json!(["starting", "running", 1]),
        json!(["running", "stopping", 1]),
        json!(["stopping", "failed", 1]),
    ];
    assert_eq!(chain, expected);
    assert_eq!(states[3]["cause"]["code"], 3);
    assert!(states[1]["pid"].is_u64(), "{}", states[1]);
    let end = find(&crashes, "end", |event| event["kind"] == "end");
    assert_eq!((&end["exit_code"], &end["signal"], &end["generation"]), (&json!(3), &Value::Null, &json!(1)));
    assert!(end["cpu_us"].is_u64() && end["memory_peak_bytes"].as_u64() > Some(0), "{end}");
}

fn who_asked_and_what_the_boot_did(machine: &Booted) -> Vec<Value> {
    machine.ok("Stop", json!({ "name": "web" }));
    machine.wait("web", "exited");
    machine.call("Kill", json!({ "name": "web" })).unwrap_err();
    let events = told(machine, &[]);
    let text = |event: &Value| event["text"].as_str().unwrap().to_owned();
    let asked =
        find(&events, "asked", |event| event["kind"] == "asked" && text(event).ends_with(": stop web"));
    assert!(asked["by"]["port"].as_str().unwrap().starts_with("org.orlop.control."), "{asked}");
    assert_eq!(asked["name"], "web");
    let refused = find(&events, "refusal", |event| event["kind"] == "refused");
    assert_eq!(
        (&refused["name"], &refused["error"]),
        (&json!("web"), &json!("container `web` does not run, it is exited"))
    );
    let phase = find(&events, "phase", |event| text(event).starts_with("boot: mounts took"));
    assert!(phase["duration_us"].as_u64() > Some(0) && phase["kind"] == "phase", "{phase}");
    events
}

fn nothing_is_lost_with_a_supervisor(machine: &Booted, before: &[Value]) {
    machine.crash("log", "KILL");
    machine.crash("supervisor", "SEGV");
    machine.supervisor(2);
    let after = told(machine, &[]);
    assert_eq!(&after[..before.len()], before, "it is not the same after a supervisor's death");
    let numbers: Vec<_> = after.iter().map(|event| event["number"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    find(&after, "supervisor", |event| {
        event["kind"] == "supervisor" && event["text"] == "supervisor 2 took over"
    });
    assert_eq!(find(&after, "helper", |event| event["kind"] == "helper")["signal"], "SIGKILL");
    let phases = |events: &[Value]| events.iter().filter(|event| event["kind"] == "phase").count();
    assert_eq!(phases(before), phases(&after), "phases are told again");
}

fn who_follows_hears_how_it_ends(machine: &Booted) {
    let mut client = machine.connect().unwrap_or_else(|error| panic!("{error}"));
    let follow = json!({ "names": [], "since": "1us", "follow": true });
    client.send("Events", &follow, true).unwrap_or_else(|error| panic!("{error}"));
    machine.ok("Power", json!({ "action": "poweroff" }));
    let mut events: Vec<Value> = Vec::new();
    // Until the machine is gone.
    while let Ok(answer) = machine.receive(&mut client) {
        events.extend(
            answer["parameters"]["events"].as_array().unwrap_or_else(|| panic!("{answer}")).iter().cloned(),
        );
    }
    let place = |what: &str, wanted: &dyn Fn(&Value) -> bool| {
        events.iter().position(wanted).unwrap_or_else(|| panic!("no {what} in {events:#?}"))
    };
    let asked = place("shutdown", &|event| event["kind"] == "shutdown");
    let end = place("last end", &|event| event["kind"] == "end" && event["name"] == "stays");
    let exited = place("last state", &|event| event["name"] == "stays" && event["to"] == "exited");
    assert!(asked < end && end < exited, "{events:#?}");
}

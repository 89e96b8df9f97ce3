//! A full `/run` fails starts and nothing else, a clock that jumps for years moves no deadline, and no process of
//! Orlop's has what a program could inherit.

use serde_json::json;

use crate::common::outside::Outside;
use crate::common::{Booted, container, world};

const YEAR: i64 = 365 * 24 * 3600;

const OFTEN: &str = "restart = \"always\"\nrestart_policy = { delay = \"1s\", max_delay = \"1s\" }";
const LATE: &str = "restart = \"always\"\nrestart_policy = { delay = \"1h\", max_delay = \"1h\" }";

fn boot() -> Booted {
    let config = "[host]\nfault_injection = true\n[host.watchdog]\ndevice = \"/dev/watchdog0\"\n".to_owned()
        + &container("tool", "sleep", &format!("{OFTEN}\nvolumes = [\"/run/steps:/steps\"]"))
        + &container("still", "sleep", "")
        + &container("web", "sleep", OFTEN)
        + &container("often", "exit 1", OFTEN)
        + &container("late", "exit 1", LATE)
        + &container("deaf", "ignore-term", "stop_grace_period = \"1s\"");
    let errands = [
        "wait /proc/1/root/run/orlop/watchdog".to_owned(),
        "mkdir /proc/1/root/run/steps for-all".to_owned(),
        "join /proc/1/ns/mnt".to_owned(),
        "wait /run/steps/own".to_owned(),
        "own".to_owned(),
        "wait /run/steps/full".to_owned(),
        "fill /run/filler".to_owned(),
        // There is no place to say it in another way.
        "gone /run/steps/full".to_owned(),
        "remove /run/filler".to_owned(),
        "wait /run/steps/back".to_owned(),
        format!("turn-clock -{YEAR}"),
        "wait /run/steps/on".to_owned(),
        format!("turn-clock {}", 2 * YEAR),
    ];
    world(&config).witness(&errands).boot()
}

#[test]
fn takes_what_comes() {
    let machine = boot();
    for name in ["tool", "still", "web", "deaf"] {
        machine.wait(name, "running");
    }
    machine.wait_for_console("boot complete").unwrap_or_else(|error| panic!("{error}"));
    nothing_is_handed_on(&machine);
    a_full_run_fails_starts_and_nothing_else(&machine);
    a_clock_that_jumps_moves_no_deadline(&machine);
    machine.power_off();
}

/// Has the witness go on, and waits for what it says then.
fn step(machine: &Booted, name: &str, says: &str) -> String {
    let task = match name {
        "empty" => "remove /steps/full".to_owned(),
        name => format!("write-file /steps/{name} yes"),
    };
    Outside::of(machine).ok(&format!("exec tool /payload {task}"));
    machine.answer(says)
}

fn nothing_is_handed_on(machine: &Booted) {
    let said = step(machine, "own", "own");
    for role in ["init", "supervisor", "log", "console"] {
        let clean = format!("{role} threads=1 terminal=0 handed_on=");
        assert!(said.split('|').any(|line| line == clean), "{role}: {said}");
    }
}

fn a_full_run_fails_starts_and_nothing_else(machine: &Booted) {
    let before = machine.identities(&["still", "tool", "deaf"]);
    assert_eq!(step(machine, "full", "fill /run/filler"), "ok");
    machine.ok("Stop", json!({ "name": "web" }));
    assert_eq!(machine.wait("web", "exited")["cause"]["kind"], "user");
    machine.ok("Start", json!({ "name": "web" }));
    let failed = machine.until("web", "to find no place", |it| it["cause"]["kind"] == "start");
    assert!(failed["cause"]["text"].as_str().unwrap().contains("No space left"), "{failed}");
    machine.crash("supervisor", "SIGKILL");
    assert_eq!(machine.supervisor(2)["safe"], false);
    assert_eq!(machine.identities(&["still", "tool", "deaf"]), before);
    assert_eq!(step(machine, "empty", "remove /run/filler"), "ok");
    machine.wait("web", "running");
}

fn a_clock_that_jumps_moves_no_deadline(machine: &Booted) {
    for (name, by) in [("back", -YEAR), ("on", 2 * YEAR)] {
        let late = machine.wait("late", "backoff");
        assert_eq!(step(machine, name, &format!("turn-clock {by}")), "ok");
        let restarts = machine.container("often").unwrap()["restarts"].as_u64();
        machine.until("often", "to be started on", |it| it["restarts"].as_u64() > restarts);
        let pid = machine.wait("deaf", "running")["pid"].clone();
        machine.ok("Restart", json!({ "name": "deaf" }));
        machine.until("deaf", "to be killed in time", |it| it["pid"] != pid && it["state"] == "running");
        assert_eq!(machine.wait("late", "backoff")["restarts"], late["restarts"]);
    }
}

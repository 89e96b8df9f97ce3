//! The supervisor is killed again and again under load: no container notices, and no end is lost.

use serde_json::json;

use crate::common::{container, count, world};

/// In turn: killed from outside, a fault of its own, and what a panic ends with.
const SIGNALS: [&str; 3] = ["SIGKILL", "SIGSEGV", "SIGABRT"];

/// Writes one line and ends, so that its log counts its runs.
const ONE_LINE: &str = "write 1 run";
const OFTEN: &str = r#"restart = "always"
restart_policy = { delay = "100ms", max_delay = "100ms" }"#;
/// A load, and not a machine that does nothing else.
const BUSY: &str = r#"limits = { cpus = 0.2 }
log = { memory = "256K" }"#;

#[test]
fn survives_kills_of_the_supervisor() {
    let toml = [
        "[host]\nfault_injection = true".to_owned(),
        container("still", "sleep", ""),
        container("deaf", "ignore-term", "stop_grace_period = \"1s\""),
        container("busy", "write-forever much output", BUSY),
        container("often", ONE_LINE, OFTEN),
    ];
    let machine = world(&toml.join("\n")).boot();
    let lasting = ["still", "deaf", "busy"];
    for name in lasting {
        machine.wait(name, "running");
    }
    let before = lasting.map(|name| machine.identity(name));
    let kills = count(100);
    for (number, signal) in (1..=kills).zip(SIGNALS.iter().cycle()) {
        machine.crash("supervisor", signal);
        let version = machine.supervisor(number + 1);
        assert_eq!(version["safe"], false);
        assert_eq!(lasting.map(|name| machine.identity(name)), before, "after kill {number} by {signal}");
    }
    machine.until("often", "often to have run again", |it| it["restarts"].as_u64() > Some(5));
    machine.ok("Stop", json!({ "name": "often" }));
    let often = machine.wait("often", "exited");
    let runs = machine.logs("often").lines().filter(|line| line.ends_with(" run")).count() as u64;
    let starts = often["restarts"].as_u64().unwrap() + 1;
    // The last run may have been stopped before its line.
    assert!((runs..=runs + 1).contains(&starts), "{starts} starts, {runs} runs: {often}");
    let console = machine.console();
    assert!(!console.contains("unknown"), "an end that nobody saw");
    machine.power_off();
}

//! The supervisor is killed again and again under load: no container notices, and no end is lost.

use serde_json::json;

use crate::common::{Booted, container, count, world};

/// In turn: killed from outside, a fault of its own, and what a panic ends with.
const SIGNALS: [&str; 3] = ["SIGKILL", "SIGSEGV", "SIGABRT"];

/// Writes one line and ends, so that its log counts its runs.
pub(crate) const ONE_LINE: &str = "write 1 run";
/// Of ten thousand kills it keeps every run.
pub(crate) const OFTEN: &str = r#"restart = "always"
restart_policy = { delay = "500ms", max_delay = "500ms" }
log = { memory = "4M" }"#;
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
    let before = machine.identities(&lasting);
    let kills = count(100);
    for (number, signal) in (1..=kills).zip(SIGNALS.iter().cycle()) {
        machine.crash("supervisor", signal);
        let version = machine.supervisor(number + 1);
        assert_eq!(version["safe"], false);
        assert_eq!(machine.identities(&lasting), before, "after kill {number} by {signal}");
    }
    machine.until("often", "often to have run again", |it| it["restarts"].as_u64() > Some(5));
    check_ends(&machine);
}

/// Stops `often`: every start has one end on the console, and every run that wrote its line ended with
/// its code.
#[track_caller]
pub(crate) fn check_ends(machine: &Booted) {
    // From a pause, mostly: then no run is cut short by being stopped.
    machine.wait("often", "backoff");
    let position = machine.console_position();
    machine.ok("Stop", json!({ "name": "often" }));
    let often = machine.wait("often", "exited");
    machine.wait_for_console_after(position, " -> exited").unwrap();
    let ends = |how: &str| {
        let is_end = |line: &&str| {
            line.starts_with("often: ") && line.contains(" -> stopping: ") && line.ends_with(how)
        };
        machine.console().lines().filter(is_end).count()
    };
    let exited = ends("exited with code 0");
    let cut_off = ends("the supervisor was restarted meanwhile");
    let stopped = ends("stopped by a person");
    let starts = often["restarts"].as_u64().unwrap() + 1;
    assert_eq!((exited + cut_off + stopped) as u64, starts, "{exited} exited, {cut_off} cut off");
    let runs = || machine.logs("often").lines().filter(|line| line.ends_with(" run")).count();
    // The logger may have the last of them still to read.
    machine.until("often", "all its output to be read", |_| runs() >= exited);
    assert!(
        (exited..=exited + stopped).contains(&runs()),
        "{exited} ended with their code, {} wrote",
        runs()
    );
    machine.power_off();
}

//! What fails too often is `failed`, when that was asked for; else it is tried for ever, at the
//! longest pause.

use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{container, world};

#[test]
fn failure_budget() {
    let policy =
        "restart = \"always\"\nrestart_policy = { delay = \"100ms\", max_delay = \"5s\", max_attempts = 3";
    let config = container("fails", "exit 1", &format!("{policy}, then = \"fail\" }}"))
        + &container("holds", "exit 1", &format!("{policy} }}"));
    let machine = world(&config).boot();
    let fails = machine.wait("fails", "failed");
    // Three failures: the first start and two restarts.
    assert_eq!((&fails["wanted"], &fails["restarts"]), (&"up".into(), &2.into()), "{fails}");
    assert_eq!(fails["cause"]["text"], "exited with code 1");
    assert_eq!(fails["next_start"], Value::Null);
    let holds = machine.until("holds", "its second restart", |holds| {
        holds["restarts"].as_u64() >= Some(2) && holds["state"] == "backoff"
    });
    // Two doublings would be 400 ms; the jitter is a tenth.
    assert!(pause(&holds) > Duration::from_secs(4), "{holds}");
    machine.until("holds", "the next restart", |holds| {
        holds["restarts"].as_u64() >= Some(3) && holds["state"] == "backoff"
    });
    // A person's word gives it a new budget.
    machine.ok("Start", json!({ "name": "fails" }));
    let fails = machine.until("fails", "to be tried again", |fails| fails["restarts"].as_u64() > Some(2));
    assert_eq!(fails["wanted"], "up");
    machine.wait("fails", "failed");
    machine.power_off();
}

/// Between its last start and the next. It ended at once, so that this is about the pause.
pub(crate) fn pause(container: &Value) -> Duration {
    let time = |key: &str| seconds(container[key].as_str().unwrap());
    Duration::from_secs_f64(time("next_start") - time("started_at"))
}

/// Within a day, from RFC 3339; no test runs over midnight twice.
fn seconds(time: &str) -> f64 {
    let clock = time.split(['T', 'Z']).nth(1).unwrap();
    clock.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap())
}

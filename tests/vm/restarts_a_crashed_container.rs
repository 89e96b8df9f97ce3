//! What ends badly is started again after a pause, and the cause of its last end is kept; what ends
//! well, or is not to be restarted, is not.

use serde_json::Value;

use crate::common::{container, world};
use crate::failure_budget::pause;

#[test]
fn restarts_a_crashed_container() {
    let restart = "restart = \"always\"\nrestart_policy = { delay = \"200ms\", max_delay = \"800ms\" }";
    let config = container("exits", "exit 3", restart)
        + &container("ends", "exit 0", restart)
        + &container("faults", "die SEGV", "restart = \"on-failure\"")
        + &container("done", "exit 0", "restart = \"on-failure\"")
        + &container("once", "exit 4", "")
        + &container("over", "exit 0", "");
    let machine = world(&config).boot();
    let exits = machine.until("exits", "its fourth restart", |exits| {
        exits["restarts"].as_u64() >= Some(4) && exits["state"] == "backoff"
    });
    check(&exits, ("up", "backoff"), ("exit", "exited with code 3"));
    assert_eq!((&exits["cause"]["code"], &exits["exit_code"]), (&3.into(), &3.into()));
    assert!(exits["next_start"].is_string() && exits["pid"].is_null(), "{exits}");
    let ends = machine.until("ends", "to wait for a restart", |ends| {
        ends["restarts"].as_u64() >= Some(1) && ends["state"] == "backoff"
    });
    check(&ends, ("up", "backoff"), ("exit", "exited with code 0"));
    let faults = machine.until("faults", "to wait for a restart", |faults| faults["state"] == "backoff");
    check(&faults, ("up", "backoff"), ("signal", "was killed by SIGSEGV"));
    assert_eq!(faults["cause"]["signal"], "SIGSEGV");
    check(&machine.wait("done", "exited"), ("up", "exited"), ("exit", "exited with code 0"));
    check(&machine.wait("once", "failed"), ("up", "failed"), ("exit", "exited with code 4"));
    check(&machine.wait("over", "exited"), ("up", "exited"), ("exit", "exited with code 0"));
    assert_eq!(machine.wait("once", "failed")["restarts"], 0);
    machine.power_off();
    // Why it was down is said when it goes down, and not again when it comes up.
    let console = machine.console();
    assert!(console.contains("exits: backoff -> starting\n"), "{console}");
    assert!(!console.contains("-> starting:") && !console.contains("-> running:"), "{console}");
}

#[test]
fn pauses_double_up_to_the_longest() {
    let policy = "restart = \"always\"\nrestart_policy = { delay = \"1s\", max_delay = \"4s\" }";
    let machine = world(&container("exits", "exit 1", policy)).boot();
    let mut next = 0;
    for _ in 0..4 {
        let exits = machine.until("exits", "its next pause", |exits| {
            exits["restarts"].as_u64() >= Some(next) && exits["state"] == "backoff"
        });
        let restarts = exits["restarts"].as_u64().unwrap();
        let pause = pause(&exits).as_secs_f64();
        let whole = f64::from(1 << restarts.min(2));
        // A tenth to either side, and above it the run itself, on a machine that others slow down.
        assert!((whole * 0.9..whole * 1.1 + 0.7).contains(&pause), "{pause} s after {restarts} restarts");
        next = restarts + 1;
    }
    machine.power_off();
}

#[track_caller]
fn check(container: &Value, state: (&str, &str), cause: (&str, &str)) {
    assert_eq!(
        (&container["wanted"], &container["state"]),
        (&state.0.into(), &state.1.into()),
        "{container}"
    );
    let found = &container["cause"];
    assert_eq!((&found["kind"], &found["text"]), (&cause.0.into(), &cause.1.into()), "{container}");
}

//! Containers that run by intervals and by the clock, and over a supervisor that dies.

use crate::common::{container, world};

#[test]
fn runs_at_its_times() {
    let config = "[host]\nfault_injection = true\n".to_owned()
        + &container("often", "stamp", "every = \"3s\"")
        + &container("clock", "stamp", "schedule = \"* * * * *\"")
        + &container("never", "stamp", "schedule = \"@yearly\"")
        + &container("long", "sleep", "every = \"4s\"\nrun_timeout = \"1s\"");
    let machine = world(&config).boot();
    let ran = |name: &str| machine.logs(name).lines().count();
    machine.until("often", "to have run twice", |_| ran("often") >= 2);
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(2);
    machine.until("often", "to run on", |_| ran("often") >= 4);
    let waits = machine.wait("often", "waiting");
    assert!(waits["next_start"].is_string() && waits["restarts"] == 0, "{waits}");
    machine.until("clock", "to have run", |_| ran("clock") >= 1);
    assert_eq!(ran("never"), 0);
    let long = machine.until("long", "to be stopped", |it| it["cause"]["kind"] == "watchdog");
    assert!(long["cause"]["text"].as_str().unwrap().starts_with("ran longer than 1 s"), "{long}");
    machine.power_off();
}

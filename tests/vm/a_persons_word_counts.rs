//! `start`, `stop`, `restart` and `kill` do what they say, whatever `restart` says; one that ignores
//! SIGTERM is gone after its grace period.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::{container, world};

#[test]
fn a_persons_word_counts() {
    let config = container("web", "sleep", "restart = \"always\"")
        + &container("deaf", "ignore-term", "restart = \"always\"\nstop_grace_period = \"2s\"")
        + &container("once", "sleep", "");
    let machine = world(&config).boot();
    let name = |name: &str| json!({ "name": name });
    let first = machine.wait("web", "running");
    machine.logged("web", "sleeping");

    machine.ok("Stop", name("web"));
    let web = machine.wait("web", "exited");
    assert_eq!((&web["wanted"], &web["cause"]["kind"]), (&"down".into(), &"user".into()), "{web}");
    assert_eq!(web["cause"]["text"], "was stopped by a person and exited with code 0");
    let refused = machine.call("Kill", name("web")).unwrap_err();
    assert_eq!(refused.refusal(), Some("org.orlop.Control.NotRunning"), "{refused}");

    machine.ok("Start", name("web"));
    let second = machine.wait("web", "running");
    assert_eq!(second["wanted"], "up");
    assert_ne!(second["pid"], first["pid"]);

    machine.ok("Restart", name("web"));
    let third =
        machine.until("web", "to be another", |web| web["state"] == "running" && web["pid"] != second["pid"]);
    assert_eq!(third["wanted"], "up");

    machine.ok("Kill", json!({ "name": "web", "signal": "SIGKILL" }));
    let fourth = machine
        .until("web", "to be restarted", |web| web["state"] == "running" && web["pid"] != third["pid"]);
    assert_eq!(fourth["cause"]["kind"], "signal", "{fourth}");
    assert_eq!(fourth["cause"]["signal"], "SIGKILL");

    machine.wait("once", "running");
    machine.logged("once", "sleeping");
    machine.ok("Kill", json!({ "name": "once", "signal": "TERM" }));
    assert_eq!(machine.wait("once", "exited")["exit_code"], 0);
    assert_eq!(machine.wait("once", "exited")["restarts"], 0);

    machine.logged("deaf", "ignoring");
    let asked = Instant::now();
    machine.ok("Stop", name("deaf"));
    let deaf = machine.wait("deaf", "exited");
    assert!(asked.elapsed() >= Duration::from_secs(1), "it was not given its time");
    assert_eq!(deaf["cause"]["text"], "was stopped by a person and was killed by SIGKILL");

    let unknown = machine.call("Start", name("wev")).unwrap_err();
    assert_eq!(unknown.refusal(), Some("org.orlop.Control.UnknownContainer"), "{unknown}");
    machine.power_off();
}

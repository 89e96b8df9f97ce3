//! Readiness in a container's own words, and a watchdog: over a supervisor that dies, and beside one that floods.

use serde_json::Value;

use crate::common::outside::Outside;
use crate::common::{container, section, world};

fn ready(container: &Value) -> bool {
    container["ready"] == true
}

#[test]
fn says_when_it_is_ready() {
    let until = |file: &str| format!("until-file {file}");
    let task =
        format!("each notify STATUS=loading , {} , notify READY=1 STATUS=up , sleep", until("/tmp/go"));
    let by_line = format!("each {} , fds , line-on 3 , sleep", until("/tmp/go"));
    let restart = "restart = \"always\"\nrestart_policy = { delay = \"100ms\" }";
    let config = "[host]\nfault_injection = true\n".to_owned()
        + &container("db", &task, "ready = \"notify\"\nuser = \"web\"\ntmpfs = [\"/run\", \"/tmp\"]")
        + &container("line", &by_line, "ready = \"fd\"")
        + &container("web", "sleep", "depends_on = [\"db\", \"line\"]")
        + &container("loud", "notify-flood", "ready = \"notify\"\nwatchdog = \"1h\"")
        + &container("mute", "sleep", &format!("ready = \"notify\"\nready_timeout = \"3s\"\n{restart}"))
        + &container("lost", "sleep", &format!("watchdog = \"2s\"\n{restart}"));
    let machine = world(&config).boot();
    let orlop = Outside::of(&machine);
    machine.logged("loud", "flooding");
    machine.until("db", "to say what it does", |_| orlop.json("status --json db")["says"] == "loading");
    assert_eq!(orlop.json("status --json web")["waits_for"], serde_json::json!(["db", "line"]));
    assert!(!ready(&orlop.json("status --json db")));

    // The next supervisor listens where the last one did.
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(2);
    orlop.ok("exec db /payload write-file /tmp/go yes\n");
    machine.until("db", "to be ready", ready);
    assert_eq!(orlop.json("status --json web")["waits_for"], serde_json::json!(["line"]));
    assert_eq!(orlop.json("status --json db")["says"], "up");
    orlop.ok("exec line /payload write-file /tmp/go yes\n");
    machine.until("web", "to run", ready);
    // Nothing but that descriptor was given to it.
    let log = machine.logged("line", "sleeping");
    assert!(section(&log, "fds").lines().any(|line| line.starts_with("3 pipe:")), "{log}");

    // Who does not say so in time has failed, and so has who gives no sign of life.
    machine.until("mute", "to be restarted", |it| it["restarts"].as_u64() >= Some(1));
    machine.until("lost", "to be restarted", |it| it["restarts"].as_u64() >= Some(1));
    let told = machine.console();
    assert!(told.contains("mute: stopping -> backoff: did not say within 3 s that it is ready"), "{told}");
    assert!(told.contains("lost: stopping -> backoff: gave no sign of life for 2 s"), "{told}");
    // A flood disturbs nobody, and is not killed for it.
    assert!(told.contains("loud: it sends more than 100 messages a second, and waits"), "{told}");
    assert_eq!(orlop.json("status --json loud")["restarts"], 0);
    machine.power_off();
}

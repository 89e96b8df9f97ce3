//! Health checks of every kind, and what follows from them.

use serde_json::Value;

use crate::common::outside::Outside;
use crate::common::{container, world};

const OFTEN: &str = "interval = \"1s\", retries = 2, start_period = \"0s\"";

fn checked(name: &str, task: &str, check: &str, more: &str) -> String {
    container(name, task, &format!("healthcheck = {{ {check}, {OFTEN} }}\n{more}"))
}

fn health(container: &Value) -> &str {
    container["health"].as_str().unwrap()
}

#[test]
fn is_known_to_be_well() {
    let restart = "restart = \"always\"\nrestart_policy = { delay = \"100ms\" }";
    let config = checked("web", "serve 80", "http = \"http://localhost/\"", restart)
        + &checked("port", "serve 5432", "tcp = 5432", "")
        + &checked("sock", "listen /tmp/app.sock", "unix = \"/tmp/app.sock\"", "")
        + &checked("file", "each write-file /tmp/well yes , sleep", "file = \"/tmp/well\"", "")
        + &checked(
            "prog",
            "sleep",
            "exec = [\"/payload\", \"stat\", \"/tmp/well\"], on_failure = \"none\"",
            "user = \"web\"\ntmpfs = [\"/tmp\"]",
        )
        + &checked("shut", "sleep", "tcp = 9, on_failure = \"none\"", "")
        + &checked("none", "sleep", "exec = [\"/none\"], on_failure = \"none\"", "")
        + &checked(
            "hang",
            "sleep",
            "exec = [\"/payload\", \"run\", \"/payload\", \"sleep\"], timeout = \"500ms\", on_failure = \"none\"",
            "",
        )
        + &container("waits", "sleep", "depends_on = { prog = \"healthy\" }");
    let machine = world(&config).boot();
    let orlop = Outside::of(&machine);
    for name in ["web", "port", "sock", "file"] {
        let found = machine.until(name, "to be well", |it| matches!(health(it), "healthy" | "unhealthy"));
        assert_eq!((health(&found), &found["state"]), ("healthy", &"running".into()), "{found}");
    }
    let report = |name: &str| {
        machine.until(name, "to be ill", |it| health(it) == "unhealthy");
        orlop.json(&format!("status --json {name}"))["health_report"].as_str().unwrap().to_owned()
    };
    assert_eq!(report("shut"), "127.0.0.1:9: Connection refused");
    assert!(report("prog").starts_with("exit code 1: payload: /tmp/well: ENOENT"), "{}", report("prog"));
    assert_eq!(report("none"), "execute: /none: No such file or directory");

    // A probe that takes too long goes with all that it started, and never touched its container.
    assert_eq!(report("hang"), "no answer within 0.5 s");
    let processes = || orlop.json("top --json hang")["processes"].as_array().unwrap().len();
    machine.until("hang", "to have no processes left of a probe", |_| processes() == 1);
    assert_eq!(orlop.json("status --json hang")["restarts"], 0);

    // Who waits for health starts when it comes.
    assert_eq!(orlop.json("status --json waits")["cause"]["text"], "waits for prog, which is unhealthy");
    orlop.ok("exec prog /payload write-file /tmp/well yes");
    machine.wait("waits", "running");
    assert_eq!(health(&machine.until("prog", "to be well again", |it| health(it) == "healthy")), "healthy");

    // Who becomes ill is restarted.
    orlop.ok("exec web /payload write-file /tmp/status 503");
    machine.until("web", "to be restarted", |it| it["restarts"] == 1 && health(it) == "healthy");
    let told = machine.console();
    assert!(told.contains("web: stopping -> backoff: was unhealthy (/: status 503)"), "{told}");

    machine.power_off();
}

//! What is there for the end of the machine runs then, before anything is stopped, and takes nobody's time.

use orlop_vm::End;
use serde_json::json;

use crate::common::{container, world};

#[test]
fn jobs_run_at_the_end_in_their_order_and_before_any_stop() {
    let job = |name: &str, task: &str, more: &str| {
        container(name, task, &format!("type = \"shutdown\"\nrestart = \"no\"\n{more}"))
    };
    let toml = [
        "[host]\npoweroff_timeout = \"40s\"".to_owned(),
        container("web", "sleep", ""),
        job("first", "exit 0", "depends_on = [\"web\"]"),
        job("second", "exit 0", "depends_on = { first = \"completed\" }"),
        job("endless", "sleep", "run_timeout = \"2s\""),
    ];
    let machine = world(&toml.join("\n")).boot();
    machine.wait("web", "running");
    machine.wait("first", "waiting");
    machine.ok("Power", json!({ "action": "reboot" }));
    let end = machine.wait_for_end().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(end, End::Rebooted);
    let console = machine.console();
    let lines = [
        "first: stopping -> exited: exited with code 0",
        "second: stopping -> exited: exited with code 0",
        "endless: running -> stopping: ran longer than 2 s",
        "web: running -> stopping",
    ];
    let places = lines.map(|line| console.find(line));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "at {places:?} in\n{console}");
}

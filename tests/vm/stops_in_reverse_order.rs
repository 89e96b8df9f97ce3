//! The machine stops what depends on something before the thing itself, each one gone first.

use crate::common::{container, world};

#[test]
fn stops_in_reverse_order() {
    let config = container("bottom", "sleep", "")
        + &container("middle", "ignore-term", "depends_on = [\"bottom\"]\nstop_grace_period = \"1s\"")
        + &container("top", "sleep", "depends_on = [\"middle\"]");
    let machine = world(&config).boot();
    let started = ["bottom", "middle", "top"]
        .map(|name| machine.wait(name, "running")["started_at"].as_str().unwrap().to_owned());
    assert!(started.is_sorted(), "{started:?}");
    machine.logged("middle", "ignoring");
    machine.power_off();
    let console = machine.console();
    let places = ["top", "middle", "bottom"].map(|name| {
        let line = format!("{name}: stopping -> exited");
        console.find(&line).unwrap_or_else(|| panic!("no `{line}` on the console:\n{console}"))
    });
    assert!(places.is_sorted(), "{console}");
}

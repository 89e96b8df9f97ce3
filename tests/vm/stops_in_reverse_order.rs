//! The machine starts what something depends on before the thing itself, and stops it after: each
//! one gone first.

use crate::common::{container, world};

/// From the lowest to the highest, and not in the order of the alphabet.
const CHAIN: [&str; 3] = ["keel", "mast", "flag"];

#[test]
fn stops_in_reverse_order() {
    let config = container("keel", "sleep", "")
        + &container("mast", "ignore-term", "depends_on = [\"keel\"]\nstop_grace_period = \"1s\"")
        + &container("flag", "sleep", "depends_on = [\"mast\"]");
    let machine = world(&config).boot();
    let started = CHAIN.map(|name| machine.wait(name, "running")["started_at"].as_str().unwrap().to_owned());
    assert!(started.is_sorted_by(|one, next| one < next), "{started:?}");
    machine.logged("mast", "ignoring");
    machine.power_off();
    let console = machine.console();
    let place = |name: &str, from: &str, to: &str| {
        let line = format!("{name}: {from} -> {to}");
        console.find(&line).unwrap_or_else(|| panic!("no `{line}` on the console:\n{console}"))
    };
    let begun = CHAIN.map(|name| place(name, "waiting", "starting"));
    let running = CHAIN.map(|name| place(name, "starting", "running"));
    assert!(begun.is_sorted() && running.is_sorted(), "{console}");
    let gone = CHAIN.map(|name| place(name, "stopping", "exited"));
    assert!(gone.iter().rev().is_sorted(), "{console}");
}

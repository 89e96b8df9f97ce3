//! The supervisor dies between every two steps of a reload: the next one goes on with the new configuration, and what
//! did not change does not notice.

use serde_json::json;

use crate::common::outside::Outside;
use crate::common::{container, count, world};

/// A reload of these takes about twenty.
const STEPS: u64 = 24;

#[test]
fn a_reload_goes_on_wherever_the_supervisor_dies() {
    let common = format!(
        "[host]\nfault_injection = true\n{}{}",
        container("still", "sleep", ""),
        container("poke", "sleep", "")
    );
    let of = |name: &str| {
        let web = container("web", &format!("each args {name} , sleep"), "stop_grace_period = \"2s\"");
        format!("{common}{web}{}", container(name, "sleep", ""))
    };
    let machine = world(&of("even")).boot();
    for name in ["odd", "even"] {
        let folder = machine.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("test.toml"), of(name)).unwrap();
    }
    machine.wait("still", "running");
    machine.wait("poke", "running");
    machine.wait("web", "running");
    let still = machine.identities(&["still"]);
    let orlop = Outside::of(&machine);
    for round in 1..=count(STEPS) {
        let [new, old] = if round % 2 == 1 { ["odd", "even"] } else { ["even", "odd"] };
        let steps = round % STEPS + 1;
        machine.ok("DebugCrash", json!({ "process": "supervisor", "signal": "SIGKILL", "steps": steps }));
        // Its answer may be lost with who should give it.
        orlop.run(&format!("reload {}", machine.folder.path().join(new).display()));
        while machine.machine.ask("Version", json!({})).unwrap()["supervisor_starts"] == round {
            orlop.run("restart poke");
        }
        machine.supervisor(round + 1);
        assert_eq!(orlop.json("config get --json")["number"], round, "after step {steps}");
        machine.until(new, "to run", |one| one["state"] == "running");
        machine.wait("poke", "running");
        loop {
            let (_, ran, _) = orlop.run("exec web /payload cat /proc/1/cmdline");
            if ran.contains(new) {
                break;
            }
        }
        while machine.ps().unwrap().iter().any(|one| one["name"] == old) {}
        assert_eq!(machine.identities(&["still"]), still, "after step {steps}");
    }
    machine.power_off();
}

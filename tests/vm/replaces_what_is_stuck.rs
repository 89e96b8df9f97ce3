//! A process that no signal reaches makes its container stuck, and a person may have another one beside it.

use serde_json::Value;

use crate::common::outside::Outside;
use crate::common::{SILENT_FILES, container, world};

#[test]
fn replaces_what_is_stuck() {
    let more = "gates = [\"path:/run/silent-now\"]\nvolumes = [\"/run/silent:/silent\"]\n\
                userns = \"host\"\nstop_grace_period = \"1s\"";
    let config = "[host]\nmodules = [\"fuse\"]\nfault_injection = true\npoweroff_timeout = \"5s\"\n"
        .to_owned()
        + &container("web", "each stamp , cat /silent/nothing", more);
    let machine = world(&config).witness(&SILENT_FILES.map(str::to_owned)).boot();
    let orlop = Outside::of(&machine);
    machine.logged("web", "cat");
    orlop.fails("replace web", 1, "container `web` is not stuck");
    orlop.fails("stop web", 1, "is killed, and still has processes");
    let is_known =
        |it: &Value| it["cause"]["text"].as_str().is_some_and(|text| text.contains("(payload, state D)"));
    machine.until("web", "to say what it hangs on", is_known);
    let why = orlop.ok("why web");
    assert!(why.contains("web is stuck") && why.contains("fuse"), "{why}");

    let said = orlop.ok("replace web");
    assert!(said.starts_with("web: running (pid "), "{said}");
    let status = orlop.json("status --json web");
    assert_eq!((&status["state"], &status["wanted"]), (&"running".into(), &"up".into()), "{status}");
    // The next supervisor does not take what is left for the container.
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(2);
    let web = machine.wait("web", "running");
    assert_eq!(web["pid"], status["pid"]);
    machine.power_off();
}

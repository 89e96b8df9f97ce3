//! A serial console that somebody has stopped holds up nobody, and tells afterwards what it did not show.

use serde_json::json;

use crate::common::outside::Outside;
use crate::common::{container, world};

/// Each is a line of some fifty bytes; the console keeps 16 KiB waiting, and the line itself a little.
const ASKED: usize = 700;

#[test]
fn a_stopped_serial_console_holds_up_nobody() {
    let config = container("web", "sleep", "devices = [\"/dev/ttyS0:r\"]") + &container("other", "sleep", "");
    let machine = world(&config).boot();
    machine.wait_for_console("boot complete after").unwrap_or_else(|error| panic!("{error}"));
    let orlop = Outside::of(&machine);
    orlop.ok("exec web /payload flow /dev/ttyS0 off");
    for _ in 0..ASKED {
        machine.ok("Start", json!({ "name": "web" }));
    }
    machine.ok("Restart", json!({ "name": "other" }));
    machine.until("other", "to run again", |it| it["state"] == "running" && it["pid"].is_number());
    assert!(!machine.console().contains("start web"), "it was not stopped:\n{}", machine.console());
    // Nothing of it is lost elsewhere.
    machine.logged("@orlop", ": restart other");
    orlop.ok("exec web /payload flow /dev/ttyS0 on");
    machine.wait_for_console("start web").unwrap_or_else(|error| panic!("{error}"));
    machine.ok("Start", json!({ "name": "web" }));
    machine.wait_for_console("lines were not shown").unwrap_or_else(|error| panic!("{error}"));
    machine.power_off();
}

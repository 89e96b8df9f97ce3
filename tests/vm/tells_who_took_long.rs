//! The machine knows when each container came up for the first time, also over a supervisor that dies, and draws it.

use serde_json::{Value, json};

use crate::common::outside::Outside;
use crate::common::{container, world};

fn rise<'a>(boot: &'a Value, name: &str) -> &'a Value {
    boot["containers"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap()
}

#[test]
fn tells_who_took_long_and_what_it_waited_for() {
    let task = "each until-file /tmp/go , notify READY=1 , sleep";
    let config = "[host]\nfault_injection = true\n".to_owned()
        + &container("keel", task, "ready = \"notify\"\nuser = \"web\"\ntmpfs = [\"/run\", \"/tmp\"]")
        + &container("mast", "sleep", "depends_on = [\"keel\"]")
        + &container("flag", "sleep", "depends_on = { mast = \"healthy\" }");
    let machine = world(&config).boot();
    let orlop = Outside::of(&machine);
    machine.wait("keel", "running");
    let blame = orlop.ok("blame");
    let waits = |name: &str| blame.lines().any(|line| line.starts_with(name) && line.contains("waits for"));
    assert!(waits("mast") && waits("flag"), "{blame}");
    orlop.ok("exec keel /payload write-file /tmp/go yes\n");
    machine.until("mast", "to be ready", |it| it["ready"] == true);

    let boot = orlop.json("boot --json");
    let time = |name: &str, key: &str| rise(&boot, name)[key].as_u64().unwrap_or_else(|| panic!("{boot:#}"));
    let way = [
        time("keel", "wanted_us"),
        time("keel", "starting_us"),
        time("keel", "running_us"),
        time("keel", "ready_us"),
        time("mast", "starting_us"),
        time("mast", "running_us"),
    ];
    assert!(way.is_sorted(), "{boot:#}");
    assert_eq!(rise(&boot, "flag")["starting_us"], Value::Null);
    let blame = orlop.ok("blame");
    let mast = blame.lines().find(|line| line.starts_with("mast")).unwrap();
    assert!(mast.contains("keel ("), "{blame}");

    // The next supervisor knows it too; before the boot is complete nothing of it is kept.
    machine.until("mast", "to be there when the boot is complete", |_| {
        orlop.json("boot --json")["complete"] == true
    });
    // Nor is it written more often than once a second.
    let ready_us = time("mast", "ready_us");
    machine.until("mast", "to be kept", |_| {
        machine.ok("Stats", json!({ "names": [] }))["boot_us"].as_u64() > Some(ready_us + 2_000_000)
    });
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(2);
    let again = orlop.json("boot --json");
    for name in ["keel", "mast"] {
        for key in ["wanted_us", "starting_us", "running_us", "ready_us"] {
            assert_eq!(rise(&again, name)[key], rise(&boot, name)[key], "{name} {key}");
        }
    }
    for picture in ["boot --svg", "graph", "graph --svg"] {
        let svg = orlop.ok(picture);
        let whole = svg.starts_with("<svg ") && svg.ends_with("</svg>\n");
        assert!(whole && ["keel", "mast", "flag"].iter().all(|name| svg.contains(name)), "{picture}: {svg}");
    }
    let dot = orlop.ok("graph --dot");
    assert!(dot.contains("\"flag\" -> \"mast\" [label=\"healthy\"];"), "{dot}");
    machine.power_off();
}

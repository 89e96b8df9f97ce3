//! `orlop --host unix:PATH …` outside the machine shows and does what it does inside: every command,
//! as a person types it, with its exit code.

use orlop_vm::End;
use serde_json::{Value, json};

use crate::common::outside::Outside;
use crate::common::{container, world};

/// What `ps --json` has of each container, whatever comes later.
const FIELDS: [&str; 12] = [
    "name",
    "wanted",
    "state",
    "ready",
    "health",
    "pid",
    "restarts",
    "cause",
    "image",
    "started_at",
    "next_start",
    "exit_code",
];

fn config() -> String {
    let labels = "labels = { role = \"front\" }\ndepends_on = [\"db\"]\nlimits = { memory = \"32M\" }";
    let later = "depends_on = [\"broken\"]";
    [
        container("db", "sleep", ""),
        container("web", "write 32 line", &format!("restart = \"no\"\n{labels}")),
        container("report", "report-signal", ""),
        // It never runs, so that whoever depends on it waits.
        container("broken", "sleep", "").replace("[\"/payload\"]", "[\"/nothing\"]"),
        container("later", "sleep", later),
    ]
    .join("\n")
}

#[test]
fn every_command_works_from_outside() {
    let machine = world(&config()).boot();
    machine.wait_for_console("boot complete").unwrap_or_else(|error| panic!("{error}"));
    let orlop = Outside::of(&machine);
    machine.wait("report", "running");
    machine.wait("web", "exited");

    shows(&orlop);
    changes(&orlop);

    orlop.fails("status wbe", 1, "web");
    orlop.fails("start nobody", 1, "nobody");
    orlop.fails("kill web", 1, "web");
    orlop.fails("frobnicate", 2, "frobnicate");
    // Nobody asked for a machine that can be broken on purpose.
    orlop.fails("debug crash supervisor", 1, "fault_injection");

    orlop.ok("reboot");
    assert_eq!(machine.wait_for_end().unwrap_or_else(|error| panic!("{error}")), End::Rebooted);
}

#[track_caller]
fn shows(orlop: &Outside<'_>) {
    let table = orlop.ok("ps");
    assert!(table.starts_with("NAME") && table.lines().count() == 6, "{table}");
    let list = orlop.json("ps --json");
    for one in list.as_array().unwrap() {
        let fields = one.as_object().unwrap();
        let missing: Vec<&&str> = FIELDS.iter().filter(|field| !fields.contains_key(**field)).collect();
        assert!(missing.is_empty() && fields.contains_key("uptime_ms"), "{missing:?} in {one:#}");
    }
    let of = |name: &str| list.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
    let web = of("web");
    assert_eq!((&web["state"], &web["exit_code"], &web["pid"]), (&"exited".into(), &0.into(), &Value::Null));
    let time = of("db")["started_at"].as_str().unwrap();
    assert!(time.len() == "2026-11-21T22:46:01.000000Z".len() && time.ends_with('Z'), "{time}");

    let status = orlop.json("status --json web");
    assert_eq!((&status["depends_on"], &status["memory_limit_bytes"]), (&json!(["db"]), &json!(32 << 20)));
    assert_eq!(status["labels"], json!({ "role": "front" }), "{status:#}");
    assert!(orlop.ok("status web").contains("labels      role=front\n"));
    // Who waits says for whom.
    assert_eq!(orlop.json("status --json later")["waits_for"], json!(["broken"]));

    // 16 bytes a line, and the last of them.
    assert_eq!(orlop.ok("logs web"), "0000000000 line\n0000000001 line\n");
    assert_eq!(orlop.ok("logs -n 1 web"), "0000000001 line\n");
    assert_eq!(
        orlop.ok("logs --since boot --until 2100-01-01T00:00:00Z --grep 0001 web"),
        "0000000001 line\n"
    );
    assert_eq!(orlop.ok("logs --until boot web"), "");
    assert_eq!(orlop.ok("logs --since 0s web"), "");

    let boot = orlop.json("boot --json");
    let phases = boot["phases"].as_array().unwrap();
    assert!(phases.len() >= 8 && boot["complete"] == true, "{boot:#}");
    let took = |phase: &Value| phase["duration_us"].is_u64() && phase["start_us"].is_u64();
    assert!(phases.iter().all(|phase| took(phase) && phase["ok"] == true), "{boot:#}");
    let starts: Vec<u64> = phases.iter().map(|phase| phase["start_us"].as_u64().unwrap()).collect();
    assert!(starts.is_sorted(), "{boot:#}");
    let table = orlop.ok("boot");
    assert!(phases.iter().all(|phase| table.contains(phase["name"].as_str().unwrap())), "{table}");

    let version = orlop.json("version --json");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["interface"], orlop::control::INTERFACE_VERSION);
    assert!(version["uptime_ms"].as_u64() > Some(0) && version["supervisor_starts"] == 1, "{version:#}");
    assert!(version["kernel"].as_str().unwrap().starts_with("6."), "{version:#}");
}

#[track_caller]
fn changes(orlop: &Outside<'_>) {
    let machine = orlop.machine;
    orlop.ok("stop report");
    let report = machine.container("report").unwrap();
    assert_eq!((&report["state"], &report["wanted"]), (&"exited".into(), &"down".into()));
    let events = orlop.ok("events --since boot report");
    let last = [
        "asked by port org.orlop.control.",
        "running -> stopping: was stopped by a person",
        "ended: exit code 15",
    ];
    assert!(last.iter().all(|text| events.contains(text)), "{events}");
    assert_eq!(orlop.ok("events --since 0s report"), "");
    orlop.ok("start report");
    let first = machine.wait("report", "running");
    orlop.ok("restart report");
    let second = machine.wait("report", "running");
    assert_ne!(second["pid"], first["pid"]);
    // This one, and not the one before: without its handler the first process of a container hears no signal.
    let since = second["started_at"].as_str().unwrap();
    machine.until("report", "to hear signals", |_| {
        orlop.ok(&format!("logs --since {since} report")).contains("waiting")
    });
    orlop.ok("kill -s HUP report");
    // SIGHUP is 1, and what ends with another code than 0 has failed.
    assert_eq!(machine.wait("report", "failed")["exit_code"], 1);
}

//! `orlop why`: what a container waits for, down to the root of it; its last ends with what they used, over a
//! supervisor's death too; the boot, and the shutdown while it goes on.

use serde_json::{Value, json};

use crate::common::{Booted, container, world};

/// What it says, as one text.
fn text(answer: &Value) -> String {
    answer["text"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned() + "\n").collect()
}

#[test]
fn says_why() {
    let policy =
        "restart = \"always\"\nrestart_policy = { delay = \"100ms\", max_attempts = 3, then = \"fail\" }";
    let config = "[host]\nfault_injection = true\n".to_owned()
        + &container("db", "each cat /etc/group , exit 3", policy)
        + &container("app", "sleep", "depends_on = { db = \"completed\" }\nrestart = \"no\"")
        + &container("web", "sleep", "depends_on = [\"app\"]")
        + &container("stubborn", "ignore-term", "stop_grace_period = \"30s\"")
        + "[container.missing]\nimage = \"dir:payload\"\nentrypoint = [\"/missing\"]\nrestart = \"no\"\n";
    let machine = world(&config).boot();
    machine.wait("db", "failed");
    machine.wait("missing", "failed");
    the_chain_leads_to_the_root(&machine);
    let before = the_last_ends_say_what_was_used(&machine);
    machine.crash("supervisor", "SEGV");
    machine.supervisor(2);
    assert_eq!(
        machine.ok("Why", json!({ "name": "db" }))["ends"],
        before,
        "another supervisor knows the same"
    );
    machine.ok("Stop", json!({ "name": "stubborn" }));
    the_last_word_and_the_next_step(&machine);
    the_boot_and_the_shutdown(&machine);
}

fn the_chain_leads_to_the_root(machine: &Booted) {
    let why = machine.ok("Why", json!({ "name": "web" }));
    let names: Vec<_> = why["standings"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["web", "app", "db"]);
    let text = text(&why);
    for part in [
        "web is waiting, since ",
        ": it waits for app, which has not started yet.",
        "It is started by itself as soon as app allows it.",
        "app is waiting, since ",
        ": it waits for db, which exited with code 3.",
        "db has failed, since ",
        ": it exited with code 3, its failure number 3 without a healthy run between them.",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("The last that it wrote"), "one that waits has written nothing: {text}");
    let unknown = machine.call("Why", json!({ "name": "wbe" })).unwrap_err();
    assert!(unknown.to_string().contains("web"), "{unknown}");
}

/// Of `db`.
fn the_last_ends_say_what_was_used(machine: &Booted) -> Value {
    let why = machine.ok("Why", json!({ "name": "db" }));
    let ends = why["ends"].as_array().unwrap();
    let generations: Vec<_> = ends.iter().map(|end| end["generation"].as_u64().unwrap()).collect();
    assert_eq!(generations, [1, 2, 3], "{why}");
    for end in ends {
        assert_eq!(
            (&end["exit_code"], &end["cause"]["kind"], &end["oom"]),
            (&json!(3), &json!("exit"), &json!(false))
        );
        assert!(end["memory_peak_bytes"].as_u64() > Some(4096) && end["cpu_us"].as_u64() > Some(0), "{end}");
        assert!(end["started_us"].as_u64() <= end["ended_us"].as_u64(), "{end}");
    }
    let log: Vec<_> = why["log"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!((1..=5).contains(&log.len()) && log.contains(&"web:x:102:"), "{log:?}");
    let missing = machine.ok("Why", json!({ "name": "missing" }));
    let end = &missing["ends"][0];
    assert_eq!((&end["started_us"], &end["cause"]["step"]), (&Value::Null, &json!("execute")), "{missing}");
    why["ends"].clone()
}

fn the_last_word_and_the_next_step(machine: &Booted) {
    let why = machine.ok("Why", json!({ "name": "stubborn" }));
    assert_eq!(why["standings"][0]["next"], "kill", "{why}");
    assert!(why["standings"][0]["next_in_ms"].as_u64() <= Some(30_000), "{why}");
    let asked = why["asked"]["text"].as_str().unwrap();
    assert!(asked.ends_with(": stop stubborn"), "{asked}");
    machine.ok("Kill", json!({ "name": "stubborn", "signal": "KILL" }));
    machine.wait("stubborn", "exited");
    let why = text(&machine.ok("Why", json!({ "name": "stubborn" })));
    assert!(why.contains("It is not wanted; `orlop start stubborn` does."), "{why}");
}

fn the_boot_and_the_shutdown(machine: &Booted) {
    let boot = machine.ok("WhyBoot", json!({}));
    let missing: Vec<_> = boot["missing"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(missing, ["app", "db", "missing", "web"]);
    let text_of_boot = text(&boot);
    for part in
        ["not all that is wanted is up", "This supervisor followed one before it", "What took longest: "]
    {
        assert!(text_of_boot.contains(part), "{part}: {text_of_boot}");
    }
    let none = "The machine is not going down.\nOf its end before this boot nothing is kept.\n";
    assert_eq!(text(&machine.ok("WhyShutdown", json!({}))), none);
    machine.ok("Start", json!({ "name": "stubborn" }));
    machine.wait("stubborn", "running");
    machine.ok("Power", json!({ "action": "poweroff" }));
    let why = machine.ok("WhyShutdown", json!({}));
    assert_eq!(
        (&why["action"], &why["remaining"][0]["name"]),
        (&json!("poweroff"), &json!("stubborn")),
        "{why}"
    );
    assert!(why["asked"]["text"].as_str().unwrap().ends_with(": poweroff"), "{why}");
    let end = machine.wait_for_end().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(end, orlop_vm::End::PoweredOff);
}

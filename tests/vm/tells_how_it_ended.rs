//! A machine whose memory outlives a reset tells after a reboot how the one before it ended.

use orlop_vm::Reset;
use serde_json::json;

use crate::common::{container, world};

/// A piece of memory that the kernel finds again, for what it says at its end.
const WORDS: &str =
    "reserve_mem=256K:4K:ends ramoops.mem_name=ends ramoops.record_size=16384 ramoops.max_reason=4";

#[test]
fn tells_how_it_ended() {
    let deaf = container("deaf", "ignore-term", "stop_grace_period = \"1s\"");
    let world = world(&format!("[host]\nmodules = [\"ramoops\"]\n{deaf}"));
    let machine = world
        .options(|options| {
            options.kernel_words.push(WORDS.into());
            options.reset = Reset::Boots;
        })
        .boot();
    machine.wait("deaf", "running");
    let ended = || machine.ok("WhyShutdown", json!({}))["before"].as_array().unwrap().clone();
    assert_eq!(ended(), [json!(null); 0]);
    let done = |from| {
        machine.wait_for_console_after(from, "boot complete").unwrap_or_else(|error| panic!("{error}"))
    };
    let booted = done(0);
    machine.ok("Power", json!({ "action": "reboot" }));
    done(booted);
    let lines: Vec<String> = ended().iter().map(|line| line.as_str().unwrap().to_owned()).collect();
    let first = &lines[0];
    assert!(first.starts_with("shutdown: reboot, asked for by "), "{lines:?}");
    for wanted in ["shutdown: deaf did not end within 1 s and was killed", "the machine ends: Reboot"] {
        assert!(lines.iter().any(|line| line.contains(wanted)), "no `{wanted}` in {lines:?}");
    }
    assert_eq!(machine.ok("WhyBoot", json!({}))["crashes"], json!([]));
}

//! Containers that take all the processes and all the memory that they may have, while they are started,
//! stopped and entered: it is theirs, and nobody else waits.

use serde_json::json;

use crate::common::outside::Outside;
use crate::common::{Booted, container, world};

const BOMB: &str = "limits = { pids = 64, cpus = 0.3 }\nstop_grace_period = \"1s\"\nrestart = \"no\"";
/// Enough for the program; not for the megabyte of users that its start reads.
const CRAMPED: &str = "limits = { memory = \"1M\", swap = \"0M\" }\nuser = \"web\"\nrestart = \"no\"";
/// Nor for the megabyte of variables that is read before all steps.
const WORDY: &str = "limits = { memory = \"1M\", swap = \"0M\" }\nenv_file = \"words.env\"\nrestart = \"no\"";
const NARROW: &str = "limits = { pids = 1 }\nrestart = \"no\"";
const CROWDED: &str = "limits = { memory = \"24M\", swap = \"0M\" }\nrestart = \"no\"";

/// What `exec` ends with when there is no program that it could tell of.
const NOT_EXECUTED: i32 = 125;

#[test]
fn who_takes_all_takes_it_from_itself() {
    let config = [
        container("bomb", "forkbomb", BOMB),
        container("second-bomb", "forkbomb", &format!("{BOMB}\ninit = true")),
        container("cramped", "sleep", CRAMPED).replace("dir:payload", "dir:users"),
        container("wordy", "sleep", WORDY),
        // Whoever may have one process has that one.
        container("narrow", "sleep", NARROW),
        container("crowded", "hog 64", CROWDED),
        container("bystander", "sleep", ""),
    ];
    let world = world(&config.concat());
    let users = world.config().join("users");
    std::fs::create_dir_all(users.join("etc")).unwrap();
    std::fs::copy(crate::common::programs::payload(), users.join("payload")).unwrap();
    let lines = "a:x:1:1::/:/\n".repeat((1 << 20) / 13) + "web:x:7:7::/:/";
    std::fs::write(users.join("etc/passwd"), lines).unwrap();
    std::fs::write(world.config().join("words.env"), "A=b\n".repeat((1 << 20) / 4)).unwrap();
    let machine = world.boot();
    machine.logged("bomb", "then EAGAIN");
    machine.logged("second-bomb", "then EAGAIN");
    nobody_enters_a_full_container(&machine);
    assert_eq!(machine.wait("narrow", "running")["restarts"], 0);
    let cramped = machine.wait("cramped", "failed");
    assert_eq!(cramped["cause"]["kind"], "oom", "{cramped}");
    let wordy = machine.wait("wordy", "failed");
    assert_eq!(wordy["cause"]["text"], "could not be started: setup: it ran out of memory");
    let crowded = machine.wait("crowded", "failed");
    assert_eq!(crowded["cause"]["kind"], "oom", "{crowded}");
    bombs_are_started_and_stopped(&machine);
    assert_eq!(machine.wait("bystander", "running")["restarts"], 0);
    machine.power_off();
}

fn nobody_enters_a_full_container(machine: &Booted) {
    let orlop = Outside::of(machine);
    for name in ["bomb", "second-bomb"] {
        orlop.fails(&format!("exec {name} /payload ids"), NOT_EXECUTED, "clone");
    }
    let out = orlop.ok("exec bystander /payload each ids");
    assert!(out.contains("== end"), "{out}");
}

/// While the other one forks.
fn bombs_are_started_and_stopped(machine: &Booted) {
    for name in ["bomb", "second-bomb", "bomb"] {
        machine.ok("Stop", json!({ "name": name }));
        machine.wait(name, "exited");
        machine.ok("Start", json!({ "name": name }));
        machine.wait(name, "running");
    }
}

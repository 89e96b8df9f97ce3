//! Everything of Orlop's and of the containers' is killed and stopped by lot, the clock is set, `/run` filled, the
//! console stopped, a thousand clients misbehave: afterwards the machine is as it was wanted, and nothing is left.

use std::collections::BTreeMap;
use std::time::Duration;

use orlop_vm::Error;
use serde_json::json;

use crate::common::outside::Outside;
use crate::common::{Booted, container, count, world};

/// What the second part leaves behind more than the first is a leak. The first fills what is filled once: caches,
/// rings of logs, histories.
const PARTS: [u64; 2] = [1, 2];

/// Where something might be left: which part it is for comes behind, and is the name of nothing.
const NAMES: &str = "new-names /sys/fs/cgroup /run";

/// Those that always run when nothing happens to them.
const LASTING: [&str; 9] = ["still", "deaf", "busy", "web", "after", "says", "given", "tool", "paths"];

/// Restarted at once and for ever.
const ALWAYS: &str = "restart = \"always\"\nrestart_policy = { delay = \"100ms\", max_delay = \"1s\" }\n\
                      limits = { cpus = 0.1 }\nlog = { memory = \"64K\" }\n";

fn config() -> String {
    let always = |name: &str, task: &str, more: &str| container(name, task, &format!("{ALWAYS}{more}"));
    "[host]\nfault_injection = true\n[host.watchdog]\ndevice = \"/dev/watchdog0\"\ntimeout = \"20s\"\n\
     [host.log]\nforward = [{ to = \"udp://127.0.0.1:514\" }]\n[volume.data]\n"
        .to_owned()
        + &always("still", "sleep", "")
        + &always("deaf", "ignore-term", "stop_grace_period = \"1s\"")
        + &always("busy", "write-forever much output", "")
        + &always("often", "write 1 run", "")
        + &always(
            "web",
            "serve 80",
            "healthcheck = { http = \"http://localhost/\", interval = \"1s\", retries = 3 }",
        )
        + &always("after", "sleep", "depends_on = { web = { condition = \"healthy\", restart = true } }")
        + &always("says", "each notify READY=1 , sleep", "ready = \"notify\"\nready_timeout = \"10s\"")
        + &always("given", "serve-given 0", "sockets = [\"tcp://127.0.0.1:81\"]")
        + &always("paths", "sleep", "volumes = [\"data:/data\"]\ntmpfs = [\"/tmp\"]\nshm_size = \"4M\"")
        + &always("tool", "sleep", "volumes = [\"/run/chaos:/chaos\"]")
        + &container("runs", "stamp", "every = \"2s\"\nlog = { memory = \"64K\" }")
        + &container("clock", "stamp", "schedule = \"* * * * *\"\nlog = { memory = \"64K\" }")
}

#[test]
fn whatever_happens_the_machine_is_as_it_was_wanted_and_nothing_is_left() {
    let seed = std::env::var("SEED").map_or(0_u64, |seed| seed.parse().unwrap());
    // Of the minute, or of what the soak says.
    let seconds = count(60);
    println!("SEED={seed} ORLOP_N={seconds}");
    let names = [&LASTING[..], &["often", "runs"]].concat().join(" ");
    let chaos = |part: u64| {
        let length = seconds * part / PARTS.iter().sum::<u64>();
        format!("chaos {} {length} {names}", seed.wrapping_add(part))
    };
    // The supervisor is there, and with it all that is mounted.
    let mut errands = vec!["wait /proc/1/root/run/orlop/watchdog".to_owned()];
    errands.push("mkdir /proc/1/root/run/chaos for-all".into());
    errands.push("wait /proc/1/root/run/chaos/begin".into());
    errands.push("join /proc/1/ns/mnt".into());
    for part in PARTS {
        errands.push(chaos(part));
        errands.push(format!("wait /run/chaos/{part}"));
        errands.push(format!("tally {part}"));
        errands.push(format!("{NAMES} {part}"));
    }
    let machine = world(&config())
        .witness(&errands)
        .options(move |options| options.deadline += Duration::from_secs(seconds + 120))
        .boot();
    comes_to_rest(&machine);
    let orlop = Outside::of(&machine);
    let mark = |name: &str| orlop.ok(&format!("exec tool /payload write-file /chaos/{name} yes"));
    mark("begin");
    let mut tallies = Vec::new();
    for part in PARTS {
        println!("{}", machine.answer(&chaos(part)));
        comes_to_rest(&machine);
        // What it has taken for a moment is its allocator's: the next one has what has to be remembered.
        let starts = machine.ok("Version", json!({}))["supervisor_starts"].as_u64().unwrap();
        machine.crash("supervisor", "SIGKILL");
        machine.supervisor(starts + 1);
        mark(&part.to_string());
        let tally = machine.answer(&format!("tally {part}"));
        println!("{tally}");
        tallies.push(counts(&tally));
    }
    let new = machine.answer(&format!("{NAMES} 2"));
    let left: Vec<&str> = new.split(' ').filter(|name| name.starts_with('/') && !is_expected(name)).collect();
    assert_eq!(left, [""; 0]);
    nothing_is_left(&tallies[0], &tallies[1]);
    machine.power_off();
}

/// What was asked for comes about: all that a person may have stopped is wanted again.
fn comes_to_rest(machine: &Booted) {
    machine.ok("Resume", json!({}));
    for name in LASTING.into_iter().chain(["often"]) {
        match machine.call("Unpause", json!({ "name": name })) {
            Ok(_) | Err(Error::Refused { .. }) => {}
            Err(error) => panic!("{name}: {error}"),
        }
        machine.ok("Start", json!({ "name": name }));
    }
    for name in LASTING {
        machine.until(name, "to run and be ready", |it| {
            it["state"] == "running" && it["ready"] == true && it["health"] != "unhealthy"
        });
    }
}

/// The marks are ours; a container that runs or ends for the first time has its few files from then on, and the
/// machine one when a supervisor dies for the first time while it handles a container. The last probe's cgroup goes with
/// the next probe.
fn is_expected(name: &str) -> bool {
    let file = name.strip_prefix("/run/orlop/containers/").and_then(|rest| rest.split_once('/'));
    let few = ["ends", "hostname", "hosts", "record.json", "resolv.conf"];
    name.starts_with("/run/chaos/")
        || name == "/run/orlop/deaths.json"
        || name.starts_with("/sys/fs/cgroup/containers/web/probe-")
        || file.is_some_and(|(_, file)| few.contains(&file))
}

fn counts(tally: &str) -> BTreeMap<String, u64> {
    let pairs = tally.split_whitespace().map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(key, count)| (key.to_owned(), count.parse().unwrap())).collect()
}

/// Of what is counted not one more; of memory no more than pages that are given back late.
fn nothing_is_left(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) {
    for (key, count) in after {
        let allowed = match key.as_str() {
            "kib.init" => 0,
            // The filter of devices, which the first start in a supervisor's life loads for all that follow.
            "fds.supervisor" => 1,
            // The kernel frees them when it needs the memory that they were charged for.
            "dying" => 60,
            // file-nr(5) gives what each processor has counted in batches of 32, not the sum.
            "open" => 63,
            "kib.kernel" | "kib.shared" => 1024,
            _ if key.starts_with("kib.") => 256,
            _ => 0,
        };
        let had = before.get(key).copied().unwrap_or_default();
        assert!(*count <= had + allowed, "{key}: {had} before, {count} after\n{before:?}\n{after:?}");
    }
    assert_eq!(after["zombies"], 0);
}

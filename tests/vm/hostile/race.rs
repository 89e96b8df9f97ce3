//! A container that shares a volume exchanges a directory in it for a link, as fast as possible, while what is
//! to be mounted below that directory is mounted for another one.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use super::bundles::{Attack, add_mount, run, smith, smithy, write};
use crate::common::{count, section, world};

/// Starts in each manner; `make soak-escapes` does so for a minute.
const STARTS: u64 = 15;
/// Of them fewer, since they are there to show that it can be done.
const NAIVE_STARTS: u64 = 15;

/// What the two containers share.
fn add_volume(config: &mut Value) {
    let volume = json!({
        "destination": "/volume", "type": "bind", "source": "/shared", "options": ["rbind"]
    });
    config["mounts"].as_array_mut().unwrap().push(volume);
}

const RACE: Attack = Attack {
    name: "race",
    naively: "places",
    made: |config, root| {
        fs::create_dir_all(root.join("escape/race")).unwrap();
        add_volume(config);
        add_mount(config, "/volume/place/below", "tmpfs");
    },
    held: "",
    broken: "/escape/race/below",
};

const NEIGHBOUR: Attack = Attack {
    name: "neighbour",
    naively: "none",
    made: |config, _| {
        add_volume(config);
        run(config, &["swap", "/volume/place", "/volume/link"]);
    },
    held: "",
    broken: "",
};

const OCI: &str = "oci --cgroup-manager disabled --root /tmp/state";

fn tasks(manner: &str, program: &str, times: u64) -> [String; 2] {
    let run = format!("/{program} {OCI} run --bundle /bundles/race-{manner} race-%");
    [format!("repeat {times} {run}"), format!("find /escape {manner}")]
}

#[test]
fn a_target_that_is_exchanged_leads_nowhere_outside() {
    let starts = count(STARTS);
    let held = tasks("held", "orlop", starts);
    let naive = tasks("naive", "naive", NAIVE_STARTS);
    let neighbour = [
        format!("run /orlop {OCI} create --bundle /bundles/neighbour-held neighbour"),
        format!("run /orlop {OCI} start neighbour"),
    ];
    let all: Vec<String> = neighbour.iter().chain(&held).chain(&naive).cloned().collect();
    let world = world(&smith(&all)).options(|options| {
        options.deadline += std::time::Duration::from_millis(500 * starts);
    });
    let folder = smithy(&world);
    fs::create_dir_all(folder.join("escape/race")).unwrap();
    symlink("/escape/race", folder.join("shared/link")).unwrap();
    write(&folder, &RACE);
    write(&folder, &NEIGHBOUR);
    let machine = world.boot();
    let log = machine.logged("smith", "== end");
    assert!(!section(&log, &held[1]).contains(RACE.broken), "{log}");
    assert!(section(&log, &naive[1]).contains(RACE.broken), "this was no attack: {log}");
    // It held because they were started and exchanged, not because nothing was.
    assert!(log.contains("swapping"), "{log}");
    assert!(!section(&log, &held[0]).contains("worked 0 "), "{log}");
    machine.power_off();
}

//! Somebody who shares a volume exchanges a directory in it for a link, as fast as possible, while what is
//! mounted below that directory is being mounted.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use super::bundles::{Attack, smith, smithy, write};
use crate::common::{count, section, world};

/// Starts in each manner; `make soak-escapes` does so for a minute.
const STARTS: u64 = 15;
/// Of them fewer, since they are there to show that it can be done.
const NAIVE_STARTS: u64 = 15;

const RACE: Attack = Attack {
    name: "race",
    naively: "places",
    made: |config, root| {
        fs::create_dir_all(root.join("escape/race")).unwrap();
        let volume = json!({
            "destination": "/volume", "type": "bind", "source": "/shared", "options": ["rbind"]
        });
        let below = json!({ "destination": "/volume/place/below", "type": "tmpfs", "source": "tmpfs" });
        config["mounts"].as_array_mut().unwrap().extend([volume, below]);
    },
    held: "",
    broken: "/escape/race/below",
};

fn tasks(manner: &str, program: &str, times: u64) -> [String; 2] {
    let run = format!(
        "/{program} oci --cgroup-manager disabled --root /tmp/state run --bundle /bundles/race-{manner} race-%"
    );
    [format!("run-while-swapping /shared/place /shared/link {times} {run}"), format!("find /escape {manner}")]
}

#[test]
fn a_target_that_is_exchanged_leads_nowhere_outside() {
    let starts = count(STARTS);
    let held = tasks("held", "orlop", starts);
    let naive = tasks("naive", "naive", NAIVE_STARTS);
    let all: Vec<String> = held.iter().chain(&naive).cloned().collect();
    let world = world(&smith(&all)).options(|options| {
        options.deadline += std::time::Duration::from_millis(500 * starts);
    });
    let folder = smithy(&world);
    fs::create_dir_all(folder.join("escape/race")).unwrap();
    symlink("/escape/race", folder.join("shared/link")).unwrap();
    write(&folder, &RACE);
    let machine = world.boot();
    let log = machine.logged("smith", "== end");
    assert!(!section(&log, &held[1]).contains(RACE.broken), "{log}");
    assert!(section(&log, &naive[1]).contains(RACE.broken), "this was no attack: {log}");
    // It held because they were started, not because none was.
    assert!(!section(&log, &held[0]).contains("worked 0 "), "{log}");
    machine.power_off();
}

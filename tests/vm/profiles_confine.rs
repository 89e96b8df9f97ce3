//! Profiles of AppArmor: loaded from the configuration, in force in the containers that name them.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::common::outside::Outside;
use crate::common::{container, section, world};

/// All that the payload does, but for what it is told to try.
const PROFILE: &str = "abi <abi/3.0>,
profile web flags=(attach_disconnected) {
  file,
  capability,
  signal,
  deny /data/** w,
  deny /etc/group r,
}
";

const TRIES: &str = "each cat /proc/self/attr/apparmor/current , write-file /data/note x , cat /etc/group , \
                     write-file /tmp/note x , cat /etc/passwd";

fn compile(source: &str, folder: &Path) {
    let text = folder.join("web.profile");
    std::fs::write(&text, source).unwrap();
    let compiled = Command::new("apparmor_parser")
        .args(["--skip-kernel-load", "--skip-cache", "--quiet", "--ofile"])
        .args([folder.join("web.policy"), text])
        .status();
    assert!(compiled.unwrap().success());
}

#[test]
fn profiles_confine_who_names_them() {
    let tmpfs = "tmpfs = [\"/data\", \"/tmp\"]\nrestart = \"no\"";
    let config = [
        container("web", TRIES, &format!("apparmor = \"web\"\n{tmpfs}")),
        container("stays", "sleep", &format!("apparmor = \"web\"\n{tmpfs}")),
        container("free", TRIES, tmpfs),
        container("lost", "sleep", "apparmor = \"web.policy\""),
        "[host]\napparmor_profiles = [\"web.policy\", \"web.profile\", \"/none.policy\"]\n".to_owned(),
    ];
    let world = world(&config.concat());
    compile(PROFILE, &world.config());
    let machine = world.boot();
    let confined = machine.logged("web", "== end");
    assert_eq!(section(&confined, "cat /proc/self/attr/apparmor/current"), "web (enforce)\n");
    assert_eq!(section(&confined, "write-file /data/note x"), "write /data/note: EACCES\n");
    assert_eq!(section(&confined, "cat /etc/group"), "/etc/group: EACCES\n");
    let free = machine.logged("free", "== end");
    assert_eq!(section(&free, "cat /proc/self/attr/apparmor/current"), "unconfined\n");
    assert_eq!(section(&free, "write-file /data/note x"), "");
    for task in ["write-file /tmp/note x", "cat /etc/passwd"] {
        assert_eq!(section(&confined, task), section(&free, task));
    }
    // What is executed in it is confined as it is.
    machine.wait("stays", "running");
    let orlop = Outside::of(&machine);
    assert_eq!(orlop.ok("exec stays /payload cat /proc/self/attr/apparmor/current"), "web (enforce)\n");
    let lost = machine.wait("lost", "failed");
    assert_eq!(
        (&lost["cause"]["step"], &lost["cause"]["object"]),
        (&json!("apparmor"), &json!("web.policy"))
    );
    // The others were loaded nevertheless.
    let boot = machine.ok("Boot", json!({}));
    let phases = boot["phases"].as_array().unwrap();
    let phase = phases.iter().find(|phase| phase["name"] == "apparmor").unwrap();
    let error = phase["error"].as_str().unwrap();
    assert!(
        error.contains("web.profile: it is not compiled: ") && error.contains("none.policy: No such"),
        "{error}"
    );
    machine.power_off();
}

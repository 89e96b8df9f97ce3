//! `plan` tells what `reload` does: what did not change goes on, what can be changed live is, a mistake changes nothing,
//! and what nobody confirms goes back.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::common::outside::Outside;
use crate::common::{Booted, container, world};

/// So that a supervisor may be killed.
const HOST: &str = "[host]\nfault_injection = true\n";

/// Writes a configuration here, not on the machine.
fn folder(machine: &Booted, name: &str, toml: &str) -> PathBuf {
    let folder = machine.folder.path().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("test.toml"), format!("{toml}{HOST}")).unwrap();
    folder
}

fn words(command: &str, folder: &Path) -> String {
    format!("{command} {}", folder.display())
}

#[test]
fn reloads_a_configuration() {
    let still = container("still", "sleep", "");
    let db = |limits: &str| container("db", "sleep", &format!("limits = {{ {limits} }}"));
    let web = |task: &str| container("web", task, "depends_on = [\"db\"]");
    let old = container("old", "sleep", "");
    let first = [still.clone(), db("memory = \"64M\", cpus = 0.5"), web("sleep"), old].concat();
    let machine = world(&format!("{first}{HOST}")).boot();
    for name in ["still", "db", "web", "old"] {
        machine.logged(name, "sleeping");
    }
    let orlop = Outside::of(&machine);
    let before = machine.identities(&["still", "db"]);

    let same = folder(&machine, "same", &format!("# the same, and a comment\n{first}"));
    assert_eq!(orlop.ok(&words("plan", &same)), "nothing changes\n");
    assert_eq!(orlop.ok("plan"), "nothing changes\n");

    let wrong = folder(&machine, "wrong", &first.replace("[container.old]", "[container.old]\nmemroy = 1"));
    orlop.fails(&words("plan", &wrong), 1, "a mistake");
    orlop.fails(&words("reload", &wrong), 1, "nothing was changed");
    let missing = folder(&machine, "missing", &first.replace("\"dir:payload\"", "\"dir:nowhere\""));
    orlop.fails(&words("reload", &missing), 1, "4 mistakes");

    let second = [still.clone(), db("memory = \"48M\""), web("ignore-term"), container("new", "sleep", "")];
    let second = folder(&machine, "second", &second.concat());
    let plan = orlop.run(&words("plan", &second));
    let lines = [
        "stop     old",
        "change   db   limits.memory, limits.cpus (test.toml:6)",
        "start    new  (test.toml:16)",
        "restart  web  command (test.toml:11)",
    ];
    assert_eq!(plan, (Some(3), lines.map(|line| format!("{line}\n")).concat(), String::new()));
    assert_eq!(machine.identities(&["still", "db"]), before, "a plan does nothing");

    let told = orlop.ok(&words("reload", &second));
    assert!(told.ends_with("configuration 1 is in force, until the next boot\n"), "{told}");
    machine.logged("new", "sleeping");
    machine.logged("web", "ignoring");
    assert_eq!(machine.identities(&["still", "db"]), before);
    assert_eq!(orlop.ok("exec db /payload cat /sys/fs/cgroup/memory.max"), "50331648\n");
    assert_eq!(orlop.ok("exec db /payload cat /sys/fs/cgroup/cpu.max"), "max 100000\n");
    orlop.fails("status old", 1, "there is no container `old`");
    assert_eq!(orlop.ok(&words("reload", &second)), "nothing changes\n");

    // One key, and nothing beside it.
    let limit = "container.db.limits.memory";
    assert!(orlop.ok(&format!("config set {limit}=40M")).starts_with("change   db  limits.memory"));
    assert_eq!(orlop.ok("exec db /payload cat /sys/fs/cgroup/memory.max"), "41943040\n");
    orlop.fails(&format!("config set {limit}=lots"), 1, "nothing was changed");
    assert!(orlop.ok("config get").contains("limits = { memory = \"40M\" }"));
    orlop.ok("config rollback");
    assert_eq!(orlop.ok("exec db /payload cat /sys/fs/cgroup/memory.max"), "50331648\n");
    assert_eq!(machine.identities(&["still", "db"]), before);

    // The next supervisor goes by it too.
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(2);
    assert_eq!(orlop.ok(&words("plan", &second)), "nothing changes\n");
    assert_eq!(machine.identities(&["still", "db"]), before);
    assert_eq!(orlop.json("config get --json")["number"], 3);

    // Not confirmed; a supervisor that dies meanwhile does not forget it.
    let third = folder(&machine, "third", &[still.clone(), db("memory = \"32M\"")].concat());
    orlop.ok(&words("reload --confirm 5s", &third));
    orlop.fails(&words("reload", &second), 1, "--confirmed");
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(3);
    while orlop.json("config get --json")["number"] != 5 {}
    machine.wait("web", "running");
    machine.wait("new", "running");
    assert_eq!(orlop.ok(&words("plan", &second)), "nothing changes\n");
    assert_eq!(machine.identities(&["still", "db"]), before);

    orlop.ok(&words("reload --confirm 1h", &third));
    assert_eq!(orlop.ok("reload --confirmed"), "confirmed: it stays\n");
    orlop.fails("reload --confirmed", 1, "no reload waits");
    assert_eq!(orlop.json("config get --json")["confirm_ms"], json!(null));
    orlop.ok("config rollback");
    machine.wait("new", "running");
    assert_eq!(orlop.ok(&words("plan", &second)), "nothing changes\n");
    assert_eq!(machine.identities(&["still", "db"]), before);
    goes_back_to_any(&orlop);
    machine.power_off();
}

/// To the one of the boot, which is what the folder has.
fn goes_back_to_any(orlop: &Outside) {
    let history = orlop.json("config history --json");
    let by: Vec<&str> =
        history["versions"].as_array().unwrap().iter().map(|it| it["by"].as_str().unwrap()).collect();
    let last = ["reload", "not confirmed, to 3", "reload", "rollback, to 5"];
    assert_eq!(by, [&["boot", "reload", "reload", "rollback, to 1"], &last[..]].concat());
    assert_eq!(history["versions"][2]["changes"], json!(["change db: limits.memory"]));
    let (code, told, _) = orlop.run("config drift");
    assert!(code == Some(3) && told.starts_with("changed  test.toml\n"), "{code:?} {told}");
    assert!(told.contains("\nchange   db   limits.memory, limits.cpus"), "{told}");
    orlop.fails("config rollback 99", 1, "configuration 99 is not kept; 0, 1, 2, 3, 4, 5, 6 are");
    orlop.ok("config rollback 0");
    assert_eq!(orlop.run("config drift"), (Some(0), "nothing changes\n".into(), String::new()));
    orlop.fails("config rollback 8", 1, "configuration 8 is in force");
}

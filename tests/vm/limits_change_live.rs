//! `update` changes limits of a container that runs: all that were named or none, until its next start. A reload changes
//! them also while it is being started.

use crate::common::outside::Outside;
use crate::common::{SILENT_FILES, container, section, world};

#[test]
fn limits_change_live() {
    let files = ["memory.max", "cpu.max", "pids.max"];
    let tasks = files.map(|file| format!("cat /sys/fs/cgroup/{file}")).join(" , ");
    let config = container("web", &format!("each {tasks} , sleep"), "limits = { memory = \"64M\" }")
        + &container("other", "sleep", "");
    let machine = world(&config).boot();
    machine.logged("web", "sleeping");
    machine.logged("other", "sleeping");
    let orlop = Outside::of(&machine);
    let pid = machine.container("web").unwrap()["pid"].clone();
    let limits = |name: &str| {
        let one = &orlop.json(&format!("stats --json {name}"))["containers"][0];
        (one["memory_limit_bytes"].as_u64(), one["processes_limit"].as_u64())
    };
    assert_eq!((limits("web"), limits("other")), ((Some(64 << 20), Some(2048)), (None, Some(2048))));

    let said = orlop.ok("update web memory=48M cpus=0.5 pids=33");
    assert_eq!(said, "web: memory=48M cpus=0.5 pids=33 until the next start\n");
    assert_eq!(limits("web"), (Some(48 << 20), Some(33)));
    assert_eq!(orlop.json("status --json web")["memory_limit_bytes"], 48 << 20);
    // Only what was named, of whom it was named; and so it is seen inside.
    orlop.ok("update web memory=32M");
    assert_eq!(orlop.ok("exec web /payload cat /sys/fs/cgroup/memory.max"), "33554432\n");
    assert_eq!((limits("web"), limits("other")), ((Some(32 << 20), Some(33)), (None, Some(2048))));
    orlop.ok("update other pids=9");
    assert_eq!(limits("other"), (None, Some(9)));

    orlop.fails("update web memory=many", 1, "memory");
    orlop.fails("update web memroy=64M", 1, "did you mean `memory`?");
    orlop.fails("update web io=/dev/vda", 1, "configuration");
    // The second is refused by the kernel, which has no such processor; the first is then put back.
    orlop.fails("update web memory_high=16M cpuset=63", 1, "cpuset");
    orlop.fails("update web pids=44 cpuset=63", 1, "cpuset");
    assert_eq!(limits("web"), (Some(32 << 20), Some(33)));
    assert_eq!(machine.container("web").unwrap()["pid"], pid, "it was started again");

    orlop.ok("restart web");
    assert_eq!(limits("web"), (Some(64 << 20), Some(2048)));
    machine.until("web", "to start again", |_| machine.logs("web").matches("sleeping").count() == 2);
    let logs = machine.logs("web");
    let (_, again) = logs.split_once("sleeping").unwrap();
    assert_eq!(section(again, "cat /sys/fs/cgroup/memory.max"), "67108864\n");
    machine.power_off();
}

#[test]
fn limits_of_a_reload_reach_who_is_being_started() {
    let host = "[host]\nmodules = [\"fuse\"]\npoweroff_timeout = \"5s\"\n".to_owned()
        + &container("look", "sleep", "volumes = [\"/sys/fs/cgroup:/machine/cgroup:ro\"]");
    let web = |memory: &str| {
        let more = format!(
            "gates = [\"path:/run/silent-now\"]\nvolumes = [\"/run/silent/folder:/silent\"]\n\
             limits = {{ memory = \"{memory}\" }}"
        );
        host.clone() + &container("web", "sleep", &more)
    };
    let machine = world(&web("64M")).witness(&SILENT_FILES.map(str::to_owned)).boot();
    let orlop = Outside::of(&machine);
    machine.logged("look", "sleeping");
    machine.wait("web", "starting");
    let folder = machine.folder.path().join("smaller");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("test.toml"), web("48M")).unwrap();
    let limit = || orlop.ok("exec look /payload cat /machine/cgroup/containers/web/memory.max");
    assert_eq!(limit(), "67108864\n");
    let told = orlop.ok(&format!("reload {}", folder.display()));
    assert!(told.contains("change   web  limits.memory"), "{told}");
    assert_eq!(limit(), "50331648\n");
    assert_eq!(machine.container("web").unwrap()["state"], "starting");
    machine.power_off();
}

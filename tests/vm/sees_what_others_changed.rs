//! What somebody changed behind Orlop's back in the kernel is told with what is declared, what `orlop update` changed as
//! what it is; a reload makes the former right, and leaves the latter.

use serde_json::{Value, json};

use crate::common::outside::Outside;
use crate::common::{container, world};

const HOST: &str =
    "[host]\nhostname = \"deck\"\nfault_injection = true\nsysctls = { \"net.ipv4.ip_forward\" = \"1\" }\n";

/// Once `signal` is gone, and then `more`.
const ERRANDS: [&str; 14] = [
    "wait /proc/1/root/sys/fs/cgroup/containers/signal/main/cgroup.procs",
    "join /proc/1/ns/mnt",
    "gone /sys/fs/cgroup/containers/signal",
    "write /sys/fs/cgroup/containers/web/memory.max 134217728",
    "write /sys/fs/cgroup/containers/web/main/memory.max 134217728",
    "write /sys/fs/cgroup/containers/web/cpu.weight 7",
    "write /sys/fs/cgroup/containers/db/main/pids.max max",
    "write /sys/fs/cgroup/containers/still/cgroup.freeze 1",
    "write /proc/sys/kernel/hostname hijacked",
    LAST,
    "gone /sys/fs/cgroup/containers/more",
    "write /sys/fs/cgroup/containers/web/cpu.weight 9",
    "write /sys/fs/cgroup/containers/web/cgroup.freeze 1",
    LAST_OF_MORE,
];
const LAST: &str = "write /proc/sys/net/ipv4/ip_forward 0";
const LAST_OF_MORE: &str = "write /proc/sys/kernel/hostname elsewhere";

#[test]
fn sees_what_others_changed() {
    let limits = "limits = { memory = \"64M\", cpuset = \"0\", memory_high = \"50001K\" }";
    let config = HOST.to_owned()
        + &container("web", "sleep", limits)
        + &["db", "still", "paused", "signal", "more"].map(|name| container(name, "sleep", "")).concat();
    let machine = world(&config).witness(&ERRANDS.map(str::to_owned)).boot();
    for name in ["web", "db", "still", "paused", "signal", "more"] {
        machine.logged(name, "sleeping");
    }
    let orlop = Outside::of(&machine);
    let nothing = (Some(0), "nothing changes\n".to_owned(), String::new());
    assert_eq!(orlop.run("config drift"), nothing);
    let before = machine.identities(&["web", "db", "still", "paused"]);

    orlop.ok("update db memory=48M");
    orlop.ok("pause paused");
    let update = "kernel   db: limits.memory is no limit, the kernel has 48 MiB, changed by `orlop update` (cgroup memory.max)\n";
    assert_eq!(orlop.run("config drift"), (Some(3), update.to_owned(), String::new()));

    orlop.ok("stop signal");
    assert_eq!(machine.answer(LAST), "ok");
    let hijacked = [
        "kernel   host.hostname is deck, the kernel has hijacked\n",
        "kernel   host.sysctls.net.ipv4.ip_forward is 1, the kernel has 0\n",
        update,
        "kernel   db: limits.pids is 2048, the kernel has no limit (cgroup main/pids.max)\n",
        "kernel   still: nobody has paused it, and it stands still (cgroup cgroup.freeze)\n",
        "kernel   web: limits.cpu_weight is 100, the kernel has 7 (cgroup cpu.weight)\n",
        "kernel   web: limits.memory is 64 MiB, the kernel has 128 MiB (cgroup memory.max)\n",
    ];
    assert_eq!(orlop.run("config drift"), (Some(3), hijacked.concat(), String::new()));
    // The next supervisor knows as much.
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(2);
    machine.wait("web", "running");
    assert_eq!(orlop.run("config drift"), (Some(3), hijacked.concat(), String::new()));
    let told: Value = serde_json::from_str(&orlop.run("config drift --json").1).unwrap();
    let found = &told["kernel"];
    let memory = json!({
        "container": "web", "key": "limits.memory", "declared": "64 MiB", "found": "128 MiB", "file": "memory.max",
        "updated": false, "text": "web: limits.memory is 64 MiB, the kernel has 128 MiB (cgroup memory.max)",
    });
    assert_eq!((&found[6], &found[2]["updated"]), (&memory, &json!(true)));

    let righted = [
        "nothing changes\n",
        "kernel   host.hostname is deck again, the kernel had hijacked\n",
        "kernel   host.sysctls.net.ipv4.ip_forward is 1 again, the kernel had 0\n",
        "kernel   db: limits.pids is 2048 again, the kernel had no limit\n",
        "kernel   still: goes on, it stood still and nobody had paused it\n",
        "kernel   web: limits.cpu_weight is 100 again, the kernel had 7\n",
        "kernel   web: limits.memory is 64 MiB again, the kernel had 128 MiB\n",
    ];
    assert_eq!(orlop.ok("reload"), righted.concat());
    assert_eq!(orlop.run("config drift"), (Some(3), update.to_owned(), String::new()));
    assert_eq!(orlop.ok("exec web /payload cat /sys/fs/cgroup/memory.max"), "67108864\n");
    machine.until("still", "to go on", |it| it["paused"] == false);
    assert_eq!(machine.container("paused").unwrap()["paused"], true, "a person's pause holds");
    assert_eq!(machine.identities(&["web", "db", "still", "paused"]), before);

    // Also of limits that are written anyway, and of who is given them.
    orlop.ok("stop more");
    assert!(machine.witnessed().iter().all(|line| line.ends_with(": ok")), "{:?}", machine.witnessed());
    let folder = machine.folder.path().join("smaller");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("test.toml"), config.replace("50001K", "50000K")).unwrap();
    let told = orlop.ok(&format!("reload {}", folder.display()));
    let righted = [
        "kernel   host.hostname is deck again, the kernel had elsewhere\n",
        "kernel   web: limits.cpu_weight is as it is declared, the kernel had 9\n",
        "kernel   web: goes on, it stood still and nobody had paused it\n",
    ];
    assert!(righted.iter().all(|line| told.contains(line)), "{told}");
    assert_eq!(machine.identities(&["web", "db", "still", "paused"]), before);
    orlop.ok("config rollback 0");

    // A start has what is declared, and nothing is remembered of the one before.
    orlop.ok("resume paused");
    orlop.ok("restart db");
    machine.wait("db", "running");
    assert_eq!(orlop.run("config drift"), nothing);
    machine.power_off();
}

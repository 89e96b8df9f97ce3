//! What opens a container opens just that: one machine, and a container for each key.

use orlop::container::{Root, Spec, audit, plan};
use serde_json::{Value, json};

use crate::common::{Booted, container, section, value, world};

const ALL: u64 = (1 << 41) - 1;
/// SIGTERM, which the payload ends with when it is asked to end.
const TERM: i32 = 15;
/// Docker's fourteen.
const DOCKER: u64 = 0xa804_25fb;
/// The machine's user namespace, linux/proc_ns.h.
const MACHINES_USERS: &str = "user:[4026531837]";

const DEVICES: &str = "each ls /dev , open r /dev/cpu_dma_latency , open r /dev/modem , open w /dev/modem , \
                       open w /dev/null , stat /dev/modem , write-file /dev/note x";
const POWERS: &str = "each ids , ns , cat /proc/interrupts , ls /dev , stat /dev/kmsg , open r /dev/kmsg , \
                      write-file /proc/sys/net/ipv4/ip_forward 1 , write-file /sys/kernel/mm/ksm/run 0 , \
                      mkdir /sys/fs/cgroup/below";
const DIVIDES: &str = "each mkdir /sys/fs/cgroup/leaf , write-file /sys/fs/cgroup/leaf/cgroup.procs 1 , \
                       write-file /sys/fs/cgroup/cgroup.subtree_control +memory , \
                       write-file /sys/fs/cgroup/cgroup.subtree_control +pids , \
                       mkdir /sys/fs/cgroup/other , write-file /sys/fs/cgroup/other/memory.max 8388608 , \
                       cat /sys/fs/cgroup/other/memory.max , write-file /sys/fs/cgroup/pids.max max , \
                       write-file /sys/fs/cgroup/cgroup.kill 1 , cat /sys/fs/cgroup/pids.max";
const READS: &str = "each cat /b/config.json , ls /r , stat /r/data , write-file /r/note x";
const KNOBS: &str = "each cat /proc/sys/net/core/somaxconn , cat /proc/sys/kernel/shmmax , \
                     cat /proc/sys/net/ipv4/ip_unprivileged_port_start , cat /proc/sys/net/ipv4/ping_group_range";

#[test]
fn opens_as_declared() {
    let config = [
        container("plain", &format!("{DEVICES} , {} , {}", &POWERS[5..], &DIVIDES[5..]), ""),
        container("devices", DEVICES, "devices = [\"/dev/cpu_dma_latency\", \"/dev/ttyS0:/dev/modem:r\"]"),
        container("no-device", "sleep", "devices = [\"/dev/no-such\"]"),
        container("no-profile", "sleep", "apparmor = \"no-such\""),
        container("privileged", POWERS, "privileged = true"),
        container("machines-root", POWERS, "privileged = true\nuserns = \"host\""),
        container("machines-ids", "each ids , ns", "userns = \"host\"\nvolumes = [\"/data\"]"),
        container("divides", DIVIDES, "cgroup = \"delegate\"\nlimits = { pids = 50, memory = \"64M\" }"),
        container("strict", "each ids , write-file /new x , write-file /tmp/new x", "security = \"strict\""),
        container("docker", "each ids", "security = \"docker\""),
        container("knobs", KNOBS, "sysctls = { \"net.core.somaxconn\" = 77, \"kernel.shmmax\" = 4096 }"),
        container("reaps", "each orphan-burst 30 , until-alone , procs", "init = true"),
        container("passes-on", "report-signal", "init = true"),
        container("ends", "exit 7", "init = true"),
        container("dies", "die KILL", "init = true"),
        container("not-found", "sleep", "init = true").replace("[\"/payload\"]", "[\"/no-such\"]"),
        container(
            "named",
            "sleep",
            "user = \"web:adm\"\nenv_file = \"named.env\"\nenvironment = { A = \"b\" }",
        ),
        container("reader", READS, "userns = \"host\"\nvolumes = [\"/run/b:/b:ro\", \"/run/b/rootfs:/r\"]"),
    ];
    let world = world(&config.concat());
    std::fs::write(world.config().join("named.env"), "MODE=fast\n").unwrap();
    let machine = world.boot();
    a_container_that_says_nothing_has_none_of_it(&machine);
    devices_are_given_one_by_one(&machine);
    a_privileged_container_is_root_of_itself_alone(&machine);
    a_delegated_cgroup_can_be_divided(&machine);
    presets_are_what_they_say(&machine);
    parameters_are_of_its_own_namespaces(&machine);
    an_init_reaps_passes_signals_on_and_ends_as_the_program(&machine);
    what_a_container_gets_is_told_whole(&machine);
    a_bundle_has_its_root(&machine);
    machine.power_off();
}

fn a_container_that_says_nothing_has_none_of_it(machine: &Booted) {
    let log = machine.logged("plain", "== end");
    assert_eq!(section(&log, "open r /dev/cpu_dma_latency"), "read ENOENT\n");
    assert_eq!(section(&log, "write-file /dev/note x"), "write /dev/note: EROFS\n");
    assert_eq!(section(&log, "cat /proc/interrupts"), "");
    let forward = "write-file /proc/sys/net/ipv4/ip_forward 1";
    assert_eq!(section(&log, forward), "write /proc/sys/net/ipv4/ip_forward: EROFS\n");
    assert_eq!(section(&log, "mkdir /sys/fs/cgroup/leaf"), "mkdir /sys/fs/cgroup/leaf: EROFS\n");
}

fn devices_are_given_one_by_one(machine: &Booted) {
    let log = machine.logged("devices", "== end");
    let found: Vec<&str> = section(&log, "ls /dev").lines().collect();
    for name in ["cpu_dma_latency", "modem", "null", "tty", "pts", "shm", "mqueue", "ptmx", "fd"] {
        assert!(found.contains(&name), "{name} in {found:?}");
    }
    for name in ["ttyS0", "kmsg", "mem"] {
        assert!(!found.contains(&name), "{name} in {found:?}");
    }
    assert_eq!(section(&log, "open r /dev/cpu_dma_latency"), "read ok\n");
    assert_eq!(section(&log, "open r /dev/modem"), "read ok\n");
    assert_eq!(section(&log, "open w /dev/modem"), "write EPERM\n");
    assert_eq!(section(&log, "open w /dev/null"), "write ok\n");
    assert_eq!(section(&log, "stat /dev/modem"), "/dev/modem 600 0 0\n");
    let missing = machine.wait("no-device", "failed");
    assert_eq!(missing["cause"]["step"], "devices");
    assert_eq!(missing["cause"]["object"], "/dev/no-such");
    let missing = machine.wait("no-profile", "failed");
    assert_eq!(missing["cause"]["step"], "apparmor");
    assert_eq!(missing["cause"]["object"], "no-such");
}

fn a_privileged_container_is_root_of_itself_alone(machine: &Booted) {
    for name in ["privileged", "machines-root"] {
        let log = machine.logged(name, "== end");
        let ids = section(&log, "ids");
        assert_eq!(value(ids, "CapEff"), format!("{ALL:016x}"), "{name}");
        assert_eq!((value(ids, "NoNewPrivs"), value(ids, "Seccomp")), ("0", "0"), "{name}");
        assert!(section(&log, "cat /proc/interrupts").contains("CPU0"), "{name}");
        let devices = section(&log, "ls /dev");
        assert!(devices.contains("mem\n") && devices.contains("ttyS0\n"), "{name}: {devices}");
        assert_eq!(section(&log, "write-file /proc/sys/net/ipv4/ip_forward 1"), "", "{name}");
        assert_eq!(section(&log, "mkdir /sys/fs/cgroup/below"), "", "{name}");
        let is_machines = name == "machines-root";
        assert_eq!(value(section(&log, "ns"), "user") == MACHINES_USERS, is_machines, "{name}");
        assert_eq!(value(ids, "uid_map 0") == "0 4294967295", is_machines, "{name}");
        // What belongs to the machine is written to by its root alone.
        let machines = section(&log, "write-file /sys/kernel/mm/ksm/run 0");
        assert!(
            is_machines || machines.contains("EACCES") || machines.contains("EPERM"),
            "{name}: {machines}"
        );
    }
    let log = machine.logged("machines-ids", "== end");
    assert_eq!(value(section(&log, "ns"), "user"), MACHINES_USERS);
    let ids = section(&log, "ids");
    assert_eq!((value(ids, "CapEff"), value(ids, "NoNewPrivs")), ("00000000000005fb", "1"));
}

fn a_delegated_cgroup_can_be_divided(machine: &Booted) {
    let log = machine.logged("divides", "== end");
    for task in DIVIDES[5..].split(" , ").take(6) {
        assert_eq!(section(&log, task), "", "{task}");
    }
    assert_eq!(section(&log, "cat /sys/fs/cgroup/other/memory.max"), "8388608\n");
    // Its own limits are the machine's.
    let refused = section(&log, "write-file /sys/fs/cgroup/pids.max max");
    assert!(refused.contains("EPERM") || refused.contains("EACCES"), "{refused}");
    assert_eq!(section(&log, "cat /sys/fs/cgroup/pids.max"), "50\n");
}

fn presets_are_what_they_say(machine: &Booted) {
    let strict = machine.logged("strict", "== end");
    let ids = section(&strict, "ids");
    assert_eq!((value(ids, "CapBnd"), value(ids, "NoNewPrivs")), ("0000000000000000", "1"));
    assert_eq!(section(&strict, "write-file /new x"), "write /new: EROFS\n");
    assert_eq!(section(&strict, "write-file /tmp/new x"), "");
    let docker = machine.logged("docker", "== end");
    let ids = section(&docker, "ids");
    assert_eq!(value(ids, "CapBnd"), format!("{DOCKER:016x}"));
    assert_eq!((value(ids, "NoNewPrivs"), value(ids, "Seccomp")), ("0", "2"));
}

fn parameters_are_of_its_own_namespaces(machine: &Booted) {
    let log = machine.logged("knobs", "== end");
    assert_eq!(section(&log, "cat /proc/sys/net/core/somaxconn"), "77\n");
    assert_eq!(section(&log, "cat /proc/sys/kernel/shmmax"), "4096\n");
    assert_eq!(section(&log, "cat /proc/sys/net/ipv4/ip_unprivileged_port_start"), "0\n");
    assert_eq!(section(&log, "cat /proc/sys/net/ipv4/ping_group_range"), "0\t65535\n");
}

fn an_init_reaps_passes_signals_on_and_ends_as_the_program(machine: &Booted) {
    let log = machine.logged("reaps", "== end");
    assert_eq!(section(&log, "until-alone"), "alone\n");
    let processes: Vec<&str> = section(&log, "procs").lines().collect();
    assert_eq!((processes[0], processes.len()), ("1 orlop-init", 2), "{processes:?}");
    machine.logged("passes-on", "waiting for a signal");
    machine.ok("Stop", json!({ "name": "passes-on" }));
    for (name, code) in [("passes-on", TERM), ("ends", 7), ("dies", 128 + 9)] {
        let wanted = if name == "passes-on" { "exited" } else { "failed" };
        let found = machine.wait(name, wanted);
        assert_eq!(found["exit_code"], code, "{name}: {found}");
    }
    let found = machine.wait("not-found", "failed");
    assert_eq!(found["cause"]["step"], "execute");
}

fn what_a_container_gets_is_told_whole(machine: &Booted) {
    let told = machine.ok("Spec", json!({ "name": "named", "bundle": null }));
    let process = &told["spec"]["process"];
    assert_eq!((&process["user"]["uid"], &process["user"]["gid"]), (&json!(101), &json!(4)), "{process}");
    for pair in ["MODE=fast", "A=b", "HOME=/"] {
        assert!(process["env"].as_array().unwrap().contains(&json!(pair)), "{pair}: {process}");
    }
    for (name, exposure) in
        [("strict", 0..10), ("plain", 0..10), ("privileged", 50..100), ("machines-root", 100..101)]
    {
        let told = machine.ok("Spec", json!({ "name": name, "bundle": null }));
        let spec: Spec = serde_json::from_value(told["spec"].clone()).unwrap();
        let root = Root::directory("/b/rootfs".into());
        assert!(plan(&spec, &root).is_ok(), "{name}");
        let found = audit(&spec);
        assert!(exposure.contains(&found.exposure), "{name}: {found:#?}");
    }
}

fn a_bundle_has_its_root(machine: &Booted) {
    machine.wait("reader", "failed");
    let told = machine.ok("Spec", json!({ "name": "named", "bundle": "/run/b" }));
    assert_eq!(told["spec"]["linux"]["cgroupsPath"], json!(null));
    machine.ok("Start", json!({ "name": "reader" }));
    let log = machine.logged("reader", "== end");
    let written: Value = serde_json::from_str(section(&log, "cat /b/config.json")).unwrap();
    assert_eq!(written, told["spec"]);
    assert!(section(&log, "ls /r").contains("payload\n"), "{log}");
    let first = &told["spec"]["linux"]["uidMappings"][0]["hostID"];
    // Ids in it are the container's, as they are outside.
    assert_eq!(section(&log, "stat /r/data"), format!("/r/data 755 {first} {first}\n"));
    assert_eq!(section(&log, "write-file /r/note x"), "");
    let again = machine.machine.call("Spec", json!({ "name": "named", "bundle": "/run/b" }));
    assert!(again.is_err(), "{again:?}");
}

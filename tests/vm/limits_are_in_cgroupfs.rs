//! Every limit is in the kernel's own files, on the container's cgroup and where its programs look.

use crate::common::{container, section, world};

/// File, what is on `containers/NAME`, what its program reads in /sys/fs/cgroup.
const LIMITED: [(&str, &str, Option<&str>); 11] = [
    ("memory.max", "50331648", Some("50331648")),
    ("memory.high", "41943040", Some("41943040")),
    ("memory.low", "8388608", None),
    ("memory.swap.max", "16777216", None),
    ("memory.oom.group", "1", None),
    ("cpu.max", "50000 100000", Some("50000 100000")),
    ("cpu.weight", "300", None),
    ("cpuset.cpus", "0", None),
    ("cpuset.cpus.effective", "0", Some("0")),
    ("pids.max", "77", Some("77")),
    ("io.max", "254:0 rbps=1048576 wbps=2097152 riops=100 wiops=max", None),
];

const UNLIMITED: [(&str, &str); 7] = [
    ("memory.max", "max"),
    ("memory.high", "max"),
    ("memory.swap.max", "max"),
    ("memory.oom.group", "1"),
    ("cpu.max", "max 100000"),
    ("cpu.weight", "100"),
    ("pids.max", "2048"),
];

#[test]
fn limits_are_in_cgroupfs() {
    let limits = r#"limits = { memory = "48M", memory_high = "40M", memory_low = "8M", swap = "16M", cpus = 0.5,
        cpu_weight = 300, cpuset = "0", pids = 77, oom = "group",
        io = [{ device = "/dev/vda", rbps = "1M", wbps = "2M", riops = 100 }] }"#;
    let cat = |folder: &str, files: &[&str]| {
        let tasks: Vec<String> = files.iter().map(|file| format!("cat {folder}/{file}")).collect();
        format!("each {}", tasks.join(" , "))
    };
    let files: Vec<&str> = LIMITED.iter().map(|(file, ..)| *file).collect();
    let inside: Vec<&str> = LIMITED.iter().filter(|limit| limit.2.is_some()).map(|limit| limit.0).collect();
    let none: Vec<&str> = UNLIMITED.iter().map(|(file, _)| *file).collect();
    let look = "volumes = [\"/sys/fs/cgroup/containers:/cgroups:ro\"]\ndepends_on = [\"limited\", \"unlimited\", \"process\"]";
    let config = container("limited", &format!("{} , sleep", cat("/sys/fs/cgroup", &inside)), limits)
        + &container("unlimited", "sleep", "")
        + &container("process", "sleep", "limits = { oom = \"process\" }")
        + &container("look-limited", &cat("/cgroups/limited", &files), look)
        + &container("look-unlimited", &cat("/cgroups/unlimited", &none), look)
        + &container("look-process", &cat("/cgroups/process", &["memory.oom.group"]), look);
    let world = world(&config);
    // A disk to limit; nothing is read from it.
    let disk = world.config().join("../disk");
    std::fs::File::create(&disk).unwrap().set_len(1 << 20).unwrap();
    let machine = world.options(|options| options.disk = Some(disk)).boot();
    let (own, outer) = (machine.logged("limited", "sleeping"), machine.logged("look-limited", "== end"));
    for (file, expected, seen) in LIMITED {
        let found = section(&outer, &format!("cat /cgroups/limited/{file}"));
        assert_eq!(found.trim_end(), expected, "{file}");
        if let Some(seen) = seen {
            let found = section(&own, &format!("cat /sys/fs/cgroup/{file}"));
            assert_eq!(found.trim_end(), seen, "{file} as the container sees it");
        }
    }
    let log = machine.logged("look-unlimited", "== end");
    for (file, expected) in UNLIMITED {
        let found = section(&log, &format!("cat /cgroups/unlimited/{file}"));
        assert_eq!(found.trim_end(), expected, "{file} without limits");
    }
    let log = machine.logged("look-process", "== end");
    assert_eq!(section(&log, "cat /cgroups/process/memory.oom.group"), "0\n");
    machine.power_off();
}

//! Every limit is in the kernel's own files, on the container's cgroup and where its programs look;
//! a library of somebody else's reads the same out of them.

use std::path::Path;

use cgroups_rs::MaxValue;
use cgroups_rs::cpu::CpuController;
use cgroups_rs::cpuset::CpuSetController;
use cgroups_rs::memory::MemController;
use cgroups_rs::pid::PidController;

use crate::common::{container, section, value, world};

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

/// Not ours to set, but the library wants to see it.
const MEMORY_MIN: &str = "memory.min";

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
    let files: Vec<&str> = LIMITED.iter().map(|(file, ..)| *file).chain([MEMORY_MIN]).collect();
    let inside: Vec<&str> = LIMITED.iter().filter(|limit| limit.2.is_some()).map(|limit| limit.0).collect();
    let none: Vec<&str> = UNLIMITED.iter().map(|(file, _)| *file).collect();
    let look = "volumes = [\"/sys/fs/cgroup/containers:/cgroups:ro\"]\ndepends_on = [\"limited\", \"unlimited\", \"process\"]";
    let reserve = "volumes = [\"/sys/fs/cgroup:/cgroups:ro\"]";
    let reserves =
        "each cat /cgroups/containers/memory.max , cat /cgroups/orlop/memory.min , cat /proc/meminfo";
    let config = container("reserve", reserves, reserve)
        + &container("limited", &format!("{} , sleep", cat("/sys/fs/cgroup", &inside)), limits)
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
    let copy = tempfile::tempdir().unwrap();
    for file in files {
        let found = section(&outer, &format!("cat /cgroups/limited/{file}"));
        std::fs::write(copy.path().join(file), found).unwrap();
    }
    check_by_library(copy.path());
    let log = machine.logged("look-unlimited", "== end");
    for (file, expected) in UNLIMITED {
        let found = section(&log, &format!("cat /cgroups/unlimited/{file}"));
        assert_eq!(found.trim_end(), expected, "{file} without limits");
    }
    let log = machine.logged("look-process", "== end");
    assert_eq!(section(&log, "cat /cgroups/process/memory.oom.group"), "0\n");
    check_reserve(&machine.logged("reserve", "== end"));
    machine.power_off();
}

/// All containers together leave something for Orlop, which the kernel does not take away either.
#[track_caller]
fn check_reserve(log: &str) {
    let number = |text: &str| text.trim().trim_end_matches(" kB").parse::<u64>().unwrap();
    let total = number(value(section(log, "cat /proc/meminfo"), "MemTotal:")) << 10;
    // To the page: the kernel rounds.
    let limit = number(section(log, "cat /cgroups/containers/memory.max"));
    assert!(limit.abs_diff(total - (24 << 20)) < 4096, "{limit} of {total}");
    assert_eq!(number(section(log, "cat /cgroups/orlop/memory.min")), 12 << 20);
}

/// In the folder is what the machine's cgroupfs said, byte for byte.
#[track_caller]
fn check_by_library(cgroup: &Path) {
    /// The host's own hierarchy may be another: the folder alone counts.
    const V2: bool = true;
    let folder = || cgroup.to_path_buf();
    let memory = MemController::new(folder(), V2).get_mem().unwrap();
    let bytes = |mib: i64| Some(MaxValue::Value(mib << 20));
    assert_eq!((memory.max, memory.high), (bytes(48), bytes(40)));
    assert_eq!((memory.low, memory.min), (bytes(8), bytes(0)));
    let cpu = CpuController::new(folder(), V2);
    assert_eq!((cpu.cfs_quota().unwrap(), cpu.cfs_period().unwrap()), (50_000, 100_000));
    assert_eq!(cpu.shares().unwrap(), 300);
    assert_eq!(CpuSetController::new(folder(), V2).cpuset().cpus, [(0, 0)]);
    assert_eq!(PidController::new(folder(), V2).get_pid_max().unwrap(), MaxValue::Value(77));
}

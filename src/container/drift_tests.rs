//! Files of cgroups beside limits: what differs, in whose words, and what does not.

use super::*;
use crate::config::live_limits;

const PAGE: u64 = 4096;

fn limits(pairs: &[(&str, &str)]) -> Limits {
    live_limits(&pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()).unwrap()
}

/// What a container's cgroups have that was started with these limits, and what was written since.
fn kernel(limits: &Limits, changes: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for Setting { place, file, value, .. } in all_settings(limits).unwrap() {
        if place == Place::Both {
            files.insert(format!("main/{file}"), format!("{}\n", value.trim()));
        }
        files.insert(file, format!("{}\n", value.trim()));
    }
    files.extend(changes.iter().map(|(file, value)| ((*file).to_owned(), format!("{value}\n"))));
    files
}

fn told(limits: &Limits, files: &BTreeMap<String, String>, updated: &[(&str, &str)]) -> Vec<String> {
    let updated = updated.iter().map(|(file, value)| ((*file).into(), (*value).into())).collect();
    let read = |group: Group, file: &str| match group {
        Group::Outer => files.get(file).cloned(),
        Group::Main => files.get(&format!("main/{file}")).cloned(),
    };
    let disks = BTreeMap::from([("/dev/vda".to_owned(), (254, 0))]);
    let found = Found { read: &read, updated: &updated, disks: Some(&disks), page: PAGE };
    differences(limits, &found).unwrap().iter().map(ToString::to_string).collect()
}

#[track_caller]
fn check(declared: &[(&str, &str)], changes: &[(&str, &str)], expected: &[&str]) {
    let limits = limits(declared);
    assert_eq!(told(&limits, &kernel(&limits, changes), &[]), expected, "{changes:?}");
}

#[test]
fn what_is_as_it_was_written_does_not_differ() {
    check(&[], &[], &[]);
    let all =
        [("memory", "64M"), ("memory_high", "48M"), ("swap", "0"), ("cpus", "0.5"), ("cpu_weight", "300")];
    check(&all, &[], &[]);
    check(&[("cpuset", "0,2-3,1"), ("pids", "77"), ("oom", "process")], &[("cpuset.cpus", "0-3")], &[]);
    // The kernel counts memory in pages.
    let half = [("memory.max", "2097152"), ("main/memory.max", "2097152")];
    check(&[("memory", "2M")], &half, &[]);
    // A kernel without a controller has no file.
    assert_eq!(told(&limits(&[]), &BTreeMap::new(), &[]), Vec::<String>::new());
}

#[test]
fn every_limit_that_was_changed_is_told_with_both_values() {
    let memory = [("memory", "64M")];
    let both = [("memory.max", "134217728"), ("main/memory.max", "134217728")];
    check(&memory, &both, &["limits.memory is 64 MiB, the kernel has 128 MiB (cgroup memory.max)"]);
    let none = "limits.memory is 64 MiB, the kernel has no limit (cgroup memory.max)";
    check(&memory, &[("memory.max", "max")], &[none]);
    let inner = "limits.memory is 64 MiB, the kernel has 4097 bytes (cgroup main/memory.max)";
    check(&memory, &[("main/memory.max", "4097")], &[inner]);
    check(
        &[],
        &[("memory.low", "4096")],
        &["limits.memory_low is nothing, the kernel has 4 KiB (cgroup memory.low)"],
    );
    check(
        &[],
        &[("memory.swap.max", "0")],
        &["limits.swap is no limit, the kernel has 0 bytes (cgroup memory.swap.max)"],
    );
    check(
        &[("cpus", "0.5")],
        &[("cpu.max", "1250 10000")],
        &["limits.cpus is 0.5, the kernel has 0.125 (cgroup cpu.max)"],
    );
    check(
        &[("cpus", "2")],
        &[("cpu.max", "max 100000")],
        &["limits.cpus is 2, the kernel has no limit (cgroup cpu.max)"],
    );
    check(&[], &[("cpu.weight", "1")], &["limits.cpu_weight is 100, the kernel has 1 (cgroup cpu.weight)"]);
    check(&[], &[("cpuset.cpus", "0")], &["limits.cpuset is any, the kernel has 0 (cgroup cpuset.cpus)"]);
    check(
        &[("pids", "5")],
        &[("pids.max", "max")],
        &["limits.pids is 5, the kernel has no limit (cgroup pids.max)"],
    );
    check(
        &[],
        &[("memory.oom.group", "0")],
        &["limits.oom is group, the kernel has process (cgroup memory.oom.group)"],
    );
}

#[test]
fn what_orlop_update_changed_is_known() {
    let limits = limits(&[("memory", "64M")]);
    let files =
        kernel(&limits, &[("memory.max", "50331648"), ("main/memory.max", "50331648"), ("pids.max", "9")]);
    let updated = [("memory.max", "50331648"), ("pids.max", "7")];
    let expected = [
        "limits.memory is 64 MiB, the kernel has 48 MiB, changed by `orlop update` (cgroup memory.max)",
        // It wrote another one.
        "limits.pids is 2048, the kernel has 9 (cgroup pids.max)",
    ];
    assert_eq!(told(&limits, &files, &updated), expected);
    let map: BTreeMap<String, String> =
        [("cpuset.cpus", "\n"), ("cpu.max", "max 100000")].map(|(a, b)| (a.into(), b.into())).into();
    let back = decode_updated(&encode_updated(&map));
    assert_eq!(
        back,
        [("cpuset.cpus", ""), ("cpu.max", "max 100000")].map(|(a, b)| (a.into(), b.into())).into()
    );
    assert_eq!(decode_updated("nonsense"), BTreeMap::new());
}

#[test]
fn limits_of_devices_differ_by_device_and_key() {
    let mut limits = limits(&[]);
    let io = |wiops| crate::config::IoLimit {
        device: "/dev/vda".into(),
        rbps: Some(5),
        wbps: None,
        riops: None,
        wiops,
    };
    limits.io = vec![io(Some(7))];
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(told(&limits, &kernel(&limits, &[("io.max", text)]), &[]), expected, "{text}");
    };
    check("254:0 rbps=5 wbps=max riops=max wiops=7", &[]);
    check(
        "254:0 rbps=5 wbps=3 riops=max wiops=7",
        &["limits.io is wbps=max of /dev/vda, the kernel has wbps=3 (cgroup io.max)"],
    );
    check(
        "254:0 rbps=5 wbps=max riops=max wiops=7\n8:0 rbps=1",
        &["limits.io is rbps=max of 8:0, the kernel has rbps=1 (cgroup io.max)"],
    );
    check(
        "",
        &[
            "limits.io is rbps=5 of /dev/vda, the kernel has rbps=max (cgroup io.max)",
            "limits.io is wiops=7 of /dev/vda, the kernel has wiops=max (cgroup io.max)",
        ],
    );
}

#[test]
fn a_parameter_is_the_same_in_other_words() {
    let check =
        |declared, found, expected| assert_eq!(same_sysctl(declared, found), expected, "{declared} {found}");
    check("1", "1\n", true);
    check("4096 87380  6291456", "4096\t87380\t6291456\n", true);
    check("0x10", "16\n", true);
    check("010", "10\n", true);
    check("1", "0\n", false);
    check("1", "1 1\n", false);
    check("", "(none)\n", false);
    check("|/bin/x %p", "|/bin/x %p\n", true);
}

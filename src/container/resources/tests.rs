//! Tables: what the specification says, what is written, what is refused and why.

use proptest::prelude::*;

use super::*;

/// What a running cgroup of 64 MiB with half a CPU says.
fn running() -> Present {
    Present::read(|file| match file {
        "cpu.max" => "50000 100000\n".into(),
        "memory.max" => "67108864\n".into(),
        "memory.current" => "33554432\n".into(),
        _ => String::new(),
    })
}

fn read(json: &str) -> Resources {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// `FILE VALUE`; with `?` when the file may be missing, with `| FILE VALUE` for what is written instead.
fn show(settings: &[Setting]) -> Vec<String> {
    let show = |Setting { file, value, missing, .. }: &Setting| match missing {
        Missing::Refuse => format!("{file} {value}"),
        Missing::Pass => format!("{file}? {value}"),
        Missing::Instead { file: other, value: another } => format!("{file} {value} | {other} {another}"),
    };
    settings.iter().map(show).collect()
}

#[track_caller]
fn check(json: &str, expected: &[&str]) {
    let found = settings(&read(json), When::Start).unwrap_or_else(|refused| panic!("{json}: {refused}"));
    assert_eq!(show(&found), expected, "{json}");
}

#[track_caller]
fn update(json: &str, expected: &[&str]) {
    let found = settings(&read(json), When::Update(&running()));
    assert_eq!(show(&found.unwrap_or_else(|refused| panic!("{json}: {refused}"))), expected, "{json}");
}

#[track_caller]
fn refuse(when: When<'_>, json: &str, expected: &str) {
    let refused = settings(&read(json), when).expect_err(json);
    assert_eq!(refused.to_string(), format!("linux.resources.{expected}"), "{json}");
}

#[test]
fn memory() {
    check(r#"{ "memory": { "limit": 1000, "swap": 1500 } }"#, &["memory.swap.max 500", "memory.max 1000"]);
    check(r#"{ "memory": { "limit": 1000, "swap": 1000 } }"#, &["memory.swap.max? 0", "memory.max 1000"]);
    check(r#"{ "memory": { "limit": 1000, "swap": -1 } }"#, &["memory.swap.max? max", "memory.max 1000"]);
    check(r#"{ "memory": { "limit": -1, "swap": 1500 } }"#, &["memory.swap.max 1500", "memory.max max"]);
    check(r#"{ "memory": { "limit": -1 } }"#, &["memory.swap.max? max", "memory.max max"]);
    check(r#"{ "memory": { "reservation": 77 } }"#, &["memory.low 77"]);
    check(r#"{ "memory": { "reservation": -1 } }"#, &["memory.low max"]);
    check(r#"{ "memory": { "limit": 0, "swap": 0 } }"#, &[]);
}

#[test]
fn memory_of_a_running_container() {
    update(r#"{ "memory": { "limit": 99 } }"#, &["memory.max 99"]);
    // Of the limit that it has.
    update(r#"{ "memory": { "swap": 67109864 } }"#, &["memory.swap.max 1000"]);
    update(r#"{ "memory": { "limit": -1 } }"#, &["memory.swap.max? max", "memory.max max"]);
    let unlimited = Present::read(|file| if file == "memory.max" { "max".into() } else { String::new() });
    let swap = read(r#"{ "memory": { "swap": 5 } }"#);
    assert_eq!(show(&settings(&swap, When::Update(&unlimited)).unwrap()), ["memory.swap.max 5"]);
    update(r#"{ "memory": { "limit": 33554433, "checkBeforeUpdate": true } }"#, &["memory.max 33554433"]);
    let running = running();
    for (json, expected) in [
        (
            r#"{ "memory": { "limit": 1024, "checkBeforeUpdate": true } }"#,
            "memory.limit: rejecting memory limit 1024: 33554432 bytes are in use",
        ),
        (
            r#"{ "memory": { "limit": 1024, "swap": 2048, "checkBeforeUpdate": true } }"#,
            "memory.swap: rejecting memory+swap limit 2048: 33554432 bytes are in use",
        ),
    ] {
        refuse(When::Update(&running), json, expected);
    }
}

#[test]
fn cpu() {
    check(r#"{ "cpu": { "shares": 1024 } }"#, &["cpu.weight 100"]);
    check(r#"{ "cpu": { "quota": 5000 } }"#, &["cpu.max 5000 100000"]);
    check(r#"{ "cpu": { "period": 1000000 } }"#, &["cpu.max max 1000000"]);
    check(r#"{ "cpu": { "quota": -1, "period": 50000 } }"#, &["cpu.max max 50000"]);
    check(
        r#"{ "cpu": { "quota": 5000, "period": 10000, "burst": 5000 } }"#,
        &["cpu.max 5000 10000", "cpu.max.burst 5000"],
    );
    check(r#"{ "cpu": { "burst": 0 } }"#, &["cpu.max.burst? 0"]);
    check(r#"{ "cpu": { "cpus": "0-3,7", "mems": "0" } }"#, &["cpuset.cpus 0-3,7", "cpuset.mems 0"]);
    check(r#"{ "cpu": { "idle": 1, "shares": 512 } }"#, &["cpu.idle 1"]);
    check(r#"{ "cpu": { "idle": 0, "shares": 2 } }"#, &["cpu.idle? 0", "cpu.weight 1"]);
    check(
        r#"{ "cpu": { "shares": 0, "quota": 0, "period": 0, "cpus": "", "realtimeRuntime": 0, "realtimePeriod": 0 } }"#,
        &[],
    );
}

#[test]
fn cpu_of_a_running_container() {
    update(r#"{ "cpu": { "quota": 30000 } }"#, &["cpu.max 30000"]);
    update(r#"{ "cpu": { "quota": -1 } }"#, &["cpu.max max"]);
    update(r#"{ "cpu": { "period": 20000 } }"#, &["cpu.max 50000 20000"]);
    // In whatever way both change, the burst is never above the quota.
    update(
        r#"{ "cpu": { "quota": 80000, "burst": 70000 } }"#,
        &["cpu.max.burst 0", "cpu.max 80000", "cpu.max.burst 70000"],
    );
    update(r#"{ "cpu": { "burst": 9 } }"#, &["cpu.max.burst 9"]);
    let no_cpu = Present::read(|_| String::new());
    let period = read(r#"{ "cpu": { "period": 20000 } }"#);
    assert_eq!(show(&settings(&period, When::Update(&no_cpu)).unwrap()), ["cpu.max max 20000"]);
}

#[test]
fn processes_devices_and_pages() {
    check(r#"{ "pids": { "limit": 32771 } }"#, &["pids.max 32771"]);
    check(r#"{ "pids": { "limit": -1 } }"#, &["pids.max max"]);
    check(r#"{ "pids": { "limit": 0 } }"#, &["pids.max 1"]);
    check(r#"{ "blockIO": { "weight": 10 } }"#, &["io.bfq.weight 10 | io.weight 1"]);
    check(r#"{ "blockIO": { "weight": 1000 } }"#, &["io.bfq.weight 1000 | io.weight 10000"]);
    check(r#"{ "blockIO": { "weight": 0, "leafWeight": 0 } }"#, &[]);
    check(
        r#"{ "blockIO": { "weightDevice": [{ "major": 8, "minor": 0, "weight": 500 }] } }"#,
        &["io.bfq.weight 8:0 500 | io.weight 8:0 4950"],
    );
    check(
        r#"{ "blockIO": { "throttleReadBpsDevice": [{ "major": 8, "minor": 0, "rate": 600 }],
            "throttleWriteBpsDevice": [{ "major": 8, "minor": 0, "rate": 0 }],
            "throttleReadIOPSDevice": [{ "major": 8, "minor": 16, "rate": 1 }],
            "throttleWriteIOPSDevice": [{ "major": 8, "minor": 16, "rate": 2 }] } }"#,
        &["io.max 8:0 rbps=600", "io.max 8:0 wbps=max", "io.max 8:16 riops=1", "io.max 8:16 wiops=2"],
    );
    check(
        r#"{ "hugepageLimits": [{ "pageSize": "2MB", "limit": 209715200 }] }"#,
        &["hugetlb.2MB.max 209715200", "hugetlb.2MB.rsvd.max? 209715200"],
    );
    check(
        r#"{ "rdma": { "mlx5_1": { "hcaHandles": 3, "hcaObjects": 10000 }, "rxe3": { "hcaObjects": 5 } } }"#,
        &["rdma.max mlx5_1 hca_handle=3 hca_object=10000", "rdma.max rxe3 hca_object=5"],
    );
    check(r#"{ "network": { "classID": 0, "priorities": [] } }"#, &[]);
}

#[test]
fn files_by_name_come_last_one_write_a_line() {
    check(
        r#"{ "unified": { "memory.max": "5", "io.max": "259:0 rbps=2097152\n253:0 wiops=120\n",
            "cgroup.max.depth": "3", "later.thing": "x", "hugetlb.1GB.max": "1", "cpuset.cpus": "" },
            "memory": { "limit": 9 } }"#,
        &[
            "memory.max 9",
            "cgroup.max.depth 3",
            "cpuset.cpus \n",
            "hugetlb.1GB.max 1",
            "io.max 259:0 rbps=2097152",
            "io.max 253:0 wiops=120",
            "later.thing x",
            "memory.max 5",
        ],
    );
}

#[test]
fn refuses_by_field_what_cgroup_v2_cannot_do() {
    for (json, expected) in [
        (
            r#"{ "memory": { "kernel": 1 } }"#,
            "memory.kernel: cgroup v2 counts the kernel's memory with all other: lower `limit`",
        ),
        (
            r#"{ "memory": { "kernelTCP": 1 } }"#,
            "memory.kernelTCP: cgroup v2 counts buffers of sockets with all other memory: lower `limit`",
        ),
        (
            r#"{ "memory": { "swappiness": 60 } }"#,
            "memory.swappiness: cgroup v2 has none for a group: vm.swappiness holds for the machine",
        ),
        (
            r#"{ "memory": { "disableOOMKiller": true } }"#,
            "memory.disableOOMKiller: cgroup v2 always kills: leave `limit` out, or set memory.high",
        ),
        (
            r#"{ "memory": { "useHierarchy": false } }"#,
            "memory.useHierarchy: in cgroup v2 limits always hold for all below",
        ),
        (
            r#"{ "cpu": { "realtimeRuntime": 1 } }"#,
            "cpu.realtimeRuntime: cgroup v2 does not divide real time",
        ),
        (r#"{ "cpu": { "realtimePeriod": 1 } }"#, "cpu.realtimePeriod: cgroup v2 does not divide real time"),
        (
            r#"{ "network": { "classID": 7 } }"#,
            "network.classID: cgroup v2 does not mark or rank a group's packets",
        ),
        (
            r#"{ "network": { "priorities": [{ "name": "eth0", "priority": 0 }] } }"#,
            "network.priorities: cgroup v2 does not mark or rank a group's packets",
        ),
        (
            r#"{ "blockIO": { "leafWeight": 10 } }"#,
            "blockIO.leafWeight: in cgroup v2 processes do not compete with groups below theirs",
        ),
        (
            r#"{ "blockIO": { "weightDevice": [{ "major": 8, "minor": 0, "leafWeight": 300 }] } }"#,
            "blockIO.weightDevice.leafWeight: in cgroup v2 processes do not compete with groups below theirs",
        ),
    ] {
        refuse(When::Start, json, expected);
    }
    // What the same fields say when they ask for nothing.
    check(
        r#"{ "memory": { "kernel": -1, "kernelTCP": 0, "disableOOMKiller": false, "useHierarchy": true } }"#,
        &[],
    );
}

#[test]
fn refuses_values_that_the_kernel_would_only_call_invalid() {
    for (json, expected) in [
        (r#"{ "memory": { "limit": -2 } }"#, "memory.limit: -2 is no limit: from 0, or -1 for none"),
        (r#"{ "memory": { "swap": 5 } }"#, "memory.swap: is memory and swap together: `limit` is missing"),
        (
            r#"{ "memory": { "limit": 5, "swap": 4 } }"#,
            "memory.swap: 4 for memory and swap together, of which memory alone may have 5",
        ),
        (r#"{ "pids": { "limit": -7 } }"#, "pids.limit: -7 is no limit: from 0, or -1 for none"),
        (
            r#"{ "cpu": { "quota": 999 } }"#,
            "cpu.quota: 999 µs: the kernel takes 1000 to 17592186044415, and -1 for no limit",
        ),
        (
            r#"{ "cpu": { "quota": -2 } }"#,
            "cpu.quota: -2 µs: the kernel takes 1000 to 17592186044415, and -1 for no limit",
        ),
        (r#"{ "cpu": { "period": 100 } }"#, "cpu.period: 100 µs: the kernel takes 1000 to 1000000"),
        (r#"{ "cpu": { "quota": 1000, "burst": 1001 } }"#, "cpu.burst: 1001 µs is more than the quota, 1000"),
        (r#"{ "cpu": { "idle": 2 } }"#, "cpu.idle: 2 is neither 0 nor 1"),
        (
            r#"{ "cpu": { "cpus": "0,3-1" } }"#,
            "cpu.cpus: `0,3-1` is no list like 0-3,7: `3-1` is no number or range",
        ),
        (
            r#"{ "cpu": { "mems": "+1" } }"#,
            "cpu.mems: `+1` is no list like 0-3,7: `+1` is no number or range",
        ),
        (r#"{ "blockIO": { "weight": 9 } }"#, "blockIO.weight: 9 is not from 10 to 1000"),
        (
            r#"{ "blockIO": { "weightDevice": [{ "major": 8, "minor": 0 }] } }"#,
            "blockIO.weightDevice.weight: is missing",
        ),
        (
            r#"{ "blockIO": { "throttleReadBpsDevice": [{ "major": 4096, "minor": 0, "rate": 1 }] } }"#,
            "blockIO.throttleReadBpsDevice: 4096:0 is no number of a device",
        ),
        (
            r#"{ "hugepageLimits": [{ "pageSize": "2M/../B", "limit": 1 }] }"#,
            "hugepageLimits.pageSize: `2M/../B` is no size of pages: like 64KB, 2MB or 1GB",
        ),
        (r#"{ "rdma": { "a b": { "hcaHandles": 1 } } }"#, "rdma: `a b` is no name of a device"),
        (r#"{ "rdma": { "a": {} } }"#, "rdma.a: neither hcaHandles nor hcaObjects is given"),
    ] {
        refuse(When::Start, json, expected);
    }
}

#[test]
fn refuses_files_that_are_no_limits() {
    let no_name = "is no name of a controller's file, like memory.high";
    for (file, value, why) in [
        ("", "1", no_name),
        ("memory", "1", no_name),
        (".max", "1", no_name),
        ("memory.", "1", no_name),
        ("../memory.max", "1", no_name),
        ("a/memory.max", "1", no_name),
        ("memory.max\n", "1", no_name),
        ("cgroup.procs", "1", "limits nothing"),
        ("cgroup.kill", "1", "limits nothing"),
        ("cgroup.freeze", "1", "limits nothing"),
        ("cgroup.subtree_control", "-memory", "limits nothing"),
        ("memory.reclaim", "1G", "limits nothing"),
        ("memory.peak", "0", "limits nothing"),
        ("cpu.pressure", "some 1 2", "limits nothing"),
        ("memory.max", "", "says nothing"),
        ("memory.max", " \n", "says nothing"),
        ("memory.max", "1\0", "holds a NUL"),
    ] {
        let unified = [(file.to_owned(), value.to_owned())].into();
        let refused = settings(&Resources { unified, ..Resources::default() }, When::Start).unwrap_err();
        assert_eq!(refused.to_string(), format!("linux.resources.unified.{file}: {why}"));
    }
}

#[test]
fn programs_find_their_limits_where_they_look() {
    let json = r#"{ "memory": { "limit": 9, "reservation": 5 }, "cpu": { "quota": 5000, "burst": 9, "shares": 5 },
        "pids": { "limit": 5 }, "unified": { "memory.high": "8", "memory.min": "1" } }"#;
    let settings = settings(&read(json), When::Start).unwrap();
    let both: Vec<&str> =
        settings.iter().filter(|it| it.place == Place::Both).map(|it| it.file.as_str()).collect();
    assert_eq!(both, ["memory.max", "cpu.max", "cpu.max.burst", "pids.max", "memory.high"]);
    assert_eq!(controllers(&settings), BTreeSet::from(["cpu", "memory", "pids"]));
}

/// Every field, at the edges of what JSON can say there.
fn any_resources() -> impl Strategy<Value = serde_json::Value> {
    const NUMBERS: [&str; 19] = [
        "memory.limit",
        "memory.reservation",
        "memory.swap",
        "memory.kernel",
        "memory.kernelTCP",
        "memory.swappiness",
        "cpu.shares",
        "cpu.quota",
        "cpu.burst",
        "cpu.period",
        "cpu.realtimeRuntime",
        "cpu.realtimePeriod",
        "cpu.idle",
        "pids.limit",
        "blockIO.weight",
        "blockIO.leafWeight",
        "network.classID",
        "memory.checkBeforeUpdate",
        "memory.disableOOMKiller",
    ];
    let number = prop_oneof![
        4 => prop::sample::select(vec![-2_i64, -1, 0, 1, 2, 9, 10, 999, 1000, 100_000, 1_000_000, i64::MIN, i64::MAX])
            .prop_map(serde_json::Value::from),
        1 => Just(serde_json::Value::from(u64::MAX)),
        1 => any::<bool>().prop_map(serde_json::Value::from),
        1 => Just(serde_json::Value::Null),
    ];
    let numbers = prop::collection::btree_map(prop::sample::select(NUMBERS.to_vec()), number, 0..6);
    let lists = prop::collection::btree_map(prop::sample::select(vec!["cpus", "mems"]), "[0-9,-]{0,8}", 0..3);
    let device = (-1..5000_i64, -1..2_i64, any::<u64>()).prop_map(|(major, minor, rate)| {
        serde_json::json!({ "major": major, "minor": minor, "rate": rate, "weight": rate as u16 })
    });
    let devices = prop::collection::vec(device, 0..3);
    let unified = prop::collection::btree_map("[a-z./]{0,12}", "[a-z0-9 \n]{0,8}", 0..3);
    let pages = ("[0-9]{0,3}[KMG]?B?", any::<u64>());
    (numbers, lists, devices, unified, pages).prop_map(|(numbers, lists, devices, unified, pages)| {
        let mut all = serde_json::json!({ "memory": {}, "cpu": lists, "pids": {}, "network": {}, "unified": unified,
            "blockIO": { "throttleReadBpsDevice": devices, "weightDevice": devices },
            "hugepageLimits": [{ "pageSize": pages.0, "limit": pages.1 }] });
        for (path, value) in numbers {
            let (group, field) = path.split_once('.').unwrap();
            all[group][field] = value;
        }
        if devices.is_empty() {
            all["hugepageLimits"] = serde_json::Value::Null;
        }
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn whatever_is_asked_for_becomes_files_of_the_cgroup_or_a_reason(
        json in any_resources(),
        present in "(max|[0-9]{1,20})? ?[0-9]{0,7}",
    ) {
        if let Ok(resources) = serde_json::from_value::<Resources>(json) {
            let present = Present::read(|_| present.clone());
            for when in [When::Start, When::Update(&present)] {
                match settings(&resources, when) {
                    Ok(settings) => for Setting { file, value, .. } in settings {
                        prop_assert!(!file.contains('/') && file.contains('.') && !value.is_empty(), "{} {}", file, value);
                    }
                    Err(refused) => {
                        prop_assert!(refused.field.starts_with("linux.resources."));
                        prop_assert!(!refused.why.is_empty());
                    }
                }
            }
        }
    }
}

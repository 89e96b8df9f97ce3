//! Figures out of files.

use super::*;

const FILES: &[(&str, &str)] = &[
    (
        "cpu.stat",
        "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 7\nnr_throttled 1\nthrottled_usec 9\n",
    ),
    (
        "cpu.pressure",
        "some avg10=1.50 avg60=0.00 avg300=0.25 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n",
    ),
    ("cpuset.cpus.effective", "0-2,7\n"),
    ("memory.current", "4096\n"),
    ("memory.max", "8192\n"),
    ("memory.peak", "6000\n"),
    ("memory.swap.current", "1\n"),
    ("memory.swap.max", "2\n"),
    ("memory.stat", "anon 1\nfile 2\n"),
    ("memory.events", "low 0\nhigh 0\nmax 4\noom 1\n"),
    ("pids.current", "3\n"),
    ("pids.max", "max\n"),
    ("io.stat", "254:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n8:0\n"),
    ("hugetlb.2MB.current", "0\n"),
    ("hugetlb.2MB.max", "max\n"),
    ("hugetlb.2MB.events", "max 6\n"),
];

fn json(files: &[(&str, &str)]) -> serde_json::Value {
    let read = |file: &str| files.iter().find(|(name, _)| *name == file).map(|(_, text)| (*text).to_owned());
    let event = Event { kind: "stats", id: "web", data: Some(stats(read, &[String::from("2MB")])) };
    serde_json::to_value(event).unwrap()
}

#[test]
fn figures_have_runcs_names_and_units() {
    let event = json(FILES);
    assert_eq!((&event["type"], &event["id"]), (&"stats".into(), &"web".into()));
    let check = |path: &str, expected: serde_json::Value| {
        assert_eq!(event["data"].pointer(path), Some(&expected), "{path}");
    };
    check("/cpu/usage", serde_json::json!({"total": 5000, "kernel": 2000, "user": 3000}));
    check("/cpu/throttling", serde_json::json!({"periods": 7, "throttledPeriods": 1, "throttledTime": 9000}));
    check("/cpu/psi/some", serde_json::json!({"avg10": 1.5, "avg60": 0.0, "avg300": 0.25, "total": 12}));
    check("/cpuset/cpus", serde_json::json!([0, 1, 2, 7]));
    check("/memory/usage", serde_json::json!({"limit": 8192, "usage": 4096, "max": 6000, "failcnt": 4}));
    check("/memory/swap", serde_json::json!({"limit": 8194, "usage": 4097, "max": 0, "failcnt": 0}));
    check("/memory/cache", 2.into());
    check("/memory/raw", serde_json::json!({"anon": 1, "file": 2}));
    check("/pids", serde_json::json!({"current": 3, "limit": 0}));
    check(
        "/blkio/ioServiceBytesRecursive",
        serde_json::json!([
            {"major": 254, "minor": 0, "op": "Read", "value": 10},
            {"major": 254, "minor": 0, "op": "Write", "value": 20},
        ]),
    );
    check("/hugetlb/2MB", serde_json::json!({"usage": 0, "max": u64::MAX, "failcnt": 6}));
}

#[test]
fn a_kernel_that_has_nothing_gives_nothing() {
    let event = json(&[]);
    assert_eq!(event["data"].pointer("/memory/usage/usage"), Some(&0.into()));
    assert_eq!(event["data"].pointer("/cpu/psi"), None);
}

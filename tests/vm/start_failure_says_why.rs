//! A start that fails says which step, on what, with which errno; the others are not disturbed.

use serde_json::Value;

use crate::common::{container, world};

/// Container, keys, and its cause: step, object, errno, text.
type Case = (&'static str, &'static str, [&'static str; 4]);

const CASES: [Case; 9] = [
    (
        "program",
        "entrypoint = [\"/missing\"]",
        ["execute", "/missing", "ENOENT", "No such file or directory"],
    ),
    ("in-path", "entrypoint = [\"missing\"]", ["execute", "missing", "ENOENT", "No such file or directory"]),
    (
        "not-a-program",
        "entrypoint = [\"/etc/passwd\"]",
        ["execute", "/etc/passwd", "EACCES", "Permission denied"],
    ),
    (
        "no-program",
        "entrypoint = []\ncommand = []",
        ["execute", "neither the image nor the configuration names a program", "", ""],
    ),
    ("user", "user = \"nobody\"", ["user", "user `nobody` is not in the image's /etc/passwd", "", ""]),
    ("group", "group_add = [\"wheel\"]", ["user", "group `wheel` is not in the image's /etc/group", "", ""]),
    (
        "volume",
        "volumes = [\"/no/such:/data\"]",
        ["mount", "/no/such on /data", "ENOENT", "No such file or directory"],
    ),
    (
        "directory",
        "working_dir = \"/etc/passwd\"",
        ["working_dir", "/etc/passwd", "ENOTDIR", "Not a directory"],
    ),
    (
        "device",
        "limits = { io = [{ device = \"/dev/no-such\", rbps = \"1M\" }] }",
        ["limits.io", "/dev/no-such", "ENOENT", "No such file or directory"],
    ),
];

#[test]
fn start_failure_says_why() {
    let declare = |(name, more, _): &Case| {
        let entrypoint = if more.contains("entrypoint") {
            ""
        } else {
            "entrypoint = [\"/payload\"]\ncommand = [\"sleep\"]"
        };
        format!("[container.{name}]\nimage = \"dir:payload\"\n{entrypoint}\n{more}\n")
    };
    let config: String = CASES.iter().map(declare).collect();
    let machine = world(&(config + &container("neighbour", "sleep", ""))).boot();
    machine.wait("neighbour", "running");
    for (name, _, [step, object, errno, text]) in CASES {
        let found = machine.wait(name, "failed");
        let cause = &found["cause"];
        let errno = if errno.is_empty() { Value::Null } else { errno.into() };
        let expected = [Value::from("start"), step.into(), object.into(), errno];
        assert_eq!(["kind", "step", "object", "errno"].map(|key| cause[key].clone()), expected, "{found}");
        let text =
            if text.is_empty() { format!("{step}: {object}") } else { format!("{step} {object}: {text}") };
        assert_eq!(cause["text"], format!("could not be started: {text}"), "{name}");
        assert!(found["pid"].is_null() && found["exit_code"].is_null(), "{found}");
    }
    machine.power_off();
}

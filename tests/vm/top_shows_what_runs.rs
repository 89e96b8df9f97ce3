//! `orlop top` on a terminal: all containers as they are, the log of the one that is chosen, and the terminal as it
//! was when it is left; in a pipe the table, once.

#![expect(
    clippy::disallowed_methods,
    reason = "the one at the terminal is another process, waited for as one"
)]

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::common::outside::Outside;
use crate::common::{container, world};

#[test]
fn top_shows_what_runs() {
    let config = container("burns", "burn 3600", "limits = { cpus = 0.2 }")
        + &container("talks", "each ids , sleep", "")
        + &container("ends", "exit 3", "restart = \"no\"");
    let machine = world(&config).boot();
    machine.wait("burns", "running");
    machine.wait("ends", "failed");
    machine.logged("talks", "sleeping");
    let orlop = Outside::of(&machine);

    let table = orlop.ok("top --sort name");
    let names: Vec<_> = table.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["NAME", "burns", "ends", "talks"], "{table}");
    let json = orlop.json("top --json");
    assert!(json[0]["figures"]["cpu_us"].as_u64() > Some(0) && json[1]["figures"].is_null(), "{json}");

    let client = orlop.command(&["top", "--sort", "name"]);
    let words: Vec<_> = client.get_args().map(|word| word.to_str().unwrap()).collect();
    let line = format!("{} {}", client.get_program().to_str().unwrap(), words.join(" "));
    let shell = format!("stty rows 24 cols 100; stty -g; {line}; echo code $?; stty -g");
    let mut child = Command::new("timeout")
        .args(["100", "script", "-qec", &shell, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut keys = child.stdin.take().unwrap();
    let mut bytes = Vec::new();
    let mut until = |wanted: &str| {
        let mut byte = [0];
        while !String::from_utf8_lossy(&bytes).contains(wanted) {
            let shown = String::from_utf8_lossy(&bytes).into_owned();
            assert_eq!(out.read(&mut byte).unwrap_or(0), 1, "no {wanted:?} in {shown:?}");
            bytes.push(byte[0]);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    until("3 containers: 2 running, 1 failed");
    // Down to the last, and its log.
    keys.write_all(b"\x1b[B\x1b[B\r").unwrap();
    until("── log of talks ");
    until("sleeping");
    keys.write_all(b"q").unwrap();
    let all = until("code 0\r\n");
    let (before, _) = all.split_once("\r\n").unwrap();
    assert!(all.contains("\x1b[?1049l"), "the other screen is not left: {all:?}");
    drop(keys);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    child.wait().unwrap();
    assert_eq!(rest.trim(), before.trim(), "the terminal is not as it was");
    machine.power_off();
}

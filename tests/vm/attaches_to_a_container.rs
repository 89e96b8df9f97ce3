//! `orlop attach`: a container's own terminal or input, and what it writes from now on.

#![allow(clippy::disallowed_methods, reason = "who is attached is spoken with while it runs")]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::common::outside::Outside;
use crate::common::{container, world};

#[test]
fn attaches_to_a_container() {
    let config = "[host]\nfault_injection = true\n".to_owned()
        + &container("game", "terminal", "tty = true\nuser = \"web\"\nrestart = \"no\"")
        + &container("pipe", "copy", "stdin_open = true\nrestart = \"no\"")
        + &container("plain", "report-signal", "restart = \"no\"");
    let machine = world(&config).boot();
    let orlop = Outside::of(&machine);
    // What is written on a terminal is its log.
    machine.until("game", "to have written", |_| machine.logs("game").contains("size 0 0\r\n"));
    assert!(machine.logs("game").contains("session its own\r\n"), "{:?}", machine.logs("game"));
    machine.logged("plain", "waiting");

    // An input, and output from now on alone; over a supervisor that dies, without loss.
    let attach = |name: &str| {
        let mut command = orlop.command(&["attach", name]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut child = attach("pipe");
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut echo = |text: &str| {
        writeln!(child.stdin.as_mut().unwrap(), "{text}").unwrap();
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), text);
    };
    echo("one");
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(2);
    machine.wait("pipe", "running");
    echo("two");
    let mut second = attach("pipe");
    let mut heard = BufReader::new(second.stdout.take().unwrap());
    machine.until("pipe", "to be attached to twice", |_| {
        machine.console().matches("attach to pipe").count() >= 3
    });
    echo("three");
    let mut line = String::new();
    heard.read_line(&mut line).unwrap();
    assert_eq!(line, "three\n", "what was written before was shown, or this was not");
    // Whoever leaves leaves it running; the end of one's input is not its own.
    second.kill().unwrap();
    second.wait().unwrap();
    drop(child.stdin.take());
    assert_eq!(machine.container("pipe").unwrap()["state"], "running");
    machine.ok("Kill", json!({ "name": "pipe", "signal": "KILL" }));
    assert_eq!(child.wait().unwrap().code(), Some(137));

    // Its signals are the container's, and its exit code ours.
    let child = attach("plain");
    machine.until("plain", "to be attached to", |_| machine.console().contains("attach to plain"));
    assert!(Command::new("kill").args(["-USR1", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(10));

    terminal(&orlop);
    machine.until("game", "to have ended as it was told", |one| one["exit_code"] == 9);
    orlop.fails("attach game", 1, "does not run");
    machine.power_off();
}

fn terminal(orlop: &Outside<'_>) {
    let client = orlop.command(&["attach", "game"]);
    let words: Vec<_> = client.get_args().map(|word| word.to_str().unwrap()).collect();
    let line = format!("{} {}", client.get_program().to_str().unwrap(), words.join(" "));
    let shell = format!("stty rows 33 cols 77; {line}; echo first $?; {line}; echo second $?");
    let mut child = Command::new("timeout")
        .args(["100", "script", "-qec", &shell, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut out, mut keys) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let mut text = String::new();
    let mut until = |wanted: &str| {
        let mut byte = [0];
        while !text.contains(wanted) {
            assert_eq!(out.read(&mut byte).unwrap_or(0), 1, "no {wanted:?} in {text:?}");
            text.push(char::from(byte[0]));
        }
    };
    until("size 33 77\r\n");
    keys.write_all(b"hello\r").unwrap();
    until("read \"hello\"\r\n");
    // Ctrl-P alone is typed, with Ctrl-Q behind it it is not.
    keys.write_all(b"\x10x\r").unwrap();
    until("read \"\\u{10}x\"\r\n");
    keys.write_all(b"\x10\x11").unwrap();
    until("first 0\r\n");
    keys.write_all(b"again\r").unwrap();
    until("read \"again\"\r\n");
    keys.write_all(b"exit 9\r").unwrap();
    until("second 9\r\n");
    child.wait().unwrap();
}

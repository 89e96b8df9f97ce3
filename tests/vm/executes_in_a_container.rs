//! `orlop exec`: a program in a container that runs, as much and as little as the container itself, with
//! its streams, its signals and its exit code here.

#![allow(clippy::disallowed_methods, reason = "what is executed is spoken with while it runs")]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::common::outside::Outside;
use crate::common::{Booted, container, section, world};

const LOOK: &str = "each ids , ns , limits , keyring , mounts , env";

fn boot() -> Booted {
    let more = "user = \"web\"\nenvironment = { FLAVOUR = \"plain\" }\nulimits = { core = 0, nofile = 99 }\nlimits = { pids = 50 }";
    let config = "[host]\nfault_injection = true\n".to_owned()
        + &container("web", &format!("{LOOK} , sleep"), more)
        + &container("other", "sleep", "working_dir = \"/tmp\"")
        + &container("done", "exit 0", "restart = \"no\"");
    let machine = world(&config).boot();
    machine.logged("web", "sleeping");
    machine.logged("other", "sleeping");
    machine.wait("done", "exited");
    machine
}

fn processes(orlop: &Outside<'_>, name: &str) -> Vec<Value> {
    orlop.json(&format!("top --json {name}"))["processes"].as_array().unwrap().clone()
}

/// A client whose streams are the test's.
fn begin(orlop: &Outside<'_>, words: &[&str]) -> Child {
    let mut command = orlop.command(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_program_has_what_its_container_has_and_no_more() {
    let machine = boot();
    let orlop = Outside::of(&machine);
    let own = machine.logs("web");
    let executed = orlop.ok(&format!("exec web /payload {LOOK}"));
    for part in ["ids", "ns", "limits", "mounts", "env"] {
        assert_eq!(section(&executed, part), section(&own, part), "{part}");
    }
    assert!(section(&executed, "env").contains("FLAVOUR=plain"), "{executed}");

    let out = orlop
        .ok("exec -u 0:4 -w /data -e FLAVOUR=sour -e MORE=x=y web /payload each ids , where , env , fds");
    assert!(
        section(&out, "ids").contains(
            "Uid 0 0 0 0
Gid 4 4 4 4
Groups 
"
        ),
        "{out}"
    );
    assert!(section(&out, "where").contains("/data"), "{out}");
    let env = section(&out, "env");
    assert!(env.contains("FLAVOUR=sour\n") && env.contains("MORE=x=y\n") && !env.contains("plain"), "{env}");
    let fds = section(&out, "fds");
    assert_eq!(fds.lines().count(), 3, "{fds}");
    assert!(orlop.ok("exec other /payload where").contains("/tmp"));
    machine.power_off();
}

#[test]
fn exit_codes_are_the_programs_own_or_say_why_there_is_none() {
    let machine = boot();
    let orlop = Outside::of(&machine);
    orlop.ok("exec web /payload exit 0");
    for (words, code, says) in [
        ("exec web /payload exit 7", 7, ""),
        ("exec web /payload die KILL", 137, ""),
        ("exec web /payload die TERM", 143, ""),
        ("exec web /nothing", 127, "No such file"),
        ("exec web nothing", 127, "No such file"),
        ("exec -e PATH=/etc:/data web nothing", 127, "No such file"),
        ("exec web /etc/passwd", 126, "ermission"),
        ("exec web /etc", 126, "execute: /etc"),
        ("exec -u nobody-there web /payload ids", 125, "nobody-there"),
        ("exec -e =x web /payload ids", 125, "KEY=value"),
        ("exec wbe /payload ids", 125, "did you mean `web`?"),
        ("exec done /payload ids", 125, "does not run"),
    ] {
        let (found, out, err) = orlop.run(words);
        assert_eq!(found, Some(code), "{words}: {out}{err}");
        assert!(
            err.contains(says) && err.lines().count() == usize::from(code > 100 && code < 130),
            "{words}: {err}"
        );
    }
    orlop.ok("pause web");
    orlop.fails("exec web /payload ids", 125, "is paused");
    orlop.ok("resume web");
    // Nothing of all this is left.
    assert_eq!(processes(&orlop, "web").len(), 1);
    assert_eq!(machine.container("web").unwrap()["restarts"], 0);
    machine.power_off();
}

#[test]
fn streams_carry_every_byte_both_ways() {
    let machine = boot();
    let orlop = Outside::of(&machine);
    // More than a window, and every byte there is.
    let sent: Vec<u8> = (0..700_000_u32).map(|number| (number * 7 % 256) as u8).collect();
    let mut child = begin(&orlop, &["exec", "-i", "web", "/payload", "copy"]);
    let mut stdin = child.stdin.take().unwrap();
    let given = sent.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&given));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success() && output.stdout == sent, "{} bytes came back", output.stdout.len());
    // Without -i there is nothing to read.
    assert_eq!(orlop.ok("exec web /payload copy"), "");
    // Both streams, each in its place.
    let (code, out, err) = orlop.run("exec web /payload each nonsense , partial x");
    assert_eq!((code, out.contains("not a task"), err.as_str()), (Some(0), true, ""));
    let (code, _, err) = orlop.run("exec web /payload nonsense");
    assert!(code == Some(1) && err.contains("not a task"), "{err}");
    // A child that keeps the output open does not hold up the end, and lives on.
    assert_eq!(orlop.ok("exec web /payload child-holds-stdout"), "a child holds stdout\n");
    let left = processes(&orlop, "web");
    assert!(left.len() == 2 && left[1]["cgroup"].as_str().unwrap().starts_with("exec-"), "{left:?}");
    orlop.ok("stop web");
    machine.power_off();
}

#[test]
fn a_client_that_leaves_takes_its_program_along_and_a_supervisor_that_dies_does_not() {
    let machine = boot();
    let orlop = Outside::of(&machine);
    let mut child = begin(&orlop, &["exec", "-i", "web", "/payload", "copy"]);
    let mut echo = |text: &str| {
        writeln!(child.stdin.as_mut().unwrap(), "{text}").unwrap();
        let mut line = String::new();
        let mut out = BufReader::with_capacity(1, child.stdout.as_mut().unwrap());
        out.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), text);
    };
    echo("before");
    machine.crash("supervisor", "SIGKILL");
    echo("while it is away, or back");
    machine.supervisor(2);
    machine.wait("web", "running");
    echo("after");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());

    // Its signals pass, also by the new supervisor.
    let mut child = begin(&orlop, &["exec", "web", "/payload", "report-signal"]);
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    let killed = Command::new("kill").args(["-USR1", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(10));

    let mut child = begin(&orlop, &["exec", "web", "/payload", "ignore-term"]);
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(3);
    machine.wait("web", "running");
    assert_eq!(processes(&orlop, "web").len(), 2);
    child.kill().unwrap();
    child.wait().unwrap();
    machine.until("web", "to be alone again", |_| processes(&orlop, "web").len() == 1);
    // The port is somebody else's again: all of them are.
    let clients: Vec<_> = (0..7).map(|_| machine.connect().unwrap()).collect();
    orlop.ok("ps");
    drop(clients);

    // A container that stops takes them along, too.
    let mut child = begin(&orlop, &["exec", "web", "/payload", "ignore-term"]);
    // Before it is executed it would not have begun.
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    orlop.ok("stop web");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(137), "{}", String::from_utf8_lossy(&output.stderr));
    machine.power_off();
}

#[test]
fn a_terminal_has_its_size_and_its_keys() {
    let machine = boot();
    let orlop = Outside::of(&machine);
    let client = orlop.command(&["exec", "-it", "web", "/payload", "terminal"]);
    let words: Vec<_> = client.get_args().map(|word| word.to_str().unwrap()).collect();
    let line = format!("{} {}", client.get_program().to_str().unwrap(), words.join(" "));
    // A terminal of a size, which changes when the test says so, and whose mode is looked at around it.
    let go = machine.folder.path().join("go");
    assert!(Command::new("mkfifo").arg(&go).status().unwrap().success());
    let go_path = go.display();
    let shell = format!(
        "stty rows 33 cols 77; stty -g; (read x < {go_path}; stty rows 44 cols 99) < /dev/tty & {line}; echo code $?; stty -g"
    );
    let mut child = Command::new("timeout")
        .args(["100", "script", "-qec", &shell, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut text = String::new();
    let mut until = |wanted: &str| {
        let mut byte = [0];
        while !text.contains(wanted) {
            assert_eq!(out.read(&mut byte).unwrap_or(0), 1, "no {wanted:?} in {text:?}");
            text.push(char::from(byte[0]));
        }
        text.clone()
    };
    until("size 33 77\r\n");
    std::fs::write(&go, "x\n").unwrap();
    until("size 44 99\r\n");
    let stdin = child.stdin.as_mut().unwrap();
    // The terminal there echoes, and edits the line; the one here does neither.
    stdin.write_all(b"helx\x7flo\r").unwrap();
    until("read \"hello\"\r\n");
    stdin.write_all(b"exit 9\r").unwrap();
    let all = until("code 9\r\n");
    assert!(all.contains("session its own\r\n") && all.contains("TERM=xterm\r\n"), "{all:?}");
    drop(child.stdin.take());
    child.wait().unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    let before = all.lines().next().unwrap().trim();
    assert_eq!(rest.trim(), before, "the terminal is not as it was: {all:?}");
    // Ctrl-C is the program's.
    let mut child = Command::new("timeout")
        .args([
            "100",
            "script",
            "-qec",
            &line.replace("payload terminal", "payload ignore-term"),
            "/dev/null",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    // Its input stays open until it has ended.
    let mut keys = child.stdin.take().unwrap();
    keys.write_all(b"\x03").unwrap();
    out.read_to_string(&mut String::new()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(keys);
    machine.power_off();
}

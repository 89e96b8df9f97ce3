//! Containers with a terminal.

use std::fs::File;
use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Stdio;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::{Value, json};

use super::world::{Said, World};

/// The descriptor that comes with a message.
pub(crate) fn receive(socket: &UnixStream) -> OwnedFd {
    receive_both(socket).1
}

/// A message, and the descriptor that comes with it.
pub(crate) fn receive_both(socket: &UnixStream) -> (Vec<u8>, OwnedFd) {
    let mut buffer = [0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message =
        recvmsg(socket, &mut [IoSliceMut::new(&mut buffer)], &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
    let mut fds = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let fd = fds.next().and_then(|mut fds| fds.next()).unwrap();
    (buffer[..message.bytes].to_vec(), fd)
}

/// All that was written to a terminal, once nobody has it any more.
fn all(terminal: OwnedFd) -> String {
    let mut bytes = Vec::new();
    // It ends with EIO.
    let _ = File::from(terminal).read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

fn with_terminal(spec: &mut Value) {
    spec["process"]["terminal"] = true.into();
    spec["process"]["consoleSize"] = json!({"height": 33, "width": 77});
}

#[test]
fn whoever_asked_gets_the_terminals_other_end() {
    let world = World::with(
        "tty; stty size; [ /dev/console -ef /dev/pts/0 ] || ls -l /dev/console; echo end > /dev/tty",
        with_terminal,
    );
    let path = world.path("console.sock");
    let listener = UnixListener::bind(&path).unwrap();
    world.create("web", &["--console-socket", path.to_str().unwrap()]);
    let terminal = receive(&listener.accept().unwrap().0);
    // While it waits it has nothing of its maker's, whose output somebody may read to its end.
    let pid = world.state("web")["pid"].as_i64().unwrap();
    for number in 0..3 {
        let shown = std::fs::read_link(format!("/proc/{pid}/fd/{number}")).unwrap();
        assert_eq!(shown.to_str(), Some("/dev/pts/0"), "{number}");
    }
    world.done(&["start", "web"]);
    let text = all(terminal);
    assert!(text.starts_with("/dev/pts/0\r\n33 77\r\n") && text.ends_with("end\r\n"), "{text}");
}

#[test]
fn attended_what_is_typed_goes_in_and_what_is_printed_comes_out() {
    let world = World::with("read line; echo got $line; tty; exit 4", with_terminal);
    let said = typed(&world, &["run", "web"], "hello\n");
    assert_eq!(said.code, 4);
    assert_eq!(said.out, "hello\ngot hello\n/dev/pts/0\n");
}

#[test]
fn an_executed_process_has_a_terminal_when_asked_for() {
    let world = World::new("exec sleep 1000");
    world.create("web", &[]);
    world.done(&["start", "web"]);
    let said = typed(&world, &["exec", "-t", "web", "sh", "-c", "read line; echo got $line; tty"], "hello\n");
    assert_eq!((said.code, said.out.as_str()), (0, "hello\ngot hello\n/dev/pts/0\n"));
    let path = world.path("console.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let socket = ["--console-socket", path.to_str().unwrap()];
    world.done(&[&["exec", "-t", "-d"], &socket[..], &["web", "sh", "-c", "test -t 0 && echo yes"]].concat());
    assert_eq!(all(receive(&listener.accept().unwrap().0)), "yes\r\n");
    world.fails(&["exec", "-t", "-d", "web", "true"], "without --console-socket");
    world.fails(&[&["exec"], &socket[..], &["web", "true"]].concat(), "--console-socket");
}

#[test]
fn a_lot_comes_out_whole() {
    let world =
        World::with("i=0; while [ $i -lt 20000 ]; do echo 0123456789 $i; i=$((i+1)); done", with_terminal);
    let said = typed(&world, &["run", "web"], "");
    assert_eq!(said.out.lines().count(), 20_000);
    assert!(said.out.ends_with("0123456789 19999\n"));
}

#[expect(clippy::disallowed_methods, reason = "something is typed while it runs")]
fn typed(world: &World, words: &[&str], text: &str) -> Said {
    let mut child = world.command(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // Left open: a person does not go away.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    let mut out = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    let code = child.wait().unwrap().code().unwrap_or(-1);
    drop(stdin);
    Said { code, out: String::from_utf8(out).unwrap(), err: String::new() }
}

#[test]
fn a_container_that_waits_with_its_terminal_holds_nothing_of_its_makers() {
    let world = World::with("true", with_terminal);
    let path = world.path("console.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    // Its output is read to the end.
    assert_eq!(world.done(&["create", "--console-socket", path.to_str().unwrap(), "web"]), "");
    assert_eq!(world.state("web")["status"], "created");
    world.done(&["delete", "-f", "web"]);
}

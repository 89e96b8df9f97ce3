//! A Varlink client that is not ours speaks to the real server, with a machine of canned answers
//! behind it.

use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::Instant;

use orlop::config::Admission;
use orlop::control::{
    BootReply, Cause, CauseKind, Container, Details, Entry, Error, Health, ListReply, LogsReply, Phase,
    State, StatusReply, Stream, VersionReply, Wanted,
};

use super::*;
use crate::linux::epoll::{Epoll, Interest};
use crate::linux::socket::listen_private;

const TIME: &str = "2026-11-21T22:46:01.000000Z";

fn container(name: &str, state: State) -> Container {
    let is_running = state == State::Running;
    let cause = Cause { code: Some(3), ..Cause::new(CauseKind::Exit, String::from("exit 3")) };
    Container {
        name: name.into(),
        group: None,
        wanted: Wanted::Up,
        state,
        ready: is_running,
        health: Health::None,
        pid: is_running.then_some(77),
        restarts: 2,
        cause: (!is_running).then_some(cause),
        image: Some("dir:rootfs".into()),
        started_at: Some(TIME.into()),
        next_start: None,
        exit_code: Some(3),
        uptime_ms: is_running.then_some(1500),
        paused: false,
        listens: false,
    }
}

fn version() -> VersionReply {
    VersionReply {
        version: "0.1.0".into(),
        interface: None,
        commit: None,
        protocol: 1,
        uptime_ms: 12,
        supervisor_starts: 1,
        orphans: 0,
        safe: false,
        kernel: "6.12.117".into(),
        upgrade: None,
    }
}

fn answer(server: &mut Server, now: Duration, call: CallId, request: Request) {
    let phase = |name: &str, start_us| Phase {
        name: name.into(),
        start_us,
        duration_us: Some(5),
        ok: Some(true),
        error: None,
    };
    let entry = |bytes: &[u8]| Entry::output("web", Stream::Stdout, 9, TIME.into(), bytes);
    match request {
        Request::List => {
            let containers = vec![container("db", State::Backoff), container("web", State::Running)];
            server.reply(now, call, &ListReply { containers });
        }
        Request::Status { name } if name == "web" => {
            let container = container("web", State::Running);
            server.reply(now, call, &StatusReply { container, details: Details::default() });
        }
        Request::Status { name } => {
            server.fail(now, call, &Error::UnknownContainer { name, nearest: None });
        }
        Request::Version => server.reply(now, call, &version()),
        Request::Boot => {
            let phases = vec![phase("mounts", 1), phase("modules", 6)];
            server.reply(now, call, &BootReply { phases, complete: true, containers: vec![] });
        }
        Request::Logs(_) => {
            server.stream(now, call, &LogsReply { entries: vec![entry(b"one\n")] });
            server.stream(now, call, &LogsReply { entries: vec![entry(b"\xff\0")] });
            server.reply(now, call, &LogsReply { entries: vec![] });
        }
        other => panic!("not expected: {other:?}"),
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the client is another process, and time passes for it")]
fn a_client_that_is_not_ours_understands_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let mut server =
        Server::new(listen_private(&path).unwrap(), "0.1.0".into(), Admission::default(), LIMITS).unwrap();
    let mut client = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/varlink/run"))
        .args([format!("unix:{}", path.display()), "web".into()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = client.stdout.take().unwrap();
    let events = Epoll::new().unwrap();
    events.add(server.as_fd(), Interest::EPOLLIN, 0).unwrap();
    events.add(output.as_fd(), Interest::EPOLLIN, 1).unwrap();
    let begin = Instant::now();
    loop {
        let ready = events.wait(Some(Duration::from_secs(1))).unwrap();
        let now = begin.elapsed();
        server.work(now).unwrap();
        while let Some(event) = server.next_event() {
            match event {
                Event::Call(call, request, _) => answer(&mut server, now, call, request),
                Event::Gone(_) | Event::Denied(..) | Event::Failed(..) => {}
            }
        }
        if ready.iter().any(|(token, _)| token == 1) {
            break;
        }
        // Long enough for a first installation of the client.
        assert!(now < Duration::from_secs(300), "the client never ends");
    }
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    assert!(client.wait().unwrap().success());
    assert_eq!(text, "ok\n");
}

//! What well-behaved clients are promised; and the bench that all tests of the server use.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use orlop::config::Admission;
use orlop::control::{Empty, ListReply, encode_call};

use super::*;
use crate::linux::epoll::{Epoll, Interest};
use crate::linux::socket::listen_private;

/// A server, its clock, and a machine behind it that answers `List` at once, refuses `Status`, and
/// keeps every other call until the test answers it.
pub(super) struct Bench {
    pub(super) server: Server,
    pub(super) now: Duration,
    pub(super) calls: Vec<(CallId, Request)>,
    pub(super) gone: Vec<ClientId>,
    pub(super) denied: Vec<(Peer, Option<Request>)>,
    pub(super) failed: Vec<(Peer, Error)>,
    outer: Epoll,
    pub(super) path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::admitting(Admission::default())
    }

    pub(super) fn admitting(admission: Admission) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let server =
            Server::new(listen_private(&path).unwrap(), String::from("1.2.3"), admission, LIMITS).unwrap();
        let outer = Epoll::new().unwrap();
        outer.add(server.as_fd(), Interest::EPOLLIN, 0).unwrap();
        let now = Duration::from_secs(100);
        Self {
            server,
            now,
            calls: vec![],
            gone: vec![],
            denied: vec![],
            failed: vec![],
            outer,
            path,
            _folder: folder,
        }
    }

    pub(super) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.path).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    }

    /// Lets the server work until it has nothing to do at this time.
    pub(super) fn run(&mut self) {
        for _ in 0..2000 {
            let readable = self.outer.wait(Some(Duration::ZERO)).unwrap().iter().next().is_some();
            let due = self.server.poll_timeout().is_some_and(|at| at <= self.now);
            if !readable && !due {
                return;
            }
            self.server.work(self.now).unwrap();
            while let Some(event) = self.server.next_event() {
                self.handle(event);
            }
        }
        panic!("the server never comes to rest");
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Call(call, Request::List, _) => {
                self.server.reply(self.now, call, &ListReply { containers: vec![] });
            }
            Event::Call(call, Request::Status { name }, _) => {
                self.server.fail(self.now, call, &Error::UnknownContainer { name, nearest: None });
            }
            Event::Call(call, request, _) => self.calls.push((call, request)),
            Event::Gone(client) => self.gone.push(client),
            Event::Denied(peer, request) => self.denied.push((peer, request)),
            Event::Failed(peer, error) => self.failed.push((peer, error)),
        }
    }

    /// Sends all of it, whatever the size.
    pub(super) fn send(&mut self, client: &mut UnixStream, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match client.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
            self.run();
        }
    }

    /// What has come, and what comes because it was read.
    pub(super) fn receive_all(&mut self, client: &mut UnixStream) -> String {
        let mut all = String::new();
        loop {
            let (text, _) = received(client);
            if text.is_empty() {
                return all;
            }
            all += &text;
            self.run();
        }
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.now += time;
        self.run();
    }
}

use std::os::fd::AsFd;

/// Not by dropping it alone: what another test starts at this moment holds a copy until its exec.
pub(super) fn hang_up(client: UnixStream) {
    client.shutdown(std::net::Shutdown::Both).unwrap();
}

/// What has come for a client: its messages, and whether the connection is closed.
pub(super) fn received(client: &mut UnixStream) -> (String, bool) {
    let mut bytes = Vec::new();
    let closed = match client.read_to_end(&mut bytes) {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
        Err(error) => panic!("{error}"),
    };
    (String::from_utf8(bytes).unwrap().replace('\0', "|"), closed)
}

#[track_caller]
pub(super) fn check(client: &mut UnixStream, expected: &str) {
    assert_eq!(received(client), (expected.into(), false));
}

#[track_caller]
pub(super) fn check_closed(client: &mut UnixStream, expected: &str) {
    assert_eq!(received(client), (expected.into(), true));
}

pub(super) const LIST: &[u8] = b"{\"method\":\"org.orlop.Control.List\"}\0";
pub(super) const LISTED: &str = "{\"parameters\":{\"containers\":[]}}|";
pub(super) const BOOT: &[u8] = b"{\"method\":\"org.orlop.Control.Boot\"}\0";
pub(super) const DONE: &str = "{\"parameters\":{}}|";

pub(super) fn logs() -> Vec<u8> {
    encode_call(&Request::Logs(orlop::control::Logs { follow: true, ..Default::default() }))
}

#[test]
fn answers_calls_in_the_order_in_which_they_came() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    let status = b"{\"method\":\"org.orlop.Control.Status\",\"parameters\":{\"name\":\"a\"}}\0";
    let refused = "{\"error\":\"org.orlop.Control.UnknownContainer\",\"parameters\":{\"name\":\"a\",\"nearest\":null}}|";
    bench.send(&mut client, &[LIST, BOOT, LIST, status, LIST].concat());
    check(&mut client, LISTED);
    let (call, _) = bench.calls.remove(0);
    bench.server.reply(bench.now, call, &Empty {});
    bench.run();
    check(&mut client, &format!("{DONE}{LISTED}{refused}{LISTED}"));
    // The answer to a call that has one already goes nowhere.
    bench.server.reply(bench.now, call, &Empty {});
    bench.run();
    check(&mut client, "");
}

#[test]
fn a_call_may_come_byte_by_byte() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    for byte in LIST {
        check(&mut client, "");
        bench.send(&mut client, &[*byte]);
    }
    check(&mut client, LISTED);
}

#[test]
fn introspection_and_errors_of_form_do_not_reach_the_machine() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    bench.send(&mut client, b"{\"method\":\"org.varlink.service.GetInfo\"}\0GET / HTTP/1.1\r\n\r\n\0");
    let (text, closed) = received(&mut client);
    assert!(text.starts_with("{\"parameters\":{\"vendor\":\"Orlop\""), "{text}");
    assert!(text.contains("\"version\":\"1.2.3\"") && text.contains("InvalidMessage"), "{text}");
    assert!(!closed && bench.calls.is_empty());
}

#[test]
fn knows_who_asks() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    bench.send(&mut client, BOOT);
    let (call, _) = bench.calls[0];
    let Some(Peer::Process(credentials)) = bench.server.peer(call.client) else { panic!() };
    assert_eq!(credentials.pid, i32::try_from(std::process::id()).unwrap());
    hang_up(client);
    bench.run();
    assert_eq!(bench.server.peer(call.client), None);
}

#[test]
fn who_wants_no_answer_gets_none_and_is_done_its_will_even_when_it_leaves() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    let resume = b"{\"method\":\"org.orlop.Control.Resume\",\"oneway\":true}\0";
    client.write_all(&[resume, BOOT, resume].concat()).unwrap();
    bench.run();
    assert_eq!(bench.calls.len(), 2);
    let (oneway, _) = bench.calls[0];
    bench.server.reply(bench.now, oneway, &Empty {});
    bench.run();
    check(&mut client, "");
    let (call, _) = bench.calls[1];
    bench.server.reply(bench.now, call, &Empty {});
    bench.run();
    check(&mut client, DONE);
    assert_eq!(bench.calls.len(), 3);

    let mut client = bench.connect();
    client.write_all(&resume.repeat(3)).unwrap();
    hang_up(client);
    bench.run();
    assert_eq!(bench.calls.len(), 6);
}

#[test]
fn who_only_stopped_sending_still_gets_its_answer() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    client.write_all(&[BOOT, LIST].concat()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    bench.run();
    check(&mut client, "");
    let (call, _) = bench.calls[0];
    bench.server.reply(bench.now, call, &Empty {});
    bench.run();
    check_closed(&mut client, &format!("{DONE}{LISTED}"));
}

#[test]
fn who_hangs_up_gives_its_call_up() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    bench.send(&mut client, &logs());
    let (call, _) = bench.calls[0];
    assert_eq!(bench.server.room(call), Some(LIMITS.output));
    hang_up(client);
    bench.run();
    assert_eq!(bench.gone, [call.client]);
    assert_eq!(bench.server.room(call), None);
    bench.server.stream(bench.now, call, &Empty {});
    bench.server.reply(bench.now, call, &Empty {});
    bench.run();
}

#[test]
fn a_stream_goes_on_until_its_last_answer_and_stops_while_nobody_reads() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    bench.send(&mut client, &[logs(), LIST.to_vec()].concat());
    let (call, _) = bench.calls[0];
    bench.server.stream(bench.now, call, &Empty {});
    bench.run();
    check(&mut client, "{\"parameters\":{},\"continues\":true}|");

    let large = "x".repeat(10_000);
    let mut sent = 0;
    while bench.server.room(call) > Some(0) {
        bench.server.stream(bench.now, call, &large);
        sent += 1;
        bench.run();
    }
    assert!(sent * large.len() < 4 * LIMITS.output, "{sent}");
    let text = bench.receive_all(&mut client);
    assert_eq!(bench.server.room(call), Some(LIMITS.output));
    assert_eq!(text.matches("\"continues\":true").count(), sent);

    bench.server.reply(bench.now, call, &Empty {});
    bench.run();
    check(&mut client, &format!("{DONE}{LISTED}"));
}

#[test]
fn the_seventeenth_stream_is_told_that_all_are_taken() {
    let mut bench = Bench::new();
    let mut clients: Vec<_> = (0..17).map(|_| bench.connect()).collect();
    for client in &mut clients {
        bench.send(client, &logs());
    }
    assert_eq!(bench.calls.len(), 16);
    let busy = "{\"error\":\"org.orlop.Control.Busy\",\"parameters\":{\"limit\":16,\"what\":\"streams\"}}|";
    check(&mut clients[16], busy);
    hang_up(clients.remove(3));
    bench.run();
    bench.send(&mut clients[15], &logs());
    assert_eq!(bench.calls.len(), 17);
}

//! Ports: one client after the other on a channel that never says that clients changed.
//!
//! A socket pair stands in for a virtio port. It is watched by edges as the port is; what it cannot
//! show (a host that leaves and comes back) is shown on a machine.

use std::io::Write;
use std::os::unix::net::UnixStream;

use super::ports::Port;
use super::server_test::{BOOT, Bench, DONE, LIST, LISTED, check, check_closed, logs, received};
use super::*;
use orlop::control::Empty;

const CLOSED: &str = "|{\"error\":\"org.orlop.Session.Closed\",\"parameters\":{}}|";

fn hello(nonce: u64) -> Vec<u8> {
    format!("\0{{\"method\":\"org.orlop.Session.Begin\",\"parameters\":{{\"nonce\":\"{nonce:016x}\"}}}}\0")
        .into_bytes()
}

fn answer(nonce: u64) -> String {
    format!("|{{\"parameters\":{{\"nonce\":\"{nonce:016x}\"}}}}|")
}

/// A bench with one port, and the host's end of it.
fn port() -> (Bench, UnixStream) {
    let mut bench = Bench::new();
    let (host, guest) = UnixStream::pair().unwrap();
    host.set_nonblocking(true).unwrap();
    guest.set_nonblocking(true).unwrap();
    let name = String::from("org.orlop.control.0");
    bench.server.add_port(Port { name, fd: guest.into() }).unwrap();
    bench.run();
    (bench, host)
}

#[test]
fn whoever_is_there_learns_that_there_is_no_session_and_begins_one() {
    let (mut bench, mut host) = port();
    check(&mut host, CLOSED);
    bench.send(&mut host, LIST);
    check(&mut host, CLOSED);
    bench.send(&mut host, &[&hello(1)[..], LIST].concat());
    check(&mut host, &format!("{}{LISTED}", answer(1)));
    bench.send(&mut host, BOOT);
    let (call, _) = bench.calls[0];
    assert_eq!(bench.server.peer(call.client), Some(&Peer::Port("org.orlop.control.0".into())));
}

#[test]
fn the_next_client_gets_nothing_of_the_one_before() {
    let (mut bench, mut host) = port();
    bench.send(&mut host, &[&hello(1)[..], &logs(), b"{\"method\":\"HALF"].concat());
    received(&mut host);
    let (call, _) = bench.calls[0];
    // More than the channel takes, so that some of it waits when the next client comes.
    while bench.server.room(call) > Some(0) {
        bench.server.stream(bench.now, call, &"x".repeat(5000));
        bench.run();
    }
    // Nobody has read since: the begin and the call are heard nevertheless.
    bench.send(&mut host, &hello(2));
    assert_eq!(bench.gone, [call.client]);
    assert_eq!(bench.server.room(call), None);
    bench.server.stream(bench.now, call, &"late");
    bench.server.reply(bench.now, call, &Empty {});
    received(&mut host);
    bench.run();
    bench.send(&mut host, LIST);
    let (text, _) = received(&mut host);
    assert!(text.ends_with(&format!("{}{LISTED}", answer(2))), "{text:.200}");
    assert!(!text.contains("late"));
}

#[test]
fn quick_reconnects_each_get_their_own_answers() {
    let (mut bench, mut host) = port();
    received(&mut host);
    for nonce in 0..50 {
        // Cut off in the middle of a second message, at another place each time.
        let cut = usize::try_from(nonce).unwrap() % LIST.len();
        bench.send(&mut host, &[&hello(nonce)[..], LIST, &LIST[..cut]].concat());
        check(&mut host, &format!("{}{LISTED}", answer(nonce)));
    }
}

#[test]
fn a_message_of_many_reads_is_read_to_its_end_although_its_edge_came_once() {
    let (mut bench, mut host) = port();
    received(&mut host);
    bench.send(&mut host, &hello(1));
    received(&mut host);
    let padding = " ".repeat(150_000);
    let message = format!("{padding}{}", String::from_utf8(LIST.to_vec()).unwrap());
    host.write_all(message.as_bytes()).unwrap();
    bench.run();
    check(&mut host, LISTED);
    bench.send(&mut host, &[&vec![b' '; 300_000][..], b"\0", LIST].concat());
    let (text, _) = received(&mut host);
    assert!(text.contains("TooLarge") && text.ends_with(LISTED), "{text}");
}

#[test]
fn who_sends_ahead_without_bound_loses_its_session_and_the_next_gets_in() {
    let (mut bench, mut host) = port();
    received(&mut host);
    bench.send(&mut host, &[&hello(1)[..], BOOT].concat());
    check(&mut host, &answer(1));
    bench.send(&mut host, &LIST.repeat(10_000));
    let (text, _) = received(&mut host);
    assert!(text.starts_with(CLOSED) && text.ends_with(CLOSED) && !text.contains("containers"), "{text}");
    assert_eq!(bench.gone.len(), 1);
    bench.send(&mut host, &[&hello(2)[..], LIST].concat());
    check(&mut host, &format!("{}{LISTED}", answer(2)));
}

#[test]
fn patience_ends_with_the_session_and_not_with_the_port() {
    let (mut bench, mut host) = port();
    received(&mut host);
    bench.send(&mut host, &[&hello(1)[..], &LIST[..10]].concat());
    check(&mut host, &answer(1));
    bench.wait(Duration::from_secs(30));
    check(&mut host, CLOSED);
    bench.send(&mut host, &[&hello(2)[..], &logs()].concat());
    check(&mut host, &answer(2));
    let (call, _) = bench.calls[0];
    while bench.server.room(call) > Some(0) {
        bench.server.stream(bench.now, call, &"x".repeat(5000));
        bench.run();
    }
    bench.wait(Duration::from_secs(30));
    assert_eq!(bench.server.room(call), None);
    received(&mut host);
    bench.run();
    bench.send(&mut host, &[&hello(3)[..], LIST].concat());
    let (text, _) = received(&mut host);
    assert!(text.ends_with(&format!("{}{LISTED}", answer(3))), "{text:.200}");
}

#[test]
fn a_session_that_has_nothing_to_say_stays() {
    let (mut bench, mut host) = port();
    received(&mut host);
    bench.send(&mut host, &[&hello(1)[..], BOOT].concat());
    check(&mut host, &answer(1));
    bench.wait(Duration::from_secs(10_000));
    let (call, _) = bench.calls[0];
    bench.server.reply(bench.now, call, &Empty {});
    bench.run();
    check(&mut host, DONE);
}

#[test]
fn a_host_that_hangs_up_ends_the_session() {
    let (mut bench, mut host) = port();
    received(&mut host);
    bench.send(&mut host, &[&hello(1)[..], BOOT].concat());
    let (call, _) = bench.calls[0];
    drop(host);
    bench.run();
    assert_eq!(bench.gone, [call.client]);
    assert_eq!(bench.server.poll_timeout(), None);
}

#[test]
fn ports_take_no_place_of_the_sockets_clients() {
    let (mut bench, _host) = port();
    let mut clients: Vec<_> = (0..64).map(|_| bench.connect()).collect();
    for client in &mut clients {
        bench.send(client, BOOT);
    }
    assert_eq!(bench.calls.len(), 64);
    let mut late = bench.connect();
    bench.run();
    let (text, closed) = received(&mut late);
    assert!(closed && text.contains("Busy"), "{text}");
    check_closed(&mut late, "");
}

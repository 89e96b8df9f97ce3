//! Who may what: real sockets, and clients that are other users.

use std::fs::{Permissions, set_permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use orlop::config::{Admission, Readers};
use orlop::control::{Error, encode_call, socket_mode};

use super::server_test::{BOOT, Bench, LIST, LISTED, check, check_closed, logs};
use super::*;
use crate::linux::socket::admit;
use crate::linux::testing::as_user;

const DENIED: &str = "{\"error\":\"org.varlink.service.PermissionDenied\",\"parameters\":{}}|";

fn resume() -> Vec<u8> {
    encode_call(&Request::Resume)
}

/// A server of which others may see the socket's folder.
fn bench(group: Option<u32>, readers: Readers) -> Bench {
    let admission = Admission { group, readers };
    let (owner, mode) = socket_mode(&admission);
    let bench = Bench::admitting(admission);
    set_permissions(bench.path.parent().unwrap(), Permissions::from_mode(0o755)).unwrap();
    admit(&bench.path, owner, mode).unwrap();
    bench
}

fn connect(bench: &Bench, user: u32, groups: &[u32]) -> std::io::Result<UnixStream> {
    let stream = as_user(user, groups, || UnixStream::connect(&bench.path))?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Who was denied what.
fn denied(bench: &mut Bench) -> Vec<(u32, Option<Request>)> {
    let uid = |peer: &Peer| match peer {
        Peer::Process(who) => who.uid,
        Peer::Port(name) => panic!("{name}"),
    };
    std::mem::take(&mut bench.denied).into_iter().map(|(peer, request)| (uid(&peer), request)).collect()
}

#[test]
fn the_kernel_keeps_others_out_where_the_mode_can_say_it() {
    let bench = bench(Some(900), Readers::default());
    assert_eq!(connect(&bench, 1000, &[1000]).unwrap_err().kind(), ErrorKind::PermissionDenied);
    connect(&bench, 1000, &[1000, 900]).unwrap();
    connect(&bench, 1000, &[900]).unwrap();
    connect(&bench, 0, &[0]).unwrap();
}

#[test]
fn a_member_of_the_group_may_what_root_may_whether_it_is_the_first_group_or_another() {
    let mut bench = bench(Some(900), Readers::default());
    for (at, groups) in [&[900][..], &[5, 6, 900], &[5, 900, 7]].into_iter().enumerate() {
        let mut client = connect(&bench, 1000, groups).unwrap();
        bench.send(&mut client, &resume());
        assert_eq!(bench.calls.len(), at + 1, "{groups:?}");
    }
    assert_eq!(denied(&mut bench), []);
}

#[test]
fn who_may_only_look_changes_nothing_and_the_refusal_is_told() {
    let mut bench = bench(Some(900), Readers::Users(vec![1000]));
    let mut client = connect(&bench, 1000, &[1000]).unwrap();
    bench.send(&mut client, &[LIST, &resume(), LIST].concat());
    check(&mut client, &format!("{LISTED}{DENIED}{LISTED}"));
    assert_eq!(denied(&mut bench), [(1000, Some(Request::Resume))]);
    // Also by one who wants no answer, and has left.
    let oneway = b"{\"method\":\"org.orlop.Control.Resume\",\"oneway\":true}\0";
    bench.send(&mut client, oneway);
    check(&mut client, "");
    let mut leaving = connect(&bench, 1000, &[1000]).unwrap();
    leaving.write_all(oneway).unwrap();
    drop(leaving);
    bench.run();
    assert_eq!(denied(&mut bench), [(1000, Some(Request::Resume)), (1000, Some(Request::Resume))]);
    // Nor by way of a stream or of another protocol.
    let exec = Request::Exec(orlop::control::Exec { name: "web".into(), ..Default::default() });
    bench.send(&mut client, &encode_call(&exec));
    check(&mut client, DENIED);
    assert!(bench.calls.is_empty());
}

#[test]
fn another_configuration_counts_for_who_connects_after_it() {
    let mut bench = bench(None, Readers::Users(vec![1000, 1001]));
    let mut early = connect(&bench, 1000, &[1000]).unwrap();
    bench.send(&mut early, LIST);
    check(&mut early, LISTED);
    bench.server.admit(&Admission { group: None, readers: Readers::Users(vec![1001]) });
    let mut late = connect(&bench, 1000, &[1000]).unwrap();
    bench.run();
    check_closed(&mut late, DENIED);
    let mut other = connect(&bench, 1001, &[1001]).unwrap();
    bench.send(&mut other, LIST);
    check(&mut other, LISTED);
    bench.send(&mut early, LIST);
    check(&mut early, LISTED);
}

#[test]
fn a_stranger_is_told_so_and_takes_no_place() {
    let mut bench = bench(None, Readers::Users(vec![1000]));
    let mut strangers: Vec<_> = (0..100).map(|_| connect(&bench, 1001, &[1000]).unwrap()).collect();
    for stranger in &mut strangers {
        // It may be gone already.
        let _ = stranger.write_all(LIST);
    }
    bench.run();
    strangers.iter_mut().for_each(|stranger| check_closed(stranger, DENIED));
    assert_eq!(denied(&mut bench), vec![(1001, None); 100]);
    let mut root = bench.connect();
    bench.send(&mut root, LIST);
    check(&mut root, LISTED);
    // Root of a container to which somebody has given the socket: not root here.
    let mut contained = connect(&bench, 1 << 20, &[1 << 20]).unwrap();
    bench.run();
    check_closed(&mut contained, DENIED);
}

#[test]
fn those_who_may_only_look_never_have_all_places() {
    let mut bench = bench(None, Readers::Everyone);
    let mut readers = Vec::new();
    for _ in 0..32 {
        let mut reader = connect(&bench, 1000, &[1000]).unwrap();
        bench.send(&mut reader, &LIST[..10]);
        readers.push(reader);
    }
    let busy = "{\"error\":\"org.orlop.Control.Busy\",\"parameters\":{\"limit\":32,\"what\":\"clients\"}}|";
    let mut late = connect(&bench, 1000, &[1000]).unwrap();
    bench.run();
    check_closed(&mut late, busy);
    let mut roots: Vec<_> = (0..32).map(|_| bench.connect()).collect();
    for root in &mut roots {
        bench.send(root, BOOT);
    }
    assert_eq!(bench.calls.len(), 32);
    // An idle one of root's does not go for one of theirs.
    let (call, _) = bench.calls[0];
    bench.server.reply(bench.now, call, &orlop::control::Empty {});
    drop(readers.remove(0));
    bench.run();
    let mut last = bench.connect();
    bench.send(&mut last, LIST);
    check(&mut last, LISTED);
    let mut late = connect(&bench, 1000, &[1000]).unwrap();
    bench.run();
    check_closed(&mut late, busy);
}

#[test]
fn those_who_may_only_look_have_half_of_the_streams() {
    let mut bench = bench(None, Readers::Everyone);
    let mut readers: Vec<_> = (0..9).map(|_| connect(&bench, 1000, &[1000]).unwrap()).collect();
    for reader in &mut readers {
        bench.send(reader, &logs());
    }
    let busy = "{\"error\":\"org.orlop.Control.Busy\",\"parameters\":{\"limit\":8,\"what\":\"streams\"}}|";
    check(&mut readers[8], busy);
    let mut roots: Vec<_> = (0..8).map(|_| bench.connect()).collect();
    for root in &mut roots {
        bench.send(root, &logs());
    }
    assert_eq!(bench.calls.len(), 16);
}

#[test]
fn a_change_that_fails_is_told_with_who_asked_and_a_question_is_not() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    bench.send(&mut client, &resume());
    bench.send(&mut client, b"");
    let (call, _) = bench.calls.remove(0);
    let error = Error::NotNow { reason: "later".into() };
    bench.server.fail(bench.now, call, &error);
    bench.run();
    let told = std::mem::take(&mut bench.failed);
    assert!(matches!(&told[..], [(Peer::Process(who), it)] if who.uid == 0 && *it == error), "{told:?}");
    // As a whole message, of what was done by somebody else.
    bench.send(&mut client, &resume());
    let (call, _) = bench.calls.remove(0);
    bench.server.reply_message(bench.now, call, &orlop::control::encode_error(&error));
    bench.run();
    assert_eq!(std::mem::take(&mut bench.failed).len(), 1);
    bench.send(&mut client, BOOT);
    let (call, _) = bench.calls.remove(0);
    bench.server.fail(bench.now, call, &error);
    bench.run();
    assert!(bench.failed.is_empty());
}

#[test]
fn what_came_of_a_change_is_told_although_nobody_waits_for_it() {
    let mut bench = Bench::new();
    let mut leaving = bench.connect();
    bench.send(&mut leaving, &resume());
    drop(leaving);
    let mut client = bench.connect();
    bench.send(&mut client, b"{\"method\":\"org.orlop.Control.Resume\",\"oneway\":true}\0");
    let error = Error::NotNow { reason: "later".into() };
    assert_eq!(bench.calls.len(), 2);
    for (call, _) in std::mem::take(&mut bench.calls) {
        bench.server.fail(bench.now, call, &error);
        bench.run();
        let told = std::mem::take(&mut bench.failed);
        assert!(matches!(&told[..], [(Peer::Process(who), it)] if who.uid == 0 && *it == error), "{told:?}");
        // Once.
        bench.server.fail(bench.now, call, &error);
        bench.run();
        assert!(bench.failed.is_empty());
    }
    check(&mut client, "");
}

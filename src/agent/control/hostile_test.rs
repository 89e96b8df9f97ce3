//! Clients that send too much, too slowly, nothing or garbage, and do not read: the others notice
//! nothing, and in the end they are let go.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use super::server_test::{BOOT, Bench, DONE, LIST, LISTED, check, check_closed, hang_up, logs, received};
use super::*;
use orlop::config::Admission;
use orlop::control::Empty;

/// Somebody else is still served.
#[track_caller]
fn others_are_served(bench: &mut Bench) {
    let mut other = bench.connect();
    bench.send(&mut other, LIST);
    check(&mut other, LISTED);
}

#[test]
fn half_a_request_is_given_thirty_seconds() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    bench.send(&mut client, &LIST[..10]);
    bench.wait(Duration::from_millis(29_999));
    others_are_served(&mut bench);
    check(&mut client, "");
    bench.wait(Duration::from_millis(1));
    check_closed(&mut client, "");
}

#[test]
fn a_byte_now_and_then_gains_no_time() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    for byte in &LIST[..30] {
        bench.send(&mut client, &[*byte]);
        bench.wait(Duration::from_secs(1));
    }
    check_closed(&mut client, "");
    others_are_served(&mut bench);
}

#[test]
fn time_that_the_machine_needs_is_not_the_clients() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    bench.send(&mut client, &[BOOT, &LIST[..10]].concat());
    bench.wait(Duration::from_secs(100));
    check(&mut client, "");
    let (call, _) = bench.calls[0];
    bench.server.reply(bench.now, call, &Empty {});
    bench.wait(Duration::from_secs(29));
    check(&mut client, DONE);
    bench.send(&mut client, &LIST[10..]);
    check(&mut client, LISTED);
    bench.wait(Duration::from_secs(1000));
    check(&mut client, "");
}

#[test]
fn a_request_over_the_limit_is_refused_and_the_next_is_answered() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    bench.send(&mut client, &[&vec![b'x'; 1_000_000][..], b"\0", LIST].concat());
    let refused = "{\"error\":\"org.orlop.Control.TooLarge\",\"parameters\":{\"limit\":262144}}|";
    check(&mut client, &format!("{refused}{LISTED}"));
}

#[test]
fn an_endless_request_is_cut_off() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    for _ in 0..29 {
        bench.send(&mut client, &[b'x'; 100_000]);
        bench.wait(Duration::from_secs(1));
        others_are_served(&mut bench);
    }
    bench.wait(Duration::from_secs(1));
    check_closed(&mut client, "");
}

/// Writes until the server takes no more.
fn flood(bench: &mut Bench, client: &mut UnixStream, piece: &[u8]) -> usize {
    let mut sent = 0;
    while let Ok(count) = client.write(piece) {
        sent += count;
        bench.run();
        assert!(sent < 64 << 20, "the server takes it without end");
    }
    sent
}

#[test]
fn a_flood_of_garbage_stops_when_its_answers_are_not_read() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    let garbage = b"x\0".repeat(8192);
    flood(&mut bench, &mut client, &garbage);
    others_are_served(&mut bench);
    bench.wait(Duration::from_secs(30));
    let (answers, closed) = received(&mut client);
    assert!(closed && answers.starts_with("{\"error\":\"org.orlop.Control.InvalidMessage\""));
}

#[test]
fn one_who_asks_without_end_does_not_come_before_the_others() {
    let mut bench = Bench::new();
    let (mut greedy, mut modest) = (bench.connect(), bench.connect());
    greedy.write_all(&LIST.repeat(1000)).unwrap();
    modest.write_all(BOOT).unwrap();
    // The first wake-ups let them in and hear them; few messages of the greedy one come first.
    let mut before = 0;
    while bench.calls.is_empty() {
        bench.server.work(bench.now).unwrap();
        while let Some(event) = bench.server.next_event() {
            match event {
                Event::Call(call, Request::List, _) => {
                    bench.server.reply(bench.now, call, &Empty {});
                    before += 1;
                }
                Event::Call(call, request, _) => bench.calls.push((call, request)),
                Event::Gone(_) | Event::Denied(..) | Event::Failed(..) => {}
            }
        }
    }
    assert!(before <= 64, "{before}");
    bench.run();
    assert_eq!(bench.receive_all(&mut greedy).matches("parameters").count(), 1000);
}

#[test]
fn large_answers_are_given_a_few_at_a_time() {
    let mut bench = Bench::new();
    let mut clients: Vec<_> = (0..30).map(|_| bench.connect()).collect();
    bench.run();
    clients.iter_mut().for_each(|client| client.write_all(LIST).unwrap());
    let large = "x".repeat(100_000);
    let mut answered = Vec::new();
    while answered.iter().sum::<usize>() < clients.len() {
        bench.server.work(bench.now).unwrap();
        let mut count = 0;
        while let Some(event) = bench.server.next_event() {
            let Event::Call(call, ..) = event else { panic!("{event:?}") };
            bench.server.reply(bench.now, call, &large);
            count += 1;
        }
        answered.push(count);
        assert!(answered.len() < 100, "{answered:?}");
    }
    assert!(answered.iter().all(|count| *count <= 6), "{answered:?}");
}

#[test]
fn a_stream_that_nobody_reads_is_closed_after_thirty_seconds() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    bench.send(&mut client, &logs());
    let (call, _) = bench.calls[0];
    while bench.server.room(call) > Some(0) {
        bench.server.stream(bench.now, call, &"x".repeat(5000));
        bench.run();
    }
    bench.wait(Duration::from_millis(29_999));
    assert!(bench.server.room(call).is_some());
    others_are_served(&mut bench);
    bench.wait(Duration::from_millis(1));
    assert_eq!(bench.server.room(call), None);
    assert!(bench.gone.contains(&call.client));
}

#[test]
fn who_reads_slowly_but_reads_is_not_let_go() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    bench.send(&mut client, &logs());
    let (call, _) = bench.calls[0];
    while bench.server.room(call) > Some(0) {
        bench.server.stream(bench.now, call, &"x".repeat(5000));
        bench.run();
    }
    for _ in 0..4 {
        bench.wait(Duration::from_secs(20));
        // Enough of it for the socket to take more.
        client.read_exact(&mut [0; 60_000]).unwrap();
        bench.run();
    }
    assert!(bench.server.room(call).is_some());
}

#[test]
fn a_stream_that_ignores_the_room_cannot_fill_the_memory() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    bench.send(&mut client, &logs());
    let (call, _) = bench.calls[0];
    for _ in 0..1000 {
        bench.server.stream(bench.now, call, &"x".repeat(5000));
    }
    assert_eq!(bench.server.room(call), None);
}

#[test]
fn the_one_that_was_idle_for_longest_makes_room() {
    let mut bench = Bench::new();
    let mut clients = Vec::new();
    for _ in 0..64 {
        let mut client = bench.connect();
        bench.send(&mut client, LIST);
        check(&mut client, LISTED);
        bench.wait(Duration::from_millis(1));
        clients.push(client);
    }
    bench.send(&mut clients[0], LIST);
    check(&mut clients[0], LISTED);
    others_are_served(&mut bench);
    check(&mut clients[0], "");
    check_closed(&mut clients[1], "");
    check(&mut clients[2], "");
}

#[test]
fn when_all_are_at_work_the_next_is_told_so() {
    let mut bench = Bench::new();
    let mut clients: Vec<_> = (0..64).map(|_| bench.connect()).collect();
    for client in &mut clients {
        bench.send(client, BOOT);
    }
    let mut late = bench.connect();
    late.write_all(LIST).unwrap();
    bench.run();
    let busy = "{\"error\":\"org.orlop.Control.Busy\",\"parameters\":{\"limit\":64,\"what\":\"clients\"}}|";
    check_closed(&mut late, busy);
    clients.into_iter().for_each(hang_up);
    bench.run();
    assert_eq!(bench.gone.len(), 64);
    others_are_served(&mut bench);
}

#[test]
fn a_thousand_who_come_and_go_leave_nothing_behind() {
    let mut bench = Bench::new();
    for round in 0..1000 {
        let mut client = bench.connect();
        client.write_all(&LIST[..round % LIST.len()]).unwrap();
        hang_up(client);
        bench.run();
    }
    others_are_served(&mut bench);
    bench.run();
    assert_eq!(bench.server.poll_timeout(), None);
}

#[test]
fn a_listener_that_cannot_accept_is_left_alone_for_a_second() {
    // A connected socket stands in for one without descriptors: readable, and accept fails.
    let (broken, mut other) = UnixStream::pair().unwrap();
    broken.set_nonblocking(true).unwrap();
    other.write_all(b"x").unwrap();
    let mut server = Server::new(broken.into(), String::new(), Admission::default(), LIMITS).unwrap();
    let watch = crate::linux::epoll::Epoll::new().unwrap();
    watch.add(std::os::fd::AsFd::as_fd(&server), crate::linux::epoll::Interest::EPOLLIN, 0).unwrap();
    assert_eq!(watch.wait(Some(Duration::ZERO)).unwrap().iter().count(), 1);
    server.work(Duration::from_secs(5)).unwrap();
    assert!(watch.wait(Some(Duration::ZERO)).unwrap().iter().next().is_none());
    assert_eq!(server.poll_timeout(), Some(Duration::from_secs(6)));
    server.work(Duration::from_secs(6)).unwrap();
    assert_eq!(watch.wait(Some(Duration::ZERO)).unwrap().iter().count(), 1);
}

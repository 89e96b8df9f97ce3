//! Promises of forwarding, with the role as a real process and collectors that are sockets of the test.

use std::fs::{OpenOptions, Permissions};
use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use orlop::config::Collector as To;
use orlop::log::{FromForwarder, Stream};

use super::test_world::{Collector, SOON, World, datagrams, listener, message_of, text};
use crate::agent::log::RingFile;
use crate::linux::forked::Forked;
use crate::linux::{fd, memfd, seqpacket};

#[test]
fn each_line_is_a_message_of_rfc_5424_framed_by_its_length() {
    let (listener, address) = listener();
    let mut world = World::new(To::Tcp(address));
    let mut collector = Collector::accept(&listener);
    world.wake(|world| {
        world.write(Stream::Stdout, "one\ntw");
        world.write(Stream::Syslog, "<11>Nov 22 14:05:09 cron[7]: two\nlines");
        world.write(Stream::Stdout, "o\n");
    });
    let expected = [
        "<30>1 2025-11-21T22:33:20.000000Z deck web - stdout [meta sequenceId=\"1\" sysUpTime=\"0\"] one",
        "<11>1 2025-11-21T22:33:20.000000Z deck web - syslog [meta sequenceId=\"2\" sysUpTime=\"0\"] cron[7]: two\nlines",
        "<30>1 2025-11-21T22:33:20.000000Z deck web - stdout [meta sequenceId=\"3\" sysUpTime=\"0\"] two",
    ];
    for message in expected {
        assert_eq!(collector.message(), message);
    }
    // A line without an end is sent in the end.
    world.wake(|world| world.write(Stream::Stderr, "last words"));
    assert_eq!(collector.text(), "last words");
    world.kill();
}

#[test]
fn a_forwarder_that_is_killed_is_followed_by_one_that_goes_on() {
    let (listener, address) = listener();
    let mut world = World::new(To::Tcp(address));
    let mut collector = Collector::accept(&listener);
    world.wake(|world| world.write(Stream::Stdout, "first\nsecond\n"));
    assert_eq!([collector.text(), collector.text()], ["first", "second"]);
    // What has arrived is written down at the next look.
    world.wake(|world| world.write(Stream::Stdout, "third\n"));
    assert_eq!(collector.text(), "third");
    world.until_arrived(6);
    world.kill();
    world.write(Stream::Stdout, "fourth\n");
    world.start();
    let mut collector = Collector::accept(&listener);
    let texts = collector.texts("fourth");
    // What was not known to have arrived comes again, and nothing is missing.
    let all = ["first", "second", "third", "fourth"];
    assert!(all.ends_with(&texts.iter().map(String::as_str).collect::<Vec<_>>()), "{texts:?}");
    assert!(texts.len() < all.len(), "it began at the beginning");
    world.kill();
}

#[test]
fn a_link_that_was_cut_loses_only_what_the_ring_has_dropped_and_says_how_much() {
    let (listener, address) = listener();
    let mut world = World::new(To::Tcp(address));
    let mut collector = Collector::accept(&listener);
    world.wake(|world| world.write(Stream::Stdout, "before\n"));
    assert_eq!(collector.text(), "before");
    drop((collector, listener));
    let lines = 200;
    world.wake(|world| {
        for number in 0..lines {
            world.write(Stream::Stdout, &format!("{number:0999}\n"));
        }
    });
    // It is back, at the same address.
    let listener = TcpListener::bind(address).unwrap();
    let mut collector = Collector::accept(&listener);
    let mut gone = 0;
    let mut numbers = Vec::new();
    while numbers.last() != Some(&(lines - 1)) {
        let message = collector.message();
        if message.contains(" gone [meta ") {
            gone += text(&message).split(' ').next().unwrap().parse::<u64>().unwrap();
        } else if text(&message) != "before" {
            numbers.push(text(&message).parse::<u64>().unwrap());
        }
    }
    let first = numbers[0];
    assert_eq!(numbers, (first..lines).collect::<Vec<_>>());
    // Of the first that is there a part may be gone.
    assert!((first * 1000..first * 1000 + 1000).contains(&gone), "{gone} bytes, {first} lines");
    assert!(first > 100, "the ring holds no more");
    let told = world.tells();
    assert!(
        matches!(told, FromForwarder::Link { ref to, errno: 1.. } if *to == To::Tcp(address)),
        "{told:?}"
    );
    world.kill();
}

#[test]
fn datagrams_are_messages_and_what_is_refused_is_sent_again() {
    let (collector, address) = datagrams();
    let mut world = World::new(To::Udp(address));
    let hear = |collector: &UdpSocket| text(&message_of(collector));
    world.wake(|world| world.write(Stream::Stdout, "one\ntwo\n"));
    assert_eq!([hear(&collector), hear(&collector)], ["one", "two"]);
    drop(collector);
    // Nobody is there: the kernel says so, and it is kept.
    world.wake(|world| world.write(Stream::Stdout, "three\n"));
    world.wake(|_| {});
    let collector = UdpSocket::bind(address).unwrap();
    collector.set_read_timeout(Some(SOON)).unwrap();
    let mut heard = hear(&collector);
    while heard != "three" {
        assert!(["one", "two"].contains(&heard.as_str()), "{heard}");
        heard = hear(&collector);
    }
    world.kill();
}

#[test]
fn a_collector_that_does_not_read_delays_no_other() {
    let (listener, address) = listener();
    let (other, to) = datagrams();
    let others = vec![To::Udp(to)];
    let mut world = World::with(To::Tcp(address), others, 16 << 20);
    let _asleep = Collector::accept(&listener);
    // More than a socket takes: each line, after which the other one is heard.
    for number in 0..400 {
        world.wake(|world| {
            world.write(Stream::Syslog, &"x".repeat(15_000));
            world.write(Stream::Stdout, &format!("line {number}\n"));
        });
        let wanted = format!("line {number}");
        while text(&message_of(&other)) != wanted {}
    }
    world.kill();
}

#[test]
fn a_forwarder_has_no_power_and_cannot_write_what_it_sends() {
    let (listener, address) = listener();
    let mut world = World::new(To::Tcp(address));
    let _collector = Collector::accept(&listener);
    let forwarder = world.forwarder.as_ref().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", forwarder.pid())).unwrap();
    for line in [
        "Uid:\t65534\t65534\t65534\t65534",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
    ] {
        assert!(status.contains(line), "{status}");
    }
    let flags = std::fs::read_dir(format!("/proc/{}/fdinfo", forwarder.pid())).unwrap();
    let rings = flags.filter(|entry| {
        let info = std::fs::read_to_string(entry.as_ref().unwrap().path()).unwrap();
        let is_ring = info.contains(&format!("ino:\t{}\n", world.file.identity()));
        // O_ACCMODE: the last digit.
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:\t")).unwrap().to_owned();
        assert!(!is_ring || flags.ends_with('0'), "{info}");
        is_ring
    });
    assert_eq!(rings.count(), 1);
    world.kill();
}

#[test]
fn a_forwarder_opens_nothing_that_is_roots() {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let path = folder.path().join("control.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let (ours, theirs) = seqpacket::pair().unwrap();
    let confined = Forked::run(|| {
        fd::install(theirs.as_fd(), 3).unwrap();
        let control = super::confine().unwrap();
        let (_, [ring, ..]) = seqpacket::receive_blocking(control.as_fd(), &mut [0; 1]).unwrap();
        let refused = |kind: std::io::Error| kind.kind() == ErrorKind::PermissionDenied;
        let ring = ring.unwrap();
        let name = format!("/proc/self/fd/{}", ring.as_raw_fd());
        let ring = OpenOptions::new().write(true).open(name).is_err_and(refused);
        let control = UnixStream::connect(&path).is_err_and(refused);
        i32::from(!ring) | i32::from(!control) << 1
    });
    let file = RingFile::create(64 << 10).unwrap();
    let ring = memfd::read_only(file.as_fd()).unwrap();
    seqpacket::send(ours.as_fd(), b"r", &[ring.as_fd()]).unwrap();
    assert_eq!(confined.wait(), 0);
}

#[test]
fn lines_are_whole_however_far_behind_it_is() {
    let (listener, address) = listener();
    let mut world = World::new(To::Tcp(address));
    let mut collector = Collector::accept(&listener);
    let lines: Vec<String> = (0..400).map(|number| format!("{number:0100}")).collect();
    world.wake(|world| {
        // Half a line is in the next read.
        let text = lines.join("\n") + "\n";
        text.as_bytes()
            .chunks(997)
            .for_each(|chunk| world.write(Stream::Stdout, str::from_utf8(chunk).unwrap()));
    });
    assert_eq!(collector.texts(&lines[399]), lines);
    // The rest may still come.
    world.wake(|world| world.write_now(Stream::Stdout, "begun, "));
    world.wake(|world| world.write_now(Stream::Stdout, "ended\n"));
    assert_eq!(collector.text(), "begun, ended");
    world.kill();
}

#[test]
fn parts_of_a_long_message_have_its_priority_and_the_size_of_a_datagram() {
    let (collector, address) = datagrams();
    let mut world = World::new(To::Udp(address));
    let long = "x".repeat(15_000);
    world.wake(|world| world.write(Stream::Syslog, &format!("<11>{long}")));
    let mut heard = String::new();
    while heard.len() < long.len() {
        let message = message_of(&collector);
        assert!(message.starts_with("<11>1 ") && message.len() <= 2048, "{message}");
        heard += &text(&message);
    }
    assert_eq!(heard, long);
    world.kill();
}

#[test]
fn another_ring_in_the_place_of_one_is_sent_from_its_beginning() {
    let (listener, address) = listener();
    let mut world = World::new(To::Tcp(address));
    let mut collector = Collector::accept(&listener);
    world.wake(|world| world.write(Stream::Stdout, "of the one before\n"));
    assert_eq!(collector.text(), "of the one before");
    world.until_arrived(18);
    world.kill();
    world.another_ring();
    world.write(Stream::Stdout, "first\nsecond\n");
    world.start();
    let mut collector = Collector::accept(&listener);
    assert_eq!(collector.texts("second"), ["first", "second"]);
    world.kill();
}

//! Promises of forwarding, with the role as a real process and collectors that are sockets of the test.

use std::io::{BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::config::{Forward, Transport};
use orlop::log::{FOLLOW_LEN, Follow, Ring, Stamp, Stream, ToForwarder};

use super::memory;
use crate::agent::log::RingFile;
use crate::linux::forked::Forked;
use crate::linux::{fd, memfd, seqpacket};

const SOON: Duration = Duration::from_secs(20);
const ID: u64 = 7;

/// A log, a forwarder, and what outlives it.
struct World {
    control: OwnedFd,
    forwarder: Option<Forked>,
    to: Forward,
    others: Vec<Forward>,
    places: OwnedFd,
    file: RingFile,
    ring: Ring,
    clock: u64,
}

impl World {
    fn new(transport: Transport, to: SocketAddr) -> Self {
        Self::with(transport, to, Vec::new(), 64 << 10)
    }

    fn with(transport: Transport, to: SocketAddr, others: Vec<Forward>, memory_of_ring: u64) -> Self {
        let file = RingFile::create(memory_of_ring).unwrap();
        let (ring, _) = Ring::recover(&file, file.layout()).unwrap();
        let (control, _) = seqpacket::pair().unwrap();
        let (to, places) = (Forward { transport, to }, memory().unwrap());
        let mut world = Self { control, forwarder: None, to, others, places, file, ring, clock: 0 };
        world.start();
        world
    }

    /// One more, after the one before is dead, as the supervisor would.
    fn start(&mut self) {
        let (ours, theirs) = seqpacket::pair().unwrap();
        self.control = ours;
        self.forwarder = Some(Forked::run(|| {
            fd::install(theirs.as_fd(), 3).unwrap();
            super::run()
        }));
        let send = |packet: ToForwarder, fds: &[_]| {
            seqpacket::send(self.control.as_fd(), &packet.encode(), fds).unwrap();
        };
        send(ToForwarder::Host("deck".into()), &[]);
        send(ToForwarder::Places, &[self.places.as_fd()]);
        for to in self.others.iter().chain([&self.to]) {
            send(ToForwarder::To(*to), &[]);
        }
        let ring = memfd::read_only(self.file.as_fd()).unwrap();
        send(ToForwarder::Ring { id: ID, name: "web".into() }, &[ring.as_fd()]);
    }

    fn kill(&mut self) {
        self.forwarder.take().unwrap().kill();
    }

    fn write(&mut self, stream: Stream, text: &str) {
        self.clock += 1;
        let stamp = Stamp { boot_us: self.clock, wall_ns: 1_763_764_400_000_000_000 };
        self.ring.append(&self.file, stamp, stream, text.as_bytes(), 0).unwrap();
    }

    /// Waits until it has seen all, and tells it that there is more.
    fn wake(&mut self, after: impl FnOnce(&mut Self)) {
        let mut bytes = [0; FOLLOW_LEN];
        loop {
            let (size, _) = seqpacket::receive_blocking(self.control.as_fd(), &mut bytes).unwrap();
            let follow = Follow::decode(&bytes[..size]).unwrap();
            assert_eq!(follow.id, ID);
            if follow.after == self.ring.seq() {
                break;
            }
        }
        after(self);
        let wake = ToForwarder::Wake { id: ID }.encode();
        seqpacket::send(self.control.as_fd(), &wake, &[]).unwrap();
    }
}

/// A collector's end of a stream.
struct Collector(BufReader<TcpStream>);

impl Collector {
    fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        Self(BufReader::new(stream))
    }

    /// The next message, by its length.
    fn message(&mut self) -> String {
        let mut length = String::new();
        loop {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            match byte[0] {
                b' ' => break,
                digit => length.push(char::from(digit)),
            }
        }
        let mut message = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut message).unwrap();
        String::from_utf8(message).unwrap()
    }

    /// Its text alone.
    fn text(&mut self) -> String {
        text(&self.message())
    }
}

fn text(message: &str) -> String {
    message.split_once("] ").unwrap().1.to_owned()
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn each_line_is_a_message_of_rfc_5424_framed_by_its_length() {
    let (listener, address) = listener();
    let mut world = World::new(Transport::Tcp, address);
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
    let mut world = World::new(Transport::Tcp, address);
    let mut collector = Collector::accept(&listener);
    world.wake(|world| world.write(Stream::Stdout, "first\nsecond\n"));
    assert_eq!([collector.text(), collector.text()], ["first", "second"]);
    // What has arrived is written down at the next look.
    world.wake(|world| world.write(Stream::Stdout, "third\n"));
    assert_eq!(collector.text(), "third");
    while places_sent(&world) < 6 {
        std::hint::spin_loop();
    }
    world.kill();
    world.write(Stream::Stdout, "fourth\n");
    world.start();
    let mut collector = Collector::accept(&listener);
    let mut texts = vec![collector.text()];
    while texts.last().unwrap() != "fourth" {
        texts.push(collector.text());
    }
    // What was not known to have arrived comes again, and nothing is missing.
    let all = ["first", "second", "third", "fourth"];
    assert!(all.ends_with(&texts.iter().map(String::as_str).collect::<Vec<_>>()), "{texts:?}");
    assert!(texts.len() < all.len(), "it began at the beginning");
    world.kill();
}

/// Bytes of the standard output that are known to have arrived.
fn places_sent(world: &World) -> u64 {
    let mut word = [0; 8];
    memfd::read_exact_at(world.places.as_fd(), 7 * 8, &mut word).unwrap();
    u64::from_le_bytes(word)
}

#[test]
fn a_link_that_was_cut_loses_only_what_the_ring_has_dropped_and_says_how_much() {
    let (listener, address) = listener();
    let mut world = World::new(Transport::Tcp, address);
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
    world.kill();
}

#[test]
fn datagrams_are_messages_and_what_is_refused_is_sent_again() {
    let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
    collector.set_read_timeout(Some(SOON)).unwrap();
    let address = collector.local_addr().unwrap();
    let mut world = World::new(Transport::Udp, address);
    let mut buffer = [0; 4096];
    let mut hear = |collector: &UdpSocket| {
        let size = collector.recv(&mut buffer).unwrap();
        text(std::str::from_utf8(&buffer[..size]).unwrap())
    };
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
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    other.set_read_timeout(Some(SOON)).unwrap();
    let others = vec![Forward { transport: Transport::Udp, to: other.local_addr().unwrap() }];
    let mut world = World::with(Transport::Tcp, address, others, 16 << 20);
    let _asleep = listener.accept().unwrap();
    // More than a socket takes: each line, after which the other one is heard.
    for number in 0..400 {
        world.wake(|world| {
            world.write(Stream::Syslog, &"x".repeat(15_000));
            world.write(Stream::Stdout, &format!("line {number}\n"));
        });
        let mut buffer = vec![0; 20_000];
        let wanted = format!("line {number}");
        while {
            let size = other.recv(&mut buffer).unwrap();
            text(std::str::from_utf8(&buffer[..size]).unwrap()) != wanted
        } {}
    }
    world.kill();
}

#[test]
fn a_forwarder_has_no_power_and_cannot_write_what_it_sends() {
    let (listener, address) = listener();
    let mut world = World::new(Transport::Tcp, address);
    let _collector = Collector::accept(&listener);
    let forwarder = world.forwarder.as_ref().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", forwarder.pid())).unwrap();
    for line in ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"] {
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

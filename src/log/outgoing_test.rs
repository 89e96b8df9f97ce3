//! What is sent, and from where it goes on, whenever it was cut off.

use alloc::string::String;
use core::cell::RefCell;

use proptest::prelude::*;

use super::*;
use crate::log::{MIN_MEMORY, Ring, Store};

struct File(RefCell<Vec<u8>>);

impl Source for File {
    type Error = ();

    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<(), ()> {
        into.copy_from_slice(&self.0.borrow()[at as usize..at as usize + into.len()]);
        Ok(())
    }
}

impl Store for File {
    fn write_at(&self, at: u64, from: &[u8]) -> Result<(), ()> {
        self.0.borrow_mut()[at as usize..at as usize + from.len()].copy_from_slice(from);
        Ok(())
    }

    fn position(&self) -> Result<u64, ()> {
        Ok(0)
    }

    fn seek(&self, _: u64) -> Result<(), ()> {
        Ok(())
    }
}

struct World {
    file: File,
    layout: Layout,
    ring: Ring,
    clock: u64,
}

impl World {
    fn new() -> Self {
        let file = File(RefCell::new(vec![0; MIN_MEMORY as usize]));
        let layout = Layout::of(MIN_MEMORY).unwrap();
        let (ring, _) = Ring::recover(&file, layout).unwrap();
        Self { file, layout, ring, clock: 0 }
    }

    fn write(&mut self, stream: Stream, text: &str) {
        self.write_later(1, stream, text);
    }

    fn write_later(&mut self, boot_us: u64, stream: Stream, text: &str) {
        self.clock += boot_us;
        let stamp = Stamp { boot_us: self.clock, wall_ns: 0 };
        self.ring.append(&self.file, stamp, stream, text.as_bytes(), 0).unwrap();
    }

    /// All that a sender has to send from a place on, its unfinished lines too.
    fn send(&self, sender: &mut Sender, buffer: usize) -> Vec<Outgoing> {
        let mut buffer = vec![0; buffer];
        let mut all = Vec::new();
        while let Some(message) = sender.next(&self.file, &mut buffer).unwrap() {
            all.push(message);
        }
        all
    }
}

fn texts(messages: &[Outgoing]) -> Vec<String> {
    messages.iter().map(|it| String::from_utf8(it.text.clone()).unwrap()).collect()
}

#[test]
fn a_line_is_a_message_and_one_that_is_begun_waits() {
    let mut world = World::new();
    world.write(Stream::Stdout, "one\ntw");
    world.write(Stream::Stderr, "an error\n");
    world.write(Stream::Syslog, "<30>app: said");
    let mut sender = Sender::new(world.layout, Place::default(), 100);
    let sent = world.send(&mut sender, 4096);
    assert_eq!(texts(&sent), ["one\n", "an error\n", "<30>app: said"]);
    let kinds = [Stream::Stdout, Stream::Stderr, Stream::Syslog].map(Kind::Output);
    assert_eq!(sent.iter().map(|it| it.kind).collect::<Vec<_>>(), kinds);
    assert_eq!(sender.unfinished(), Some(1));
    world.write(Stream::Stdout, "o\nlast");
    assert_eq!(texts(&world.send(&mut sender, 4096)), ["two\n"]);
    sender.end_lines(3);
    assert_eq!(world.send(&mut sender, 4096), []);
    sender.end_lines(4);
    assert_eq!(texts(&world.send(&mut sender, 4096)), ["last"]);
    assert_eq!(sender.unfinished(), None);
}

#[test]
fn a_long_line_is_several_messages() {
    let mut world = World::new();
    world.write(Stream::Stdout, "abcdefgh\nijk");
    let mut sender = Sender::new(world.layout, Place::default(), 3);
    let sent = world.send(&mut sender, 2);
    assert_eq!(texts(&sent).concat(), "abcdefgh\n");
    assert!(sent.iter().all(|it| it.text.len() <= 3));
}

#[test]
fn a_line_that_was_begun_long_before_what_is_read_now_is_ended_with_the_rest_that_it_has() {
    let mut world = World::new();
    world.write(Stream::Stdout, "tw");
    world.write_later(6_000_000, Stream::Stdout, "o\nlast");
    world.write(Stream::Stderr, "soon\n");
    let mut sender = Sender::new(world.layout, Place::default(), 100);
    assert_eq!(texts(&world.send(&mut sender, 4096)), ["two\n", "soon\n"]);
    world.write_later(5_000_000, Stream::Stderr, "late\n");
    assert_eq!(texts(&world.send(&mut sender, 4096)), ["late\n", "last"]);
}

#[test]
fn parts_of_a_long_message_have_its_priority_wherever_it_is_cut_off() {
    let mut world = World::new();
    world.write(Stream::Stderr, "begun");
    world.write(Stream::Syslog, "<11>0123456789abcdef");
    world.write(Stream::Syslog, "<3>next");
    let mut sender = Sender::new(world.layout, Place::default(), 8);
    let sent = world.send(&mut sender, 4096);
    let expected = ["<11>0123", "<11>456789ab", "<11>cdef", "<3>next"];
    assert_eq!(texts(&sent), expected);
    for (number, message) in sent.iter().enumerate() {
        let mut again = Sender::new(world.layout, message.place, 8);
        assert_eq!(texts(&world.send(&mut again, 4096)), expected[number + 1..]);
    }
}

#[test]
fn what_is_ready_is_bounded_whatever_a_read_holds() {
    let mut world = World::new();
    world.write(Stream::Stderr, "begun");
    world.write(Stream::Stdout, &"\n".repeat(4000));
    world.write(Stream::Stderr, " ended\n");
    let mut sender = Sender::new(world.layout, Place::default(), 100);
    let mut buffer = [0; 4096];
    let mut sent = Vec::new();
    while let Some(message) = sender.next(&world.file, &mut buffer).unwrap() {
        sent.push(message);
        assert!(sender.ready.len() <= MESSAGES_AT_ONCE);
    }
    assert_eq!(sent.len(), 4001);
    assert_eq!(texts(&sent[4000..]), ["begun ended\n"]);
}

#[test]
fn of_a_ring_that_begins_anew_all_is_sent() {
    let mut world = World::new();
    world.write(Stream::Stdout, "a long line of the time before\n");
    world.write(Stream::Stderr, "begun");
    let mut sender = Sender::new(world.layout, Place::default(), 100);
    assert_eq!(texts(&world.send(&mut sender, 4096)), ["a long line of the time before\n"]);
    let place = sender.place;
    // Nothing of its state makes sense.
    world.file.0.borrow_mut()[..256].fill(0xff);
    (world.ring, _) = Ring::recover(&world.file, world.layout).unwrap();
    world.write(Stream::Stdout, "new\n");
    let sent = world.send(&mut sender, 4096);
    assert_eq!(texts(&sent), ["begun", "new\n"]);
    assert_eq!((sent[0].place, sent[1].place.sent), (Place::default(), [4, 0, 0]));
    let mut again = Sender::new(world.layout, place, 100);
    assert_eq!(texts(&world.send(&mut again, 4096)), ["new\n"]);
}

#[test]
fn what_is_gone_is_told_once_also_by_who_begins_before_it() {
    let mut world = World::new();
    world.write(Stream::Stderr, "begun");
    world.ring.append_refused(&world.file, Stamp::default(), (70, 2), 0).unwrap();
    world.write(Stream::Stdout, "after\n");
    let mut sender = Sender::new(world.layout, Place::default(), 100);
    let sent = world.send(&mut sender, 4096);
    let gone = "70 bytes of output are gone: it came too fast, or memory was short";
    assert_eq!(texts(&sent), ["begun", gone, "after\n"]);
    for (number, message) in sent.iter().enumerate() {
        let mut again = Sender::new(world.layout, message.place, 100);
        assert_eq!(texts(&world.send(&mut again, 4096)), texts(&sent[number + 1..]));
    }
}

#[test]
fn what_was_overwritten_while_the_link_was_cut_is_counted() {
    let mut world = World::new();
    world.write(Stream::Stdout, "first\n");
    let mut sender = Sender::new(world.layout, Place::default(), 100);
    let place = world.send(&mut sender, 4096)[0].place;
    for _ in 0..100 {
        world.write(Stream::Stdout, &("x".repeat(999) + "\n"));
    }
    let mut again = Sender::new(world.layout, place, 10_000);
    let sent = world.send(&mut again, 4096);
    let kept: usize = sent[1..].iter().map(|it| it.text.len()).sum();
    let told: usize = texts(&sent)[0].split(' ').next().unwrap().parse().unwrap();
    assert_eq!((sent[0].kind, kept + told), (Kind::Gap, 100_000));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Cut off behind any message, the rest is what would have come.
    #[test]
    fn nothing_is_sent_twice_or_left_out_wherever_it_goes_on(
        writes in prop::collection::vec(("[ab\n]{1,9}", 0..3_u8), 0..40),
        most in 1..8_usize,
        buffer in 1..12_usize,
        cuts in prop::collection::vec(0..6_usize, 1..8),
    ) {
        let mut world = World::new();
        for (text, stream) in &writes {
            let stream = [Stream::Stdout, Stream::Stderr, Stream::Syslog][usize::from(*stream)];
            world.write(stream, text);
        }
        let whole = |buffer| {
            let mut sender = Sender::new(world.layout, Place::default(), most);
            let mut all = world.send(&mut sender, buffer);
            sender.end_lines(u64::MAX);
            all.extend(world.send(&mut sender, buffer));
            all
        };
        let by_stream = |messages: &[Outgoing], stream| -> Vec<u8> {
            messages.iter().filter(|it| it.kind == Kind::Output(stream)).flat_map(|it| it.text.clone()).collect()
        };
        let expected = whole(4096);
        let mut found = Vec::new();
        let mut place = Place::default();
        for cut in cuts.iter().chain([&usize::MAX]) {
            let mut sender = Sender::new(world.layout, place, most);
            let mut sent = world.send(&mut sender, buffer);
            if *cut == usize::MAX {
                sender.end_lines(u64::MAX);
                sent.extend(world.send(&mut sender, buffer));
            }
            sent.truncate(*cut);
            place = sent.last().map_or(place, |message| message.place);
            found.extend(sent);
        }
        for stream in [Stream::Stdout, Stream::Stderr, Stream::Syslog] {
            assert_eq!(by_stream(&found, stream), by_stream(&expected, stream), "{stream:?}");
        }
    }
}

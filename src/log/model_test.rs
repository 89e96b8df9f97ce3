//! The ring against a naive model: what is read, and what is told as gone, is what was written.

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use proptest::prelude::*;

use super::*;

/// A file in memory. Each access may first let the writer go on (`race`), as another process would.
struct File {
    bytes: RefCell<Vec<u8>>,
    position: Cell<u64>,
    /// Writes and seeks that still succeed: then the writer is dead.
    lives: Cell<Option<u32>>,
}

#[derive(Debug, PartialEq)]
struct Killed;

impl File {
    fn new(size: u64) -> Self {
        Self { bytes: RefCell::new(vec![0; size as usize]), position: Cell::new(0), lives: Cell::new(None) }
    }

    fn live(&self) -> Result<(), Killed> {
        match self.lives.get() {
            Some(0) => return Err(Killed),
            Some(lives) => self.lives.set(Some(lives - 1)),
            None => {}
        }
        Ok(())
    }

    /// What the kernel does: copies to the position and advances it.
    fn splice(&self, bytes: &[u8]) {
        let at = self.position.get() as usize;
        self.bytes.borrow_mut()[at..at + bytes.len()].copy_from_slice(bytes);
        self.position.set((at + bytes.len()) as u64);
    }
}

impl Source for File {
    type Error = Killed;

    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<(), Killed> {
        into.copy_from_slice(&self.bytes.borrow()[at as usize..at as usize + into.len()]);
        Ok(())
    }
}

impl Store for File {
    fn write_at(&self, at: u64, from: &[u8]) -> Result<(), Killed> {
        self.live()?;
        self.bytes.borrow_mut()[at as usize..at as usize + from.len()].copy_from_slice(from);
        Ok(())
    }

    fn position(&self) -> Result<u64, Killed> {
        Ok(self.position.get())
    }

    fn seek(&self, position: u64) -> Result<(), Killed> {
        self.live()?;
        self.position.set(position);
        Ok(())
    }
}

/// One read of a pipe: `len` bytes were there, `moved` of them the kernel moved. Or one message.
#[derive(Debug, Clone)]
struct Op {
    stream: Stream,
    way: Way,
    len: u64,
    moved: u64,
    lives: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Keep,
    Refuse,
    /// A message that the writer has in its hands: `len` bytes, but no more than it may have.
    Message,
    /// One that is not kept.
    MessageRefused,
}

/// The writer and what it should have done.
struct World {
    file: File,
    layout: Layout,
    ring: Ring,
    clock: u64,
    /// Every byte kept, ever, with its stream.
    kept: Vec<(u8, Stream)>,
    /// Bytes refused, and how many bytes had been kept before.
    refused: Vec<(u64, u64)>,
    /// Messages that were entered.
    messages: u64,
}

impl World {
    fn new(size: u64) -> Self {
        let (file, layout) = (File::new(size), Layout::of(size).unwrap());
        let (ring, recovered) = Ring::recover(&file, layout).unwrap();
        assert_eq!(recovered, Recovered::Whole);
        Self { file, layout, ring, clock: 0, kept: Vec::new(), refused: Vec::new(), messages: 0 }
    }

    fn run(&mut self, op: &Op) {
        self.file.lives.set(op.lives);
        if self.attempt(op).is_err() {
            self.file.lives.set(None);
            self.ring = Ring::recover(&self.file, self.layout).unwrap().0;
        }
        self.file.lives.set(None);
        assert_eq!(self.ring.mark(), self.messages);
    }

    fn attempt(&mut self, op: &Op) -> Result<(), Killed> {
        self.clock += 1;
        let stamp = Stamp { boot_us: self.clock, wall_ns: -(self.clock as i64) };
        let from = self.kept.len() as u64;
        let mark = self.messages + 1;
        let (target, keep) = match op.way {
            Way::Keep => (self.ring.keep(&self.file, stamp, op.stream, op.len)?, true),
            Way::Refuse => (self.ring.refuse(&self.file, stamp, op.len)?, false),
            Way::Message => {
                let to = from + op.len.min(MESSAGE_MAX as u64);
                let bytes: Vec<u8> = (from..to).map(content).collect();
                self.ring.append(&self.file, stamp, op.stream, &bytes, mark)?;
                self.messages = mark;
                self.kept.extend(bytes.into_iter().map(|byte| (byte, op.stream)));
                return Ok(());
            }
            Way::MessageRefused => {
                self.ring.append_refused(&self.file, stamp, (op.len, 1), mark)?;
                self.messages = mark;
                self.refused.push((op.len, from));
                return Ok(());
            }
        };
        let moved = op.moved.min(target.len);
        let bytes: Vec<u8> = (from..from + moved).map(content).collect();
        self.file.splice(&bytes);
        // From here on the bytes are ours to answer for, killed or not.
        if keep {
            self.kept.extend(bytes.into_iter().map(|byte| (byte, op.stream)));
        } else if moved > 0 {
            self.refused.push((moved, from));
        }
        self.ring.moved(&self.file, moved)
    }

    /// Reads all there is from `reader`, told what it had before, and holds it against the model.
    fn check<S: Source>(&self, source: &S, reader: &mut Reader, told: &mut Told, buffer: usize)
    where
        S::Error: core::fmt::Debug,
    {
        let mut buffer = vec![0; buffer];
        while let Some(item) = reader.next(source, &mut buffer).unwrap() {
            told.take(self, &item);
        }
        assert_eq!(told.at, self.kept.len());
        assert_eq!(told.refused, self.refused.iter().map(|(bytes, _)| bytes).sum::<u64>());
    }
}

/// The byte at a place of the output: neighbours differ, and so do places a ring apart.
fn content(place: u64) -> u8 {
    (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// What a reader was told so far.
#[derive(Default)]
struct Told {
    at: usize,
    refused: u64,
}

impl Told {
    fn take(&mut self, world: &World, item: &Item<'_>) {
        match item {
            Item::Output { stream, bytes, .. } => {
                assert!(!bytes.is_empty());
                for byte in *bytes {
                    assert_eq!((*byte, *stream), world.kept[self.at]);
                    self.at += 1;
                }
                let before = world.refused.iter().filter(|(_, at)| (*at as usize) < self.at);
                assert_eq!(self.refused, before.map(|(bytes, _)| bytes).sum::<u64>());
            }
            Item::Gap { gone: Gone::Overwritten { bytes, .. }, .. } => self.at += *bytes as usize,
            Item::Gap { gone: Gone::Refused { bytes, .. }, .. } => self.refused += bytes,
        }
    }
}

fn op() -> impl Strategy<Value = Op> {
    let len = prop_oneof![4 => 1..200_u64, 1 => 1..READ_MAX];
    let stream = prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)];
    let lives = prop_oneof![5 => Just(None), 1 => (0..6_u32).prop_map(Some)];
    let way = prop_oneof![
        5 => Just(Way::Keep),
        2 => Just(Way::Refuse),
        3 => Just(Way::Message),
        1 => Just(Way::MessageRefused)
    ];
    (stream, way, len, 0..=100_u64, lives).prop_map(|(stream, way, len, percent, lives)| Op {
        stream,
        way,
        len,
        moved: if percent > 20 { len } else { len * percent / 20 },
        lives,
    })
}

/// Fewer than usual, for these are long; `PROPTEST_CASES=` asks for more.
fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    let cases = asked.unwrap_or(150);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_byte_is_kept_or_counted_whenever_the_writer_is_killed(
        ops in prop::collection::vec(op(), 0..600),
        follow_every in 1..40_usize,
        buffer in 50..5000_usize,
    ) {
        let mut world = World::new(MIN_MEMORY);
        let mut follower = Reader::new(world.layout, Cursor::default());
        let mut told = Told::default();
        for (number, op) in ops.iter().enumerate() {
            world.run(op);
            if number % follow_every == 0 {
                world.check(&world.file, &mut follower, &mut told, buffer);
            }
        }
        world.check(&world.file, &mut follower, &mut told, buffer);
        let mut late = Reader::new(world.layout, Cursor::default());
        world.check(&world.file, &mut late, &mut Told::default(), buffer);
        assert_eq!(late.cursor(), follower.cursor());
    }

    #[test]
    fn a_reader_beside_a_writer_is_never_told_what_was_not_written(
        ops in prop::collection::vec(op(), 20..400),
        steps in prop::collection::vec(1..4_usize, 1..50).prop_filter("the writer gets on", |steps| steps.iter().any(|step| *step > 1)),
        buffer in 50..5000_usize,
    ) {
        let world = World::new(MIN_MEMORY);
        let layout = world.layout;
        let racing = Racing { world: RefCell::new(world), ops, next: Cell::new(0), steps, step: Cell::new(0) };
        let mut reader = Reader::new(layout, Cursor::default());
        let mut told = Told::default();
        let mut buffer = vec![0; buffer];
        loop {
            let item = reader.next(&racing, &mut buffer).unwrap();
            let world = racing.world.borrow();
            match item {
                Some(item) => told.take(&world, &item),
                None if racing.next.get() >= racing.ops.len() => break,
                None => {}
            }
        }
        racing.world.borrow().check(&racing, &mut reader, &mut told, 100);
    }

    #[test]
    fn the_last_lines_are_those_of_the_model(
        writes in prop::collection::vec(("[ab\n]{1,9}", any::<bool>()), 0..60),
        lines in 0..12_u64,
        buffer in 1..20_usize,
    ) {
        let mut world = World::new(MIN_MEMORY);
        let mut all = Vec::new();
        for (text, stderr) in &writes {
            let stream = if *stderr { Stream::Stderr } else { Stream::Stdout };
            write(&mut world, stream, text.as_bytes());
            all.extend(text.bytes().map(|byte| (byte, stream)));
        }
        let expected = last_lines(&all, lines);
        let shown = read_tail(&world, lines, buffer);
        assert_eq!(shown, all[expected..].iter().map(|(byte, _)| *byte).collect::<Vec<_>>());
    }
}

/// Behind the line before the last `lines`, counted the simple way.
fn last_lines(all: &[(u8, Stream)], lines: u64) -> usize {
    let ends = |at: &usize| {
        let (byte, stream) = all[*at];
        byte == b'\n' || all[at + 1..].iter().all(|(_, other)| *other != stream)
    };
    let ends: Vec<usize> = (0..all.len()).filter(ends).collect();
    match lines as usize {
        0 => all.len(),
        lines if lines >= ends.len() => 0,
        lines => ends[ends.len() - lines - 1] + 1,
    }
}

fn write(world: &mut World, stream: Stream, mut text: &[u8]) {
    while !text.is_empty() {
        let target = world.ring.keep(&world.file, Stamp::default(), stream, text.len() as u64).unwrap();
        let (now, later) = text.split_at(target.len as usize);
        world.file.splice(now);
        world.ring.moved(&world.file, now.len() as u64).unwrap();
        text = later;
    }
}

fn read_tail(world: &World, lines: u64, buffer: usize) -> Vec<u8> {
    let mut buffer = vec![0; buffer];
    let mut tail = Tail::new(world.layout, lines, Range::default());
    let cursor = loop {
        match tail.step(&world.file, &mut buffer).unwrap() {
            Step::Found(cursor) => break cursor,
            Step::Further => {}
            Step::Busy => panic!("nobody writes"),
        }
    };
    let mut reader = Reader::new(world.layout, cursor);
    let mut shown = Vec::new();
    while let Some(item) = reader.next(&world.file, &mut buffer).unwrap() {
        match item {
            Item::Output { bytes, .. } => shown.extend_from_slice(bytes),
            Item::Gap { .. } => shown.extend_from_slice(b"<gap>"),
        }
    }
    shown
}

/// A source whose writer goes on in the middle of each read of it.
struct Racing {
    world: RefCell<World>,
    ops: Vec<Op>,
    next: Cell<usize>,
    steps: Vec<usize>,
    step: Cell<usize>,
}

impl Source for Racing {
    type Error = Killed;

    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<(), Killed> {
        let step = self.step.replace(self.step.get() + 1);
        let cut = into.len() * (1 + step % 7) / 8;
        let (first, second) = into.split_at_mut(cut);
        let parts = [(at, first), (at + cut as u64, second)];
        // A copy that overtakes the writer's has the new part first: then the old is at the end.
        let [(now, early), (then, late)] = match step % 2 {
            0 => parts,
            _ => {
                let [first, second] = parts;
                [second, first]
            }
        };
        self.world.borrow().file.read_at(now, early)?;
        // Every other access or so happens undisturbed.
        for _ in 1..self.steps[step % self.steps.len()] {
            if let Some(op) = self.ops.get(self.next.replace(self.next.get() + 1)) {
                self.world.borrow_mut().run(op);
            }
        }
        self.world.borrow().file.read_at(then, late)
    }
}

#[test]
fn a_ring_keeps_as_much_as_its_bytes_have_room_for() {
    let mut world = World::new(MIN_MEMORY);
    for _ in 0..100 {
        world.run(&Op { stream: Stream::Stdout, way: Way::Keep, len: 1000, moved: 1000, lives: None });
    }
    let mut reader = Reader::new(world.layout, Cursor::default());
    let mut buffer = [0; 10];
    let item = reader.next(&world.file, &mut buffer).unwrap();
    let kept = world.layout.data_len;
    let Some(Item::Gap { gone: Gone::Overwritten { bytes, reads }, .. }) = item else {
        panic!("{item:?}");
    };
    assert_eq!(bytes, world.kept.len() as u64 - kept);
    // Reads end where the bytes' end in the file is: one more for each time round.
    assert!((83..=90).contains(&reads), "{reads}");
}

#[test]
fn a_damaged_state_begins_anew_and_readers_follow() {
    let mut world = World::new(MIN_MEMORY);
    write(&mut world, Stream::Stdout, b"before");
    let mut reader = Reader::new(world.layout, Cursor::default());
    while reader.next(&world.file, &mut [0; 10]).unwrap().is_some() {}
    world.file.bytes.borrow_mut()[..256].fill(7);
    assert_eq!(reader.next(&world.file, &mut [0; 10]), Err(ReadError::Damaged));
    let (ring, recovered) = Ring::recover(&world.file, world.layout).unwrap();
    assert_eq!(recovered, Recovered::Reset);
    world.ring = ring;
    write(&mut world, Stream::Stdout, b"new");
    let mut buffer = [0; 10];
    let item = reader.next(&world.file, &mut buffer).unwrap();
    assert!(matches!(item, Some(Item::Output { bytes: b"new", .. })), "{item:?}");
}

#[test]
fn a_ring_full_of_nonsense_ends_in_an_error_and_never_in_a_loop() {
    let mut world = World::new(MIN_MEMORY);
    write(&mut world, Stream::Stdout, b"one\ntwo\n");
    world.file.bytes.borrow_mut()[8192..12288].fill(0xff);
    let mut reader = Reader::new(world.layout, Cursor::default());
    assert_eq!(reader.next(&world.file, &mut [0; 10]), Err(ReadError::Damaged));
    let mut tail = Tail::new(world.layout, 1, Range::default());
    assert_eq!(tail.step(&world.file, &mut [0; 10]), Ok(Step::Further));
    assert_eq!(tail.step(&world.file, &mut [0; 10]), Err(ReadError::Damaged));
    // The writer gives the damaged part up and goes on.
    for _ in 0..3 {
        write(&mut world, Stream::Stdout, &[b'x'; 16_000]);
    }
    assert_eq!(read_tail(&world, 1, 100).iter().filter(|byte| **byte == b'x').count(), 16_384);
}

#[test]
fn the_last_line_is_kept_without_a_newline() {
    let mut world = World::new(MIN_MEMORY);
    write(&mut world, Stream::Stdout, b"one\ntwo\nthree");
    assert_eq!(read_tail(&world, 1, 4), b"three");
    assert_eq!(read_tail(&world, 2, 4), b"two\nthree");
    assert_eq!(read_tail(&world, 9, 4), b"one\ntwo\nthree");
}

#[test]
fn a_message_is_one_of_the_last_lines_however_many_it_has() {
    let mut world = World::new(MIN_MEMORY);
    for message in [&b"<1>one\n"[..], b"<2>two\nlines\n", b"<3>three\nof\nthem"] {
        world.ring.append(&world.file, Stamp::default(), Stream::Syslog, message, 0).unwrap();
    }
    for buffer in [1, 3, 100] {
        assert_eq!(read_tail(&world, 1, buffer), b"<3>three\nof\nthem");
        assert_eq!(read_tail(&world, 2, buffer), b"<2>two\nlines\n<3>three\nof\nthem");
    }
}

#[test]
fn the_last_lines_are_counted_back_from_the_end_of_the_range() {
    let mut world = World::new(MIN_MEMORY);
    for (at, line) in (1..).zip([&b"one\n"[..], b"two\nthr", b"ee\n", b"four\n"]) {
        let stamp = Stamp { boot_us: at, wall_ns: 0 };
        world.ring.append(&world.file, stamp, Stream::Stdout, line, 0).unwrap();
    }
    let check = |until: u64, lines: u64, expected: &[u8]| {
        let range = Range { since: None, until: Some(Bound::Boot(until)) };
        let mut tail = Tail::new(world.layout, lines, range);
        let cursor = loop {
            match tail.step(&world.file, &mut [0; 2]).unwrap() {
                Step::Found(cursor) => break cursor,
                Step::Further => {}
                Step::Busy => panic!("nobody writes"),
            }
        };
        let mut reader = Reader::new(world.layout, cursor);
        let (mut shown, mut buffer) = (Vec::new(), [0; 100]);
        while let Some(item) = reader.next(&world.file, &mut buffer).unwrap() {
            if let Item::Output { stamp, bytes, .. } = item
                && range.holds(stamp)
            {
                shown.extend_from_slice(bytes);
            }
        }
        assert_eq!(shown, expected, "until {until}, {lines} lines");
    };
    check(3, 1, b"three\n");
    check(2, 1, b"thr");
    check(2, 2, b"two\nthr");
    check(1, 5, b"one\n");
    check(0, 1, b"");
}

#[test]
fn a_read_that_ends_at_the_beginning_of_the_ring_comes_whole() {
    let mut world = World::new(MIN_MEMORY);
    let kept = world.layout.data_len;
    let mut at = 0;
    // Entries of one size that the ring's end falls into the middle of.
    while at < kept - 1000 {
        write(&mut world, Stream::Stdout, &[b'x'; 1000]);
        at += 1000;
    }
    let mut reader = Reader::new(world.layout, Cursor::default());
    while reader.next(&world.file, &mut [0; 4096]).unwrap().is_some() {}
    let bytes: Vec<u8> = (0..1000_u64).map(content).collect();
    world.ring.append(&world.file, Stamp::default(), Stream::Stdout, &bytes, 1).unwrap();
    let mut buffer = [0; 4096];
    let item = reader.next(&world.file, &mut buffer).unwrap();
    assert!(matches!(item, Some(Item::Output { bytes: found, .. }) if found == bytes), "{item:?}");
}

#[test]
fn the_last_lines_tell_what_is_gone_when_there_are_fewer() {
    let mut world = World::new(MIN_MEMORY);
    for _ in 0..3 {
        write(&mut world, Stream::Stdout, &[b'x'; 16_000]);
    }
    assert!(read_tail(&world, 2, 4096).starts_with(b"<gap>x"));
}

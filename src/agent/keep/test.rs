//! The writer on a directory, with rings that a test fills and keepers that die.

use std::cell::Cell;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use orlop::keep::{Frames, open, pack};
use orlop::log::{Gone, Item, Ring, Stamp, Stream};

use super::places::{Places, memory};
use super::segments::Segments;
use super::writer::{Word, Writer};
use crate::agent::log::RingFile;
use crate::linux::{data_file, fs, memfd};

const BOOT: &str = "8f14e45f-ceea-467f-a8c4-1f2b5d7e9a30";
const OTHER: &str = "00000000-ceea-467f-a8c4-1f2b5d7e9a30";
const ID: u64 = 7;

struct World {
    folder: tempfile::TempDir,
    places: OwnedFd,
    file: RingFile,
    ring: Ring,
    now: Duration,
    quota: u64,
}

impl World {
    fn new() -> Self {
        let file = RingFile::create(64 << 10).unwrap();
        let (ring, _) = Ring::recover(&file, file.layout()).unwrap();
        let (folder, places) = (tempfile::tempdir().unwrap(), memory().unwrap());
        Self { folder, places, file, ring, now: Duration::from_secs(100), quota: 1 << 30 }
    }

    /// One that follows whoever was there before.
    fn keeper_of(&self, boot: &str) -> Writer {
        let logs = fs::open_directory(self.folder.path().to_str().unwrap()).unwrap();
        let segments = Segments::open(logs, boot, self.quota).unwrap();
        let places = Places::adopt(self.places.try_clone().unwrap()).unwrap();
        let mut writer = Writer::new(segments, places);
        let ring = RingFile::adopt(memfd::read_only(self.file.as_fd()).unwrap()).unwrap();
        writer.ring(ID, "web".into(), ring, self.now);
        writer
    }

    fn keeper(&self) -> Writer {
        self.keeper_of(BOOT)
    }

    fn say(&mut self, text: &str) {
        let stamp = Stamp { boot_us: 1, wall_ns: 2 };
        self.ring.append(&self.file, stamp, Stream::Stdout, text.as_bytes(), 0).unwrap();
    }

    /// As long as it takes for what is in the ring to be written.
    fn go_on(&mut self, writer: &mut Writer) {
        writer.wake(ID, self.now);
        writer.work(self.now);
        let until = self.now + Duration::from_secs(6);
        while let Some(at) = writer.deadline().filter(|at| *at <= until) {
            writer.work(at);
        }
        self.now = until;
    }

    fn files(&self) -> Vec<PathBuf> {
        let list = |folder: &Path| {
            let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
            paths.sort();
            paths
        };
        list(self.folder.path()).iter().flat_map(|boot| list(boot)).collect()
    }

    /// All output, gaps as their bytes in brackets.
    fn written(&self) -> String {
        let mut text = String::new();
        for path in self.files() {
            let bytes = std::fs::read(path).unwrap();
            for block in Frames::of(&bytes) {
                for item in open(&block).unwrap().2 {
                    match item {
                        Item::Output { bytes, .. } => text += std::str::from_utf8(bytes).unwrap(),
                        Item::Gap {
                            gone: Gone::Overwritten { bytes, .. } | Gone::Refused { bytes, .. },
                            ..
                        } => text += &format!("[{bytes}]"),
                    }
                }
            }
        }
        text
    }
}

#[test]
fn what_is_said_is_written_after_five_seconds_at_the_latest() {
    let mut world = World::new();
    let mut writer = world.keeper();
    world.say("one\n");
    writer.work(world.now);
    assert_eq!(world.written(), "");
    writer.work(world.now + Duration::from_secs(5));
    assert_eq!(world.written(), "one\n");
    world.say("two\n");
    world.go_on(&mut writer);
    assert_eq!(world.written(), "one\ntwo\n");
    assert!(writer.words().iter().any(|word| matches!(word, Word::Follow { id: ID, .. })));
    // Nothing more is due while nobody says anything.
    assert_eq!(writer.deadline(), None);
}

#[test]
fn who_follows_a_dead_keeper_writes_nothing_twice_and_leaves_nothing_out() {
    let mut world = World::new();
    let mut wanted = String::new();
    for number in 0..20 {
        let mut writer = world.keeper();
        let text = format!("{number}\n");
        wanted += &text;
        world.say(&text);
        if number % 3 != 0 {
            world.go_on(&mut writer);
        }
    }
    let mut writer = world.keeper();
    writer.finish(world.now);
    assert_eq!(world.written(), wanted);
    assert_eq!(world.files().len(), 1);
}

#[test]
fn a_frame_that_was_written_and_not_said_so_counts_and_half_a_one_does_not() {
    let mut world = World::new();
    let mut writer = world.keeper();
    world.say("one\n");
    world.go_on(&mut writer);
    // As if it had died after the write of the second, whose place others do not know.
    let places = memory().unwrap();
    let (_, size) = memfd::identity_and_size(world.places.as_fd()).unwrap();
    let mut bytes = vec![0; size as usize];
    memfd::read_exact_at(world.places.as_fd(), 0, &mut bytes).unwrap();
    memfd::write_all_at(places.as_fd(), 0, &bytes).unwrap();
    world.say("two\n");
    world.go_on(&mut writer);
    world.places = places;
    let file = &world.files()[0];
    let mut whole = std::fs::read(file).unwrap();
    whole.extend_from_slice(&pack(b"half of it")[..20]);
    std::fs::write(file, &whole).unwrap();
    let mut writer = world.keeper();
    world.say("three\n");
    world.go_on(&mut writer);
    assert_eq!(world.written(), "one\ntwo\nthree\n");
}

#[test]
fn what_the_ring_dropped_before_is_a_gap_with_its_count() {
    let mut world = World::new();
    let mut writer = world.keeper();
    world.say("first\n");
    world.go_on(&mut writer);
    let line = "x".repeat(999) + "\n";
    for _ in 0..100 {
        world.say(&line);
    }
    world.go_on(&mut writer);
    let written = world.written();
    let kept = written.matches('x').count() / 999;
    assert!((10..60).contains(&kept), "{kept}");
    let (first, rest) = written.split_once('[').unwrap();
    let (gone, rest) = rest.split_once(']').unwrap();
    assert_eq!((first, gone.parse::<usize>().unwrap() + rest.len()), ("first\n", 100_000));
}

#[test]
fn a_boot_has_a_directory_and_the_oldest_of_it_goes_when_there_is_too_much() {
    let mut world = World::new();
    let mut writer = world.keeper_of(OTHER);
    world.say("of another boot\n");
    world.go_on(&mut writer);
    world.quota = 1 << 20;
    world.places = memory().unwrap();
    let mut writer = world.keeper();
    let mut noise = 1u32;
    for round in 0..100 {
        for _ in 0..2 {
            let mut text = String::new();
            while text.len() < 15_000 {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                text += &format!("{round} {noise:x}\n");
            }
            world.say(&text);
        }
        world.go_on(&mut writer);
    }
    let files = world.files();
    let bytes: u64 = files.iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!((600_000..1 << 20).contains(&bytes), "{bytes} in {files:?}");
    assert!(!world.written().contains("of another boot"));
    assert!(world.written().contains("99 "));
    let names: Vec<_> = std::fs::read_dir(world.folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(files[0].to_str().unwrap().contains(&format!("00000002-{BOOT}")), "{files:?}");
}

#[test]
fn a_disk_that_takes_nothing_is_said_once_and_what_the_ring_drops_meanwhile_is_counted() {
    let mut world = World::new();
    let mut writer = world.keeper();
    let boot = world.folder.path().join(format!("00000001-{BOOT}"));
    std::fs::remove_dir(&boot).unwrap();
    for _ in 0..200 {
        world.say(&("x".repeat(999) + "\n"));
        world.go_on(&mut writer);
    }
    let troubles = |writer: &mut Writer| {
        let words = writer.words().into_iter();
        words
            .filter_map(|word| if let Word::Trouble(why) = word { Some(why) } else { None })
            .collect::<Vec<_>>()
    };
    let said = troubles(&mut writer);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("logs cannot be written: No such file or directory"), "{said:?}");
    // Another keeper finds a disk that is well.
    let mut writer = world.keeper();
    world.go_on(&mut writer);
    assert_eq!(troubles(&mut writer), [""; 0]);
    let written = world.written();
    let (gone, rest) = written.strip_prefix('[').unwrap().split_once(']').unwrap();
    assert_eq!(gone.parse::<usize>().unwrap() + rest.len(), 200_000);
}

#[test]
fn names_that_are_damaged_or_cannot_be_take_nothing_away() {
    let mut world = World::new();
    let path = |name: &str| world.folder.path().join(name);
    std::fs::write(path(&format!("00000006-{OTHER}")), "a file").unwrap();
    for name in ["7", "4294967295", "100000000"] {
        std::fs::create_dir(path(&format!("{name}-{OTHER}"))).unwrap();
    }
    let other = path(&format!("00000005-{OTHER}"));
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("18446744073709551615-web"), "").unwrap();
    std::fs::write(other.join("0000000000-web"), "").unwrap();
    let mut writer = world.keeper();
    world.say("one\n");
    world.go_on(&mut writer);
    let own = world.folder.path().join(format!("00000006-{BOOT}/0000000000-web"));
    assert!(own.exists());
    // After one with the last number there could be no other.
    let last = world.folder.path().join(format!("99999999-{OTHER}"));
    std::fs::create_dir(&last).unwrap();
    std::fs::write(last.join("0000000000-web"), "").unwrap();
    let logs = || fs::open_directory(world.folder.path().to_str().unwrap()).unwrap();
    assert!(Segments::open(logs(), BOOT, 1 << 30).is_ok(), "this boot has its own already");
    let third = BOOT.replace('8', "9");
    assert!(Segments::open(logs(), &third, 1 << 30).is_ok());
    assert!(world.folder.path().join(format!("00000007-{third}")).exists());
}

#[test]
fn many_logs_are_made_safe_at_once() {
    let world = World::new();
    let mut writer = world.keeper();
    for id in 100..300 {
        let file = RingFile::create(64 << 10).unwrap();
        let (mut ring, _) = Ring::recover(&file, file.layout()).unwrap();
        ring.append(&file, Stamp { boot_us: 1, wall_ns: 2 }, Stream::Stdout, b"last\n", 0).unwrap();
        writer.ring(id, format!("c{id}"), file, world.now);
    }
    let waits = Rc::new(Cell::new(0));
    let counted = Rc::clone(&waits);
    let now = world.now;
    data_file::test::watched(move || counted.set(counted.get() + 1), || writer.finish(now));
    assert_eq!(waits.get(), 1);
    assert_eq!(world.written(), "last\n".repeat(200));
}

#[test]
fn of_very_many_logs_no_more_than_a_megabyte_waits_and_all_of_it_comes_when_the_disk_is_well() {
    let world = World::new();
    let mut writer = world.keeper();
    data_file::test::IS_FULL.set(true);
    let text = "x".repeat(9_999) + "\n";
    for id in 100..200 {
        let file = RingFile::create(64 << 10).unwrap();
        let (mut ring, _) = Ring::recover(&file, file.layout()).unwrap();
        for _ in 0..4 {
            ring.append(&file, Stamp { boot_us: 1, wall_ns: 2 }, Stream::Stdout, text.as_bytes(), 0).unwrap();
        }
        writer.ring(id, format!("c{id}"), file, world.now);
    }
    let mut now = world.now;
    for _ in 0..10 {
        writer.work(now);
        assert!(writer.waiting() <= (1 << 20) + (64 << 10), "{}", writer.waiting());
        now += Duration::from_secs(5);
    }
    let is_trouble = |word: &Word| matches!(word, Word::Trouble(why) if !why.is_empty());
    assert_eq!(writer.words().iter().filter(|word| is_trouble(word)).count(), 1);
    // What was read is written, and what was held is read.
    data_file::test::IS_FULL.set(false);
    for _ in 0..10 {
        writer.work(now);
        assert!(writer.waiting() <= (1 << 20) + (64 << 10), "{}", writer.waiting());
        now += Duration::from_secs(5);
    }
    assert_eq!(world.written(), text.repeat(400));
}

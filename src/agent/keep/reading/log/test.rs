//! Logs in a folder, from their end and from their beginning.

use std::os::fd::AsFd;
use std::path::Path;

use orlop::keep::{Block, pack};
use orlop::log::Cursor;
use proptest::prelude::*;

use super::*;
use crate::linux::{fd, fs};

fn name(number: u64) -> SegmentName {
    SegmentName { number, log: "web".into() }
}

fn segment(folder: &Path, number: u64, blocks: &[Vec<(Stream, String)>]) {
    let mut bytes = Vec::new();
    for records in blocks {
        let mut block = Block::new();
        for (stream, text) in records {
            let stamp = Stamp { boot_us: number, wall_ns: 0 };
            block.push(&Item::Output { stamp, stream: *stream, bytes: text.as_bytes() });
        }
        bytes.extend(pack(block.finish(1, Cursor::default())));
    }
    std::fs::write(folder.join(name(number).to_string()), bytes).unwrap();
}

/// What is told of the last lines of all segments, or of everything; a gap as its bytes in brackets.
fn told(folder: &Path, segments: u64, last: Option<u64>) -> String {
    let directory = fs::open_directory(folder.to_str().unwrap()).unwrap();
    let (_reader, to) = fd::pipe().unwrap();
    let signs = Signs::new(&to, Vec::new());
    let names: Vec<_> = (0..segments).map(name).collect();
    let mut log = Log::new(&directory, &signs, "web", &names, Range::default(), false);
    last.into_iter().for_each(|last| log.go_to_last(last));
    let mut text = String::new();
    loop {
        log.fill();
        let Some((_, entry)) = log.ready.pop_front() else { return text };
        match (entry.text, entry.dropped) {
            (Some(said), _) => text += &said,
            (None, Some(dropped)) => text += &format!("[{}]", dropped.bytes),
            (None, None) => {}
        }
    }
}

/// The segments that are read for the last lines.
fn read_for(folder: &Path, segments: u64, last: u64) -> Vec<u64> {
    let directory = fs::open_directory(folder.to_str().unwrap()).unwrap();
    let (_reader, to) = fd::pipe().unwrap();
    let signs = Signs::new(&to, Vec::new());
    let names: Vec<_> = (0..segments).map(name).collect();
    let mut log = Log::new(&directory, &signs, "web", &names, Range::default(), false);
    log.go_to_last(last);
    log.segments.iter().map(|name| name.number).collect()
}

fn out(text: &str) -> (Stream, String) {
    (Stream::Stdout, text.to_owned())
}

#[test]
fn the_last_lines_need_none_of_the_segments_before_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join(name(0).to_string()), "what would be said to be damaged").unwrap();
    segment(path, 1, &[vec![out("one\ntwo\nbeginning ")], vec![out("of three\n")]]);
    segment(path, 2, &[vec![out("four\n"), out("five")]]);
    assert_eq!(told(path, 3, Some(3)), "of three\nfour\nfive".replace("of three", "beginning of three"));
    assert_eq!(told(path, 3, Some(1)), "five");
    assert_eq!(
        [1, 2, 3, 9].map(|last| read_for(path, 3, last)),
        [vec![2], vec![1, 2], vec![1, 2], vec![0, 1, 2]]
    );
    assert_eq!(told(path, 3, None), "[32]one\ntwo\nbeginning of three\nfour\nfive");
    // With a damaged one among them it is said.
    std::fs::write(path.join(name(2).to_string()), "damaged").unwrap();
    assert_eq!(told(path, 3, Some(1)), "beginning of three\n[7]");
}

#[test]
fn the_newest_frame_is_found_by_the_heads_of_the_others_and_without_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    segment(path, 0, &[vec![out("one\n")], vec![out("two\n")], vec![out("three\n")]]);
    let file = path.join(name(0).to_string());
    let directory = fs::open_directory(path.to_str().unwrap()).unwrap();
    let last = || {
        let block = File::open(&directory, &name(0)).unwrap().last_block();
        block.map(|block| match open(&block).unwrap().2.last() {
            Some(Item::Output { bytes, .. }) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(last().as_deref(), Some("three\n"));
    let whole = std::fs::read(&file).unwrap();
    let hit = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&file, bytes).unwrap();
    };
    // Its sum is wrong; so is the one of the second; half of the last was written.
    hit(whole.len() - 1);
    assert_eq!(last().as_deref(), Some("two\n"));
    hit(whole.len() / 2);
    assert!(["one\n", "three\n"].contains(&last().unwrap().as_str()));
    std::fs::write(&file, &whole[..whole.len() - 3]).unwrap();
    assert_eq!(last().as_deref(), Some("two\n"));
    std::fs::write(&file, "nothing of ours").unwrap();
    assert_eq!(last(), None);
}

#[test]
fn who_reads_for_long_gives_a_sign_every_five_seconds() {
    let (answer, to) = fd::pipe().unwrap();
    fd::nonblocking(answer.as_fd()).unwrap();
    let signs = Signs::new(&to, b"still here".to_vec());
    let begun = signs.given.get();
    for second in 0..13 {
        signs.give_at(begun + std::time::Duration::from_secs(second));
    }
    let mut bytes = [0; 100];
    let count = fd::read(answer.as_fd(), &mut bytes).unwrap();
    let (first, second) = bytes[..count].split_at(count / 2);
    assert_eq!(first, second);
    assert_eq!(super::super::framed(first), Some((false, &b"still here"[..])));
}

proptest! {
    #[test]
    fn the_last_lines_are_those_that_everything_ends_with(
        segments in proptest::collection::vec(
            proptest::collection::vec(proptest::collection::vec("[a-c\n]{1,8}", 1..4), 1..3), 1..5),
        last in 1u64..30,
    ) {
        let folder = tempfile::tempdir().unwrap();
        for (number, blocks) in (0..).zip(&segments) {
            let blocks: Vec<Vec<_>> =
                blocks.iter().map(|records| records.iter().map(|text| out(text)).collect()).collect();
            segment(folder.path(), number, &blocks);
        }
        let all = told(folder.path(), segments.len() as u64, None);
        let lines: Vec<&str> = all.split_inclusive('\n').collect();
        let wanted = lines[lines.len().saturating_sub(last as usize)..].concat();
        prop_assert_eq!(told(folder.path(), segments.len() as u64, Some(last)), wanted);
    }
}

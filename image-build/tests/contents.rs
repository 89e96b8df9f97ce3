//! Files of any contents and sizes come back out of a converted layer, through the kernel and through
//! another reader.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step ends the test")]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use common::another_reader::another_reader;
use common::snapshot::{assert_same, snapshot};
use common::{Mounted, converted, sh, temp};
use proptest::prelude::*;
use proptest::sample::Index;
use rustix::fs::{Advice, XattrFlags, fadvise, setxattr};

/// A page, and the least that is read of a file.
const PAGE: u64 = 4096;

/// What a stretch of a file is made of.
#[derive(Debug, Clone)]
enum Piece {
    Lines(u32),
    Noise(u64),
    Same(u8),
    /// What stood so many bytes before.
    Again(usize),
    /// Nothing is written at all.
    Hole,
}

#[derive(Debug, Clone)]
struct Contents {
    pieces: Vec<(Piece, usize)>,
    /// Where it is cut, or goes on with a hole.
    size: Option<usize>,
    /// The length of an attribute: it moves what stands behind the inode.
    attribute: Option<usize>,
    /// Pages that are read before all others, each by itself.
    first: Vec<Index>,
}

/// Short and long ones, and around the borders of blocks, extents, windows and segments.
fn len() -> impl Strategy<Value = usize> {
    let borders: [usize; 9] = [8, 12, 15, 270, 4096, 8192, 16_384, 65_536, 262_144];
    prop_oneof![
        4 => 1..40_usize,
        4 => 1..6000_usize,
        4 => 1..40_000_usize,
        1 => 1..400_000_usize,
        4 => prop::sample::select(borders.to_vec()).prop_flat_map(|border| border - 3..border + 4),
    ]
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        3 => any::<u32>().prop_map(Piece::Lines),
        3 => any::<u64>().prop_map(Piece::Noise),
        1 => any::<u8>().prop_map(Piece::Same),
        2 => prop_oneof![1..70_000_usize, 65_530..65_540_usize, 1..9_usize].prop_map(Piece::Again),
        1 => Just(Piece::Hole),
    ]
}

fn contents() -> impl Strategy<Value = Contents> {
    let segment = 4_194_301..4_194_308_usize;
    let size = prop_oneof![30 => len(), 1 => segment.clone(), 1 => segment.prop_map(|size| 2 * size)];
    (
        prop::collection::vec((piece(), len()), 0..12),
        prop::option::of(size),
        prop::option::weighted(0.3, 0..3000_usize),
        prop::collection::vec(any::<Index>(), 0..8),
    )
        .prop_map(|(pieces, size, attribute, first)| Contents { pieces, size, attribute, first })
}

impl Contents {
    fn write(&self, path: &Path) {
        let file = File::create(path).unwrap();
        let mut bytes = Vec::new();
        for (piece, len) in &self.pieces {
            let at = bytes.len();
            piece.extend(&mut bytes, *len);
            if !matches!(piece, Piece::Hole) {
                file.write_all_at(&bytes[at..], at as u64).unwrap();
            }
        }
        file.set_len(self.size.unwrap_or(bytes.len()) as u64).unwrap();
        if let Some(len) = self.attribute {
            setxattr(path, "user.x", &vec![b'x'; len], XattrFlags::empty()).unwrap();
        }
    }

    /// Single pages out of their order: only a part of an extent is unpacked then.
    fn check_pages(&self, wanted: &Path, found: &Path) {
        let (wanted, found) = (File::open(wanted).unwrap(), File::open(found).unwrap());
        fadvise(&found, 0, None, Advice::Random).unwrap();
        let size = wanted.metadata().unwrap().len();
        for index in &self.first {
            let at = index.index(size.div_ceil(PAGE).max(1) as usize) as u64 * PAGE;
            let page = |file: &File| {
                let mut page = vec![0; PAGE as usize];
                let len = file.read_at(&mut page, at).unwrap();
                page.truncate(len);
                page
            };
            assert!(page(&wanted) == page(&found), "the page at {at}");
        }
    }
}

impl Piece {
    fn extend(&self, bytes: &mut Vec<u8>, len: usize) {
        match *self {
            Self::Lines(from) => {
                let lines = (0..).flat_map(|i| format!("line {}\n", from.wrapping_add(i * i)).into_bytes());
                bytes.extend(lines.take(len));
            }
            Self::Noise(seed) => {
                let mut state = seed | 1;
                // xorshift64
                bytes.extend((0..len).map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    (state >> 32) as u8
                }));
            }
            Self::Same(byte) => bytes.resize(bytes.len() + len, byte),
            Self::Again(back) => {
                for _ in 0..len {
                    bytes.push(bytes.len().checked_sub(back).map_or(7, |from| bytes[from]));
                }
            }
            Self::Hole => bytes.resize(bytes.len() + len, 0),
        }
    }
}

fn check(files: &[Contents]) {
    let dir = temp();
    let path = dir.path();
    let tree = path.join("tree");
    fs::create_dir(&tree).unwrap();
    for (number, contents) in files.iter().enumerate() {
        contents.write(&tree.join(number.to_string()));
    }
    sh(path, "tar --format=pax --xattrs --sparse --sort=name -cf layer.tar -C tree .");
    let done = converted(&path.join("layer.tar"), &path.join("layer.tar"), &path.join("cache"));
    let mounted = Mounted::new(&done.file);
    for (number, contents) in files.iter().enumerate() {
        let name = number.to_string();
        contents.check_pages(&tree.join(&name), &mounted.dir.path().join(&name));
    }
    let wanted = snapshot(&tree);
    assert_same(&wanted, &snapshot(mounted.dir.path()));
    assert_same(&wanted, &another_reader(&done.file));
}

/// Fewer than usual, for each mounts a file system; `PROPTEST_CASES=` asks for more.
fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    let cases = asked.unwrap_or(20);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn any_contents_come_back(files in prop::collection::vec(contents(), 1..8)) {
        check(&files);
    }
}

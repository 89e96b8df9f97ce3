//! Trees → bytes; what is written is read back by our own small reader. The kernel, fsck.erofs
//! and another reader look at whole layers in image-build's tests.

use super::*;
use crate::image::layer::{BLOCK as BLOCK_SIZE, Builder, Layer, Meta};
use crate::image::tar::Time;
use crate::image::tar::tests::{header, member, pax, put};
use crate::image::{Digest, Error};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

fn layer(archive: &[u8]) -> (Layer, Vec<u8>) {
    let (mut builder, mut spool) = (Builder::default(), Vec::new());
    let mut write = |bytes: &[u8]| {
        spool.extend_from_slice(bytes);
        Ok::<(), Error>(())
    };
    builder.push(archive, &mut write).unwrap();
    (builder.finish(&mut write).unwrap(), spool)
}

fn put_piece(piece: Piece<'_>, spool: &[u8], blocks: &[u8], bytes: &mut Vec<u8>) {
    let part = |all: &[u8], from: u64, len: u64| all[from as usize..(from + len) as usize].to_vec();
    match piece {
        Piece::Bytes(piece) => bytes.extend_from_slice(piece),
        Piece::Zeros(len) => bytes.resize(bytes.len() + len as usize, 0),
        Piece::Spool { from, len } => bytes.extend(part(spool, from, len)),
        Piece::Packed { from, len } => bytes.extend(part(blocks, from, len)),
    }
}

/// What there is to keep of the compressed files, and their blocks.
fn packed(layer: &Layer, spool: &[u8]) -> (Packed, Vec<u8>) {
    let (mut packed, mut blocks) = (Packed::default(), Vec::new());
    for segment in segments(&layer.tree) {
        let mut bytes = Vec::new();
        let mut write = |piece: Piece<'_>| {
            put_piece(piece, spool, &[], &mut bytes);
            Ok::<(), Error>(())
        };
        segment.read(&layer.tree, &mut write).unwrap();
        assert_eq!(bytes.len(), segment.len);
        let compressed = compress(&bytes);
        blocks.truncate(packed.add(&layer.tree, &segment, &compressed) as usize);
        blocks.extend(compressed.blocks);
    }
    (packed, blocks)
}

fn bytes(layer: &Layer, spool: &[u8]) -> Vec<u8> {
    let (packed, blocks) = packed(layer, spool);
    let image = Image::plan(&layer.tree, &packed, &Digest::of(b"layer")).unwrap();
    let mut bytes = Vec::new();
    let mut write = |piece: Piece<'_>| {
        put_piece(piece, spool, &blocks, &mut bytes);
        Ok::<(), Error>(())
    };
    image.write(&mut write).unwrap();
    assert_eq!(bytes.len() as u64, image.size());
    bytes
}

fn image(archive: &[u8]) -> Vec<u8> {
    let (layer, spool) = layer(archive);
    bytes(&layer, &spool)
}

fn look(image: &[u8], path: &str) -> Lookup {
    let names: Vec<_> = path.split('/').filter(|name| !name.is_empty()).map(str::as_bytes).collect();
    let mut read = |offset: u64, buffer: &mut [u8]| {
        buffer.copy_from_slice(&image[offset as usize..offset as usize + buffer.len()]);
        Ok::<(), Error>(())
    };
    lookup(&names, &mut read).unwrap()
}

fn dir(path: &str, mode: &[u8; 8]) -> Vec<u8> {
    header(path, b'5', 0, |block| {
        put(block, 100, mode);
        put(block, 136, b"00000000017\0");
    })
}

#[test]
fn an_empty_layer_is_two_blocks() {
    let image = image(&[]);
    assert_eq!(image.len(), 2 * BLOCK_SIZE);
    assert_eq!(image[1024..1028], [0xe2, 0xe1, 0xf5, 0xe0]);
    assert_eq!(look(&image, "/"), Lookup::Directory(Meta { mode: 0o755, ..Meta::default() }));
}

#[test]
fn a_directory_is_found_with_all_that_it_is() {
    let archive = [
        dir("a", b"0001777\0"),
        pax(&[("uid", "70000"), ("mtime", "-5.5"), ("SCHILY.xattr.user.k", "v")]),
        dir("a/b", b"0002750\0"),
        member("a/file", b'0', b"x"),
        member("a/.wh.gone", b'0', b""),
        dir("c", b"0000700\0"),
        member("c/.wh..wh..opq", b'0', b""),
    ];
    let image = image(&archive.concat());
    let time = |seconds, nanoseconds| Time { seconds, nanoseconds };
    let a = Meta { mode: 0o1777, mtime: time(15, 0), ..Meta::default() };
    assert_eq!(look(&image, "a"), Lookup::Directory(a));
    let xattrs = [(b"user.k".to_vec(), b"v".to_vec())].into();
    let b = Meta { mode: 0o2750, uid: 70_000, gid: 0, mtime: time(-6, 500_000_000), xattrs };
    assert_eq!(look(&image, "a/b"), Lookup::Directory(b));
    assert_eq!(look(&image, "a/file"), Lookup::Hidden);
    assert_eq!(look(&image, "a/gone"), Lookup::Hidden);
    assert_eq!(look(&image, "a/gone/further"), Lookup::Hidden);
    assert_eq!(look(&image, "a/nothing"), Lookup::Absent);
    assert_eq!(look(&image, "d/e"), Lookup::Absent);
    assert_eq!(look(&image, "c/hidden-below"), Lookup::Hidden);
}

#[test]
fn names_are_found_in_directories_of_every_size() {
    for count in [1, 10, 200, 1000] {
        let names: Vec<String> =
            (0..count).map(|number| format!("{number}-{}", "n".repeat(number % 200))).collect();
        let one = |name: &String| [pax(&[("path", &format!("d/{name}"))]), dir("x", b"0000700\0")].concat();
        let image = image(&names.iter().flat_map(one).collect::<Vec<_>>());
        for name in &names {
            assert!(matches!(look(&image, &format!("d/{name}")), Lookup::Directory(_)), "{name}");
        }
        assert_eq!(look(&image, "d/another"), Lookup::Absent);
    }
}

#[test]
fn a_file_of_nine_gib_of_zeros_needs_no_space() {
    let mut builder = Builder::default();
    let mut write = |_: &[u8]| Err(Error { place: String::new(), what: String::from("stored") });
    let huge = header("huge", b'0', 0, |block| put(block, 124, &[0x80, 0, 0, 0, 0, 0, 0, 2, 0x40, 0, 0, 0]));
    builder.push(&huge, &mut write).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..9 << 10 {
        builder.push(&zeros, &mut write).unwrap();
    }
    let layer = builder.finish(&mut write).unwrap();
    assert_eq!(layer.spooled, 0);
    let image = bytes(&layer, &[]);
    assert!(image.len() <= 3 * BLOCK_SIZE, "{}", image.len());
}

#[test]
fn small_files_share_blocks() {
    let archive: Vec<u8> =
        (0..100).flat_map(|number| member(&format!("f{number}"), b'0', &[1; 100])).collect();
    // 100 × (32 + 100, in steps of 32) and the directory; the superblock's block beside.
    assert_eq!(image(&archive).len(), 6 * BLOCK_SIZE);
}

fn text(len: usize) -> Vec<u8> {
    (0..).flat_map(|line: usize| format!("line {} of many\n", line * line).into_bytes()).take(len).collect()
}

/// What a hash of its place has: nothing repeats.
fn noise(len: usize) -> Vec<u8> {
    (0..len.div_ceil(32)).flat_map(|at| *Digest::of(&at.to_le_bytes()).bytes()).take(len).collect()
}

#[test]
fn files_are_compressed_where_that_spares_something() {
    fn check(contents: &[u8], expected: usize) {
        let blocks = image(&member("file", b'0', contents)).len() / BLOCK_SIZE - 2;
        assert_eq!(blocks, expected, "{} bytes", contents.len());
    }
    check(&text(4096), 1);
    check(&text(40_000), 3);
    check(&noise(40_960), 10);
    check(&[text(200_000), noise(8192), text(5000)].concat(), 17);
    check(&vec![b'x'; 300_000], 2);
    // Its index is longer than a block.
    check(&text(5 << 20), 425);
}

#[test]
fn a_file_that_stays_plain_leaves_no_blocks_behind() {
    let archive = [member("noise", b'0', &noise(50_000)), member("text", b'0', &text(50_000))].concat();
    let (layer, spool) = layer(&archive);
    let (_, blocks) = packed(&layer, &spool);
    assert!(blocks.len() < 50_000, "{}", blocks.len());
}

#[test]
fn extents_hold_what_went_in() {
    let contents = [noise(5000), text(100_000), noise(20_000), vec![0; 700_000], noise(10)].concat();
    comes_back(&contents);
    // Ends in every place of a block, after an extent that does not end with one.
    for len in (0..9000).step_by(333) {
        comes_back(&[text(30_000), noise(len)].concat());
    }
}

fn comes_back(contents: &[u8]) {
    let Compressed { extents, blocks } = compress(contents);
    let (mut found, mut rest): (Vec<u8>, _) = (Vec::new(), blocks.as_slice());
    for extent in extents {
        let len = extent.len as usize;
        match extent.stored {
            pack::Stored::Lz4(count) => {
                let (stored, after) = rest.split_at(usize::from(count) * BLOCK_SIZE);
                let start = stored.iter().position(|byte| *byte != 0).unwrap();
                assert!(start < BLOCK_SIZE && len > stored.len());
                found.extend(lz4::tests::decode(&stored[start..], len));
                rest = after;
            }
            pack::Stored::Plain => {
                let (stored, after) = rest.split_at(len.next_multiple_of(BLOCK_SIZE));
                let last = (len - 1) % BLOCK_SIZE + 1;
                let begins = (found.len() + len - last) % BLOCK_SIZE;
                let is_end = found.len() + len == contents.len();
                assert!(!is_end || begins + last <= BLOCK_SIZE, "refused at {begins}");
                found.extend_from_slice(&stored[..len]);
                rest = after;
            }
        }
    }
    assert!(rest.is_empty() && found == contents);
}

#[test]
fn other_bytes_are_another_version() {
    let archive = [
        dir("d", b"0001777\0"),
        member("d/text", b'0', &[text(90_000), noise(30_000), text(70_001)].concat()),
        member("d/holes", b'0', &[text(9000), vec![0; 300_000], noise(5000)].concat()),
        pax(&[("SCHILY.xattr.user.k", "v")]),
        member("small", b'0', b"x"),
        member("noise", b'0', &noise(12_345)),
    ];
    let digest = Digest::of(&image(&archive.concat())).hex();
    // A digest that is another: raise FORMAT_VERSION, or caches mix both.
    let expected = "5b435c32fe6131e8c52e93ec8d77dab071a8f2a19d9f51725a41ad6ec3eb854a";
    assert_eq!((FORMAT_VERSION, digest.as_str()), (2, expected));
}

#[test]
fn devices_that_linux_cannot_number_are_refused() {
    let (layer, _) = layer(&header("dev", b'3', 0, |block| put(block, 329, b"0010000\0")));
    let error = Image::plan(&layer.tree, &Packed::default(), &Digest::of(b"")).err().unwrap();
    assert_eq!(error.to_string(), "layer: device 4096:0, beyond the 12 and 20 bits that Linux has");
}

#[test]
fn a_reader_of_damaged_files_says_so() {
    let mut read = |_: u64, buffer: &mut [u8]| {
        buffer.fill(0);
        Ok::<(), Error>(())
    };
    let error = lookup(&[b"a"], &mut read).unwrap_err();
    assert_eq!(error.to_string(), "cached layer: damaged: remove the cache");
}

//! Archives made by hand, read in pieces of every size.

#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows has failed")]

use super::*;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// One header block with a right checksum; `edit` changes fields before that.
pub(crate) fn header(path: &str, flag: u8, size: u64, edit: impl Fn(&mut [u8; 512])) -> Vec<u8> {
    let mut block = [0_u8; 512];
    put(&mut block, 0, path.as_bytes());
    put(&mut block, 100, b"0000644\0");
    put(&mut block, 124, format!("{size:011o}").as_bytes());
    put(&mut block, 156, &[flag]);
    put(&mut block, 257, b"ustar\x0000");
    edit(&mut block);
    put(&mut block, 148, b"        ");
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    put(&mut block, 148, format!("{sum:06o}\0 ").as_bytes());
    block.to_vec()
}

pub(crate) fn put(block: &mut [u8; 512], at: usize, bytes: &[u8]) {
    block[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A member and its contents.
pub(crate) fn member(path: &str, flag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = header(path, flag, body.len() as u64, |_| {});
    bytes.extend(padded(body));
    bytes
}

pub(crate) fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let record = |(key, value): &(&str, &str)| {
        let rest = key.len() + value.len() + 3;
        let len = (rest..).find(|len| *len == rest + len.to_string().len()).unwrap();
        format!("{len} {key}={value}\n")
    };
    let text: String = records.iter().map(record).collect();
    member("pax", b'x', text.as_bytes())
}

fn padded(body: &[u8]) -> Vec<u8> {
    let mut bytes = body.to_vec();
    bytes.resize(body.len().next_multiple_of(512), 0);
    bytes
}

type Members = Vec<(Entry, Vec<(u64, Vec<u8>)>)>;

/// All members, their data joined where it joins; the same for pieces of every size.
fn read(archive: &[u8]) -> Result<Members, String> {
    let whole = read_in(archive, archive.len().max(1));
    for size in [1, 7, 511, 512, 513] {
        assert_eq!(read_in(archive, size), whole, "in pieces of {size}");
    }
    whole
}

fn read_in(archive: &[u8], size: usize) -> Result<Members, String> {
    let mut reader = Reader::default();
    let mut members: Members = Vec::new();
    for mut piece in archive.chunks(size) {
        while !piece.is_empty() {
            let (taken, event) = reader.read(piece).map_err(|error| error.to_string())?;
            assert!(taken > 0);
            piece = &piece[taken..];
            match event {
                Event::None => {}
                Event::Entry(entry) => members.push((*entry, Vec::new())),
                Event::Data { at, bytes } => add(&mut members.last_mut().unwrap().1, at, bytes),
            }
        }
    }
    reader.finish().map_err(|error| error.to_string())?;
    Ok(members)
}

fn add(data: &mut Vec<(u64, Vec<u8>)>, at: u64, bytes: &[u8]) {
    match data.last_mut() {
        Some((start, last)) if *start + last.len() as u64 == at => last.extend(bytes),
        _ => data.push((at, bytes.to_vec())),
    }
}

fn first(archive: &[u8]) -> Entry {
    read(archive).unwrap().remove(0).0
}

#[test]
fn reads_members_and_their_contents() {
    let mut archive = member("a", b'0', b"hello");
    archive.extend(member("dir/", b'5', b""));
    archive.extend(header("link", b'2', 0, |block| put(block, 157, b"a")));
    archive.extend([0; 1024]);
    archive.extend([7; 99]);
    let members = read(&archive).unwrap();
    let kinds: Vec<_> = members.iter().map(|(entry, _)| entry.kind.clone()).collect();
    assert_eq!(kinds, [Kind::File { size: 5 }, Kind::Directory, Kind::Symlink(b"a".to_vec())]);
    assert_eq!(members[0].1, [(0, b"hello".to_vec())]);
}

#[test]
fn reads_numbers_of_every_form() {
    let entry = first(&header("a", b'3', 0, |block| {
        put(block, 100, b" 4755 \0");
        put(block, 108, &[0x80, 0, 0, 0, 0xee, 0x6b, 0x28, 0]);
        put(block, 116, b"0001750 ");
        put(block, 136, &[0xff; 12]);
        put(block, 329, b"0000010\0");
        put(block, 337, b"\0\0\0\0\0\0\0\0");
    }));
    assert_eq!((entry.mode, entry.uid, entry.gid), (0o4755, 4_000_000_000, 1000));
    assert_eq!(entry.mtime, Time { seconds: -1, nanoseconds: 0 });
    assert_eq!(entry.kind, Kind::Char { major: 8, minor: 0 });
}

#[test]
fn reads_sizes_above_8_gib() {
    let nine_gib = 9_u64 << 30;
    let base_256 = header("a", b'0', 0, |block| {
        put(block, 124, &[0x80, 0, 0, 0]);
        put(block, 128, &nine_gib.to_be_bytes());
    });
    let mut by_pax = pax(&[("size", "9663676416")]);
    by_pax.extend(header("a", b'0', 0, |_| {}));
    for archive in [base_256, by_pax] {
        let mut reader = Reader::default();
        let mut rest = archive.as_slice();
        let entry = loop {
            let (taken, event) = reader.read(rest).unwrap();
            rest = &rest[taken..];
            if let Event::Entry(entry) = event {
                break entry;
            }
        };
        assert_eq!(entry.kind, Kind::File { size: nine_gib });
        // Streamed through: a megabyte of zeros, nine thousand times.
        let zeros = vec![0; 1 << 20];
        for megabyte in 0..9 << 10 {
            let event = Event::Data { at: megabyte << 20, bytes: &zeros[..] };
            assert_eq!(reader.read(&zeros), Ok((1 << 20, event)));
        }
        reader.finish().unwrap();
    }
}

#[test]
fn names_come_from_prefix_pax_or_gnu() {
    fn check(archive: &[u8], path: &str, link: &str) {
        let entry = first(archive);
        assert_eq!(String::from_utf8_lossy(&entry.path), path);
        assert_eq!(entry.kind, Kind::HardLink(link.as_bytes().to_vec()));
    }
    let old = header("name", b'1', 0, |block| {
        put(block, 157, b"to");
        put(block, 345, b"prefix");
    });
    check(&old, "prefix/name", "to");
    let gnu = header("name", b'1', 0, |block| {
        put(block, 157, b"to");
        put(block, 257, b"ustar  \0");
        put(block, 345, b"12345670123");
    });
    check(&gnu, "name", "to");
    let long = "n".repeat(300);
    check(&[member("x", b'L', format!("{long}\0").as_bytes()), old.clone()].concat(), &long, "to");
    check(&[member("x", b'K', format!("{long}\0").as_bytes()), gnu.clone()].concat(), "name", &long);
    check(&[pax(&[("path", &long), ("linkpath", "l")]), gnu.clone()].concat(), &long, "l");
    // Each holds for one member only.
    let two = [pax(&[("path", &long)]), gnu.clone(), gnu].concat();
    assert_eq!(read(&two).unwrap()[1].0.path, b"name");
}

#[test]
fn reads_pax_times_owners_and_xattrs() {
    fn check(mtime: &str, seconds: i64, nanoseconds: u32) {
        let entry = first(&[pax(&[("mtime", mtime)]), member("a", b'0', b"")].concat());
        assert_eq!(entry.mtime, Time { seconds, nanoseconds }, "{mtime}");
    }
    check("12", 12, 0);
    check("12.5", 12, 500_000_000);
    check("12.123456789987", 12, 123_456_789);
    check("-1.25", -2, 750_000_000);
    check("-3", -3, 0);
    let records =
        [("uid", "70000"), ("gid", "4294967294"), ("SCHILY.xattr.user.a%3Db", "v\0=\n"), ("atime", "1")];
    let entry = first(&[pax(&records), member("a", b'0', b"")].concat());
    assert_eq!((entry.uid, entry.gid), (70_000, 4_294_967_294));
    assert_eq!(entry.xattrs, [(b"user.a=b".to_vec(), b"v\0=\n".to_vec())].into());
}

#[test]
fn a_sparse_member_keeps_its_holes_in_every_format() {
    let expected = [(1024, vec![1; 512]), (4096, vec![2; 3])];
    let check = |archive: Vec<u8>| {
        let members = read(&archive).unwrap();
        assert_eq!((&members[0].0.kind, &members[0].0.path[..]), (&Kind::File { size: 9000 }, &b"name"[..]));
        assert_eq!(members[0].1, expected);
        assert_eq!(members[1].0.path, b"next");
    };
    let body = padded(&[vec![1; 512], vec![2; 3]].concat());
    let after = member("next", b'0', b"x");
    let plain = |path: &str| header(path, b'0', 515, |_| {});
    let zero = [
        ("GNU.sparse.size", "9000"),
        ("GNU.sparse.offset", "1024"),
        ("GNU.sparse.numbytes", "512"),
        ("GNU.sparse.offset", "4096"),
        ("GNU.sparse.numbytes", "3"),
        ("GNU.sparse.offset", "9000"),
        ("GNU.sparse.numbytes", "0"),
    ];
    check([pax(&zero), plain("name"), body.clone(), after.clone()].concat());
    let one =
        [("GNU.sparse.size", "9000"), ("GNU.sparse.map", "1024,512,4096,3"), ("GNU.sparse.name", "name")];
    check([pax(&one), plain("GNUSparseFile.1/name"), body.clone(), after.clone()].concat());
    let ten = [
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.minor", "0"),
        ("GNU.sparse.realsize", "9000"),
        ("GNU.sparse.name", "name"),
    ];
    let map = padded(b"2\n1024\n512\n4096\n3\n");
    let large = header("GNUSparseFile.1/name", b'0', 515 + 512, |_| {});
    check([pax(&ten), large, map, body.clone(), after.clone()].concat());
    let old = header("name", b'S', 515, |block| {
        put(block, 257, b"ustar  \0");
        put(block, 386, b"00000002000\x0000000001000\0");
        put(block, 482, &[1]);
        put(block, 483, b"00000021450\0");
    });
    let mut more = [0; 512];
    put(&mut more, 0, b"00000010000\x0000000000003\0");
    check([old, more.to_vec(), body, after].concat());
}

#[test]
fn refuses_what_is_damaged_or_unclear_and_says_where() {
    fn check(archive: &[u8], expected: &str) {
        assert_eq!(read(archive).unwrap_err(), expected);
    }
    let plain = |path: &str| member(path, b'0', b"");
    let mut damaged = plain("a");
    damaged[3] = 1;
    check(&damaged, "tar, byte 0: not a tar header, or a damaged one (checksum)");
    check(&member("a", b'0', b"hello")[..515], "tar, byte 515: truncated: the archive ends within a member");
    check(&plain("a")[..100], "tar, byte 100: truncated: the archive ends within a member");
    check(&pax(&[("path", "x")]), "tar, byte 1024: truncated: the archive ends within a member");
    check(
        &[[0; 512].to_vec(), plain("a")].concat(),
        "tar, byte 512: a lone block of zeros, where readers disagree on the end",
    );
    check(
        &plain("a").iter().copied().chain([1; 512]).collect::<Vec<_>>(),
        "tar, byte 512: not a tar header, or a damaged one (checksum)",
    );
    check(&member("a", b'M', b""), "tar, byte 0: a: members of type `M` are not supported");
    check(&header("a", b'0', 0, |block| put(block, 108, b"x")), "tar, byte 0: uid is not a number");
    check(&header("a", b'0', 0, |block| put(block, 124, &[0xff; 12])), "tar, byte 0: size -1 is negative");
    check(
        &[pax(&[("uid", "4294967295")]), plain("a")].concat(),
        "tar, byte 1024: a: uid 4294967295 is out of range",
    );
    check(&header("x", b'L', 2 << 20, |_| {}), "tar, byte 0: a pax header or long name of 2097152 bytes");
    check(&member("a/", b'0', b"x"), "tar, byte 0: a/: a directory with contents");
    check(&member("p", b'x', b"8 path=a\n"), "tar, byte 512: a damaged pax record");
    check(&member("p", b'x', b"11 size=1a\n"), "tar, byte 512: pax size is not a number");
    check(&member("p", b'g', b"99 path=a\n"), "tar, byte 512: a damaged pax record");
    check(
        &member("p", b'g', b"9 path=a\n"),
        "tar, byte 512: a global pax header with `path`, which readers disagree on",
    );
}

#[test]
fn refuses_sparse_maps_that_lie() {
    fn check(records: &[(&str, &str)], size: u64, expected: &str) {
        let archive = [pax(records), header("a", b'0', size, |_| {}), vec![0; 1024]].concat();
        assert_eq!(read(&archive).unwrap_err(), format!("tar, byte 1024: a: {expected}"));
    }
    let map = |map| [("GNU.sparse.size", "9000"), ("GNU.sparse.map", map)];
    check(&map("10,5,12,3"), 8, "a piece of a sparse file at 12 overlaps or leaves the file");
    check(&map("8999,2"), 2, "a piece of a sparse file at 8999 overlaps or leaves the file");
    check(
        &map("18446744073709551615,2"),
        2,
        "a piece of a sparse file at 18446744073709551615 overlaps or leaves the file",
    );
    check(&map("10,5"), 6, "the map of a sparse file has 5 bytes, 6 are stored");
    check(
        &[("GNU.sparse.size", "17592186044417"), ("GNU.sparse.map", "0,1")],
        1,
        "a file of 17592186044417 bytes, more than the 17592186044416 that are taken",
    );
    check(
        &[("GNU.sparse.major", "2"), ("GNU.sparse.realsize", "1")],
        1,
        "sparse files of format 2.0 are not supported",
    );
    check(&[("GNU.sparse.map", "0,1")], 1, "a sparse file without its size");
}

#[test]
fn never_panics_and_always_moves() {
    use proptest::prelude::*;
    let seeds: Vec<Vec<u8>> = Vec::from([
        [pax(&[("GNU.sparse.major", "1"), ("GNU.sparse.realsize", "99")]), member("a", b'0', b"1\n5\n0\n")]
            .concat(),
        [member("x", b'L', b"long"), member("a", b'0', b"body"), vec![0; 1024]].concat(),
        header("a", b'S', 5, |block| put(block, 482, b"100000000005")),
    ]);
    proptest!(|(seed in 0..seeds.len(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8), size in 1_usize..2000)| {
        let mut archive = seeds[seed].clone();
        for (place, byte) in changes {
            let place = place.index(archive.len());
            archive[place] = byte;
        }
        // The checksum is made right again: it would end most histories at once.
        let fixed: Vec<u8> = archive.chunks(512).flat_map(|block| match <[u8; 512]>::try_from(block) {
            Ok(mut block) if block[257..262] == *b"ustar" => {
                put(&mut block, 148, b"        ");
                let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
                put(&mut block, 148, format!("{sum:06o}\0 ").as_bytes());
                block.to_vec()
            }
            _ => block.to_vec(),
        }).collect();
        prop_assert_eq!(read_in(&fixed, size), read_in(&fixed, 512));
    });
}

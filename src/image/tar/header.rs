//! One 512-byte header block: POSIX ustar, GNU's and the old one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::sparse::Segment;

pub(super) const BLOCK: usize = 512;

/// Fields as written, before pax records and long names override them.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) path: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) mode: u64,
    pub(super) uid: u64,
    pub(super) gid: u64,
    pub(super) size: u64,
    pub(super) mtime: i64,
    pub(super) flag: u8,
    pub(super) device: (u32, u32),
    pub(super) sparse: Option<OldSparse>,
}

/// What an old GNU sparse entry has in its header.
#[derive(Debug)]
pub(super) struct OldSparse {
    pub(super) real_size: u64,
    pub(super) map: Vec<Segment>,
    pub(super) is_extended: bool,
}

pub(super) type Block = [u8; BLOCK];

impl Header {
    pub(super) fn parse(block: &Block) -> Result<Self, String> {
        check_sum(block)?;
        let flag = field(block, 156, 1).first().copied().unwrap_or(0);
        Ok(Self {
            path: path(block),
            link: text(field(block, 157, 100)).to_vec(),
            mode: unsigned("mode", field(block, 100, 8))?,
            uid: unsigned("uid", field(block, 108, 8))?,
            gid: unsigned("gid", field(block, 116, 8))?,
            size: unsigned("size", field(block, 124, 12))?,
            mtime: number("mtime", field(block, 136, 12))?,
            flag,
            device: if matches!(flag, b'3' | b'4') { device(block)? } else { (0, 0) },
            sparse: if flag == b'S' { Some(old_sparse(block)?) } else { None },
        })
    }
}

/// A further block of an old GNU sparse map, and whether another one follows.
pub(super) fn sparse_extension(block: &Block) -> Result<(Vec<Segment>, bool), String> {
    Ok((segments(field(block, 0, 504))?, field(block, 504, 1) != [0]))
}

fn field(block: &Block, start: usize, len: usize) -> &[u8] {
    block.get(start..start.saturating_add(len)).unwrap_or_default()
}

/// Up to the first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The prefix exists in POSIX headers only: GNU keeps other things in its place, and star keeps
/// times in the last 24 bytes of it.
fn path(block: &Block) -> Vec<u8> {
    let name = text(field(block, 0, 100));
    let prefix = match (field(block, 257, 6), field(block, 508, 4)) {
        (b"ustar\0", b"tar\0") => text(field(block, 345, 131)),
        (b"ustar\0", _) => text(field(block, 345, 155)),
        _ => &[],
    };
    if prefix.is_empty() { name.to_vec() } else { [prefix, name].join(&b'/') }
}

fn device(block: &Block) -> Result<(u32, u32), String> {
    let number = |name: &str, start| {
        let value = unsigned(name, field(block, start, 8))?;
        u32::try_from(value).map_err(|_| format!("{name} {value} is out of range"))
    };
    Ok((number("devmajor", 329)?, number("devminor", 337)?))
}

fn old_sparse(block: &Block) -> Result<OldSparse, String> {
    Ok(OldSparse {
        real_size: unsigned("realsize", field(block, 483, 12))?,
        map: segments(field(block, 386, 96))?,
        is_extended: field(block, 482, 1) != [0],
    })
}

fn segments(area: &[u8]) -> Result<Vec<Segment>, String> {
    let mut found = Vec::new();
    for pair in area.chunks_exact(24) {
        let (offset, len) = pair.split_at_checked(12).unwrap_or_default();
        if len.first().is_none_or(|byte| *byte == 0) {
            break;
        }
        found.push(Segment { at: unsigned("sparse offset", offset)?, len: unsigned("sparse length", len)? });
    }
    Ok(found)
}

/// The sum of all bytes, the sum's own field taken as blanks. Some old writers added signed bytes.
fn check_sum(block: &Block) -> Result<(), String> {
    let written = number("checksum", field(block, 148, 8)).ok();
    let (mut unsigned, mut signed) = (0_i64, 0_i64);
    for (place, byte) in block.iter().enumerate() {
        let byte = if (148..156).contains(&place) { b' ' } else { *byte };
        unsigned = unsigned.saturating_add(i64::from(byte));
        signed = signed.saturating_add(i64::from(byte.cast_signed()));
    }
    if written == Some(unsigned) || written == Some(signed) {
        return Ok(());
    }
    Err(String::from("not a tar header, or a damaged one (checksum)"))
}

fn unsigned(name: &str, field: &[u8]) -> Result<u64, String> {
    let value = number(name, field)?;
    u64::try_from(value).map_err(|_| format!("{name} {value} is negative"))
}

/// Octal digits between blanks and NULs; or, with the top bit set, GNU's base-256.
fn number(name: &str, field: &[u8]) -> Result<i64, String> {
    let wrong = || format!("{name} is not a number");
    match field.split_first() {
        Some((first, rest)) if first & 0x80 != 0 => base_256(*first, rest).ok_or_else(wrong),
        _ => {
            let digits = text(field).trim_ascii();
            digits.iter().try_fold(0_i64, |value, digit| octal(value, *digit)).ok_or_else(wrong)
        }
    }
}

fn octal(value: i64, digit: u8) -> Option<i64> {
    let digit = char::from(digit).to_digit(8)?;
    value.checked_mul(8)?.checked_add(i64::from(digit))
}

/// Two's complement, big endian; the first byte's top bit is only the mark, its next the sign.
fn base_256(first: u8, rest: &[u8]) -> Option<i64> {
    let negative = first & 0x40 != 0;
    let start = i64::from(first & 0x3f) | if negative { !0x3f } else { 0 };
    rest.iter().try_fold(start, |value, byte| value.checked_mul(256)?.checked_add(i64::from(*byte)))
}

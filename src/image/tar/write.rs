//! The other way: members → a tar stream, ustar with pax records where ustar has no room.
//!
//! What comes after a header is the caller's: exactly the bytes announced, then [`padding`], and [`END`]
//! after the last member. Extended attributes and fractions of seconds are left out.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::header::BLOCK;
use super::{Entry, Kind};

/// Ends the stream.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// What the fields of a header hold: eleven octal digits, and seven.
const MOST_SIZE: u64 = 0o777_7777_7777;
const MOST_ID: u32 = 0o777_7777;
const NAME: usize = 100;

/// Zeros behind a file of this size.
#[must_use]
pub fn padding(size: u64) -> &'static [u8] {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    let rest = usize::try_from(size.checked_rem(BLOCK as u64).unwrap_or(0)).unwrap_or(0);
    let missing = if rest == 0 { 0 } else { BLOCK.saturating_sub(rest) };
    ZEROS.get(..missing).unwrap_or_default()
}

/// Appends the header of a member. A directory's path gets its slash here.
pub fn header(entry: &Entry, out: &mut Vec<u8>) {
    let mut path = entry.path.clone();
    if entry.kind == Kind::Directory && !path.ends_with(b"/") {
        path.push(b'/');
    }
    let (flag, size, link, device) = match &entry.kind {
        Kind::File { size } => (b'0', *size, &[][..], (0, 0)),
        Kind::HardLink(link) => (b'1', 0, link.as_slice(), (0, 0)),
        Kind::Symlink(link) => (b'2', 0, link.as_slice(), (0, 0)),
        Kind::Char { major, minor } => (b'3', 0, &[][..], (*major, *minor)),
        Kind::Block { major, minor } => (b'4', 0, &[][..], (*major, *minor)),
        Kind::Directory => (b'5', 0, &[][..], (0, 0)),
        Kind::Fifo => (b'6', 0, &[][..], (0, 0)),
    };
    let mut records = Vec::new();
    if path.len() > NAME {
        record("path", &path, &mut records);
    }
    if link.len() > NAME {
        record("linkpath", link, &mut records);
    }
    if size > MOST_SIZE {
        record("size", size.to_string().as_bytes(), &mut records);
    }
    for (key, id) in [("uid", entry.uid), ("gid", entry.gid)] {
        if id > MOST_ID {
            record(key, id.to_string().as_bytes(), &mut records);
        }
    }
    let seconds = u64::try_from(entry.mtime.seconds).ok().filter(|seconds| *seconds <= MOST_SIZE);
    if seconds.is_none() {
        record("mtime", entry.mtime.seconds.to_string().as_bytes(), &mut records);
    }
    if !records.is_empty() {
        let size = records.len() as u64;
        let numbers = Numbers { mode: 0o644, uid: 0, gid: 0, size, mtime: 0, device: (0, 0) };
        block(b"pax", b'x', &[], &numbers, out);
        out.append(&mut records);
        out.extend_from_slice(padding(size));
    }
    let numbers = Numbers {
        mode: entry.mode,
        uid: entry.uid.min(MOST_ID),
        gid: entry.gid.min(MOST_ID),
        size: size.min(MOST_SIZE),
        mtime: seconds.unwrap_or(0),
        device,
    };
    block(&path, flag, link, &numbers, out);
}

struct Numbers {
    mode: u16,
    uid: u32,
    gid: u32,
    size: u64,
    mtime: u64,
    device: (u32, u32),
}

/// `LENGTH KEY=VALUE\n`, where the length counts itself.
fn record(key: &str, value: &[u8], out: &mut Vec<u8>) {
    let rest = key.len().saturating_add(value.len()).saturating_add(3);
    let mut digits = 1;
    while rest.saturating_add(digits).to_string().len() > digits {
        digits = digits.saturating_add(1);
    }
    out.extend_from_slice(format!("{} {key}=", rest.saturating_add(digits)).as_bytes());
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn block(path: &[u8], flag: u8, link: &[u8], numbers: &Numbers, out: &mut Vec<u8>) {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| {
        for (to, from) in block.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    };
    let octal = |value: u64, width: usize| -> String { format!("{value:0width$o}\0") };
    put(0, path.get(..path.len().min(NAME)).unwrap_or_default());
    put(100, octal(numbers.mode.into(), 7).as_bytes());
    put(108, octal(numbers.uid.into(), 7).as_bytes());
    put(116, octal(numbers.gid.into(), 7).as_bytes());
    put(124, octal(numbers.size, 11).as_bytes());
    put(136, octal(numbers.mtime, 11).as_bytes());
    put(148, b"        ");
    put(156, &[flag]);
    put(157, link.get(..link.len().min(NAME)).unwrap_or_default());
    put(257, b"ustar\x0000");
    put(329, octal(numbers.device.0.min(MOST_ID).into(), 7).as_bytes());
    put(337, octal(numbers.device.1.min(MOST_ID).into(), 7).as_bytes());
    let sum = block.iter().fold(0_u64, |sum, byte| sum.saturating_add((*byte).into()));
    for (to, from) in block.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").bytes()) {
        *to = from;
    }
    out.extend_from_slice(&block);
}

#[cfg(test)]
mod tests {
    use super::super::{Event, Reader, Time};
    use super::*;

    fn entry(path: &[u8], kind: Kind) -> Entry {
        Entry {
            path: path.to_vec(),
            kind,
            mode: 0o4755,
            uid: 7,
            gid: MOST_ID + 1,
            mtime: Time { seconds: 1_700_000_000, nanoseconds: 0 },
            xattrs: Default::default(),
        }
    }

    fn entries() -> Vec<Entry> {
        let mut before_1970 = entry(b"old", Kind::Fifo);
        before_1970.mtime.seconds = -5;
        [
            entry(b"dir/", Kind::Directory),
            entry(&[b'n'; 99], Kind::File { size: 0 }),
            entry(&[b'n'; 100], Kind::File { size: 1 }),
            entry(&[b'n'; 101], Kind::File { size: 512 }),
            entry(&vec![b'h'; 70_000], Kind::Symlink(vec![b't'; 4000])),
            entry(b"\xff\xfe", Kind::Symlink(vec![b'x'; 100])),
            entry(b"hard", Kind::HardLink(b"dir/x".to_vec())),
            entry(b"null", Kind::Char { major: 1, minor: 3 }),
            entry(b"disk", Kind::Block { major: 254, minor: 0 }),
            before_1970,
        ]
        .into()
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let mut bytes = Vec::new();
        for entry in entries() {
            header(&entry, &mut bytes);
            if let Kind::File { size } = entry.kind {
                bytes.extend(vec![7; size as usize]);
                bytes.extend(padding(size));
            }
            assert_eq!(bytes.len() % BLOCK, 0);
        }
        bytes.extend(END);
        let (mut reader, mut found, mut rest) = (Reader::default(), Vec::new(), bytes.as_slice());
        while !rest.is_empty() {
            let (taken, event) = reader.read(rest).unwrap();
            if let Event::Entry(entry) = event {
                found.push(*entry);
            }
            rest = &rest[taken..];
        }
        reader.finish().unwrap();
        assert_eq!(found, entries());
    }

    #[test]
    fn a_size_that_needs_more_digits_has_them() {
        let mut bytes = Vec::new();
        header(&entry(b"huge", Kind::File { size: 1 << 40 }), &mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("22 size=1099511627776\n"), "{text}");
    }

    #[test]
    fn a_length_counts_itself() {
        for length in [1, 80, 90, 92, 93, 94, 95, 990, 991, 992, 993] {
            let mut record_of = Vec::new();
            record("path", &vec![b'p'; length], &mut record_of);
            let text = String::from_utf8(record_of).unwrap();
            assert_eq!(text.split_once(' ').unwrap().0.parse::<usize>().unwrap(), text.len());
        }
    }
}

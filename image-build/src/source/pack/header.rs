//! The header of one member: ustar, with a pax header before it where ustar is too small.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use orlop::image::Error;

use super::Sink;
use super::holes::Segment;

const BLOCK: usize = 512;

/// Eleven octal digits.
const MAX_SIZE: u64 = 0o77_777_777_777;
/// Seven.
const MAX_ID: u64 = 0o7_777_777;

pub(super) struct Header {
    path: Vec<u8>,
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: (i64, i64),
    flag: u8,
    size: u64,
    link: Vec<u8>,
    device: (u32, u32),
    pax: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What stands before the contents: the map of a sparse file.
    map: Vec<u8>,
}

impl Header {
    pub(super) fn new(path: &[u8], metadata: &Metadata, xattrs: BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        let key = |name: &[u8]| [b"SCHILY.xattr.", name].concat();
        Self {
            path: if path.is_empty() { b".".to_vec() } else { path.to_vec() },
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid(),
            gid: metadata.gid(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            flag: b'0',
            size: 0,
            link: Vec::new(),
            device: (0, 0),
            pax: xattrs.into_iter().map(|(name, value)| (key(&name), value)).collect(),
            map: Vec::new(),
        }
    }

    pub(super) fn directory(&mut self) -> &mut Self {
        self.flag = b'5';
        self.path.push(b'/');
        self
    }

    /// What a file is stands at its first name; a further one says no more.
    pub(super) fn hard_link(&mut self, first: &[u8]) -> &mut Self {
        (self.flag, self.link, self.pax) = (b'1', first.to_vec(), BTreeMap::new());
        self
    }

    pub(super) fn symlink(&mut self, target: &[u8]) -> &mut Self {
        (self.flag, self.link) = (b'2', target.to_vec());
        self
    }

    pub(super) fn special(&mut self, flag: u8, device: u64) -> &mut Self {
        self.flag = flag;
        if flag != b'6' {
            self.device = (rustix::fs::major(device), rustix::fs::minor(device));
        }
        self
    }

    pub(super) fn file(&mut self, size: u64) -> &mut Self {
        self.size = size;
        self
    }

    /// GNU's format 1.0.
    pub(super) fn sparse(&mut self, size: u64, segments: &[Segment]) -> &mut Self {
        let mut map = format!("{}\n", segments.len());
        for Segment { at, len } in segments {
            map += &format!("{at}\n{len}\n");
        }
        self.map = map.into_bytes();
        self.map.resize(self.map.len().next_multiple_of(BLOCK), 0);
        self.size = self.map.len() as u64 + segments.iter().map(|segment| segment.len).sum::<u64>();
        for (key, value) in
            [("major", String::from("1")), ("minor", String::from("0")), ("realsize", size.to_string())]
        {
            self.pax.insert(format!("GNU.sparse.{key}").into_bytes(), value.into_bytes());
        }
        self.pax.insert(b"GNU.sparse.name".to_vec(), self.path.clone());
        self
    }

    pub(super) fn write(&mut self, sink: &mut Sink<'_>) -> Result<(), Error> {
        self.extend_pax();
        if !self.pax.is_empty() {
            let records: Vec<u8> = self.pax.iter().flat_map(|(key, value)| record(key, value)).collect();
            let mut block = Block::new(b"pax", b'x');
            block.octal(124, 11, records.len() as u64);
            sink(&block.finish())?;
            sink(&records)?;
            let padding = records.len().next_multiple_of(BLOCK) - records.len();
            sink([0; BLOCK].get(..padding).unwrap_or_default())?;
        }
        sink(&self.block().finish())?;
        sink(&self.map)
    }

    /// Fields that are too small hold what fits: a pax record has the rest.
    fn block(&self) -> Block {
        let mut block = Block::new(&self.path, self.flag);
        block.octal(100, 7, u64::from(self.mode));
        block.octal(108, 7, u64::from(self.uid));
        block.octal(116, 7, u64::from(self.gid));
        block.octal(124, 11, self.size);
        block.octal(136, 11, u64::try_from(self.mtime.0).unwrap_or(0));
        block.text(157, 100, &self.link);
        block.octal(329, 7, u64::from(self.device.0));
        block.octal(337, 7, u64::from(self.device.1));
        block
    }

    /// What does not fit into the header.
    fn extend_pax(&mut self) {
        let (seconds, nanoseconds) = self.mtime;
        if nanoseconds != 0 || seconds < 0 || seconds > MAX_SIZE.cast_signed() {
            self.pax.insert(b"mtime".to_vec(), time(seconds, nanoseconds).into_bytes());
        }
        let numbers = [
            ("uid", u64::from(self.uid), MAX_ID),
            ("gid", u64::from(self.gid), MAX_ID),
            ("size", self.size, MAX_SIZE),
        ];
        for (key, value, _) in numbers.iter().filter(|(_, value, max)| value > max) {
            self.pax.insert(key.as_bytes().to_vec(), value.to_string().into_bytes());
        }
        for (key, text) in [(&b"path"[..], &self.path), (b"linkpath", &self.link)] {
            if text.len() > 100 {
                self.pax.insert(key.to_vec(), text.clone());
            }
        }
    }
}

struct Block([u8; BLOCK]);

impl Block {
    fn new(path: &[u8], flag: u8) -> Self {
        let mut block = Self([0; BLOCK]);
        block.text(0, 100, path);
        block.text(156, 1, &[flag]);
        block.text(257, 8, b"ustar\x0000");
        block.text(148, 8, b"        "); // the checksum counts its own field as blanks
        block
    }

    fn text(&mut self, at: usize, len: usize, text: &[u8]) {
        let field = self.0.iter_mut().skip(at).take(len);
        field.zip(text).for_each(|(to, from)| *to = *from);
    }

    /// The low digits of a number.
    fn octal(&mut self, at: usize, digits: usize, value: u64) {
        let kept = value & ((1 << (3 * digits)) - 1);
        self.text(at, digits, format!("{kept:0digits$o}").as_bytes());
    }

    fn finish(mut self) -> [u8; BLOCK] {
        let sum = self.0.iter().map(|byte| u64::from(*byte)).sum();
        self.octal(148, 6, sum);
        self.text(154, 2, b"\0 ");
        self.0
    }
}

/// The kernel counts nanoseconds upwards from the second below.
fn time(seconds: i64, nanoseconds: i64) -> String {
    if seconds < 0 && nanoseconds > 0 {
        return format!("-{}.{:09}", -(seconds + 1), 1_000_000_000 - nanoseconds);
    }
    format!("{seconds}.{nanoseconds:09}")
}

/// `LENGTH KEY=VALUE\n`, where the length counts its own digits.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    [len.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

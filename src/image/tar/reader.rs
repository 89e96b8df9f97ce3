//! The reader: bytes in, members out, in whatever pieces the bytes come.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::{self, Vec};
use core::mem;

use super::header::{BLOCK, Block, Header, sparse_extension};
use super::overrides::Overrides;
use super::pax;
use super::sparse::{MAX_SEGMENTS, MapReader, Segment, check_map};
use super::{Entry, Kind, Time};
use crate::image::Error;
use crate::image::error::show;

/// What one step of [`Reader::read`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The bytes were taken; more are wanted.
    None,
    Entry(Box<Entry>),
    /// Bytes of the file last announced. `at` only grows; what is left out is zeros.
    Data {
        at: u64,
        bytes: &'a [u8],
    },
}

/// A pax header or long name above this is no name: Go's reader, which wrote most images, takes
/// no more either.
const MAX_EXTENSION: u64 = 1 << 20;

#[derive(Debug)]
pub struct Reader {
    state: State,
    /// The part of the present block or extension that has come.
    held: Vec<u8>,
    next: Overrides,
    /// Bytes taken, for messages.
    offset: u64,
}

#[derive(Debug)]
enum State {
    Header,
    /// A pax header or long name of `size` bytes.
    Extension {
        flag: u8,
        size: u64,
    },
    /// Further blocks of an old GNU sparse map.
    OldMap {
        entry: Box<Entry>,
        size: u64,
        stored: u64,
        map: Vec<Segment>,
    },
    /// The map in front of the data of a sparse file of format 1.0.
    Map {
        entry: Box<Entry>,
        size: u64,
        stored: u64,
        reader: MapReader,
    },
    Body(Body),
    Padding {
        left: u64,
    },
    /// One block of zeros was seen.
    Ending,
    /// What follows the end is not looked at, as in every tar.
    Ended,
}

#[derive(Debug)]
struct Body {
    rest: vec::IntoIter<Segment>,
    now: Segment,
    padding: u64,
}

impl Default for Reader {
    fn default() -> Self {
        Self { state: State::Header, held: Vec::new(), next: Overrides::default(), offset: 0 }
    }
}

impl Reader {
    /// Takes some bytes from the front of `input`: how many, and what they were. Call it until
    /// all are taken.
    pub fn read<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Event<'a>), Error> {
        // Where the block or extension began that was being gathered.
        let place = self.offset.saturating_sub(self.held.len() as u64);
        let step = match &mut self.state {
            State::Body(body) => Ok(body.take(input)),
            State::Padding { left } => {
                let taken = clamp(*left, input.len());
                *left = left.saturating_sub(taken as u64);
                Ok((taken, Event::None))
            }
            State::Ended => Ok((input.len(), Event::None)),
            State::Extension { size, .. } => {
                let wanted = padded(*size);
                self.collect(input, wanted)
            }
            State::Header | State::OldMap { .. } | State::Map { .. } | State::Ending => {
                self.collect(input, BLOCK as u64)
            }
        };
        let (taken, event) = step.map_err(|what| Error::new(format!("tar, byte {place}"), what))?;
        self.offset = self.offset.saturating_add(taken as u64);
        self.settle();
        Ok((taken, event))
    }

    /// Steps over what is left of the present file: so many bytes the caller leaves out.
    pub fn skip(&mut self) -> u64 {
        let left = match &self.state {
            State::Body(body) => {
                let rest =
                    body.rest.as_slice().iter().fold(body.now.len, |sum, next| sum.saturating_add(next.len));
                rest.saturating_add(body.padding)
            }
            State::Padding { left } => *left,
            State::Header
            | State::Extension { .. }
            | State::OldMap { .. }
            | State::Map { .. }
            | State::Ending
            | State::Ended => return 0,
        };
        self.state = State::Header;
        self.offset = self.offset.saturating_add(left);
        left
    }

    /// Says whether the archive may end here. The two blocks of zeros may be missing.
    pub fn finish(self) -> Result<(), Error> {
        let fine = match self.state {
            State::Header => self.held.is_empty() && self.next.is_empty(),
            State::Ending | State::Ended => true,
            State::Extension { .. }
            | State::OldMap { .. }
            | State::Map { .. }
            | State::Body(_)
            | State::Padding { .. } => false,
        };
        if fine {
            return Ok(());
        }
        Err(Error::new(format!("tar, byte {}", self.offset), "truncated: the archive ends within a member"))
    }

    /// Gathers `wanted` bytes, which may come in pieces, then reads them.
    fn collect<'a>(&mut self, input: &[u8], wanted: u64) -> Result<(usize, Event<'a>), String> {
        let missing = wanted.saturating_sub(self.held.len() as u64);
        let taken = clamp(missing, input.len());
        self.held.extend_from_slice(input.get(..taken).unwrap_or_default());
        if (self.held.len() as u64) < wanted {
            return Ok((taken, Event::None));
        }
        let held = mem::take(&mut self.held);
        let event = match mem::replace(&mut self.state, State::Header) {
            State::Extension { flag, size } => {
                let body = held.get(..usize::try_from(size).unwrap_or(0)).unwrap_or_default();
                self.next.read(flag, body)?;
                Event::None
            }
            state => {
                let block = Block::try_from(held.as_slice()).map_err(|_| "a block of a wrong size")?;
                self.block(state, &block)?
            }
        };
        Ok((taken, event))
    }

    fn block<'a>(&mut self, state: State, block: &Block) -> Result<Event<'a>, String> {
        let is_zero = block == &[0; BLOCK];
        match state {
            State::Ending if is_zero => self.state = State::Ended,
            State::Ending => {
                return Err(String::from("a lone block of zeros, where readers disagree on the end"));
            }
            State::OldMap { entry, size, stored, mut map } => {
                let (more, is_extended) = sparse_extension(block)?;
                map.extend(more);
                return self.old_map(entry, size, stored, map, is_extended);
            }
            State::Map { entry, size, stored, mut reader } => {
                let stored = stored.checked_sub(BLOCK as u64).ok_or("the map of a sparse file is cut off")?;
                return match reader.block(block)? {
                    Some(map) => self.body(entry, size, stored, map),
                    None => {
                        self.state = State::Map { entry, size, stored, reader };
                        Ok(Event::None)
                    }
                };
            }
            State::Header if is_zero && self.next.is_empty() => self.state = State::Ending,
            State::Header => return self.header(Header::parse(block)?),
            State::Extension { .. } | State::Body(_) | State::Padding { .. } | State::Ended => {}
        }
        Ok(Event::None)
    }

    fn header<'a>(&mut self, header: Header) -> Result<Event<'a>, String> {
        if matches!(header.flag, b'x' | b'g' | b'L' | b'K') {
            if header.size > MAX_EXTENSION {
                return Err(format!("a pax header or long name of {} bytes", header.size));
            }
            self.state = State::Extension { flag: header.flag, size: header.size };
            return Ok(Event::None);
        }
        let next = mem::take(&mut self.next);
        let path = next.path(&header);
        self.member(header, next, path.clone()).map_err(|what| format!("{}: {what}", show(&path)))
    }

    fn member<'a>(&mut self, header: Header, next: Overrides, path: Vec<u8>) -> Result<Event<'a>, String> {
        let stored = next.pax.size.unwrap_or(header.size);
        let link = next.pax.link.or(next.long_link).unwrap_or(header.link);
        let (major, minor) = header.device;
        let kind = match header.flag {
            b'0' | 0 if path.ends_with(b"/") && stored == 0 => Kind::Directory,
            b'0' | 0 if path.ends_with(b"/") => {
                return Err(String::from("a directory with contents"));
            }
            b'0' | 0 | b'7' | b'S' => Kind::File { size: stored },
            b'1' => Kind::HardLink(link),
            b'2' => Kind::Symlink(link),
            b'3' => Kind::Char { major, minor },
            b'4' => Kind::Block { major, minor },
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            other => {
                return Err(format!("members of type `{}` are not supported", other.escape_ascii()));
            }
        };
        let has_body = matches!(kind, Kind::File { .. });
        let mode = u16::try_from(header.mode & 0o7777).unwrap_or_default();
        let entry = Box::new(Entry {
            path,
            kind,
            mode,
            uid: id("uid", next.pax.uid.unwrap_or(header.uid))?,
            gid: id("gid", next.pax.gid.unwrap_or(header.gid))?,
            mtime: next.pax.mtime.unwrap_or(Time { seconds: header.mtime, nanoseconds: 0 }),
            xattrs: next.pax.xattrs,
        });
        if !has_body {
            return Ok(Event::Entry(entry));
        }
        if let Some(old) = header.sparse {
            return self.old_map(entry, old.real_size, stored, old.map, old.is_extended);
        }
        if next.pax.sparse.is_used() {
            return self.pax_map(entry, stored, next.pax.sparse);
        }
        self.body(entry, stored, stored, Vec::from([Segment { at: 0, len: stored }]))
    }

    fn old_map<'a>(
        &mut self,
        entry: Box<Entry>,
        size: u64,
        stored: u64,
        map: Vec<Segment>,
        is_extended: bool,
    ) -> Result<Event<'a>, String> {
        if map.len() > MAX_SEGMENTS {
            return Err(format!("more than {MAX_SEGMENTS} pieces of a sparse file"));
        }
        if !is_extended {
            return self.body(entry, size, stored, map);
        }
        self.state = State::OldMap { entry, size, stored, map };
        Ok(Event::None)
    }

    fn pax_map<'a>(
        &mut self,
        entry: Box<Entry>,
        stored: u64,
        sparse: pax::Sparse,
    ) -> Result<Event<'a>, String> {
        let size = sparse.real_size.ok_or("a sparse file without its size")?;
        match (sparse.major.unwrap_or(0), sparse.minor.unwrap_or(0)) {
            (0, 0 | 1) => self.body(entry, size, stored, sparse.map),
            (1, 0) => {
                self.state = State::Map { entry, size, stored, reader: MapReader::default() };
                Ok(Event::None)
            }
            (major, minor) => Err(format!("sparse files of format {major}.{minor} are not supported")),
        }
    }

    fn body<'a>(
        &mut self,
        mut entry: Box<Entry>,
        size: u64,
        stored: u64,
        map: Vec<Segment>,
    ) -> Result<Event<'a>, String> {
        check_map(&map, size, stored)?;
        entry.kind = Kind::File { size };
        let padding = padded(stored).saturating_sub(stored);
        self.state = State::Body(Body { rest: map.into_iter(), now: Segment { at: 0, len: 0 }, padding });
        Ok(Event::Entry(entry))
    }

    /// Leaves states that want no bytes, so that each call of `read` takes some.
    fn settle(&mut self) {
        if let State::Body(body) = &mut self.state {
            while body.now.len == 0 {
                match body.rest.next() {
                    Some(segment) => body.now = segment,
                    None => {
                        self.state = State::Padding { left: body.padding };
                        break;
                    }
                }
            }
        }
        match &self.state {
            State::Padding { left: 0 } => self.state = State::Header,
            State::Extension { flag, size: 0 } => {
                // An empty name or no records: nothing to wait for.
                self.next.forget(*flag);
                self.state = State::Header;
            }
            State::Extension { .. }
            | State::Padding { .. }
            | State::Header
            | State::OldMap { .. }
            | State::Map { .. }
            | State::Body(_)
            | State::Ending
            | State::Ended => {}
        }
    }
}

impl Body {
    fn take<'a>(&mut self, input: &'a [u8]) -> (usize, Event<'a>) {
        let Segment { at, len } = self.now;
        let bytes = input.get(..clamp(len, input.len())).unwrap_or_default();
        let taken = bytes.len() as u64;
        self.now = Segment { at: at.saturating_add(taken), len: len.saturating_sub(taken) };
        (bytes.len(), if bytes.is_empty() { Event::None } else { Event::Data { at, bytes } })
    }
}

fn id(name: &str, value: u64) -> Result<u32, String> {
    // The last one means "leave it" to chown(2).
    u32::try_from(value)
        .ok()
        .filter(|id| *id != u32::MAX)
        .ok_or_else(|| format!("{name} {value} is out of range"))
}

fn clamp(wanted: u64, there: usize) -> usize {
    usize::try_from(wanted).map_or(there, |wanted| wanted.min(there))
}

fn padded(size: u64) -> u64 {
    size.checked_next_multiple_of(BLOCK as u64).unwrap_or(u64::MAX)
}

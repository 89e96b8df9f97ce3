//! Looks a directory up in an EROFS file that [`super::Image`] wrote: a layer whose archive leaves
//! parents out takes them from the layers below.

use alloc::vec;
use alloc::vec::Vec;

use super::inode::{COMPACT, EXTENDED};
use super::place::SLOT;
use super::{BLOCK, superblock, xattr};
use crate::image::Error;
use crate::image::layer::Meta;
use crate::image::tar::Time;

/// What a layer has at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    Directory(Meta),
    /// It hides what the layers below have there.
    Hidden,
    /// Nothing: the layers below count.
    Absent,
}

/// Walks from the root. `read` fills a buffer from an offset of the file.
pub fn lookup<F, E>(names: &[&[u8]], read: &mut F) -> Result<Lookup, E>
where
    F: FnMut(u64, &mut [u8]) -> Result<(), E>,
    E: From<Error>,
{
    let mut reader = Reader::open(read)?;
    let mut here = reader.inode(reader.root)?;
    let mut hides = false;
    for name in names {
        hides |= here.meta.is_opaque();
        match reader.child(&here, name)? {
            Some(nid) => here = reader.inode(nid)?,
            None if hides => return Ok(Lookup::Hidden),
            None => return Ok(Lookup::Absent),
        }
        if !here.is_directory {
            return Ok(Lookup::Hidden);
        }
    }
    Ok(Lookup::Directory(here.meta))
}

struct Reader<'a, F> {
    read: &'a mut F,
    root: u64,
    time: Time,
}

struct Found {
    is_directory: bool,
    meta: Meta,
    size: u64,
    /// Where whole blocks of the contents begin, and where the end of them is.
    start: u64,
    is_inline: bool,
    tail: u64,
}

impl<'a, F, E> Reader<'a, F>
where
    F: FnMut(u64, &mut [u8]) -> Result<(), E>,
    E: From<Error>,
{
    fn open(read: &'a mut F) -> Result<Self, E> {
        let mut block = [0; 128];
        read(superblock::OFFSET as u64, &mut block)?;
        let field = Fields(&block);
        if field.u32(0)? != superblock::MAGIC {
            return Err(damaged().into());
        }
        let time = Time { seconds: field.u64(24)?.cast_signed(), nanoseconds: field.u32(32)? };
        Ok(Self { root: field.u16(14)?.into(), read, time })
    }

    fn bytes(&mut self, offset: u64, len: u64) -> Result<Vec<u8>, E> {
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        (self.read)(offset, &mut bytes)?;
        Ok(bytes)
    }

    fn inode(&mut self, nid: u64) -> Result<Found, E> {
        let offset = nid.saturating_mul(SLOT);
        let short = self.bytes(offset, COMPACT)?;
        let format = Fields(&short).u16(0)?;
        let is_extended = format & 1 == 1;
        let bytes = if is_extended { self.bytes(offset, EXTENDED)? } else { short };
        let field = Fields(&bytes);
        let mode = field.u16(4)?;
        let xattrs = xattr::len(field.u16(2)?);
        let (size, address, uid, gid, time) = if is_extended {
            let time = Time { seconds: field.u64(32)?.cast_signed(), nanoseconds: field.u32(40)? };
            (field.u64(8)?, field.u32(16)?, field.u32(24)?, field.u32(28)?, time)
        } else {
            (field.u32(8)?.into(), field.u32(16)?, field.u16(24)?.into(), field.u16(26)?.into(), self.time)
        };
        let after = offset + bytes.len() as u64;
        let xattr_bytes = self.bytes(after, xattrs)?;
        let xattrs_read = xattr::decode(&xattr_bytes).ok_or_else(damaged)?;
        Ok(Found {
            is_directory: mode & 0o170_000 == 0o040_000,
            meta: Meta { mode: mode & 0o7777, uid, gid, mtime: time, xattrs: xattrs_read },
            size,
            start: u64::from(address) * BLOCK,
            is_inline: format >> 1 == 2,
            tail: after + xattrs,
        })
    }

    fn child(&mut self, directory: &Found, name: &[u8]) -> Result<Option<u64>, E> {
        let mut done = 0;
        while done < directory.size {
            let len = (directory.size - done).min(BLOCK);
            let is_tail = directory.is_inline && len < BLOCK;
            let block = self.bytes(if is_tail { directory.tail } else { directory.start + done }, len)?;
            if let Some(nid) = find(&block, name).ok_or_else(damaged)? {
                return Ok(Some(nid));
            }
            done += len;
        }
        Ok(None)
    }
}

/// Searches one block of a directory. The outer `None`: it is damaged.
fn find(block: &[u8], name: &[u8]) -> Option<Option<u64>> {
    let field = Fields(block);
    let count = usize::from(field.u16(8).ok()?) / 12;
    for entry in 0..count {
        let at = entry * 12;
        let start = usize::from(field.u16(at + 8).ok()?);
        let end = if entry + 1 < count { usize::from(field.u16(at + 20).ok()?) } else { block.len() };
        let found = block.get(start..end)?.split(|byte| *byte == 0).next()?;
        if found == name {
            return Some(field.u64(at).ok());
        }
    }
    Some(None)
}

fn damaged() -> Error {
    Error::new("cached layer", "damaged: remove the cache")
}

/// Little-endian numbers at places.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], Error> {
        self.0.get(at..).and_then(|rest| rest.first_chunk()).copied().ok_or_else(damaged)
    }

    fn u16(&self, at: usize) -> Result<u16, Error> {
        self.array(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> Result<u32, Error> {
        self.array(at).map(u32::from_le_bytes)
    }

    fn u64(&self, at: usize) -> Result<u64, Error> {
        self.array(at).map(u64::from_le_bytes)
    }
}

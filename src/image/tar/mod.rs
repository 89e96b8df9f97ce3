//! A tar stream, read as it comes by: ustar, pax, GNU long names, and every sparse format of GNU
//! tar. Nothing is unpacked and nothing but names and maps is held.
//!
//! Refuses, by name, what two readers could read differently (a damaged header, a lone block of
//! zeros, global headers that rename things, entries of unknown type) and what has no bound.
//! Names are passed on as they are; what they mean is for [`super::layer`] to judge.

mod header;
mod overrides;
mod pax;
mod reader;
mod sparse;
mod write;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

pub use reader::{Event, Reader};
pub use write::{END, header, padding};

/// One member of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As written: may be absolute, or lead upwards.
    pub path: Vec<u8>,
    pub kind: Kind,
    /// The twelve permission bits.
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Time,
    /// Whole names: `security.capability`.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Its bytes follow as [`Event::Data`]; `size` counts the holes too.
    File {
        size: u64,
    },
    Directory,
    Symlink(Vec<u8>),
    /// Another name for an entry of this archive.
    HardLink(Vec<u8>),
    Char {
        major: u32,
        minor: u32,
    },
    Block {
        major: u32,
        minor: u32,
    },
    Fifo,
}

/// Since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time {
    pub seconds: i64,
    pub nanoseconds: u32,
}

#[cfg(test)]
pub(in crate::image) mod tests;

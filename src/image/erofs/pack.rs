//! Compressed contents: which files are tried, how they are cut, and which of them stay compressed.
//!
//! A file is cut into segments, each compressed on its own: several cores can work side by side, none
//! needs more than a segment in memory, and the bytes do not depend on how many there are. A segment
//! becomes extents: four blocks filled with LZ4, or blocks stored as they are where that spares nothing.
//! A file that shrinks too little is stored plain as a whole.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::chunk::Chunks;
use super::index;
use super::lz4::Encoder;
use super::write::{Out, file};
use super::{BLOCK, Piece};
use crate::image::Error;
use crate::image::layer::{BLOCK as BLOCK_SIZE, Content, Data, NodeId, Tree};

/// Large beside an extent, whose last blocks are not full, and small in memory.
const SEGMENT: u64 = 4 << 20;

/// Blocks of a compressed extent. A page that is read costs one extent: more blocks compress better (8:
/// 4 %, 16: 7 %), fewer are quicker to read at random (1: 9 % larger).
pub(super) const EXTENT_BLOCKS: u16 = 4;

/// What an extent may become unpacked, so that one page out of a long run is not dear either.
const EXTENT: usize = 256 << 10;

/// The index of a file of this size has 8 MiB, and is put together in memory.
const MAX_FILE: u64 = 4 << 30;

/// A stretch of a file that is to be compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    node: NodeId,
    at: u64,
    /// Bytes, 4 MiB at most.
    pub len: usize,
    is_last: bool,
}

/// A segment's extents, and their blocks one behind another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compressed {
    pub(super) extents: Vec<Extent>,
    pub blocks: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Bytes of the file.
    pub(super) len: u32,
    pub(super) stored: Stored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// This many blocks of LZ4.
    Lz4(u16),
    /// A block for each 4096 bytes.
    Plain,
}

/// What is compressed of a layer, and where the caller has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Packed {
    files: BTreeMap<NodeId, PackedFile>,
    /// The file whose segments are coming.
    open: PackedFile,
    len: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PackedFile {
    pub(super) extents: Vec<Extent>,
    /// Where its blocks begin, and how many there are.
    pub(super) from: u64,
    pub(super) blocks: u64,
}

/// The segments of all files that are worth a try. A file that is mostly holes is not: it gets chunks.
pub fn segments(tree: &Tree) -> Vec<Segment> {
    let mut segments = Vec::new();
    for node in tree.walk() {
        let Some(data) = data(tree, node).filter(|data| is_worth_a_try(data)) else {
            continue;
        };
        let mut at = 0;
        while at < data.size {
            let len = (data.size - at).min(SEGMENT);
            let is_last = at + len == data.size;
            segments.push(Segment { node, at, len: usize::try_from(len).unwrap_or(0), is_last });
            at += len;
        }
    }
    segments
}

fn data(tree: &Tree, node: NodeId) -> Option<&Data> {
    match &tree.node(node)?.content {
        Content::File(data) => Some(data),
        Content::Directory(_)
        | Content::Symlink(_)
        | Content::Char { .. }
        | Content::Block { .. }
        | Content::Fifo => None,
    }
}

fn is_worth_a_try(data: &Data) -> bool {
    let stored: u64 = data.extents.iter().map(|extent| extent.len).sum();
    data.size > BLOCK && data.size <= MAX_FILE && stored >= data.size / 2
}

impl Segment {
    /// Hands its bytes to `write`, in order.
    pub fn read<F, E>(&self, tree: &Tree, write: &mut F) -> Result<(), E>
    where
        F: FnMut(Piece<'_>) -> Result<(), E>,
        E: From<Error>,
    {
        let Some(data) = data(tree, self.node) else {
            return Ok(());
        };
        file(data, self.at, self.at + self.len as u64, &mut Out { at: 0, write })
    }
}

/// Compresses the bytes of one segment.
pub fn compress(bytes: &[u8]) -> Compressed {
    let room = usize::from(EXTENT_BLOCKS) * BLOCK_SIZE;
    let (mut encoder, mut at) = (Encoder::new(bytes), 0);
    let mut done = Compressed { extents: Vec::new(), blocks: Vec::new() };
    while at < bytes.len() {
        let block = encoder.block(at, bytes.len().min(at + EXTENT), room);
        let blocks = block.bytes.len().div_ceil(BLOCK_SIZE);
        at += if blocks * BLOCK_SIZE < block.len {
            done.lz4(&block.bytes, blocks, block.len)
        } else {
            let len = plain_len(at, block.len, bytes.len());
            done.plain(bytes.get(at..at + len).unwrap_or_default())
        };
    }
    done
}

/// How much is stored plain of what became no smaller as a block: in whole blocks, as it would not fit
/// better further on. An end that lies in another block of the file than it began in is left to itself,
/// since readers take a plain block before the end of a file for one that goes on to the end of its
/// block, and refuse it as too long.
fn plain_len(at: usize, len: usize, end: usize) -> usize {
    let whole = at + len.next_multiple_of(BLOCK_SIZE);
    if whole < end {
        return whole - at;
    }
    let (within, last) = (at % BLOCK_SIZE, (end - at - 1) % BLOCK_SIZE + 1);
    if within + last > BLOCK_SIZE { end - end % BLOCK_SIZE - at } else { end - at }
}

impl Compressed {
    /// The zeros come first: the decoder is to find its end at the end of the last block.
    fn lz4(&mut self, bytes: &[u8], blocks: usize, len: usize) -> usize {
        self.blocks.resize(self.blocks.len() + blocks * BLOCK_SIZE - bytes.len(), 0);
        self.blocks.extend_from_slice(bytes);
        self.extent(len, Stored::Lz4(u16::try_from(blocks).unwrap_or(EXTENT_BLOCKS)))
    }

    fn plain(&mut self, bytes: &[u8]) -> usize {
        self.blocks.extend_from_slice(bytes);
        self.blocks.resize(self.blocks.len().next_multiple_of(BLOCK_SIZE), 0);
        self.extent(bytes.len(), Stored::Plain)
    }

    fn extent(&mut self, len: usize, stored: Stored) -> usize {
        self.extents.push(Extent { len: u32::try_from(len).unwrap_or(u32::MAX), stored });
        len
    }
}

impl Packed {
    /// Takes the segments in their order. Returns where the caller has to keep the blocks, to find them
    /// there for [`Piece::Packed`]; what was there may be overwritten.
    pub fn add(&mut self, tree: &Tree, segment: &Segment, compressed: &Compressed) -> u64 {
        let from = self.len;
        self.len += compressed.blocks.len() as u64;
        self.open.blocks += compressed.blocks.len() as u64 / BLOCK;
        self.open.extents.extend_from_slice(&compressed.extents);
        if segment.is_last {
            let next = PackedFile { from: self.len, ..PackedFile::default() };
            let file = core::mem::replace(&mut self.open, next);
            if data(tree, segment.node).is_some_and(|data| file.is_worth_it(data)) {
                self.files.insert(segment.node, file);
            } else {
                (self.len, self.open.from) = (file.from, file.from);
            }
        }
        from
    }

    pub(super) fn file(&self, node: NodeId) -> Option<&PackedFile> {
        self.files.get(&node)
    }
}

impl PackedFile {
    /// Reading costs more, so a sixteenth must be spared.
    fn is_worth_it(&self, data: &Data) -> bool {
        let plain = Chunks::worth_it(data)
            .map_or(data.size, |chunks| chunks.table(data) + chunks.stored(data) * BLOCK);
        self.blocks * BLOCK + index::len(data.size) + plain / 16 <= plain
    }
}

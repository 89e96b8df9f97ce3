//! One inode: 32 bytes when all fits, else 64.

use alloc::vec::Vec;

use super::chunk::Chunks;
use crate::image::layer::{Content, Node, NodeId};
use crate::image::tar::Time;

pub(super) const COMPACT: u64 = 32;
pub(super) const EXTENDED: u64 = 64;

/// An address where there is no block.
const NO_BLOCK: u32 = u32::MAX;

/// Where the contents lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// All in blocks.
    Plain,
    /// The end, less than a block, behind the inode.
    Inline {
        tail: u64,
    },
    Chunks(Chunks),
    /// In extents of LZ4, with an index behind the inode.
    Compressed,
}

#[derive(Debug)]
pub(super) struct Inode {
    pub(super) node: NodeId,
    /// i_size.
    pub(super) size: u64,
    pub(super) is_extended: bool,
    /// Bytes of xattrs behind the inode.
    pub(super) xattrs: usize,
    pub(super) layout: Layout,
    /// In the image.
    pub(super) offset: u64,
    /// The first block of the contents, and how many there are.
    pub(super) start: u32,
    pub(super) blocks: u64,
}

impl Inode {
    pub(super) fn head(&self) -> u64 {
        if self.is_extended { EXTENDED } else { COMPACT }
    }

    /// The inode without what follows it.
    pub(super) fn encode(&self, node: &Node, number: u32) -> Vec<u8> {
        let layout: u16 = match self.layout {
            Layout::Plain => 0,
            Layout::Compressed => 1,
            Layout::Inline { .. } => 2,
            Layout::Chunks(_) => 4,
        };
        let mut bytes = Vec::with_capacity(EXTENDED as usize);
        bytes.extend((layout << 1 | u16::from(self.is_extended)).to_le_bytes());
        bytes.extend(super::xattr::count(self.xattrs).to_le_bytes());
        bytes.extend((file_type(&node.content) | node.meta.mode).to_le_bytes());
        if self.is_extended {
            bytes.extend([0; 2]);
            bytes.extend(self.size.to_le_bytes());
            bytes.extend(self.address(&node.content).to_le_bytes());
            bytes.extend(number.to_le_bytes());
            bytes.extend(node.meta.uid.to_le_bytes());
            bytes.extend(node.meta.gid.to_le_bytes());
            bytes.extend(node.meta.mtime.seconds.to_le_bytes());
            bytes.extend(node.meta.mtime.nanoseconds.to_le_bytes());
            bytes.extend(node.links.to_le_bytes());
        } else {
            let low = |value: u32| u16::try_from(value).unwrap_or(u16::MAX).to_le_bytes();
            bytes.extend(low(node.links));
            bytes.extend(u32::try_from(self.size).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend([0; 4]);
            bytes.extend(self.address(&node.content).to_le_bytes());
            bytes.extend(number.to_le_bytes());
            bytes.extend(low(node.meta.uid));
            bytes.extend(low(node.meta.gid));
        }
        bytes.resize(self.head() as usize, 0);
        bytes
    }

    /// i_u: what it is depends on the kind of file and on the layout.
    fn address(&self, content: &Content) -> u32 {
        match (content, self.layout) {
            (Content::Char { major, minor } | Content::Block { major, minor }, _) => device(*major, *minor),
            (Content::Fifo, _) => 0,
            (_, Layout::Chunks(chunks)) => chunks.bits,
            (_, Layout::Compressed) => u32::try_from(self.blocks).unwrap_or(u32::MAX),
            (_, Layout::Plain | Layout::Inline { .. }) if self.blocks == 0 => NO_BLOCK,
            (_, Layout::Plain | Layout::Inline { .. }) => self.start,
        }
    }
}

/// Does the short form say all about the node? It has no time of its own: it has the image's.
pub(super) fn fits_compact(node: &Node, size: u64, time: Time) -> bool {
    let is_small = |value: u32| value <= u32::from(u16::MAX);
    let meta = &node.meta;
    meta.mtime == time
        && is_small(meta.uid)
        && is_small(meta.gid)
        && is_small(node.links)
        && size <= u64::from(u32::MAX)
}

/// S_IF*.
fn file_type(content: &Content) -> u16 {
    match content {
        Content::Fifo => 0o010_000,
        Content::Char { .. } => 0o020_000,
        Content::Directory(_) => 0o040_000,
        Content::Block { .. } => 0o060_000,
        Content::File(_) => 0o100_000,
        Content::Symlink(_) => 0o120_000,
    }
}

/// new_encode_dev() of Linux: 12 bits of major, 20 of minor.
fn device(major: u32, minor: u32) -> u32 {
    minor & 0xff | major << 8 | (minor & !0xff) << 12
}

#[cfg(test)]
mod tests {
    use super::device;

    #[test]
    fn encodes_devices_as_the_kernel_does() {
        assert_eq!(device(1, 3), 0x103);
        assert_eq!(device(8, 0x12345), 0x1230_0845);
        assert_eq!(device(0, 0), 0);
    }
}

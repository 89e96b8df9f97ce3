//! The planned image as bytes, from the first to the last, in pieces.

use alloc::vec::Vec;

use super::chunk::{Chunks, HOLE};
use super::directory::{Fill, block};
use super::inode::{Inode, Layout};
use super::pack::PackedFile;
use super::superblock::{CHUNKED_FILE, COMPRESSED, Superblock};
use super::{BLOCK, Image, index, xattr};
use crate::image::Error;
use crate::image::layer::{Content, Data, Node, Tree};

/// The next bytes of the image.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    Bytes(&'a [u8]),
    Zeros(u64),
    /// From the spool that the layer's contents went to.
    Spool {
        from: u64,
        len: u64,
    },
    /// From where the blocks of [`super::Packed`] are.
    Packed {
        from: u64,
        len: u64,
    },
}

/// Counts what goes out, so that nothing can land beside its place unseen.
pub(super) struct Out<'f, F> {
    pub(super) at: u64,
    pub(super) write: &'f mut F,
}

impl Image<'_> {
    /// Hands all pieces to `write`, in order.
    pub fn write<F, E>(&self, write: &mut F) -> Result<(), E>
    where
        F: FnMut(Piece<'_>) -> Result<(), E>,
        E: From<Error>,
    {
        let mut out = Out { at: 0, write };
        out.bytes(&self.superblock().encode())?;
        let mut by_offset: Vec<_> = (1_u32..).zip(&self.inodes).collect();
        by_offset.sort_unstable_by_key(|(_, inode)| inode.offset);
        for (number, inode) in by_offset {
            let Some(node) = self.tree.node(inode.node) else {
                continue;
            };
            out.zeros_to(inode.offset)?;
            out.bytes(&inode.encode(node, number))?;
            out.bytes(&xattr::encode(&node.meta.xattrs))?;
            self.behind(inode, node, &mut out)?;
        }
        for inode in self.inodes.iter().filter(|inode| inode.blocks > 0) {
            let Some(node) = self.tree.node(inode.node) else {
                continue;
            };
            out.zeros_to(u64::from(inode.start) * BLOCK)?;
            self.blocks(inode, node, &mut out)?;
        }
        out.zeros_to(self.size())
    }

    fn superblock(&self) -> Superblock {
        let features = self.inodes.iter().map(|inode| match inode.layout {
            Layout::Plain | Layout::Inline { .. } => 0,
            Layout::Chunks(_) => CHUNKED_FILE,
            Layout::Compressed => COMPRESSED,
        });
        Superblock {
            // The root is placed first, at the beginning of the second block.
            root: u16::try_from(self.nid(Tree::ROOT)).unwrap_or(0),
            inodes: self.inodes.len() as u64,
            time: self.time,
            blocks: self.blocks,
            uuid: self.uuid,
            incompatible: features.fold(0, |all, feature| all | feature),
        }
    }

    /// What follows an inode and its xattrs.
    fn behind<F, E>(&self, inode: &Inode, node: &Node, out: &mut Out<'_, F>) -> Result<(), E>
    where
        F: FnMut(Piece<'_>) -> Result<(), E>,
        E: From<Error>,
    {
        match (inode.layout, &node.content) {
            (Layout::Inline { tail }, _) => self.contents(inode, node, inode.size - tail, inode.size, out),
            (Layout::Chunks(chunks), Content::File(data)) => out.bytes(&table(chunks, data, inode.start)),
            (Layout::Compressed, _) => {
                out.zeros_to(out.at + index::padding(inode.before()))?;
                self.packed_file(inode)
                    .map_or(Ok(()), |file| out.bytes(&index::encode(file, inode.size, inode.start)))
            }
            (Layout::Plain | Layout::Chunks(_), _) => Ok(()),
        }
    }

    fn packed_file(&self, inode: &Inode) -> Option<&PackedFile> {
        self.packed.file(inode.node)
    }

    fn blocks<F, E>(&self, inode: &Inode, node: &Node, out: &mut Out<'_, F>) -> Result<(), E>
    where
        F: FnMut(Piece<'_>) -> Result<(), E>,
        E: From<Error>,
    {
        match (inode.layout, &node.content) {
            (Layout::Chunks(chunks), Content::File(data)) => {
                chunks.runs(data).try_for_each(|(first, last)| {
                    file(data, first * chunks.len(), (chunks.end(data, last) * BLOCK).min(data.size), out)?;
                    out.zeros_to(out.at.next_multiple_of(BLOCK))
                })
            }
            (Layout::Compressed, _) => {
                self.packed_file(inode).map_or(Ok(()), |file| out.packed(file.from, file.blocks * BLOCK))
            }
            (Layout::Plain | Layout::Inline { .. } | Layout::Chunks(_), _) => {
                self.contents(inode, node, 0, (inode.blocks * BLOCK).min(inode.size), out)
            }
        }
    }

    /// Bytes of the contents, from one offset to another.
    fn contents<F, E>(
        &self,
        inode: &Inode,
        node: &Node,
        from: u64,
        to: u64,
        out: &mut Out<'_, F>,
    ) -> Result<(), E>
    where
        F: FnMut(Piece<'_>) -> Result<(), E>,
        E: From<Error>,
    {
        match &node.content {
            Content::File(data) => file(data, from, to, out),
            Content::Symlink(target) => out.bytes(target),
            Content::Directory(_) => self.directory(inode, from / BLOCK, to, out),
            Content::Char { .. } | Content::Block { .. } | Content::Fifo => Ok(()),
        }
    }

    /// Blocks of a directory, from the numbered one up to an offset.
    fn directory<F, E>(&self, inode: &Inode, first: u64, to: u64, out: &mut Out<'_, F>) -> Result<(), E>
    where
        F: FnMut(Piece<'_>) -> Result<(), E>,
        E: From<Error>,
    {
        let names = self.names(inode.node);
        let mut rest = names.as_slice();
        for (number, count) in (0_u64..).zip(Fill::of(&names).counts) {
            let (these, others) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            rest = others;
            if number < first || number * BLOCK >= to {
                continue;
            }
            let start = out.at;
            out.bytes(&block(self.tree, these, |id| self.nid(id)))?;
            if (number + 1) * BLOCK <= to {
                out.zeros_to(start + BLOCK)?;
            }
        }
        Ok(())
    }
}

/// Bytes of a file, holes as zeros.
pub(super) fn file<F, E>(data: &Data, from: u64, to: u64, out: &mut Out<'_, F>) -> Result<(), E>
where
    F: FnMut(Piece<'_>) -> Result<(), E>,
    E: From<Error>,
{
    let end = out.at + (to - from);
    let begin = out.at;
    let first = data.extents.partition_point(|extent| extent.at + extent.len <= from);
    for extent in data.extents.iter().skip(first).take_while(|extent| extent.at < to) {
        let (start, stop) = (extent.at.max(from), (extent.at + extent.len).min(to));
        out.zeros_to(begin + (start - from))?;
        out.spool(extent.from + (start - extent.at), stop - start)?;
    }
    out.zeros_to(end)
}

/// The addresses of a file's chunks, the stored ones one behind another.
fn table(chunks: Chunks, data: &Data, start: u32) -> Vec<u8> {
    let mut table = Vec::new();
    let (mut next, mut chunk) = (start, 0);
    for (first, last) in chunks.runs(data) {
        while chunk < first {
            table.extend(HOLE.to_le_bytes());
            chunk += 1;
        }
        while chunk <= last {
            table.extend(next.to_le_bytes());
            // Only the last chunk of a file is shorter, and nothing follows it.
            next = next.saturating_add(1 << chunks.bits);
            chunk += 1;
        }
    }
    table.resize(chunks.table(data) as usize, 0xff);
    table
}

impl<F, E> Out<'_, F>
where
    F: FnMut(Piece<'_>) -> Result<(), E>,
    E: From<Error>,
{
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), E> {
        self.at += bytes.len() as u64;
        if bytes.is_empty() { Ok(()) } else { (self.write)(Piece::Bytes(bytes)) }
    }

    fn spool(&mut self, from: u64, len: u64) -> Result<(), E> {
        self.at += len;
        (self.write)(Piece::Spool { from, len })
    }

    fn packed(&mut self, from: u64, len: u64) -> Result<(), E> {
        self.at += len;
        (self.write)(Piece::Packed { from, len })
    }

    fn zeros_to(&mut self, offset: u64) -> Result<(), E> {
        let Some(missing) = offset.checked_sub(self.at) else {
            return Err(Error::new("layer", alloc::format!("the plan overlaps at {offset}")).into());
        };
        self.at = offset;
        if missing == 0 { Ok(()) } else { (self.write)(Piece::Zeros(missing)) }
    }
}

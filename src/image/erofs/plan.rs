//! Where everything lies, decided before the first byte is written.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::BLOCK;
use super::chunk::Chunks;
use super::directory::{Fill, names};
use super::inode::{COMPACT, EXTENDED, Inode, Layout, fits_compact};
use super::pack::Packed;
use super::place::{Placer, SLOT};
use super::{index, xattr};
use crate::image::layer::{Content, Node, NodeId, Tree};
use crate::image::tar::Time;
use crate::image::{Digest, Error};

/// A planned file system; [`Image::write`] gives its bytes.
pub struct Image<'a> {
    pub(super) tree: &'a Tree,
    pub(super) packed: &'a Packed,
    pub(super) inodes: Vec<Inode>,
    /// By node: its place in `inodes`, and the parent of a directory.
    pub(super) index: Vec<Option<usize>>,
    pub(super) parents: Vec<NodeId>,
    pub(super) time: Time,
    pub(super) blocks: u32,
    pub(super) uuid: [u8; 16],
}

impl<'a> Image<'a> {
    /// The name of the layer goes into the file system's UUID. What is not `packed` is not compressed.
    pub fn plan(tree: &'a Tree, packed: &'a Packed, diff_id: &Digest) -> Result<Self, Error> {
        let order = tree.walk();
        let time = commonest_time(tree, &order);
        let mut image = Self {
            tree,
            packed,
            inodes: Vec::with_capacity(order.len()),
            index: vec![None; tree.nodes.len()],
            parents: parents(tree, &order),
            time,
            blocks: 0,
            uuid: uuid(diff_id),
        };
        let mut placer = Placer::from_block(1);
        for id in order {
            let Some(node) = tree.node(id) else { continue };
            let mut inode = image.inode(id, node)?;
            inode.offset = placer.place(inode.before() + inode.behind(node));
            if let Some(place) = image.index.get_mut(id) {
                *place = Some(image.inodes.len());
            }
            image.inodes.push(inode);
        }
        image.blocks = image.place_blocks(placer.end())?;
        Ok(image)
    }

    /// The size of the file, bytes.
    pub fn size(&self) -> u64 {
        u64::from(self.blocks) * BLOCK
    }

    pub(super) fn nid(&self, id: NodeId) -> u64 {
        let place = self.index.get(id).copied().flatten();
        place.and_then(|place| self.inodes.get(place)).map_or(0, |inode| inode.offset / SLOT)
    }

    pub(super) fn names(&self, id: NodeId) -> Vec<super::directory::Name<'a>> {
        names(self.tree, id, self.parents.get(id).copied().unwrap_or(Tree::ROOT))
    }

    fn inode(&self, id: NodeId, node: &Node) -> Result<Inode, Error> {
        check_device(&node.content)?;
        let size = match &node.content {
            Content::Directory(_) => Fill::of(&self.names(id)).size(),
            Content::File(data) => data.size,
            Content::Symlink(target) => target.len() as u64,
            Content::Char { .. } | Content::Block { .. } | Content::Fifo => 0,
        };
        let is_extended = !fits_compact(node, size, self.time);
        let xattrs = xattr::encode(&node.meta.xattrs).len();
        let head = if is_extended { EXTENDED } else { COMPACT };
        let packed = self.packed.file(id);
        let layout = match packed {
            Some(_) => Layout::Compressed,
            None => layout(&node.content, size, head + xattrs as u64),
        };
        let blocks = match (layout, &node.content) {
            (Layout::Compressed, _) => packed.map_or(0, |packed| packed.blocks),
            (Layout::Chunks(chunks), Content::File(data)) => chunks.stored(data),
            (Layout::Inline { .. }, _) => size / BLOCK,
            (Layout::Plain | Layout::Chunks(_), _) => size.div_ceil(BLOCK),
        };
        Ok(Inode { node: id, size, is_extended, xattrs, layout, offset: 0, start: 0, blocks })
    }

    /// Contents follow the inodes, in the same order.
    fn place_blocks(&mut self, first: u64) -> Result<u32, Error> {
        let too_large =
            |_| Error::new("layer", String::from("larger than the 16 TiB that EROFS can address"));
        let mut next = u32::try_from(first).map_err(too_large)?;
        for inode in &mut self.inodes {
            inode.start = next;
            next = u32::try_from(u64::from(next) + inode.blocks).map_err(too_large)?;
        }
        Ok(next)
    }
}

impl Inode {
    /// Bytes of the inode and its xattrs.
    pub(super) fn before(&self) -> u64 {
        self.head() + self.xattrs as u64
    }

    /// Bytes behind the inode and its xattrs.
    fn behind(&self, node: &Node) -> u64 {
        match (self.layout, &node.content) {
            (Layout::Inline { tail }, _) => tail,
            (Layout::Chunks(chunks), Content::File(data)) => chunks.table(data),
            (Layout::Compressed, _) => index::padding(self.before()) + index::len(self.size),
            (Layout::Plain | Layout::Chunks(_), _) => 0,
        }
    }
}

/// The end of a file goes behind its inode when both fit into one block.
fn layout(content: &Content, size: u64, head: u64) -> Layout {
    if let Content::File(data) = content
        && let Some(chunks) = Chunks::worth_it(data)
    {
        return Layout::Chunks(chunks);
    }
    match size % BLOCK {
        0 => Layout::Plain,
        tail if head + tail <= BLOCK => Layout::Inline { tail },
        _ => Layout::Plain,
    }
}

fn check_device(content: &Content) -> Result<(), Error> {
    let (Content::Char { major, minor } | Content::Block { major, minor }) = content else {
        return Ok(());
    };
    if *major < 1 << 12 && *minor < 1 << 20 {
        return Ok(());
    }
    Err(Error::new(
        "layer",
        alloc::format!("device {major}:{minor}, beyond the 12 and 20 bits that Linux has"),
    ))
}

/// Inodes with this time can be short. Of several that are as common, the earliest.
fn commonest_time(tree: &Tree, order: &[NodeId]) -> Time {
    let mut counts: BTreeMap<Time, usize> = BTreeMap::new();
    for node in order.iter().filter_map(|id| tree.node(*id)) {
        *counts.entry(node.meta.mtime).or_default() += 1;
    }
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map_or(Time::default(), |(time, _)| time)
}

fn parents(tree: &Tree, order: &[NodeId]) -> Vec<NodeId> {
    let mut parents = vec![Tree::ROOT; tree.nodes.len()];
    for id in order {
        let Some(directory) = tree.directory(*id) else {
            continue;
        };
        for child in directory.children.values() {
            if let Some(parent) = parents.get_mut(*child) {
                *parent = *id;
            }
        }
    }
    parents
}

/// Version 8 of RFC 9562, "whatever the maker likes": the beginning of the diff-id.
fn uuid(diff_id: &Digest) -> [u8; 16] {
    let mut uuid = [0; 16];
    uuid.iter_mut().zip(diff_id.bytes()).for_each(|(to, from)| *to = *from);
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut uuid;
    *version = *version & 0x0f | 0x80;
    *variant = *variant & 0x3f | 0x80;
    uuid
}

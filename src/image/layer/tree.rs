//! The files of one layer, by number: hard links are names for one number.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use crate::image::tar::Time;

/// Overlay's mark of a directory that hides what is below it.
const OPAQUE: &[u8] = b"trusted.overlay.opaque";

/// A place in [`Tree::nodes`].
pub type NodeId = usize;

/// Finished: whiteouts are device nodes, links are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The first is the root. Some may have lost all their names.
    pub nodes: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub meta: Meta,
    pub content: Content,
    /// Names, and for a directory what Unix counts: 2 and its subdirectories.
    pub links: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Meta {
    /// The twelve permission bits.
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Time,
    /// Whole names.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Directory(Directory),
    File(Data),
    Symlink(Vec<u8>),
    Char { major: u32, minor: u32 },
    Block { major: u32, minor: u32 },
    Fifo,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    pub children: BTreeMap<Vec<u8>, NodeId>,
    /// Names that the layers below lose.
    pub(super) whiteouts: BTreeSet<Vec<u8>>,
    /// All that the layers below have here is hidden.
    pub(super) is_opaque: bool,
    /// The archive has no entry for it: what it is, the layers below say.
    pub(super) is_implied: bool,
}

/// What a file contains: these extents, and zeros elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Data {
    pub size: u64,
    /// Ascending; each begins at a block, and only the end of the file is not whole blocks.
    pub extents: Vec<Extent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// In the file.
    pub at: u64,
    pub len: u64,
    /// In the spool.
    pub from: u64,
}

impl Meta {
    /// Does overlay hide what is below this directory?
    pub fn is_opaque(&self) -> bool {
        self.xattrs.contains_key(OPAQUE)
    }
}

impl Tree {
    pub const ROOT: NodeId = 0;

    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::implied()] }
    }

    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    pub fn directory(&self, id: NodeId) -> Option<&Directory> {
        match &self.nodes.get(id)?.content {
            Content::Directory(directory) => Some(directory),
            Content::File(_)
            | Content::Symlink(_)
            | Content::Char { .. }
            | Content::Block { .. }
            | Content::Fifo => None,
        }
    }

    pub(super) fn directory_mut(&mut self, id: NodeId) -> Option<&mut Directory> {
        match &mut self.nodes.get_mut(id)?.content {
            Content::Directory(directory) => Some(directory),
            Content::File(_)
            | Content::Symlink(_)
            | Content::Char { .. }
            | Content::Block { .. }
            | Content::Fifo => None,
        }
    }

    pub(super) fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len().saturating_sub(1)
    }

    /// Every node that has a name, parents before children, each once.
    pub fn walk(&self) -> Vec<NodeId> {
        let mut seen = vec![false; self.nodes.len()];
        let (mut order, mut next) = (Vec::new(), vec![Self::ROOT]);
        while let Some(id) = next.pop() {
            match seen.get_mut(id) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            order.push(id);
            if let Some(directory) = self.directory(id) {
                next.extend(directory.children.values().rev());
            }
        }
        order
    }

    /// Turns whiteouts into what overlay knows, and counts links.
    pub(super) fn finish(&mut self) {
        let mut whiteout = None;
        for id in self.walk() {
            let Some(directory) = self.directory_mut(id) else {
                continue;
            };
            let names = core::mem::take(&mut directory.whiteouts);
            if directory.is_opaque {
                // A whiteout in a directory that overlay does not merge would be listed.
                self.make_opaque(id);
                continue;
            }
            for name in names {
                match self.directory(id).and_then(|directory| directory.children.get(&name)).copied() {
                    // Hidden below, and here again: a file covers it anyway.
                    Some(child) => {
                        self.make_opaque(child);
                        if let Some(directory) = self.directory_mut(child) {
                            directory.is_implied = false;
                        }
                    }
                    None => {
                        let node = *whiteout.get_or_insert_with(|| self.add(Node::whiteout()));
                        if let Some(directory) = self.directory_mut(id) {
                            directory.children.insert(name, node);
                        }
                    }
                }
            }
        }
        self.count_links();
    }

    /// Directories without an entry in the archive, with their names below the root.
    pub fn implied(&self) -> Vec<(NodeId, Vec<&[u8]>)> {
        let mut found = Vec::new();
        let mut next = vec![(Self::ROOT, Vec::new())];
        while let Some((id, names)) = next.pop() {
            let Some(directory) = self.directory(id) else {
                continue;
            };
            for (name, child) in &directory.children {
                if self.directory(*child).is_some() {
                    next.push((*child, names.iter().copied().chain([name.as_slice()]).collect()));
                }
            }
            if directory.is_implied {
                found.push((id, names));
            }
        }
        found
    }

    /// Gives an implied directory what it is in the layers below. Whether it hides them is for
    /// this layer to say.
    pub fn inherit(&mut self, id: NodeId, mut below: Meta) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        below.xattrs.remove(OPAQUE);
        if let Some(opaque) = node.meta.xattrs.remove(OPAQUE) {
            below.xattrs.insert(OPAQUE.to_vec(), opaque);
        }
        node.meta = below;
    }

    fn make_opaque(&mut self, id: NodeId) {
        if let Some(Node { content: Content::Directory(directory), meta, .. }) = self.nodes.get_mut(id) {
            directory.is_opaque = true;
            meta.xattrs.insert(b"trusted.overlay.opaque".to_vec(), b"y".to_vec());
        }
    }

    fn count_links(&mut self) {
        let mut links = vec![0_u32; self.nodes.len()];
        for id in self.walk() {
            let Some(directory) = self.directory(id) else {
                continue;
            };
            let directories =
                directory.children.values().filter(|child| self.directory(**child).is_some()).count();
            if let Some(count) = links.get_mut(id) {
                *count = u32::try_from(directories).unwrap_or(u32::MAX).saturating_add(2);
            }
            for child in directory.children.values().filter(|child| self.directory(**child).is_none()) {
                if let Some(count) = links.get_mut(*child) {
                    *count = count.saturating_add(1);
                }
            }
        }
        for (node, links) in self.nodes.iter_mut().zip(links) {
            node.links = links;
        }
    }
}

impl Node {
    pub(super) fn new(meta: Meta, content: Content) -> Self {
        Self { meta, content, links: 0 }
    }

    /// What a parent is that the archive does not have.
    pub(super) fn implied() -> Self {
        let directory = Directory { is_implied: true, ..Directory::default() };
        let meta = Meta { mode: 0o755, ..Meta::default() };
        Self::new(meta, Content::Directory(directory))
    }

    fn whiteout() -> Self {
        Self::new(Meta::default(), Content::Char { major: 0, minor: 0 })
    }
}

//! A directory's contents: blocks that each hold entries of 12 bytes, then their names, all
//! sorted by the names' bytes (the kernel searches them by halves).

use alloc::vec::Vec;

use super::BLOCK;
use crate::image::layer::{Content, NodeId, Tree};

const ENTRY: u64 = 12;

/// A name and what it stands for; `.` and `..` among them.
pub(super) type Name<'a> = (&'a [u8], NodeId);

/// All names of a directory, sorted.
pub(super) fn names(tree: &Tree, id: NodeId, parent: NodeId) -> Vec<Name<'_>> {
    let mut names: Vec<Name<'_>> = Vec::from([(&b"."[..], id), (&b".."[..], parent)]);
    if let Some(directory) = tree.directory(id) {
        names.extend(directory.children.iter().map(|(name, child)| (name.as_slice(), *child)));
    }
    names.sort_unstable();
    names
}

/// How the names fall into blocks: the count of each block, and the bytes used of the last one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fill {
    pub(super) counts: Vec<usize>,
    pub(super) last: u64,
}

impl Fill {
    pub(super) fn of(names: &[Name<'_>]) -> Self {
        let (mut counts, mut count, mut used) = (Vec::new(), 0, 0);
        for (name, _) in names {
            let len = ENTRY + name.len() as u64;
            if used + len > BLOCK {
                counts.push(count);
                (count, used) = (0, 0);
            }
            count += 1;
            used += len;
        }
        counts.push(count);
        Self { counts, last: used }
    }

    /// i_size.
    pub(super) fn size(&self) -> u64 {
        (self.counts.len() as u64).saturating_sub(1) * BLOCK + self.last
    }
}

/// One block's bytes, without the zeros at its end. `nid` numbers the inodes.
pub(super) fn block(tree: &Tree, names: &[Name<'_>], nid: impl Fn(NodeId) -> u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut name_at = names.len() as u64 * ENTRY;
    for (name, id) in names {
        bytes.extend(nid(*id).to_le_bytes());
        bytes.extend(u16::try_from(name_at).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend([tree.node(*id).map_or(0, |node| file_type(&node.content)), 0]);
        name_at += name.len() as u64;
    }
    names.iter().for_each(|(name, _)| bytes.extend_from_slice(name));
    bytes
}

/// EROFS_FT_*, which are those of every file system.
fn file_type(content: &Content) -> u8 {
    match content {
        Content::File(_) => 1,
        Content::Directory(_) => 2,
        Content::Char { .. } => 3,
        Content::Block { .. } => 4,
        Content::Fifo => 5,
        Content::Symlink(_) => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begins_a_block_when_a_name_does_not_fit() {
        let long = [b'x'; 255];
        let names: Vec<Name<'_>> = (0..16).map(|id| (&long[..], id)).collect();
        assert_eq!(Fill::of(&names), Fill { counts: vec![15, 1], last: 267 });
        assert_eq!(Fill::of(&names).size(), 4096 + 267);
        assert_eq!(Fill::of(&names[..15]).size(), 15 * 267);
    }
}

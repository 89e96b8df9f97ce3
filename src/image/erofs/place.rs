//! Where the inodes lie: each within one block with what follows it, in the fullest block that
//! has room.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::BLOCK;

/// Inodes are numbered in steps of 32 bytes.
pub(super) const SLOT: u64 = 32;

#[derive(Debug)]
pub(super) struct Placer {
    /// Blocks from the start of the image.
    blocks: u64,
    /// Free bytes at the end of a block → such blocks.
    free: BTreeMap<u64, Vec<u64>>,
}

impl Placer {
    pub(super) fn from_block(first: u64) -> Self {
        Self { blocks: first, free: BTreeMap::new() }
    }

    /// The offset of `len` bytes. What is longer than a block begins one.
    pub(super) fn place(&mut self, len: u64) -> u64 {
        let len = len.next_multiple_of(SLOT);
        if let Some((block, free)) = self.fullest_with(len) {
            self.keep(block, free - len);
            return (block + 1) * BLOCK - free;
        }
        let block = self.blocks;
        self.blocks += len.div_ceil(BLOCK);
        self.keep(self.blocks - 1, (self.blocks - block) * BLOCK - len);
        block * BLOCK
    }

    /// The first block after all that was placed.
    pub(super) fn end(&self) -> u64 {
        self.blocks
    }

    fn fullest_with(&mut self, len: u64) -> Option<(u64, u64)> {
        let (free, blocks) = self.free.range_mut(len..).next()?;
        let (free, block) = (*free, blocks.pop()?);
        if blocks.is_empty() {
            self.free.remove(&free);
        }
        Some((block, free))
    }

    fn keep(&mut self, block: u64, free: u64) {
        if free > 0 {
            self.free.entry(free).or_default().push(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_the_fullest_block_and_crosses_none() {
        let mut placer = Placer::from_block(1);
        let mut check = |len: u64, expected: u64| assert_eq!(placer.place(len), expected, "{len}");
        check(4000, 4096);
        check(100, 8192);
        check(96, 4096 + 4000);
        check(32, 8192 + 128);
        check(5000, 3 * 4096);
        check(4096, 5 * 4096);
        check(3000, 4 * 4096 + 928);
        assert_eq!(placer.end(), 6);
    }
}

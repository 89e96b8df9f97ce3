//! Files with holes: pieces of one size, a table of their addresses, none for a hole.

use super::BLOCK;
use crate::image::layer::{Data, Extent};

/// A table costs the kernel a look-up at each read, so it must spare this much.
const WORTH_IT: u64 = 64 << 10;

/// 2 GiB: with these, the largest file that is taken has a table of two blocks.
const MAX_BITS: u32 = 19;

/// EROFS_NULL_ADDR.
pub(super) const HOLE: u32 = u32::MAX;

/// A table's entry is a block address.
pub(super) const ENTRY: u64 = 4;

/// Chunks of `BLOCK << bits` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunks {
    pub(super) bits: u32,
}

impl Chunks {
    /// The size of chunk that costs least, when it is much less than all blocks of the file.
    pub(super) fn worth_it(data: &Data) -> Option<Self> {
        let stored: u64 = data.extents.iter().map(|extent| extent.len).sum();
        if data.size.saturating_sub(stored) < WORTH_IT {
            return None;
        }
        let cost = |chunks: &Self| chunks.table(data) + chunks.stored(data) * BLOCK;
        let best = (0..=MAX_BITS).map(|bits| Self { bits }).min_by_key(cost)?;
        (cost(&best) + WORTH_IT <= data.size).then_some(best)
    }

    pub(super) fn len(self) -> u64 {
        BLOCK << self.bits
    }

    /// Bytes of the table.
    pub(super) fn table(self, data: &Data) -> u64 {
        data.size.div_ceil(self.len()) * ENTRY
    }

    /// Blocks that are stored.
    pub(super) fn stored(self, data: &Data) -> u64 {
        self.runs(data).map(|(first, last)| self.end(data, last) - first * self.len() / BLOCK).sum()
    }

    /// The block of the file behind a chunk: the last one ends with the file.
    pub(super) fn end(self, data: &Data, chunk: u64) -> u64 {
        ((chunk + 1) * self.len()).min(data.size).div_ceil(BLOCK)
    }

    /// Chunks that hold something, as runs from first to last, ascending.
    pub(super) fn runs(self, data: &Data) -> impl Iterator<Item = (u64, u64)> {
        let mut free = 0;
        data.extents.iter().filter_map(move |Extent { at, len, .. }| {
            let (first, last) = (free.max(at / self.len()), (at + len).saturating_sub(1) / self.len());
            (*len > 0 && first <= last).then(|| {
                free = last + 1;
                (first, last)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(size: u64, extents: &[(u64, u64)]) -> Data {
        let extents = extents.iter().map(|(at, len)| Extent { at: *at, len: *len, from: 0 }).collect();
        Data { size, extents }
    }

    #[test]
    fn picks_chunks_only_where_they_spare_much() {
        fn check(size: u64, extents: &[(u64, u64)], expected: Option<u32>) {
            assert_eq!(Chunks::worth_it(&data(size, extents)).map(|chunks| chunks.bits), expected, "{size}");
        }
        check(100, &[(0, 100)], None);
        check(1 << 30, &[(0, 1 << 30)], None);
        check(64 << 10, &[], None);
        check(128 << 10, &[], Some(5));
        check(9 << 30, &[(8 << 30, 4096)], Some(6));
        check(1 << 44, &[], Some(19));
    }

    #[test]
    fn stores_touched_chunks_once_and_ends_with_the_file() {
        let chunks = Chunks { bits: 1 };
        let data = data(8192 * 5 + 1, &[(0, 4096), (4096, 4096), (8192 * 3 + 4096, 4096 * 3 + 1)]);
        assert_eq!(chunks.runs(&data).collect::<Vec<_>>(), [(0, 0), (3, 5)]);
        assert_eq!((chunks.table(&data), chunks.stored(&data)), (24, 2 + 4 + 1));
    }
}

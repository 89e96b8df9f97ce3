//! The index of a compressed file, behind its inode: for each block of the file, how the extent that
//! begins in it is stored and where, or how far away the extents around it begin. Always the full form, of
//! eight bytes each: a fifth of a percent, and any place is found with one look.

use alloc::vec::Vec;

use super::BLOCK;
use super::pack::{Extent, PackedFile, Stored};

/// z_erofs_map_header, and eight bytes that nobody uses, before the entries.
const HEADER: u64 = 16;
const ENTRY: u64 = 8;

/// Z_EROFS_ADVISE_BIG_PCLUSTER_1: extents say how many blocks they have.
const ADVISE: u16 = 2;

/// Z_EROFS_LCLUSTER_TYPE_*.
const PLAIN: u16 = 0;
const HEAD: u16 = 1;
const FOLLOWS: u16 = 2;

/// Z_EROFS_LI_D0_CBLKCNT: the first entry behind a head has the number of blocks in place of the
/// distance back, which is 1.
const BLOCKS: u16 = 1 << 11;

/// Bytes of the index of a file of this size.
pub(super) fn len(size: u64) -> u64 {
    HEADER + size.div_ceil(BLOCK) * ENTRY
}

/// It begins at a multiple of eight: bytes between it and what ends at `offset`.
pub(super) fn padding(offset: u64) -> u64 {
    offset.next_multiple_of(ENTRY) - offset
}

/// The index of a file whose blocks begin at `start`.
pub(super) fn encode(file: &PackedFile, size: u64, start: u32) -> Vec<u8> {
    let mut bytes = Vec::from([0; 4]);
    bytes.extend(ADVISE.to_le_bytes());
    // LZ4, in clusters of one block.
    bytes.resize(HEADER as usize, 0);
    let mut place = Place { at: 0, size, block: start };
    for extent in &file.extents {
        match extent.stored {
            Stored::Lz4(blocks) => place.extent(HEAD, extent.len.into(), blocks, &mut bytes),
            Stored::Plain => place.plain(extent, &mut bytes),
        }
    }
    bytes
}

/// How far the entries are.
struct Place {
    at: u64,
    size: u64,
    block: u32,
}

impl Place {
    /// An extent of its own for each block.
    fn plain(&mut self, extent: &Extent, bytes: &mut Vec<u8>) {
        let mut left = u64::from(extent.len);
        while left > 0 {
            let len = left.min(BLOCK);
            self.extent(PLAIN, len, 1, bytes);
            left -= len;
        }
    }

    fn extent(&mut self, kind: u16, len: u64, blocks: u16, bytes: &mut Vec<u8>) {
        let (first, within) = (self.at / BLOCK, (self.at % BLOCK) as u16);
        bytes.extend(kind.to_le_bytes());
        bytes.extend(within.to_le_bytes());
        bytes.extend(self.block.to_le_bytes());
        self.at += len;
        self.block = self.block.saturating_add(blocks.into());
        // The next head, or the end of the file.
        let next = if self.at == self.size { self.size.div_ceil(BLOCK) } else { self.at / BLOCK };
        for number in 1..next - first {
            let back = if number == 1 { blocks | BLOCKS } else { distance(number) };
            bytes.extend(FOLLOWS.to_le_bytes());
            bytes.extend(within.to_le_bytes());
            bytes.extend(back.to_le_bytes());
            bytes.extend(distance(next - first - number).to_le_bytes());
        }
    }
}

/// Never more than an extent has.
fn distance(blocks: u64) -> u16 {
    u16::try_from(blocks).unwrap_or(BLOCKS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(extents: &[(u32, Stored)]) -> Vec<[u16; 4]> {
        let extents: Vec<_> =
            extents.iter().map(|(len, stored)| Extent { len: *len, stored: *stored }).collect();
        let size = extents.iter().map(|extent| u64::from(extent.len)).sum();
        let bytes = encode(&PackedFile { extents, from: 0, blocks: 0 }, size, 100);
        assert_eq!(bytes.len() as u64, len(size));
        assert_eq!(bytes[..16], [0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let entry =
            |entry: &[u8]| core::array::from_fn(|i| u16::from_le_bytes([entry[2 * i], entry[2 * i + 1]]));
        bytes[16..].chunks(8).map(entry).collect()
    }

    #[test]
    fn says_where_an_extent_begins_and_how_far_the_next_is() {
        let found = entries(&[(10_000, Stored::Lz4(2)), (13_000, Stored::Lz4(3))]);
        let expected = [
            [HEAD, 0, 100, 0],
            [FOLLOWS, 0, BLOCKS | 2, 1],
            [HEAD, 1808, 102, 0],
            [FOLLOWS, 1808, BLOCKS | 3, 3],
            [FOLLOWS, 1808, 2, 2],
            [FOLLOWS, 1808, 3, 1],
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn plain_blocks_are_heads_of_their_own() {
        let found = entries(&[(5000, Stored::Lz4(1)), (9000, Stored::Plain)]);
        let expected = [[HEAD, 0, 100, 0], [PLAIN, 904, 101, 0], [PLAIN, 904, 102, 0], [PLAIN, 904, 103, 0]];
        assert_eq!(found, expected);
    }

    #[test]
    fn begins_at_a_multiple_of_eight() {
        assert_eq!([32, 44, 47].map(padding), [0, 4, 1]);
    }
}

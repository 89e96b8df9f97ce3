//! The first block.

use alloc::vec::Vec;

use super::BLOCK;
use super::pack::EXTENT_BLOCKS;
use crate::image::tar::Time;

pub(super) const MAGIC: u32 = 0xe0f5_e1e2;
pub(super) const OFFSET: usize = 1024;
const BLOCK_BITS: u8 = 12;

/// EROFS_FEATURE_COMPAT_SB_CHKSUM and _MTIME.
const COMPATIBLE: u32 = 0x1 | 0x2;
/// EROFS_FEATURE_INCOMPAT_CHUNKED_FILE.
pub(super) const CHUNKED_FILE: u32 = 0x4;
/// EROFS_FEATURE_INCOMPAT_ZERO_PADDING and _BIG_PCLUSTER; the second says as well that the algorithms
/// are described behind the superblock.
pub(super) const COMPRESSED: u32 = 0x1 | 0x2;

/// Bytes of the superblock.
const LEN: usize = 128;
/// Z_EROFS_COMPRESSION_LZ4, as a bit.
const LZ4: u16 = 1;
/// As far as LZ4 can look back at all.
const LZ4_DISTANCE: u16 = u16::MAX;

pub(super) struct Superblock {
    pub(super) root: u16,
    pub(super) inodes: u64,
    pub(super) time: Time,
    pub(super) blocks: u32,
    pub(super) uuid: [u8; 16],
    pub(super) incompatible: u32,
}

impl Superblock {
    /// The whole block. Metadata begins at block 0, so that inode numbers are offsets by 32.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut rest = Vec::new();
        rest.extend(COMPATIBLE.to_le_bytes());
        rest.extend([BLOCK_BITS, 0]);
        rest.extend(self.root.to_le_bytes());
        rest.extend(self.inodes.to_le_bytes());
        rest.extend(self.time.seconds.to_le_bytes());
        rest.extend(self.time.nanoseconds.to_le_bytes());
        rest.extend(self.blocks.to_le_bytes());
        rest.extend([0; 8]); // meta_blkaddr, xattr_blkaddr
        rest.extend(self.uuid);
        rest.extend([0; 16]); // volume_name
        rest.extend(self.incompatible.to_le_bytes());
        if self.incompatible & COMPRESSED != 0 {
            rest.extend(LZ4.to_le_bytes());
            rest.resize(LEN - 8, 0);
            // z_erofs_lz4_cfgs, after its length.
            [14, LZ4_DISTANCE, EXTENT_BLOCKS].iter().for_each(|field| rest.extend(field.to_le_bytes()));
        }
        rest.resize(BLOCK as usize - OFFSET - 8, 0);

        // The checksum is taken with its own field empty.
        let magic = MAGIC.to_le_bytes();
        let sum = [&magic[..], &[0; 4], &rest].iter().fold(u32::MAX, |sum, bytes| crc32c(sum, bytes));
        let mut block = Vec::from([0; OFFSET]);
        block.extend(magic);
        block.extend(sum.to_le_bytes());
        block.extend(rest);
        block
    }
}

/// Castagnoli's polynomial, bit by bit (it sees one block for each image), without the final
/// inversion: so the kernel has it.
fn crc32c(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ if sum & 1 == 1 { 0x82f6_3b78 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn sums_as_the_standard_has_it() {
        assert_eq!(!crc32c(u32::MAX, b"123456789"), 0xe306_9283); // RFC 3720's check value
    }
}

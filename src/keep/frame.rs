//! A segment of a log: frames, one after the other, each whole or none.
//!
//! `OLS1` · bytes of what follows the head · bytes of it unpacked · their sum (CRC-32 of the head before it and what follows) ·
//! a block, packed (LZ4's block format). All numbers are little-endian, four bytes each.
//!
//! A file is only ever written at its end, so that a power cut leaves a beginning of it, with anything behind. A reader
//! stops at the first frame that is not whole.
#![deny(clippy::arithmetic_side_effects)]

use alloc::vec::Vec;

use super::block::BLOCK_MAX;

const MAGIC: [u8; 4] = *b"OLS1";
/// Bytes of a head.
pub const FRAME_HEAD: usize = 16;
/// Bytes of a frame, the most: what packing cannot make smaller it makes a little larger.
pub const FRAME_MAX: usize = FRAME_HEAD + BLOCK_MAX + BLOCK_MAX / 128 + 64;

/// A block as a frame.
#[must_use]
pub fn pack(block: &[u8]) -> Vec<u8> {
    let packed = lz4_flex::block::compress(block);
    let mut frame = Vec::with_capacity(FRAME_HEAD.saturating_add(packed.len()));
    frame.extend_from_slice(&MAGIC);
    for len in [packed.len(), block.len()] {
        frame.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
    }
    let sum = crc32(&[&frame, &packed]);
    frame.extend_from_slice(&sum.to_le_bytes());
    frame.extend_from_slice(&packed);
    frame
}

/// What a head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Bytes that follow it.
    pub packed: usize,
    unpacked: usize,
    sum: u32,
}

impl Head {
    /// `None`: this is no head.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (packed, rest) = rest.split_first_chunk()?;
        let (unpacked, rest) = rest.split_first_chunk()?;
        let (sum, _) = rest.split_first_chunk()?;
        let number = |bytes: &[u8; 4]| usize::try_from(u32::from_le_bytes(*bytes)).ok();
        let head =
            Self { packed: number(packed)?, unpacked: number(unpacked)?, sum: u32::from_le_bytes(*sum) };
        let fits = head.packed <= FRAME_MAX.saturating_sub(FRAME_HEAD) && head.unpacked <= BLOCK_MAX;
        fits.then_some(head)
    }

    /// Bytes of the whole frame.
    #[must_use]
    pub fn frame_len(&self) -> usize {
        FRAME_HEAD.saturating_add(self.packed)
    }
}

/// The blocks of a file as far as it is whole.
#[derive(Debug)]
pub struct Frames<'f> {
    file: &'f [u8],
    at: usize,
}

impl<'f> Frames<'f> {
    #[must_use]
    pub fn of(file: &'f [u8]) -> Self {
        Self { file, at: 0 }
    }

    /// Bytes before this are whole frames that were read.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// Bytes that are left: of no frame, once there is no other.
    #[must_use]
    pub fn left(&self) -> usize {
        self.file.len().saturating_sub(self.at)
    }
}

impl Iterator for Frames<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let rest = self.file.get(self.at..)?;
        let head = Head::parse(rest)?;
        let (summed, _) = rest.split_at_checked(FRAME_HEAD.saturating_sub(4))?;
        let packed = rest.get(FRAME_HEAD..head.frame_len())?;
        if crc32(&[summed, packed]) != head.sum {
            return None;
        }
        let block = lz4_flex::block::decompress(packed, head.unpacked).ok()?;
        self.at = self.at.saturating_add(head.frame_len());
        Some(block)
    }
}

/// CRC-32 as IEEE 802.3 has it.
fn crc32(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().copied().flatten();
    !bytes.fold(u32::MAX, |sum, byte| {
        let entry = TABLE.get(usize::from((sum ^ u32::from(*byte)) as u8)).copied().unwrap_or_default();
        (sum >> 8) ^ entry
    })
}

static TABLE: [u32; 256] = table();

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "done by the compiler")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "in tests")]
mod tests {
    use alloc::vec;

    use proptest::collection::vec as vec_of;
    use proptest::prelude::*;

    use super::*;

    fn blocks(file: &[u8]) -> (Vec<Vec<u8>>, usize) {
        let mut frames = Frames::of(file);
        let blocks: Vec<Vec<u8>> = frames.by_ref().collect();
        (blocks, frames.left())
    }

    #[test]
    fn the_sum_is_the_one_that_others_have() {
        assert_eq!(crc32(&[b"1234", b"56789"]), 0xcbf4_3926);
    }

    #[test]
    fn blocks_read_back_and_what_is_behind_them_is_counted() {
        let all = [vec![], b"text".to_vec(), vec![7; BLOCK_MAX]];
        let mut file: Vec<u8> = all.iter().flat_map(|block| pack(block)).collect();
        assert!(file.len() < 1000, "{}", file.len());
        assert_eq!(blocks(&file), (all.to_vec(), 0));
        file.extend_from_slice(&[0; 100]);
        assert_eq!(blocks(&file), (all.to_vec(), 100));
    }

    #[test]
    fn what_cannot_be_packed_fits_a_frame() {
        let mut noise = 1u32;
        let block: Vec<u8> = (0..BLOCK_MAX)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 24) as u8
            })
            .collect();
        let frame = pack(&block);
        assert!((BLOCK_MAX..=FRAME_MAX).contains(&frame.len()), "{}", frame.len());
        assert_eq!(blocks(&frame), (vec![block], 0));
    }

    #[test]
    fn a_head_that_asks_for_too_much_is_none() {
        for at in [4, 8] {
            let mut frame = pack(b"text");
            frame[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
            assert_eq!(Head::parse(&frame), None);
        }
    }

    proptest! {
        #[test]
        fn a_file_that_was_cut_or_hit_gives_what_was_before(
            all in vec_of(vec_of(any::<u8>(), 0..600), 0..6),
            cut in any::<prop::sample::Index>(),
            hit in any::<prop::sample::Index>(),
            bit in 0u8..8,
        ) {
            let file: Vec<u8> = all.iter().flat_map(|block| pack(block)).collect();
            let cut = &file[..cut.index(file.len() + 1)];
            let (found, left) = blocks(cut);
            prop_assert_eq!(&all[..found.len()], &found[..]);
            let whole: usize = found.iter().map(|block| pack(block).len()).sum();
            prop_assert_eq!(whole + left, cut.len());
            if !file.is_empty() {
                let mut file = file;
                let at = hit.index(file.len());
                file[at] ^= 1 << bit;
                let (found, _) = blocks(&file);
                prop_assert_eq!(&all[..found.len()], &found[..]);
                let whole: usize = found.iter().map(|block| pack(block).len()).sum();
                prop_assert!(whole <= at);
            }
        }

        #[test]
        fn nothing_panics(bytes in vec_of(any::<u8>(), 0..300)) {
            let mut file = MAGIC.to_vec();
            file.extend_from_slice(&bytes);
            let _ = blocks(&file);
        }
    }
}

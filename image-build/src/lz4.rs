//! Compression as the kernel's unpacker wants it: LZ4 in its legacy frame.
//!
//! LZ4, because unpacking it is nearly free: `docs/decisions/initramfs.md` has the figures. The
//! legacy frame, because it is the only one that the kernel reads. Blocks are compressed side by
//! side and written in order, so the number of cores changes nothing in the result.

use std::io::{self, Write};
use std::thread;

use lz4::block::{CompressionMode, compress};

/// lib/decompress_unlz4.c: ARCHIVE_MAGICNUMBER.
const MAGIC: u32 = 0x184c_2102;

/// lib/decompress_unlz4.c: LZ4_DEFAULT_UNCOMPRESSED_CHUNK_SIZE. Every block but the last is of this size.
const BLOCK: usize = 8 << 20;

/// LZ4-HC's own "high compression": higher levels gain 1 % for several times the time.
const LEVEL: i32 = 9;

/// Compresses what is written to it.
pub(crate) struct Compressor<W> {
    inner: W,
    pending: Vec<u8>,
    /// Blocks compressed at once.
    width: usize,
}

impl<W: Write> Compressor<W> {
    pub(crate) fn new(inner: W) -> io::Result<Self> {
        Self::with_width(inner, thread::available_parallelism().map_or(1, |cores| cores.get().min(16)))
    }

    fn with_width(mut inner: W, width: usize) -> io::Result<Self> {
        inner.write_all(&MAGIC.to_le_bytes())?;
        Ok(Self { inner, pending: Vec::new(), width })
    }

    /// A block of size zero: the kernel would take what follows for the size of a block.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.flush_blocks()?;
        self.inner.write_all(&0u32.to_le_bytes())?;
        Ok(self.inner)
    }

    fn flush_blocks(&mut self) -> io::Result<()> {
        let blocks: Vec<&[u8]> = self.pending.chunks(BLOCK).collect();
        let packed: Vec<io::Result<Vec<u8>>> = thread::scope(|scope| {
            let spawn =
                |block| thread::Builder::new().spawn_scoped(scope, move || pack(block)).map_err(|_| block);
            let workers: Vec<_> = blocks.iter().copied().map(spawn).collect();
            let finish = |worker: Result<thread::ScopedJoinHandle<'_, _>, &[u8]>| match worker {
                Ok(worker) => worker.join().unwrap_or_else(|_| Err(gone())),
                // There are no threads to be had.
                Err(block) => pack(block),
            };
            workers.into_iter().map(finish).collect()
        });
        for block in packed {
            let block = block?;
            let size = u32::try_from(block.len()).map_err(io::Error::other)?;
            self.inner.write_all(&size.to_le_bytes())?;
            self.inner.write_all(&block)?;
        }
        self.pending.clear();
        Ok(())
    }
}

fn pack(block: &[u8]) -> io::Result<Vec<u8>> {
    compress(block, Some(CompressionMode::HIGHCOMPRESSION(LEVEL)), false)
}

fn gone() -> io::Error {
    io::Error::other("a compressing thread ended early")
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = (BLOCK * self.width).saturating_sub(self.pending.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.pending.extend_from_slice(taken);
        if self.pending.len() >= BLOCK * self.width {
            self.flush_blocks()?;
        }
        Ok(taken.len())
    }

    /// Nothing: a block that is cut short anywhere but at the end would be another file.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lz4::block::decompress;

    /// More than two blocks, compressible, and not the same everywhere.
    fn sample() -> Vec<u8> {
        (0..(2 * BLOCK + 12_345) as u32).map(|i| ((i / 7) ^ (i >> 13)) as u8).collect()
    }

    fn packed(bytes: &[u8], width: usize) -> Vec<u8> {
        let mut compressor = Compressor::with_width(Vec::new(), width).unwrap();
        for piece in bytes.chunks(1 << 20) {
            compressor.write_all(piece).unwrap();
        }
        compressor.finish().unwrap()
    }

    /// As lib/decompress_unlz4.c goes through it.
    fn unpacked(mut packed: &[u8]) -> Vec<u8> {
        let mut word = || {
            let (word, rest) = packed.split_first_chunk::<4>().unwrap();
            let size = u32::from_le_bytes(*word);
            let (block, rest) = rest.split_at(if size == MAGIC { 0 } else { size as usize });
            packed = rest;
            (size, block)
        };
        assert_eq!(word().0, MAGIC);
        let mut bytes = Vec::new();
        loop {
            match word() {
                (0, _) => return bytes,
                (_, block) => bytes.extend(decompress(block, Some(BLOCK as i32)).unwrap()),
            }
        }
    }

    #[test]
    fn the_kernels_way_of_reading_gives_back_what_was_written() {
        let bytes = sample();
        assert!(unpacked(&packed(&bytes, 2)) == bytes);
    }

    #[test]
    fn the_number_of_cores_changes_nothing() {
        let bytes = sample();
        let one = packed(&bytes, 1);
        assert!([2, 3, 16].iter().all(|width| packed(&bytes, *width) == one));
    }

    #[test]
    fn ends_with_a_block_of_size_zero() {
        assert_eq!(packed(&[], 4), [0x02, 0x21, 0x4c, 0x18, 0, 0, 0, 0]);
    }
}

//! The tree of a layer → the bytes of one EROFS file, with files in LZ4 where that spares something.
//!
//! On disk (fs/erofs/erofs_fs.h and Documentation/filesystems/erofs.rst of Linux): a superblock at
//! 1024 in the first block; from the second block the inodes, each followed by its xattrs and by
//! the end of its contents, a table of chunks, or the index of a compressed file; then the blocks of
//! directories and files. A file with holes is a list of chunks in which a hole has no address.
//! Everything here is read by Linux 5.15 and later.
//!
//! The bytes depend on the tree alone: inodes come in the order of their paths, nothing is random,
//! and the time of the image is the commonest one among its files.

mod chunk;
mod directory;
mod index;
mod inode;
mod lz4;
mod pack;
mod place;
mod plan;
mod read;
mod superblock;
mod write;
mod xattr;

pub use pack::{Compressed, Packed, Segment, compress, segments};
pub use plan::Image;
pub use read::{Lookup, lookup};
pub use write::Piece;

/// Raised when the same layer would give other bytes, or an older reader could not read them.
pub const FORMAT_VERSION: u32 = 2;

/// The block size, as a type that needs no conversion.
const BLOCK: u64 = super::layer::BLOCK as u64;

#[cfg(test)]
mod tests;

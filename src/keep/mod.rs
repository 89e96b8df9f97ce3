//! What is kept on a disk, and how it is found there again: a file system by its superblock, records of logs in segments that a
//! power cut leaves readable, and how much of it stays.
//!
//! Nothing here opens a file. Whatever comes from a disk may be nonsense: it is read without a panic, and what makes no
//! sense is left out, and said.

mod block;
mod frame;
mod link;
mod mirror;
mod names;
mod quota;
mod search;
mod superblock;

pub use block::{BLOCK_MAX, Block, Records, open};
pub use frame::{FRAME_HEAD, FRAME_MAX, Frames, Head, pack};
pub use link::{FromKeeper, KEEP_FRAME_MAX, ToKeeper};
pub use mirror::Mirror;
pub use names::{BootName, BootWord, NoBoot, SegmentName, boots, choose};
pub use quota::{Kept, segment_max, surplus};
pub use search::Search;
pub use superblock::{SUPERBLOCK_END, Superblock};

/// Of the form of what is on the disk. A newer one is left alone.
pub const STORE_VERSION: u32 = 1;

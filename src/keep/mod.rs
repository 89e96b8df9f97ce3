//! What is kept on a disk.

mod mirror;

pub use mirror::Mirror;

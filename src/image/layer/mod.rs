//! The tar of one layer → the tree of files that an overlay can lie on.
//!
//! Paths are made relative to the root; a later entry takes the place of an earlier one; parents
//! that the archive leaves out are what they are in the layers below ([`Tree::implied`]), else
//! directories of mode 0755 that belong to root; whiteouts become those of overlay. Contents go to the caller's spool as they come by, without their holes: the
//! tree keeps where they lie.
//!
//! Refuses, by path: `..`, a NUL, children of what is no directory, hard links out of the layer,
//! xattrs that overlay would obey, and trees that no machine could want.

mod assemble;
mod build;
mod path;
mod tree;
mod xattrs;

pub use build::{Builder, Layer};
pub use tree::{Content, Data, Directory, Extent, Meta, Node, NodeId, Tree};

/// Holes are found, and contents laid out, in the blocks of the file system.
pub const BLOCK: usize = 4096;

#[cfg(test)]
mod tests;

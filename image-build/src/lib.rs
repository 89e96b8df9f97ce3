//! Builds the bootable files of an Orlop machine.

pub mod layer;
pub mod source;
pub mod store;

//! Bytes → manifest, digest, layer entries.
pub mod modules;

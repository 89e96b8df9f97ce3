//! Bytes → manifest, digest, layer entries.

//! Bytes → manifest, digest, layer entries, EROFS bytes.
//!
//! An image comes in as the documents of the OCI image specification and as tar streams, all of
//! them untrusted; what goes out are checked values, and the bytes of one read-only file system
//! for each layer. Nothing here opens a file: the caller hands over bytes and takes bytes away.

mod archive;
mod config;
mod digest;
pub mod erofs;
mod error;
mod healthcheck;
mod json;
pub mod layer;
mod manifest;
pub mod module_turns;
pub mod modules;
mod store;
#[deny(clippy::arithmetic_side_effects)]
pub mod tar;

pub use archive::DockerArchive;
pub use config::ImageConfig;
pub use digest::{Digest, Hasher};
pub use error::Error;
pub use manifest::{Descriptor, Document, Index, MAX_DOCUMENT, MAX_LAYERS, Manifest, Platform};
pub use store::{
    ANNOTATION_IMAGE, ANNOTATION_LAYERS, ANNOTATION_STORE, STORE_VERSION, Store, StoredImage, layer_path,
    source_text,
};

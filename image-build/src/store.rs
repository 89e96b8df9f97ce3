//! Writes the store that a machine boots with: `blobs/sha256/HEX`, `layers/DIFFID.erofs`,
//! `index.json`. What two images share is there once.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use orlop::image::{
    ANNOTATION_IMAGE, ANNOTATION_LAYERS, ANNOTATION_STORE, Descriptor, Digest, Error, Index, STORE_VERSION,
};

use crate::layer::at;

/// A store in the making. Without [`StoreWriter::finish`] it has no index and is none.
#[derive(Debug)]
pub struct StoreWriter {
    dir: PathBuf,
    /// By the text that the config has for the image.
    images: BTreeMap<String, Descriptor>,
}

impl StoreWriter {
    /// `dir` is made, or is empty: what a store holds is in its index.
    pub fn create(dir: &Path) -> Result<Self, Error> {
        make(dir)?;
        if fs::read_dir(dir).map_err(at(dir))?.next().is_some() {
            return Err(at(dir)(io::ErrorKind::DirectoryNotEmpty.into()));
        }
        ["blobs", "blobs/sha256", "layers"].iter().try_for_each(|name| make(&dir.join(name)))?;
        Ok(Self { dir: dir.to_path_buf(), images: BTreeMap::new() })
    }

    /// A manifest or a config.
    pub fn blob(&mut self, bytes: &[u8]) -> Result<Digest, Error> {
        let digest = Digest::of(bytes);
        write(&self.dir.join(digest.blob_path()), bytes)?;
        Ok(digest)
    }

    /// Copies a converted layer under its own name; its size.
    pub fn layer(&mut self, converted: &Path) -> Result<u64, Error> {
        let path = self.dir.join("layers").join(converted.file_name().unwrap_or_default());
        if let Ok(there) = fs::metadata(&path) {
            return Ok(there.len());
        }
        let len = fs::copy(converted, &path).map_err(at(&path))?;
        mode(&path, 0o644)?;
        Ok(len)
    }

    /// Enters an image whose blobs and layers are there. `text` is what the config calls it,
    /// `layers` are files' names, lowest first.
    pub fn image(&mut self, text: &str, mut manifest: Descriptor, layers: &[&str]) {
        manifest.annotations = BTreeMap::from([
            (String::from(ANNOTATION_IMAGE), String::from(text)),
            (String::from(ANNOTATION_LAYERS), layers.join(",")),
        ]);
        self.images.insert(String::from(text), manifest);
    }

    pub fn finish(self) -> Result<(), Error> {
        let index = Index {
            schema_version: 2,
            media_type: String::from("application/vnd.oci.image.index.v1+json"),
            manifests: self.images.into_values().collect(),
            annotations: [(String::from(ANNOTATION_STORE), String::from(STORE_VERSION))].into(),
        };
        let path = self.dir.join("index.json");
        let text =
            serde_json::to_vec(&index).map_err(|error| at(&path)(io::Error::other(error.to_string())))?;
        write(&path, &text)
    }
}

fn make(dir: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o755).create(dir).map_err(at(dir))?;
    mode(dir, 0o755)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(at(path))?;
    mode(path, 0o644)
}

/// The same for every umask.
fn mode(path: &Path, mode: u32) -> Result<(), Error> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(at(path))
}

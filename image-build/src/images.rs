//! Images: from the containers that name them to the files of the store.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use orlop::config::{Config, ImageSource};
use tempfile::TempDir;

use crate::arch;
use crate::error::{At, Error, Result};
use crate::initramfs::Compression;
use crate::manifest::Image;
use crate::progress::Progress;
use crate::source::{Added, add_image};
use crate::store::StoreWriter;

/// The layers are compressed themselves, and stay so on the machine.
const COMPRESSION: Compression = Compression::None;

/// The store of one machine.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) images: Vec<Image>,
    /// Path below the store → file.
    pub(crate) files: Vec<(String, PathBuf)>,
    pub(crate) compression: Compression,
    pub(crate) warnings: Vec<String>,
    /// Holds the files until they are packed.
    _folder: TempDir,
}

/// Converts what the configuration names; `cache` keeps converted layers by their digest.
pub(crate) fn convert(
    config: &Config,
    folder: &Path,
    cache: &Path,
    progress: &dyn Progress,
) -> Result<Store> {
    let mut users: BTreeMap<&ImageSource, Vec<String>> = BTreeMap::new();
    for (name, container) in &config.containers {
        users.entry(&container.image).or_default().push(name.clone());
    }
    fs::create_dir_all(cache).at("create", cache)?;
    let place =
        tempfile::Builder::new().prefix("store-").tempdir_in(cache).at("create a folder in", cache)?;
    let mut writer = StoreWriter::create(place.path()).map_err(store_error)?;
    let mut images = Vec::new();
    let mut warnings = Vec::new();
    for (source, containers) in users {
        progress.stage(&format!("converting the image of {}", containers.join(", ")), 0);
        let added = add_image(source, folder, &mut writer, cache, arch::debian()).map_err(|error| {
            let key = containers.iter().map(|name| format!("container.{name}.image")).collect::<Vec<_>>();
            Error::Image { key: key.join(", "), why: error.to_string() }
        })?;
        warnings.extend(added.warnings.iter().map(|warning| format!("image `{}`: {warning}", added.image)));
        images.push(describe(&added, containers));
    }
    let files = if images.is_empty() { Vec::new() } else { finish(writer, place.path())? };
    Ok(Store { images, files, compression: COMPRESSION, warnings, _folder: place })
}

fn describe(added: &Added, containers: Vec<String>) -> Image {
    let layers = added.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
    Image { source: added.image.clone(), containers, digest: added.manifest.to_string(), layers }
}

fn store_error(error: orlop::image::Error) -> Error {
    Error::Image { key: "the store of all images".to_owned(), why: error.to_string() }
}

/// Every file of the store, by its path in it.
fn finish(writer: StoreWriter, store: &Path) -> Result<Vec<(String, PathBuf)>> {
    writer.finish().map_err(store_error)?;
    let mut files = Vec::new();
    let mut folders = vec![store.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).at("read", &folder)? {
            let path = entry.at("read", &folder)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(name) = path.strip_prefix(store).ok().and_then(Path::to_str) {
                files.push((name.to_owned(), path.clone()));
            }
        }
    }
    files.sort();
    Ok(files)
}

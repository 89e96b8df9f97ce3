//! An image, wherever the config says that it is → the store.
//!
//! Every document and every layer is checked against its digest before it counts; an image that
//! is damaged or hostile is refused, and the message begins with its name.

mod archive;
mod directory;
mod docker;
mod files;
mod oci;
mod pack;
mod registry;

use std::fmt;
use std::path::Path;

use orlop::config::ImageSource;
use orlop::image::{self, Descriptor, Digest, Platform, source_text};

use crate::layer::{Below, Cache, Converted, convert};
use crate::store::StoreWriter;
use files::{Archive, Files, Folder};

/// An image that is now in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// As the config spells it.
    pub image: String,
    pub manifest: Digest,
    /// Lowest first.
    pub layers: Vec<AddedLayer>,
    /// What was left out, and why.
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedLayer {
    pub diff_id: Digest,
    /// The EROFS file's name in the store's `layers/`.
    pub file: String,
    /// Its bytes.
    pub size: u64,
}

/// Why an image could not be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// As the config spells it.
    pub image: String,
    pub cause: image::Error,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "image `{}`: {}", self.image, self.cause)
    }
}

impl std::error::Error for Error {}

/// Adds one image. Files are relative to `config_dir`; `arch` is the machine's in Go's words
/// (`amd64`); `cache` keeps converted layers and what came from registries.
pub fn add_image(
    source: &ImageSource,
    config_dir: &Path,
    store: &mut StoreWriter,
    cache: &Path,
    arch: &str,
) -> Result<Added, Error> {
    let text = source_text(source);
    let platform = Platform { os: String::from("linux"), architecture: String::from(arch) };
    let job = Job {
        text: text.clone(),
        platform,
        store,
        below: Below::default(),
        layers: Vec::new(),
        warnings: Vec::new(),
    };
    job.run(source, config_dir, cache).map_err(|cause| Error { image: text, cause })
}

/// One image on its way into the store.
struct Job<'a> {
    text: String,
    platform: Platform,
    store: &'a mut StoreWriter,
    /// What there is of the image so far.
    below: Below,
    layers: Vec<AddedLayer>,
    warnings: Vec<String>,
}

impl Job<'_> {
    fn run(mut self, source: &ImageSource, config_dir: &Path, cache: &Path) -> Result<Added, image::Error> {
        let layers = Cache::open(cache)?;
        let manifest = match source {
            ImageSource::Oci { path, tag } => {
                let folder = Folder::open(&config_dir.join(path))?;
                oci::add(&mut self, &folder, tag.as_deref(), &layers)?
            }
            ImageSource::OciArchive { path, tag } => {
                let archive = Archive::open(&config_dir.join(path), cache)?;
                oci::add(&mut self, &archive, tag.as_deref(), &layers)?
            }
            ImageSource::DockerArchive { path, tag } => {
                let archive = Archive::open(&config_dir.join(path), cache)?;
                docker::add(&mut self, &archive, tag.as_deref(), &layers)?
            }
            ImageSource::Dir { path } => directory::add(&mut self, &config_dir.join(path), &layers)?,
            ImageSource::Registry(reference) => {
                let folder = registry::fetch(reference, &self.platform, cache)?;
                oci::add(&mut self, &folder, None, &layers)?
            }
        };
        Ok(Added { image: self.text, manifest, layers: self.layers, warnings: self.warnings })
    }

    /// Brings a layer into the store, converted now or before. `open` gives its tar.
    fn layer(
        &mut self,
        diff_id: &Digest,
        cache: &Cache,
        open: impl FnOnce() -> Result<Box<dyn std::io::Read>, image::Error>,
    ) -> Result<(), image::Error> {
        let file = match cache.find(diff_id, &self.below) {
            Some(file) => file,
            None => self.keep_warnings(convert(open()?, diff_id, &self.below, cache)?).file,
        };
        self.add_layer(diff_id, &file)
    }

    fn keep_warnings(&mut self, converted: Converted) -> Converted {
        self.warnings.extend(converted.warnings.iter().cloned());
        converted
    }

    fn add_layer(&mut self, diff_id: &Digest, file: &Path) -> Result<(), image::Error> {
        let size = self.store.layer(file)?;
        self.below.add(file)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.layers.push(AddedLayer { diff_id: *diff_id, file: name, size });
        Ok(())
    }

    /// Enters the image, once its layers are there.
    fn documents(
        &mut self,
        manifest: &[u8],
        media_type: &str,
        config: &[u8],
    ) -> Result<Digest, image::Error> {
        self.store.blob(config)?;
        let digest = self.store.blob(manifest)?;
        let descriptor = Descriptor {
            media_type: String::from(media_type),
            digest,
            size: manifest.len() as u64,
            platform: None,
            annotations: Default::default(),
        };
        self.store.image(&self.text, descriptor, &self.below.names());
        Ok(digest)
    }
}

/// Adds the place to an error about something inside it.
fn within(place: impl fmt::Display) -> impl FnOnce(image::Error) -> image::Error {
    move |error| image::Error { place: format!("{place}: {}", error.place), what: error.what }
}

fn wrong(place: impl fmt::Display, what: impl fmt::Display) -> image::Error {
    image::Error { place: place.to_string(), what: what.to_string() }
}

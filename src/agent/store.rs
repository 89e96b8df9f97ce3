//! The images on the machine: files of the initramfs, looked up when a container starts.

use std::os::fd::AsFd;

use orlop::config::{HealthCheck, ImageSource};
use orlop::container::Defaults;
use orlop::image::{ImageConfig, Manifest, Store};

use crate::linux::fs;

pub const DIRECTORY: &str = "/orlop/store";
/// A manifest or a configuration: the same bound as when the image was built.
const LIMIT: usize = 4 << 20;

/// What a start needs of an image.
#[derive(Debug, Clone)]
pub struct Image {
    pub defaults: Defaults,
    pub stop_signal: Option<i32>,
    pub check: Option<HealthCheck>,
    /// Names of the EROFS files without their ending, the topmost first.
    pub layers: Vec<String>,
}

/// Images that were found for a start. The store is the initramfs's: nothing in it changes while the machine
/// runs, so that reading and checking an image once is enough.
#[derive(Default)]
pub struct Images(Vec<(ImageSource, Image)>);

/// Containers of one machine have few images between them; the oldest gives way.
const KEPT: usize = 8;

impl Images {
    /// As [`find()`].
    ///
    /// # Errors
    /// As of [`find()`]; one that was not found is looked for again.
    pub fn find(&mut self, source: &ImageSource) -> Result<Image, String> {
        if let Some((_, known)) = self.0.iter().find(|(known, _)| known == source) {
            return Ok(known.clone());
        }
        let image = find(source)?;
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        self.0.push((source.clone(), image.clone()));
        Ok(image)
    }
}

fn read(path: &str) -> Result<Vec<u8>, String> {
    let fd = fs::open_regular(&format!("{DIRECTORY}/{path}"))
        .map_err(|errno| format!("{path}: {}", errno.desc()))?;
    fs::read_regular(fd.as_fd(), LIMIT).map_err(|errno| format!("{path}: {}", errno.desc()))
}

fn stem(path: &str) -> Option<String> {
    path.strip_prefix("layers/")?.strip_suffix(".erofs").map(str::to_owned)
}

/// Finds an image by the text that the configuration has for it.
///
/// # Errors
/// What is missing or damaged, by name.
pub fn find(source: &ImageSource) -> Result<Image, String> {
    let store = Store::parse(&read("index.json")?).map_err(|error| error.to_string())?;
    let stored = store.image(source).map_err(|error| error.to_string())?;
    let digest = stored.manifest;
    let path = digest.blob_path();
    let bytes = read(&path)?;
    digest.check(&path, &bytes).map_err(|error| error.to_string())?;
    let manifest = Manifest::parse(&path, &bytes).map_err(|error| error.to_string())?;
    let path = manifest.config.digest.blob_path();
    let bytes = read(&path)?;
    manifest.config.digest.check(&path, &bytes).map_err(|error| error.to_string())?;
    let config = ImageConfig::parse(&path, &bytes).map_err(|error| error.to_string())?;
    Ok(Image {
        stop_signal: config.stop_signal.as_deref().and_then(orlop::config::signal::number),
        check: config.healthcheck,
        layers: stored.layers.iter().rev().filter_map(|path| stem(path)).collect(),
        defaults: Defaults {
            entrypoint: config.entrypoint.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
            environment: config.env.into_iter().map(|(key, value)| format!("{key}={value}")).collect(),
            user: config.user,
            working_dir: config.working_dir,
            volumes: config.volumes,
        },
    })
}

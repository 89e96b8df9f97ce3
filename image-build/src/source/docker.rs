//! A `docker save` archive. It has no manifest of the kind that a store keeps: one is made.

use orlop::image::{Descriptor, Digest, DockerArchive, Error, ImageConfig, Manifest};

use super::{Files, Job, within, wrong};
use crate::layer::Cache;

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

pub(super) fn add(
    job: &mut Job<'_>,
    files: &dyn Files,
    tag: Option<&str>,
    cache: &Cache,
) -> Result<Digest, Error> {
    let archive = DockerArchive::parse(&files.document("manifest.json")?, tag)?;
    let bytes = files.document(&archive.config)?;
    check_name(&archive.config, &bytes)?;
    let config = ImageConfig::parse("config", &bytes)?;
    config.check_platform(&job.platform)?;
    let mut layers = Vec::new();
    for name in &archive.layers {
        let (digest, size) = files.digest(name)?;
        layers.push(descriptor(LAYER_TYPE, digest, size));
    }
    let manifest = manifest(descriptor(CONFIG_TYPE, Digest::of(&bytes), bytes.len() as u64), layers);
    manifest.check_config(&config)?;
    for (number, (name, diff_id)) in (1..).zip(archive.layers.iter().zip(&config.diff_ids)) {
        let open = || files.open(name).map(|(reader, _)| reader);
        job.layer(diff_id, cache, open)
            .map_err(within(format!("layer {number} of {}", archive.layers.len())))?;
    }
    finish(job, &manifest, &bytes)
}

/// A manifest for an image that came without one.
pub(super) fn manifest(config: Descriptor, layers: Vec<Descriptor>) -> Manifest {
    Manifest { schema_version: 2, media_type: String::from(MANIFEST_TYPE), config, layers }
}

pub(super) fn finish(job: &mut Job<'_>, manifest: &Manifest, config: &[u8]) -> Result<Digest, Error> {
    let bytes = serde_json::to_vec(manifest).map_err(|error| wrong("manifest", error))?;
    job.documents(&bytes, MANIFEST_TYPE, config)
}

/// The config of an image without a manifest, and one layer.
pub(super) fn single_layer(config: &[u8], layer: Digest, size: u64) -> Manifest {
    let config = descriptor(CONFIG_TYPE, Digest::of(config), config.len() as u64);
    manifest(config, vec![descriptor(LAYER_TYPE, layer, size)])
}

fn descriptor(media_type: &str, digest: Digest, size: u64) -> Descriptor {
    Descriptor {
        media_type: String::from(media_type),
        digest,
        size,
        platform: None,
        annotations: Default::default(),
    }
}

/// Every tool names the config by its digest: `HEX.json`, or `blobs/sha256/HEX`.
fn check_name(name: &str, config: &[u8]) -> Result<(), Error> {
    let stem = name.rsplit('/').next().unwrap_or(name);
    match Digest::from_hex(stem.strip_suffix(".json").unwrap_or(stem)) {
        Some(digest) => digest.check(name, config),
        None => Ok(()),
    }
}

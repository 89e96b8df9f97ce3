//! An OCI layout: `index.json` → (an index →) the manifest → the config and the layers.

use orlop::image::{Digest, Document, Error, ImageConfig, Index, Manifest};

use super::{Files, Job, within, wrong};
use crate::layer::Cache;

/// An index may name an index; tools nest one.
const MAX_NESTING: usize = 4;

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

pub(super) fn add(
    job: &mut Job<'_>,
    files: &dyn Files,
    tag: Option<&str>,
    cache: &Cache,
) -> Result<Digest, Error> {
    let (bytes, manifest) = find_manifest(job, files, tag)?;
    let config_bytes = files.blob("config", &manifest.config.digest)?;
    let config = ImageConfig::parse("config", &config_bytes)?;
    config.check_platform(&job.platform)?;
    manifest.check_config(&config)?;
    for (number, (layer, diff_id)) in (1..).zip(manifest.layers.iter().zip(&config.diff_ids)) {
        let place = || format!("layer {number} of {}", manifest.layers.len());
        if layer.media_type.ends_with("+encrypted") {
            return Err(wrong(place(), "encrypted"));
        }
        let name = layer.digest.blob_path();
        let open = || {
            // Whole and right before the first byte of it is looked into.
            files.verify(&name, &layer.digest, layer.size)?;
            files.open(&name).map(|(reader, _)| reader)
        };
        job.layer(diff_id, cache, open).map_err(within(place()))?;
    }
    let media_type = if manifest.media_type.is_empty() { MANIFEST_TYPE } else { &manifest.media_type };
    job.documents(&bytes, media_type, &config_bytes)
}

fn find_manifest(job: &Job<'_>, files: &dyn Files, tag: Option<&str>) -> Result<(Vec<u8>, Manifest), Error> {
    let place = "index.json";
    let mut index = Index::parse(place, &files.document(place)?)?;
    let mut tag = tag;
    for _ in 0..MAX_NESTING {
        let digest = index.pick(place, tag, &job.platform)?.digest;
        let bytes = files.blob("manifest", &digest)?;
        match Document::parse("manifest", &bytes)? {
            Document::Manifest(manifest) => return Ok((bytes, manifest)),
            Document::Index(inner) => index = inner,
        }
        tag = None;
    }
    Err(wrong(place, format!("an index in an index, {MAX_NESTING} times")))
}

//! A root file system in a folder → one layer, through the same door as every other: the folder
//! is read as a tar of a fixed form, whose digest is the layer's diff-id.

use std::path::Path;

use orlop::image::{Digest, Error};

use super::pack::pack;
use super::{Job, docker, wrong};
use crate::layer::{Below, Cache, Conversion};

pub(super) fn add(job: &mut Job<'_>, rootfs: &Path, cache: &Cache) -> Result<Digest, Error> {
    let mut conversion = Conversion::start(cache)?;
    let warnings = pack(rootfs, &mut |bytes: &[u8]| conversion.push(bytes))?;
    job.warnings.extend(warnings);
    let converted = job.keep_warnings(conversion.finish(None, &Below::default())?);
    job.add_layer(&converted.diff_id, &converted.file)?;
    let config = serde_json::json!({
        "os": job.platform.os,
        "architecture": job.platform.architecture,
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [converted.diff_id] },
    });
    let config = serde_json::to_vec(&config).map_err(|error| wrong("config", error))?;
    let manifest = docker::single_layer(&config, converted.diff_id, converted.tar);
    docker::finish(job, &manifest, &config)
}

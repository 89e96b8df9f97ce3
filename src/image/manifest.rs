//! Manifests and indexes, as the OCI image specification and Docker's schema 2 have them.
//!
//! Refuses documents above [`MAX_DOCUMENT`], more than [`MAX_LAYERS`] layers, Docker's schema 1,
//! and an index without an image for the machine.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::json::{null_is_default, parse_object};
use super::{Digest, Error, ImageConfig};

/// Registries accept manifests up to 4 MiB; nothing larger can have been pushed anywhere.
pub const MAX_DOCUMENT: usize = 4 << 20;

/// Docker's own limit is 127 layers (its overlay mount options end there).
pub const MAX_LAYERS: usize = 128;

const REF_NAME: &str = "org.opencontainers.image.ref.name";
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// What a descriptor may point at.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    Index(Index),
    Manifest(Manifest),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub schema_version: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    pub config: Descriptor,
    /// Lowest first.
    pub layers: Vec<Descriptor>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    pub schema_version: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    pub manifests: Vec<Descriptor>,
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// In Go's words: `linux`, `amd64`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
}

impl Document {
    /// `place` names the document in messages.
    pub fn parse(place: &str, bytes: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Shape {
            manifests: Option<serde::de::IgnoredAny>,
        }
        match parse_object::<Shape>(place, bytes)?.manifests {
            Some(_) => Index::parse(place, bytes).map(Self::Index),
            None => Manifest::parse(place, bytes).map(Self::Manifest),
        }
    }
}

impl Manifest {
    pub fn parse(place: &str, bytes: &[u8]) -> Result<Self, Error> {
        check_schema(place, bytes)?;
        let manifest: Self = parse_object(place, bytes)?;
        if manifest.layers.len() > MAX_LAYERS {
            let count = manifest.layers.len();
            return Err(Error::new(
                place,
                format!("{count} layers, more than the {MAX_LAYERS} that are taken"),
            ));
        }
        Ok(manifest)
    }

    /// The config must speak of as many layers as the manifest has.
    pub fn check_config(&self, config: &ImageConfig) -> Result<(), Error> {
        if self.layers.len() == config.diff_ids.len() {
            return Ok(());
        }
        let (layers, diff_ids) = (self.layers.len(), config.diff_ids.len());
        Err(Error::new(
            "manifest",
            format!("{layers} layers, but its config has {diff_ids} in rootfs.diff_ids"),
        ))
    }
}

impl Index {
    pub fn parse(place: &str, bytes: &[u8]) -> Result<Self, Error> {
        check_schema(place, bytes)?;
        parse_object(place, bytes)
    }

    /// The one descriptor meant by a tag (or by none, when there is nothing to choose between)
    /// on a platform.
    pub fn pick(&self, place: &str, tag: Option<&str>, platform: &Platform) -> Result<&Descriptor, Error> {
        let named: Vec<_> =
            self.manifests.iter().filter(|found| tag.is_none_or(|tag| found.is_called(tag))).collect();
        if let [one] = named.as_slice()
            && one.platform.as_ref().is_none_or(|has| has == platform)
        {
            return Ok(one);
        }
        let fitting: Vec<_> =
            named.iter().filter(|found| found.platform.as_ref() == Some(platform)).collect();
        match (fitting.as_slice(), tag) {
            // Several for one platform differ in the CPU's variant; the first is the most general.
            ([first, ..], _) if tag.is_some() || fitting.len() == 1 || self.is_one_image() => Ok(first),
            _ if named.is_empty() => Err(Error::new(place, self.no_such_tag(tag))),
            _ => Err(Error::new(place, self.undecided(&named, platform))),
        }
    }

    /// Without tags all entries are one image for several platforms.
    fn is_one_image(&self) -> bool {
        self.manifests.iter().all(|found| found.name().is_none())
    }

    fn no_such_tag(&self, tag: Option<&str>) -> String {
        let names: Vec<_> = self.manifests.iter().filter_map(Descriptor::name).collect();
        match (tag, names.is_empty()) {
            (None, _) => String::from("holds no image"),
            (Some(tag), true) => {
                format!("no image is tagged `{tag}` (none has a tag: leave it out)")
            }
            (Some(tag), false) => {
                format!("no image is tagged `{tag}`; there is {}", quoted(&names))
            }
        }
    }

    fn undecided(&self, named: &[&Descriptor], platform: &Platform) -> String {
        let platforms: Vec<_> = named.iter().filter_map(|found| found.platform.as_ref()).collect();
        let names: Vec<_> = named.iter().filter_map(|found| found.name()).collect();
        if !platforms.is_empty() && !platforms.contains(&platform) {
            let found: Vec<_> =
                platforms.iter().map(|has| format!("{}/{}", has.os, has.architecture)).collect();
            let Platform { os, architecture } = platform;
            return format!("no image for {os}/{architecture}; there is {}", found.join(", "));
        }
        format!("holds {} images: add one of the tags {}", named.len(), quoted(&names))
    }
}

impl Descriptor {
    /// The name it has in an index, as the tool that wrote it spelt it.
    pub fn name(&self) -> Option<&str> {
        self.annotations.get(REF_NAME).or_else(|| self.annotations.get(CONTAINERD_NAME)).map(String::as_str)
    }

    /// Some tools write the tag alone, others the whole reference.
    fn is_called(&self, tag: &str) -> bool {
        [REF_NAME, CONTAINERD_NAME]
            .iter()
            .filter_map(|key| self.annotations.get(*key))
            .any(|name| name == tag || name.strip_suffix(tag).is_some_and(|rest| rest.ends_with(':')))
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Before the fields: a schema 1 manifest would only be said to lack some.
fn check_schema(place: &str, bytes: &[u8]) -> Result<(), Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shape {
        schema_version: Option<u32>,
    }
    match parse_object::<Shape>(place, bytes)?.schema_version {
        Some(2) => Ok(()),
        Some(1) => Err(Error::new(place, "Docker's manifest schema 1, which has no digests to trust")),
        Some(version) => Err(Error::new(place, format!("schemaVersion {version}, only 2 is known"))),
        None => Err(Error::new(place, "no schemaVersion")),
    }
}

#[cfg(test)]
mod tests;

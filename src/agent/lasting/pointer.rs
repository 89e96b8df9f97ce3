//! The configuration that the next boot is to have, as it stands in /run and on the disk.
//!
//! It is written when somebody has put one in force and confirmed it, if it was to be confirmed, and not by a boot: one
//! that could not read the disk, or did not believe it, leaves what is there.

use orlop::config::{Lasting, OnDisk};
use orlop::control::ConfigFile;
use orlop::image::Digest;
use serde::{Deserialize, Serialize};

use crate::agent::configuration::{Origin, sources};
use crate::agent::records;
use crate::linux::{Errno, Result, fs};

pub const PATH: &str = "/run/orlop/in-force.json";
/// A configuration of the largest size, each character escaped.
pub const MOST_BYTES: usize = 12 << 20;

/// Fields are only added: an earlier release may have to read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pointer {
    /// The digest of the configuration that the machine was built with.
    pub made_from: String,
    pub number: u64,
    /// None: the built-in one.
    #[serde(default)]
    pub files: Option<Vec<ConfigFile>>,
    #[serde(default)]
    pub origin: Origin,
    #[serde(default)]
    pub is_doubted: bool,
}

impl Pointer {
    fn lasting(&self) -> Lasting {
        let Self { made_from, files, is_doubted, .. } = self.clone();
        Lasting { made_from, files: files.as_deref().map(sources), is_doubted }
    }

    /// # Errors
    /// ENOSPC; the old one is still there.
    pub fn write(&self) -> Result<()> {
        records::write_file(PATH, &serde_json::to_string(self).unwrap_or_default())
    }
}

pub fn parse(bytes: &[u8]) -> Option<Pointer> {
    serde_json::from_slice(bytes).ok()
}

/// As it stands in /run.
pub fn read() -> Option<Pointer> {
    match fs::read_whole(PATH, MOST_BYTES) {
        Ok(bytes) => parse(&bytes),
        Err(Errno::ENOENT) | Err(_) => None,
    }
}

/// What a boot has of it, once the disk has been read.
pub fn on_disk(pointer: Option<&Pointer>) -> OnDisk {
    pointer.map_or(OnDisk::Nothing, |pointer| OnDisk::Is(pointer.lasting()))
}

/// Of a configuration's bytes: names and texts of its files, in their order.
pub fn digest(files: &[ConfigFile]) -> String {
    let mut bytes = Vec::new();
    for text in files.iter().flat_map(|file| [&file.path, &file.text]) {
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    format!("sha256:{}", Digest::of(&bytes).hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_every_byte_and_of_where_it_stands() {
        let file = |path: &str, text: &str| ConfigFile { path: path.into(), text: text.into() };
        let first = digest(&[file("a.toml", "x = 1"), file("b.toml", "")]);
        for other in [
            vec![file("a.toml", "x = 1")],
            vec![file("a.toml", "x = 1 "), file("b.toml", "")],
            vec![file("a.toml", ""), file("b.toml", "x = 1")],
            vec![file("a.toml", "x = 1b.toml"), file("", "")],
        ] {
            assert_ne!(digest(&other), first, "{other:?}");
        }
        assert_eq!(digest(&[file("a.toml", "x = 1"), file("b.toml", "")]), first);
    }

    #[test]
    fn fields_that_come_later_may_be_missing() {
        let old = parse(br#"{ "made_from": "sha256:x", "number": 3, "new": true }"#).unwrap();
        assert_eq!((old.number, &old.files, old.is_doubted), (3, &None, false));
        assert_eq!(parse(b"{}"), None);
    }
}

//! `manifest.json`: every part of a build with its size, its checksum, and where it is from.
//!
//! Nothing in it tells who built it, when, or in which folder: the same inputs give the same
//! manifest. Names of files are as the configuration has them, or the last part of the name.

use serde::{Deserialize, Serialize};

pub use crate::digest::Sum;
pub use crate::kernel::Package;

/// Raised when a field changes its meaning. Fields are added without raising it.
pub const FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub architecture: String,
    pub kernel: Kernel,
    pub initrd: Initrd,
    pub cmdline: Cmdline,
    /// The binary that is `/init`.
    pub init: Part,
    /// The program that speaks TLS, on a machine that needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Part>,
    pub config: Vec<Part>,
    /// In the order in which the machine loads them.
    pub modules: Vec<Module>,
    pub images: Vec<Image>,
    /// Files below `/orlop/store`.
    pub store: Vec<Part>,
}

/// A file of the build or of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// On the machine.
    pub path: String,
    #[serde(flatten)]
    pub sum: Sum,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// `vmlinuz`
    pub file: String,
    /// As `uname -r` says it.
    pub version: String,
    #[serde(flatten)]
    pub sum: Sum,
    /// The packages it came in; empty when it was given as a file.
    pub packages: Vec<Package>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Initrd {
    /// `initrd.img`
    pub file: String,
    #[serde(flatten)]
    pub sum: Sum,
    pub archives: Vec<Archive>,
}

/// One archive in the initramfs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    pub name: String,
    /// `lz4` or `none`.
    pub compression: String,
    /// Bytes of `initrd.img`.
    pub size: u64,
    /// Bytes of the files in it.
    pub unpacked: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cmdline {
    /// `cmdline`
    pub file: String,
    #[serde(flatten)]
    pub sum: Sum,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    #[serde(flatten)]
    pub part: Part,
    pub signed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// As the configuration names it.
    pub source: String,
    /// The containers that run it.
    pub containers: Vec<String>,
    /// Digest of the image's manifest, `sha256:…`.
    pub digest: String,
    /// Diff-ids, lowest first.
    pub layers: Vec<String>,
}

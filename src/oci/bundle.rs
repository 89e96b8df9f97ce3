//! A bundle: a folder with config.json and the files of a container.

use std::path::Path;

use orlop::container::Spec;

use super::failure::{Failure, Result, at, io_at};
use crate::linux::directory;

use std::os::fd::AsFd;

pub(crate) const CONFIG: &str = "config.json";
/// Of an engine with a long filter and many mounts it has 100 KiB.
pub(crate) const LONGEST_CONFIG: usize = 16 << 20;

pub(crate) struct Bundle {
    /// Absolute.
    pub(crate) path: String,
    pub(crate) spec: Spec,
    /// What it was read from.
    pub(crate) text: Vec<u8>,
    /// Absolute.
    pub(crate) rootfs: String,
}

impl Bundle {
    /// Reads the folder that was named, or the current one.
    ///
    /// # Errors
    /// There is no config.json, it is none, or it names no root.
    pub(crate) fn open(given: Option<&Path>) -> Result<Self> {
        let given = given.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let path = std::path::absolute(given).map_err(io_at(format_args!("bundle {}", given.display())))?;
        let path = clean(&path)?;
        let folder = directory::open_at(Path::new(&path)).map_err(at(format_args!("bundle {path}")))?;
        let text = directory::read(folder.as_fd(), CONFIG, LONGEST_CONFIG)
            .map_err(at(format_args!("{path}/{CONFIG}")))?;
        let spec = read(&text, &format!("{path}/{CONFIG}"))?;
        let root = spec.root.as_ref().map(|root| root.path.as_str()).filter(|root| !root.is_empty());
        let root = root.ok_or_else(|| Failure::new("root.path: a container needs one"))?;
        let rootfs = if root.starts_with('/') { root.to_owned() } else { format!("{path}/{root}") };
        Ok(Self { rootfs: clean(Path::new(&rootfs))?, path, spec, text })
    }
}

/// # Errors
/// What is not as the specification has it, with its place.
pub(crate) fn read(text: &[u8], name: &str) -> Result<Spec> {
    serde_json::from_slice(text).map_err(|error| Failure::new(format!("{name}: {error}")))
}

/// Without `.`, doubled slashes and one at the end. Links and `..` are the kernel's business.
fn clean(path: &Path) -> Result<String> {
    let text = path.components().collect::<std::path::PathBuf>();
    text.into_os_string().into_string().map_err(|_| {
        Failure::new(format!("{}: a path that is not UTF-8 cannot be told to anybody", path.display()))
    })
}

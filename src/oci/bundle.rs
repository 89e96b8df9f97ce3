//! A bundle: a folder with config.json and the files of a container.

use std::path::Path;

use orlop::container::Spec;
use orlop::container::spec::Mount;

use super::failure::{Failure, Result, at, io_at};
use crate::linux::{directory, fs};

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
    /// Reads the folder that was named, or the current one, and the file that is to be its config.json.
    ///
    /// # Errors
    /// There is no config.json, it is none, or it names no root.
    pub(crate) fn open(given: Option<&Path>, config: Option<&Path>) -> Result<Self> {
        let given = given.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let path = std::path::absolute(given).map_err(io_at(format_args!("bundle {}", given.display())))?;
        let path = clean(&path)?;
        directory::open_at(Path::new(&path)).map_err(at(format_args!("bundle {path}")))?;
        let config = Path::new(&path).join(config.unwrap_or(Path::new(CONFIG)));
        let config = config.to_str().ok_or_else(|| Failure::new("--config: a path that is not UTF-8"))?;
        let text = fs::open_regular(config).and_then(|file| fs::read_regular(file.as_fd(), LONGEST_CONFIG));
        let text = text.map_err(at(config))?;
        let mut spec = read(&text, config)?;
        let root = spec.root.as_ref().map(|root| root.path.as_str()).filter(|root| !root.is_empty());
        let root = root.ok_or_else(|| Failure::new("root.path: a container needs one"))?;
        let rootfs = if root.starts_with('/') { root.to_owned() } else { format!("{path}/{root}") };
        let rootfs = clean(Path::new(&rootfs))?;
        for mount in &mut spec.mounts {
            from_here(mount, &path, &rootfs);
        }
        Ok(Self { rootfs, path, spec, text })
    }
}

/// A relative source is below the bundle. A destination that begins with the path of the root, as engines have
/// written it, is below that.
fn from_here(mount: &mut Mount, bundle: &str, rootfs: &str) {
    let is_bind = orlop::container::is_bind(mount);
    let relative = |source: &&mut String| is_bind && !source.is_empty() && !source.starts_with('/');
    if let Some(source) = mount.source.as_mut().filter(relative) {
        *source = format!("{bundle}/{source}");
    }
    if let Ok(below) = Path::new(&mount.destination).strip_prefix(rootfs)
        && let Some(below) = below.to_str().filter(|below| !below.is_empty() && rootfs != "/")
    {
        mount.destination = format!("/{below}");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_from_the_bundle() {
        let check = |kind: &str, source: &str, destination: &str, expected: (&str, &str)| {
            let mut mount = Mount {
                kind: Some(kind.to_owned()),
                source: Some(source.to_owned()),
                destination: destination.to_owned(),
                ..Mount::default()
            };
            from_here(&mut mount, "/b", "/b/root");
            assert_eq!((mount.source.as_deref(), mount.destination.as_str()), (Some(expected.0), expected.1));
        };
        check("bind", "data", "/data", ("/b/data", "/data"));
        check("bind", "/data", "/b/root/data/x", ("/data", "/data/x"));
        check("bind", "/data", "/b/rooted", ("/data", "/b/rooted"));
        check("tmpfs", "tmpfs", "/b/root", ("tmpfs", "/b/root"));
    }
}

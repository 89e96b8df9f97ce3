//! The kernel that a machine boots: its image, its modules, its version, and where it is from.

mod apt;
mod debian;
mod package;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{At, Error, Result};
use crate::progress::Progress;

/// Where to take the kernel from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelSource {
    /// Debian's cloud kernel: the one in the cache, or the newest when there is none.
    Debian,
    /// Debian's newest cloud kernel, asked for anew.
    NewestDebian,
    /// A kernel image, and the folder of its modules (`lib/modules/VERSION`, or what holds one).
    Files { kernel: PathBuf, modules: PathBuf },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kernel {
    /// As `uname -r` says it.
    pub(crate) version: String,
    pub(crate) image: PathBuf,
    /// `…/lib/modules/VERSION`.
    pub(crate) modules: PathBuf,
    /// The packages it came in; none for a kernel given as files.
    pub(crate) packages: Vec<Package>,
}

/// A package, pinned by its checksum.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub sha256: String,
}

/// `cache` keeps what was fetched.
pub(crate) fn obtain(source: &KernelSource, cache: &Path, progress: &dyn Progress) -> Result<Kernel> {
    match source {
        KernelSource::Debian => debian::obtain(cache, debian::Wanted::Cached, progress),
        KernelSource::NewestDebian => debian::obtain(cache, debian::Wanted::Newest, progress),
        KernelSource::Files { kernel, modules } => given(kernel, modules),
    }
}

fn given(image: &Path, modules: &Path) -> Result<Kernel> {
    let modules = modules_folder(modules)?;
    let folder_version = modules.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let version = match image_version(&fs::read(image).at("read", image)?) {
        Some(version) => version,
        // Only x86 writes its version where it can be read.
        None => folder_version.clone(),
    };
    if version != folder_version {
        return Err(Error::Kernel(format!(
            "{} is a kernel {version}, but {} holds modules for {folder_version}",
            image.display(),
            modules.display()
        )));
    }
    Ok(Kernel { version, image: image.to_owned(), modules, packages: Vec::new() })
}

/// `given` itself when it is a kernel's folder of modules, else the only one in it.
fn modules_folder(given: &Path) -> Result<PathBuf> {
    let given = fs::canonicalize(given).at("read", given)?;
    let is_one = |folder: &Path| folder.join("kernel").is_dir();
    if is_one(&given) {
        return Ok(given);
    }
    for below in ["", "lib/modules", "usr/lib/modules"] {
        let Ok(entries) = fs::read_dir(given.join(below)) else { continue };
        let found: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| is_one(path)).collect();
        match found.as_slice() {
            [] => {}
            [one] => return Ok(one.clone()),
            [..] => {
                let text = format!(
                    "{} holds the modules of more than one kernel: name one of them",
                    given.display()
                );
                return Err(Error::Kernel(text));
            }
        }
    }
    Err(Error::Kernel(format!(
        "{} holds no kernel's modules: there is no folder `kernel` in it",
        given.display()
    )))
}

/// The version in the header of an x86 kernel (Documentation/arch/x86/boot.rst: `header` at 0x202,
/// `kernel_version` at 0x20e, an offset less 0x200 to a string of which the first word counts).
fn image_version(image: &[u8]) -> Option<String> {
    if image.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let offset = image.get(0x20e..)?.first_chunk::<2>().map(|bytes| u16::from_le_bytes(*bytes))?;
    let text = image.get(usize::from(offset) + 0x200..)?;
    let word = text.split(|byte| *byte == 0 || *byte == b' ').next()?;
    String::from_utf8(word.to_vec()).ok().filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(version: &str) -> Vec<u8> {
        let mut image = vec![0; 0x300];
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x20e..0x210].copy_from_slice(&0x50u16.to_le_bytes());
        image[0x250..0x250 + version.len()].copy_from_slice(version.as_bytes());
        image
    }

    /// A kernel image beside folders of modules.
    fn world(version: &str, folders: &[&str]) -> tempfile::TempDir {
        let world = tempfile::tempdir().unwrap();
        fs::write(world.path().join("vmlinuz"), image(version)).unwrap();
        for folder in folders {
            fs::create_dir_all(world.path().join(folder).join("kernel")).unwrap();
        }
        world
    }

    #[test]
    fn reads_the_version_out_of_the_image() {
        assert_eq!(image_version(&image("6.12.9-x (user@host) #1")).as_deref(), Some("6.12.9-x"));
        assert_eq!(image_version(b"MZ"), None);
        assert_eq!(image_version(&[0; 0x300]), None);
    }

    #[test]
    fn takes_the_folder_of_modules_or_what_holds_it() {
        for (folder, given_as) in [
            ("6.12.9-x", "6.12.9-x"),
            ("6.12.9-x", ""),
            ("m/lib/modules/6.12.9-x", "m"),
            ("m/usr/lib/modules/6.12.9-x", "m"),
        ] {
            let world = world("6.12.9-x ", &[folder]);
            let kernel = given(&world.path().join("vmlinuz"), &world.path().join(given_as)).unwrap();
            assert_eq!(kernel.version, "6.12.9-x");
            assert!(kernel.modules.ends_with(folder));
        }
    }

    #[test]
    fn refuses_modules_that_are_not_the_kernels() {
        let world = world("6.12.9-x ", &["a/6.12.8-x", "b/one", "b/two", "c"]);
        let refused = |folder: &str| {
            let error = given(&world.path().join("vmlinuz"), &world.path().join(folder)).unwrap_err();
            error.to_string().replace(world.path().to_str().unwrap(), "")
        };
        assert_eq!(refused("a"), "/vmlinuz is a kernel 6.12.9-x, but /a/6.12.8-x holds modules for 6.12.8-x");
        assert_eq!(refused("b"), "/b holds the modules of more than one kernel: name one of them");
        assert_eq!(
            refused("c/kernel"),
            "/c/kernel holds no kernel's modules: there is no folder `kernel` in it"
        );
        assert_eq!(refused("d"), "cannot read /d: No such file or directory (os error 2)");
    }
}

//! Debian's cloud kernel: found by what `linux-image-cloud-ARCH` depends on, because the names
//! change with each security update; downloaded, unpacked and kept.
//!
//! Once there is one in the cache it stays: a build takes the same kernel, without a network,
//! until a newer one is asked for.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::apt::Apt;
use super::package::{Stanza, is_new_enough};
use super::{Kernel, Package, modules_folder};
use crate::arch;
use crate::digest;
use crate::error::{At, Error, Result};
use crate::progress::Progress;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Cached,
    Newest,
}

/// What the cache knows about the kernel that it holds.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    version: String,
    /// The kernel's folder in the cache.
    folder: String,
    image_sha256: String,
    packages: Vec<Package>,
}

pub(super) fn obtain(cache: &Path, wanted: Wanted, progress: &dyn Progress) -> Result<Kernel> {
    let cache = cache.join("kernel");
    fs::create_dir_all(&cache).at("create", &cache)?;
    // Builds side by side fetch it once.
    let lock = cache.join("lock");
    let held = File::create(&lock).at("create", &lock)?;
    held.lock().at("lock", &lock)?;
    match (wanted, cached(&cache)?) {
        (Wanted::Cached, Some(kernel)) => Ok(kernel),
        (Wanted::Cached, None) | (Wanted::Newest, _) => {
            fetch(&cache, progress).map_err(|error| explain(error, &cache))
        }
    }
}

fn explain(error: Error, cache: &Path) -> Error {
    match error {
        Error::Kernel(text) => Error::Kernel(format!(
            "cannot fetch Debian's kernel: {text}\n  none is used from {}; \
             without a network, give one with --kernel FILE --modules DIR",
            cache.display()
        )),
        other => other,
    }
}

fn cached(cache: &Path) -> Result<Option<Kernel>> {
    let path = cache.join("current.json");
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.at("read", &path)?,
    };
    // A record that cannot be read, or does not fit, is of a cache to fill again.
    let Ok(record) = serde_json::from_str::<Record>(&text) else { return Ok(None) };
    let kernel = record.kernel(cache);
    let intact = digest::of_file(&kernel.image).is_ok_and(|found| found.sha256 == record.image_sha256);
    Ok((intact && kernel.modules.is_dir()).then_some(kernel))
}

impl Record {
    fn kernel(&self, cache: &Path) -> Kernel {
        let folder = cache.join(&self.folder);
        Kernel {
            version: self.version.clone(),
            image: folder.join("vmlinuz"),
            modules: folder.join("modules").join(&self.version),
            packages: self.packages.clone(),
        }
    }
}

fn fetch(cache: &Path, progress: &dyn Progress) -> Result<Kernel> {
    progress.stage("fetching Debian's kernel", 0);
    let apt = Apt::new(&cache.join("apt"))?;
    apt.update()?;
    let parts = parts(&apt)?;
    let work = tempfile::Builder::new().prefix("new-").tempdir_in(cache).at("create a folder in", cache)?;
    let tree = work.path().join("tree");
    for part in &parts {
        unpack(&apt, part, work.path(), &tree)?;
    }
    progress.stage("keeping it", 0);
    keep(cache, work.path(), &tree, parts)
}

/// The packages that hold the kernel.
fn parts(apt: &Apt) -> Result<Vec<Package>> {
    let meta = format!("linux-image-cloud-{}", arch::debian());
    let mut names = vec![meta.clone()];
    let mut seen = BTreeSet::new();
    let mut parts = Vec::new();
    while let Some(name) = names.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let text = apt.show(&name)?;
        let stanza = Stanza::first(&text);
        let field = |field| stanza.field(field).unwrap_or_default().to_owned();
        let version = field("Version");
        if !is_new_enough(&version) {
            return Err(Error::Kernel(format!("{name} is {version}, and Orlop needs 6.12 or newer")));
        }
        names.extend(stanza.kernel_parts());
        // The package that only names the others has nothing in it.
        if name != meta {
            parts.push(Package { name, version, sha256: field("SHA256") });
        }
    }
    parts.sort();
    Ok(parts)
}

fn unpack(apt: &Apt, part: &Package, work: &Path, tree: &Path) -> Result<()> {
    let folder = work.join(&part.name);
    fs::create_dir(&folder).at("create", &folder)?;
    apt.download(&part.name, &part.version, &folder)?;
    let file = only_file(&folder)?;
    let found = digest::of_file(&file)?;
    if found.sha256 != part.sha256 {
        return Err(Error::Kernel(format!(
            "{}: is damaged: its SHA-256 is not what apt says",
            file.display()
        )));
    }
    let status = Command::new("dpkg-deb").arg("-x").args([&file, tree]).output();
    match status {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(Error::Kernel(format!("dpkg-deb cannot unpack {}: {said}", file.display())))
        }
        Err(error) => Err(Error::Kernel(format!("cannot run dpkg-deb: {error}"))),
    }
}

/// Puts image and modules where the cache has them, then says so in one step.
fn keep(cache: &Path, work: &Path, tree: &Path, packages: Vec<Package>) -> Result<Kernel> {
    let modules = modules_folder(tree)?;
    let version = modules.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let image = [format!("boot/vmlinuz-{version}"), format!("usr/lib/modules/{version}/vmlinuz")]
        .iter()
        .map(|path| tree.join(path))
        .find(|path| path.is_file())
        .ok_or_else(|| Error::Kernel(format!("the packages of {version} hold no kernel image")))?;
    let found = digest::of_file(&image)?;
    let new = work.join("kernel");
    fs::create_dir_all(new.join("modules")).at("create", &new)?;
    rename(&image, &new.join("vmlinuz"))?;
    rename(&modules, &new.join("modules").join(&version))?;
    // Named by the image's checksum as well: a rebuilt kernel of the same version is another one.
    let folder = format!("{version}-{}", found.sha256.get(..12).unwrap_or_default());
    let place = cache.join(&folder);
    match fs::remove_dir_all(&place) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).at("remove", &place)?,
        _gone => {}
    }
    rename(&new, &place)?;
    let record = Record { version, folder, image_sha256: found.sha256, packages };
    let text = serde_json::to_string_pretty(&record).unwrap_or_default();
    let written = work.join("current.json");
    fs::write(&written, text).at("write", &written)?;
    rename(&written, &cache.join("current.json"))?;
    Ok(record.kernel(cache))
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).at("create", to)
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(folder).at("read", folder)?;
    match entries.next() {
        Some(entry) => entry.map(|entry| entry.path()).at("read", folder),
        None => Err(Error::Kernel(format!("apt-get downloaded nothing into {}", folder.display()))),
    }
}

//! Which modules go into the initramfs, found in the folder of a kernel's modules.
//!
//! A Debian package has no `modules.dep` (depmod writes it where the package is installed), so
//! each module is asked what it needs, and a `modules.dep` of those that are taken is written.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use orlop::config::Config;
use orlop::image::module_turns::{added, asked_for_by};
use orlop::image::modules::{Deps, UnknownModule, name_of};

use crate::error::{At, Error, Result};
use crate::module_file::{self, Signatures};

/// What the machine finds below `/lib/modules/VERSION`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Modules {
    /// In the order in which the machine loads them.
    pub(crate) files: Vec<ModuleFile>,
    pub(crate) dep: String,
    pub(crate) builtin: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ModuleFile {
    /// Below `/lib/modules/VERSION`: `kernel/fs/erofs/erofs.ko`.
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) signed: bool,
}

/// Takes what every machine needs, and what the configuration adds, from `folder`: a kernel's
/// `lib/modules/VERSION`.
pub(crate) fn choose(folder: &Path, config: &Config, signatures: Signatures) -> Result<Modules> {
    let builtin = read_builtin(&folder.join("modules.builtin"))?;
    let available = available(folder)?;
    let listed: String = available.values().map(|path| format!("{path}:\n")).collect();
    let names = Deps::parse(&listed, &builtin);
    let mut added = added(config);
    for name in &added {
        let key = if config.host.modules.contains(name) { "host.modules" } else { "host.disk.type" };
        names.order([name.as_str()]).map_err(|unknown| added_unknown(key, unknown))?;
    }
    added.extend(asked_for_by(config).iter().filter(|name| names.knows(name)).map(ToString::to_string));
    let added = added.as_slice();
    let wanted = names.boot(added).map_err(|unknown| Error::Module { key: None, unknown })?;
    let mut taken = Taken { folder, available: &available, names: &names, modules: BTreeMap::new() };
    for path in wanted {
        taken.add(&name_of(path))?;
    }
    let dep = taken.modules_dep();
    let order: Vec<String> = Deps::parse(&dep, &builtin)
        .boot(added)
        .map_err(|unknown| Error::Module { key: None, unknown })?
        .into_iter()
        .map(name_of)
        .collect();
    let files = order.iter().filter_map(|name| taken.modules.remove(name));
    let files = files.map(|module| module.ship(folder, signatures)).collect::<Result<_>>()?;
    Ok(Modules { files, dep, builtin })
}

/// Modules that are taken, by name, with what they need.
struct Taken<'a> {
    folder: &'a Path,
    available: &'a BTreeMap<String, String>,
    names: &'a Deps,
    modules: BTreeMap<String, Module>,
}

struct Module {
    /// As it is named in the kernel's folder.
    path: String,
    bytes: Vec<u8>,
    needs: Vec<String>,
}

impl Taken<'_> {
    fn add(&mut self, name: &str) -> Result<()> {
        let Some(path) = self.available.get(name) else {
            // A name that is built in needs no file; one that is neither cannot be loaded.
            return self
                .names
                .order([name])
                .map(drop)
                .map_err(|unknown| Error::Module { key: None, unknown });
        };
        if self.modules.contains_key(name) {
            return Ok(());
        }
        let file = self.folder.join(path);
        let bytes = module_file::read(&file)?;
        let needs: Vec<String> =
            module_file::needs(&file, &bytes)?.iter().map(|need| name_of(need)).collect();
        self.modules.insert(name.to_owned(), Module { path: path.clone(), bytes, needs: needs.clone() });
        needs.iter().try_for_each(|need| self.add(need))
    }

    /// In the form of modules.dep(5), with direct dependencies only.
    fn modules_dep(&self) -> String {
        let line = |module: &Module| {
            let needs = module.needs.iter().filter_map(|need| self.modules.get(need));
            let needs: String = needs.map(|need| format!(" {}", shipped_path(&need.path))).collect();
            format!("{}:{needs}\n", shipped_path(&module.path))
        };
        self.modules.values().map(line).collect()
    }
}

impl Module {
    fn ship(self, folder: &Path, signatures: Signatures) -> Result<ModuleFile> {
        let (bytes, signed) = module_file::shipped(&folder.join(&self.path), self.bytes, signatures)?;
        Ok(ModuleFile { path: shipped_path(&self.path).to_owned(), bytes, signed })
    }
}

/// Modules are shipped unpacked.
fn shipped_path(path: &str) -> &str {
    path.strip_suffix(".xz").unwrap_or(path)
}

fn added_unknown(key: &str, unknown: UnknownModule) -> Error {
    Error::Module { key: Some(key.to_owned()), unknown }
}

/// A kernel that somebody built may have come without the list.
fn read_builtin(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        read => read.at("read", path),
    }
}

/// Every module below `folder`: name → path relative to it.
fn available(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).at("read", &next)? {
            let entry = entry.at("read", &next)?;
            let path = entry.path();
            // `build` and `source` are symbolic links out of here: not followed.
            if entry.file_type().at("read", &path)?.is_dir() {
                folders.push(path);
            } else if let Some(path) = path.strip_prefix(folder).ok().and_then(Path::to_str)
                && path.contains(".ko")
            {
                found.insert(name_of(path), path.to_owned());
            }
        }
    }
    Ok(found)
}

//! The layers below one that is being converted. Archives made from differences leave out the
//! parents of what has changed; those are then what they are below.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use orlop::image::erofs::{Lookup, lookup};
use orlop::image::layer::{Meta, Tree};
use orlop::image::{Digest, Error};

use super::at;

/// Converted layers, lowest first, each once.
#[derive(Debug, Default)]
pub struct Below {
    files: Vec<PathBuf>,
}

impl Below {
    /// Lays one more on top. A layer that comes again counts at its upper place only: there it
    /// covers all that it did below, and overlay refuses one twice. One whose root is opaque
    /// hides all others.
    pub fn add(&mut self, file: &Path) -> Result<(), Error> {
        self.files.retain(|below| below != file);
        if is_opaque(file)? {
            self.files.clear();
        }
        self.files.push(file.to_path_buf());
        Ok(())
    }

    /// Names of the files, lowest first.
    pub fn names(&self) -> Vec<&str> {
        self.files.iter().filter_map(|file| file.file_name()?.to_str()).collect()
    }

    /// A short name for all of them together: 64 bits, within one diff-id.
    pub(super) fn name(&self) -> String {
        if self.files.is_empty() {
            return String::from("0");
        }
        Digest::of(self.names().join(",").as_bytes()).hex().chars().take(16).collect()
    }

    /// Gives implied directories what they are here; whether the layer has any.
    pub(super) fn give(&self, tree: &mut Tree) -> Result<bool, Error> {
        let implied = tree.implied();
        let depends = !implied.is_empty();
        let mut found = Vec::new();
        for (id, names) in implied {
            if let Some(meta) = self.directory(&names)? {
                found.push((id, meta));
            }
        }
        found.into_iter().for_each(|(id, meta)| tree.inherit(id, meta));
        Ok(depends)
    }

    fn directory(&self, names: &[&[u8]]) -> Result<Option<Meta>, Error> {
        for file in self.files.iter().rev() {
            match look(file, names)? {
                Lookup::Directory(meta) => return Ok(Some(meta)),
                Lookup::Hidden => return Ok(None),
                Lookup::Absent => {}
            }
        }
        Ok(None)
    }
}

fn is_opaque(file: &Path) -> Result<bool, Error> {
    Ok(matches!(look(file, &[])?, Lookup::Directory(meta) if meta.is_opaque()))
}

fn look(path: &Path, names: &[&[u8]]) -> Result<Lookup, Error> {
    let file = File::open(path).map_err(at(path))?;
    lookup(names, &mut |offset, buffer: &mut [u8]| file.read_exact_at(buffer, offset).map_err(at(path)))
}

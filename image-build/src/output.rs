//! The folder that a build leaves: all of it new, or as it was.

use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;

use crate::error::{At, Error, Result};

pub(crate) const KERNEL: &str = "vmlinuz";
pub(crate) const INITRD: &str = "initrd.img";
pub(crate) const CMDLINE: &str = "cmdline";
pub(crate) const MANIFEST: &str = "manifest.json";

const FILES: [&str; 4] = [KERNEL, INITRD, CMDLINE, MANIFEST];

/// A folder beside the wanted one, which takes its place at the end, and is gone otherwise.
pub(crate) struct Output {
    wanted: PathBuf,
    new: TempDir,
}

impl Output {
    pub(crate) fn beside(wanted: &Path) -> Result<Self> {
        let wanted = match fs::canonicalize(wanted) {
            Err(error) if error.kind() == ErrorKind::NotFound => absolute(wanted)?,
            found => found.at("read", wanted)?,
        };
        holds_only_a_build(&wanted)?;
        let parent = wanted.parent().ok_or_else(|| refused(&wanted, "there is no place beside it"))?;
        fs::create_dir_all(parent).at("create", parent)?;
        let new = tempfile::Builder::new()
            .prefix(".orlop-image-")
            .tempdir_in(parent)
            .at("create a folder in", parent)?;
        Ok(Self { wanted, new })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.new.path().join(name)
    }

    /// Puts the new folder where the old one was, in one step, and gives its path.
    pub(crate) fn commit(self) -> Result<PathBuf> {
        let Self { wanted, new } = self;
        for name in FILES {
            let path = new.path().join(name);
            // Whatever the umask is. The archive holds what env files hold, secrets too.
            let mode = if name == INITRD { 0o600 } else { 0o644 };
            fs::set_permissions(&path, Permissions::from_mode(mode)).at("change the mode of", &path)?;
            File::open(&path).and_then(|file| file.sync_all()).at("write", &path)?;
        }
        fs::set_permissions(new.path(), Permissions::from_mode(0o755))
            .at("change the mode of", new.path())?;
        let flags = if wanted.exists() { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        renameat_with(CWD, new.path(), CWD, &wanted, flags)
            .map_err(|errno| refused(&wanted, &format!("cannot put the new files here: {errno}")))?;
        // What has the temporary name now is the old folder, or nothing.
        drop(new);
        Ok(wanted)
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).at("read", path)
}

/// The old folder is thrown away in the end: nobody's other files may be in it.
fn holds_only_a_build(folder: &Path) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.at("read", folder)?,
    };
    for entry in entries {
        let name = entry.at("read", folder)?.file_name();
        if !FILES.iter().any(|file| name == *file) {
            let why = format!(
                "holds `{}`, which is no part of a build: give a folder of its own",
                name.to_string_lossy()
            );
            return Err(refused(folder, &why));
        }
    }
    Ok(())
}

fn refused(path: &Path, why: &str) -> Error {
    Error::Output { path: path.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(output: &Output, text: &str) {
        for name in FILES {
            fs::write(output.path(name), text).unwrap();
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn takes_the_place_of_an_older_build() {
        let world = tempfile::tempdir().unwrap();
        let wanted = world.path().join("a/machine");
        for text in ["first", "second"] {
            let output = Output::beside(&wanted).unwrap();
            fill(&output, text);
            assert_eq!(output.commit().unwrap(), wanted);
            assert_eq!(fs::read_to_string(wanted.join(KERNEL)).unwrap(), text);
            assert_eq!(fs::metadata(wanted.join(KERNEL)).unwrap().permissions().mode() & 0o777, 0o644);
        }
        assert_eq!(names(&world.path().join("a")), ["machine"]);
    }

    #[test]
    fn leaves_the_older_build_when_it_is_given_up() {
        let world = tempfile::tempdir().unwrap();
        let wanted = world.path().join("machine");
        let output = Output::beside(&wanted).unwrap();
        fill(&output, "first");
        output.commit().unwrap();
        let given_up = Output::beside(&wanted).unwrap();
        fs::write(given_up.path(KERNEL), "half").unwrap();
        given_up.commit().unwrap_err();
        assert_eq!(fs::read_to_string(wanted.join(KERNEL)).unwrap(), "first");
        assert_eq!(names(world.path()), ["machine"]);
    }

    #[test]
    fn refuses_a_folder_with_other_files() {
        let world = tempfile::tempdir().unwrap();
        fs::write(world.path().join("thesis.tex"), "").unwrap();
        let error = Output::beside(world.path()).err().unwrap().to_string();
        assert!(
            error.ends_with("holds `thesis.tex`, which is no part of a build: give a folder of its own"),
            "{error}"
        );
        assert_eq!(names(world.path()), ["thesis.tex"]);
    }
}

//! A configuration that is changed here: key by key, or in an editor.

use std::ffi::{CString, OsStr};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use orlop::config::{Source, set as set_key};
use orlop::control::ConfigFile;

use super::check;
use super::failure::{Failure, why};
use crate::linux::clone::{Cloned, Parent, clone3};
use crate::linux::wait::wait_for;
use crate::linux::{Errno, process, signal};

/// Folders of this process that may be left from others.
const TRIES: u32 = 16;

/// Each `KEY=VALUE`, one after the other.
pub(super) fn set(files: Vec<ConfigFile>, changes: &[String]) -> Result<Vec<ConfigFile>, Failure> {
    let mut sources: Vec<Source> =
        files.into_iter().map(|file| Source { path: file.path, text: file.text }).collect();
    for change in changes {
        let (key, value) = change
            .split_once('=')
            .ok_or_else(|| Failure::Failed(format!("{change}: write it as KEY=VALUE")))?;
        set_key(&mut sources, key.trim(), value).map_err(Failure::Failed)?;
    }
    Ok(sources.into_iter().map(|source| ConfigFile { path: source.path, text: source.text }).collect())
}

/// A folder of ours, which nobody else looks into: there may be passwords in it.
pub(super) struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self, Failure> {
        let of_try =
            |number: u32| std::env::temp_dir().join(format!("orlop-config-{}-{number}", std::process::id()));
        for path in (0..TRIES).map(of_try) {
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(&path, &error)),
            }
        }
        Err(Failure::Failed(format!("there is no room in {}", std::env::temp_dir().display())))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// What was typed is not lost.
    pub(super) fn kept(&self, failure: Failure) -> Failure {
        let path = self.0.display();
        match failure.line() {
            Some(line) => Failure::Failed(format!("{line}; it is kept: orlop reload {path}")),
            None => failure,
        }
    }

    pub(super) fn remove(&self) {
        // Another one is made next time.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What this person edits with; it may be several words, as git has it.
pub(super) fn editor() -> String {
    let set = |name| std::env::var(name).ok().filter(|word| !word.is_empty());
    set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| String::from("vi"))
}

/// The folder with what an editor made of it; `None`: nothing.
pub(super) fn edit(files: &[ConfigFile], editor: &str) -> Result<Option<Folder>, Failure> {
    let folder = Folder::make()?;
    let mut paths = Vec::new();
    for file in files {
        let plain = Path::new(&file.path).file_name().unwrap_or(OsStr::new("orlop.toml"));
        let path = folder.path().join(plain);
        fs::write(&path, &file.text).map_err(|error| failed(&path, &error))?;
        paths.push(path);
    }
    call(editor, &paths).map_err(|failure| folder.kept(failure))?;
    let edited = check::sources(&[folder.path().to_owned()]).map_err(|failure| folder.kept(failure))?;
    let before = files.iter().map(|file| &file.text);
    if edited.iter().map(|source| &source.text).eq(before) {
        folder.remove();
        return Ok(None);
    }
    Ok(Some(folder))
}

fn call(editor: &str, paths: &[PathBuf]) -> Result<(), Failure> {
    let failed = |why: &str| Failure::Failed(format!("{editor}: {why}"));
    let script = format!("exec {editor} \"$@\"");
    let words = ["sh", "-c", &script, "sh"].map(|word| word.as_bytes().to_vec());
    let words = words.into_iter().chain(paths.iter().map(|path| path.as_os_str().as_bytes().to_vec()));
    let words: Result<Vec<CString>, _> = words.map(CString::new).collect();
    let words = words.map_err(|_| failed("a name has a NUL"))?;
    let pair = |(key, value): (std::ffi::OsString, std::ffi::OsString)| {
        CString::new([key.into_vec(), b"=".to_vec(), value.into_vec()].concat()).ok()
    };
    let environment: Vec<CString> = std::env::vars_os().filter_map(pair).collect();
    match clone3(Parent::Caller, 0, None).map_err(|errno| failed(errno.desc()))? {
        Cloned::Child => {
            signal::reset();
            process::exec_path(c"/bin/sh", &words, &environment);
            process::exit_now(127)
        }
        Cloned::Parent { pidfd, .. } => loop {
            match wait_for(pidfd.as_fd()) {
                Err(Errno::EINTR) => {}
                Ok(Some(end)) if (end.code, end.status) == (libc::CLD_EXITED, 0) => return Ok(()),
                Ok(_) => return Err(failed("it did not end well")),
                Err(errno) => return Err(failed(errno.desc())),
            }
        },
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("{}: {}", path.display(), why(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<ConfigFile> {
        let file = |path: &str, text: &str| ConfigFile { path: path.into(), text: text.into() };
        vec![file("a.toml", "# one\n[host]\n"), file("b.toml", "[volume.data] # two\n")]
    }

    fn texts(folder: &Folder) -> Vec<String> {
        let sources = check::sources(&[folder.path().to_owned()]).unwrap();
        sources.into_iter().map(|source| source.text).collect()
    }

    #[test]
    fn an_editor_has_all_files_and_what_it_leaves_is_taken() {
        let folder = edit(&files(), "sed -i -e s/one/three/").unwrap().unwrap();
        assert_eq!(texts(&folder), ["# three\n[host]\n", "[volume.data] # two\n"]);
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(folder.path()).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o700);
        let failure = folder.kept(Failure::Failed("no".into())).line().unwrap();
        assert_eq!(failure, format!("no; it is kept: orlop reload {}", folder.path().display()));
        folder.remove();
        assert!(!folder.path().exists());
    }

    #[test]
    fn an_editor_that_changes_nothing_or_fails_changes_nothing() {
        assert!(edit(&files(), "true").unwrap().is_none());
        let failure = edit(&files(), "false").err().unwrap().line().unwrap();
        assert!(failure.starts_with("false: it did not end well; it is kept: "), "{failure}");
        fs::remove_dir_all(failure.rsplit(' ').next().unwrap()).unwrap();
    }

    #[test]
    fn several_keys_are_set_one_after_the_other_or_none() {
        let set = |changes: &[&str]| {
            let changes: Vec<String> = changes.iter().map(|it| (*it).to_owned()).collect();
            super::set(files(), &changes)
        };
        let done = set(&["host.hostname=deck=1", "volume.data.size = 1M"]).unwrap();
        let texts: Vec<&str> = done.iter().map(|file| file.text.as_str()).collect();
        assert_eq!(texts, ["# one\n[host]\nhostname = \"deck=1\"\n", "[volume.data] # two\nsize = \"1M\"\n"]);
        let failure = set(&["host.hostname=a", "b"]).err().unwrap().line().unwrap();
        assert_eq!(failure, "b: write it as KEY=VALUE");
    }
}

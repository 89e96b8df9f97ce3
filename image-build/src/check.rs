//! The configuration: read and judged by the machine's own code, and the files that it names.

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use orlop::config::{Config, ImageSource};

use crate::error::{At, Error, Result};
use crate::standin::{Severity, Source, read as read_config};

#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) config: Config,
    /// What relative names in the configuration are relative to.
    pub(crate) folder: PathBuf,
    /// Name below the configuration's folder, here and on the machine → file.
    pub(crate) files: Vec<(String, PathBuf)>,
    pub(crate) warnings: Vec<String>,
}

/// Reads a folder of `*.toml`, or one file, and refuses what the machine would refuse.
pub(crate) fn read(path: &Path) -> Result<Checked> {
    let (folder, names) = toml_files(path)?;
    let mut sources = Vec::new();
    let mut files = Vec::new();
    for name in names {
        let file = folder.join(&name);
        let text = fs::read_to_string(&file).at("read", &file)?;
        sources.push(Source { path: file.display().to_string(), text });
        files.push((name, file));
    }
    let reading = read_config(&sources);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        reading.diagnostics.iter().partition(|diagnostic| diagnostic.severity == Severity::Error);
    if !errors.is_empty() {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        return Err(Error::Config(texts.join("\n")));
    }
    let warnings = warnings.iter().map(ToString::to_string).collect();
    images_are_there(&reading.config, &folder)?;
    files.extend(env_files(&reading.config, &folder)?);
    Ok(Checked { config: reading.config, folder, files, warnings })
}

/// The folder, and the names in it, sorted. Hidden files are not the configuration's: editors leave them.
fn toml_files(path: &Path) -> Result<(PathBuf, Vec<String>)> {
    if !fs::metadata(path).at("read", path)?.is_dir() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return Ok((folder.to_owned(), vec![name]));
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(path).at("read", path)? {
        let name = entry.at("read", path)?.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".toml") && !name.starts_with('.') {
            names.push(name.into_owned());
        }
    }
    names.sort();
    match names.is_empty() {
        true => Err(Error::Config(format!("{}: there is no *.toml in this folder", path.display()))),
        false => Ok((path.to_owned(), names)),
    }
}

/// Every image that is a file or a folder is one that is there.
fn images_are_there(config: &Config, folder: &Path) -> Result<()> {
    for (name, container) in &config.containers {
        let (path, folder_wanted) = match &container.image {
            ImageSource::Registry(_) => continue,
            ImageSource::Oci { path, .. } | ImageSource::Dir { path } => (path, true),
            ImageSource::OciArchive { path, .. } | ImageSource::DockerArchive { path, .. } => (path, false),
        };
        let path = folder.join(path);
        let named =
            |why: String| Error::Named { key: format!("container.{name}.image"), path: path.clone(), why };
        let found = fs::metadata(&path).map_err(|error| named(error.to_string()))?;
        match (folder_wanted, found.is_dir()) {
            (true, false) => return Err(named("this is a file, and a folder is wanted".to_owned())),
            (false, true) => return Err(named("this is a folder, and a file is wanted".to_owned())),
            (true, true) | (false, false) => {}
        }
    }
    Ok(())
}

/// The files of environment variables, by the name under which the machine finds them.
fn env_files(config: &Config, folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for (name, container) in &config.containers {
        for env_file in &container.env_file {
            let path = folder.join(&env_file.path);
            let named = |why: String| Error::Named {
                key: format!("container.{name}.env_file"),
                path: path.clone(),
                why,
            };
            let Some(inside) = below(&env_file.path) else {
                return Err(named(
                    "this is not below the configuration's folder, and only that is taken along".to_owned(),
                ));
            };
            match fs::metadata(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound && !env_file.required => continue,
                Err(error) => return Err(named(error.to_string())),
                Ok(found) if !found.is_file() => return Err(named("this is no file".to_owned())),
                Ok(_) => files.push((inside, path)),
            }
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// `path` without `.`, if it is relative and stays below where it starts.
fn below(path: &str) -> Option<String> {
    let mut names = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => names.push(name.to_str()?),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (!names.is_empty()).then(|| names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of what goes wrong with these files, without the folder's own name.
    fn check_refused(files: &[(&str, &str)], expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let text = read(folder.path()).unwrap_err().to_string();
        assert_eq!(text.replace(folder.path().to_str().unwrap(), ""), expected);
    }

    #[test]
    fn refuses_a_folder_without_configuration() {
        check_refused(&[("readme", ""), (".hidden.toml", "")], ": there is no *.toml in this folder");
    }

    #[test]
    fn shows_every_mistake_and_not_only_the_first() {
        check_refused(
            &[("a.toml", "wrong\nodd\n"), ("b.toml", "wrong\n")],
            "/a.toml:1: wrong\n/b.toml:1: wrong",
        );
    }

    #[test]
    fn takes_one_file_as_a_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("only.toml");
        fs::write(&file, "odd\n").unwrap();
        fs::write(folder.path().join("other.toml"), "wrong\n").unwrap();
        let checked = read(&file).unwrap();
        assert_eq!(checked.files, [("only.toml".to_owned(), file.clone())]);
        assert_eq!(checked.warnings, [format!("{}:1: odd", file.display())]);
    }

    #[test]
    fn keeps_env_files_below_the_folder() {
        let check =
            |path: &str, expected: Option<&str>| assert_eq!(below(path).as_deref(), expected, "{path}");
        check("db.env", Some("db.env"));
        check("./env/db.env", Some("env/db.env"));
        check("../db.env", None);
        check("env/../../db.env", None);
        check("/etc/db.env", None);
        check(".", None);
    }
}

//! The configuration: read and judged by the machine's own code, and the files that it names.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use orlop::config::{self, Config, FileKind, FileUse, Severity, Source};

use crate::error::{At, Error, Result};

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
    let reading = config::read(&sources);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        reading.diagnostics.iter().partition(|diagnostic| diagnostic.severity == Severity::Error);
    let mut mistakes: Vec<String> = errors.iter().map(ToString::to_string).collect();
    for named in named_files(&reading.config, &folder) {
        match named {
            Ok(file) => files.extend(file),
            Err(mistake) => mistakes.push(format!("error: {mistake}")),
        }
    }
    if !mistakes.is_empty() {
        return Err(Error::Config(mistakes.join("\n")));
    }
    files.sort();
    files.dedup();
    let warnings = warnings.iter().map(ToString::to_string).collect();
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

/// The files that a configuration names, which are to be taken along by the name under which the machine
/// finds them, and for each that cannot be, what is wrong. Images go into the store and not along.
fn named_files(config: &Config, folder: &Path) -> Vec<Result<Option<(String, PathBuf)>, String>> {
    config::files(config).into_iter().map(|file| named_file(file, folder)).collect()
}

fn named_file(file: FileUse, folder: &Path) -> Result<Option<(String, PathBuf)>, String> {
    let FileUse { key, path: name, required, kind, .. } = file;
    let image = key.ends_with(".image");
    // An absolute path is the machine's own, except an image's, which is used up here.
    if !image && Path::new(&name).is_absolute() {
        return Ok(None);
    }
    let path = folder.join(&name);
    let wrong = |why: &str| Err(format!("{key}: {}: {why}", path.display()));
    match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound && !required => Ok(None),
        Err(error) => wrong(&error.to_string()),
        Ok(_) if image => Ok(None),
        Ok(found) if !found.is_file() => wrong("this is no file"),
        Ok(found) if found.len() > config::PEM_MAX && kind != FileKind::Any => {
            wrong(&format!("it has more than {} KiB", config::PEM_MAX >> 10))
        }
        Ok(_) => {
            let judged = match kind {
                FileKind::Any => Ok(()),
                FileKind::Certificates | FileKind::PrivateKey => fs::read(&path)
                    .map_err(|error| error.to_string())
                    .and_then(|bytes| config::judge(kind, &bytes)),
            };
            judged.map_or_else(|why| wrong(&why), |()| Ok(Some((name, path.clone()))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of what goes wrong with these files, without the folder's own name.
    fn check_refused(files: &[(&str, &str)], expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let text = read(folder.path()).unwrap_err().to_string();
        assert_eq!(text.replace(folder.path().to_str().unwrap(), ""), expected);
    }

    #[test]
    fn refuses_a_folder_without_configuration() {
        check_refused(&[("readme", ""), (".hidden.toml", "")], ": there is no *.toml in this folder");
    }

    #[test]
    fn shows_every_mistake_as_the_machine_would() {
        let (a, b) = ("[host]\nhostnam = \"x\"\n", "[container.web]\nimage = 7\n");
        let folder = tempfile::tempdir().unwrap();
        let sources = [("a.toml", a), ("b.toml", b)].map(|(name, text)| {
            fs::write(folder.path().join(name), text).unwrap();
            Source { path: folder.path().join(name).display().to_string(), text: text.to_owned() }
        });
        let expected: Vec<String> =
            config::read(&sources).diagnostics.iter().map(ToString::to_string).collect();
        assert!(expected.len() >= 2);
        assert_eq!(read(folder.path()).unwrap_err().to_string(), expected.join("\n"));
    }

    #[test]
    fn takes_one_file_as_a_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("only.toml");
        fs::write(&file, "[host]\n").unwrap();
        fs::write(folder.path().join("other.toml"), "wrong").unwrap();
        assert_eq!(read(&file).unwrap().files, [("only.toml".to_owned(), file.clone())]);
    }

    const CONTAINER: &str = "[container.web]\nimage = \"dir:root\"\nenv_file = ";

    #[test]
    fn names_every_file_that_is_missing_with_key_and_path() {
        let missing = "No such file or directory (os error 2)";
        let web = |file: &str| format!("{CONTAINER}[\"{file}\"]\n");
        let both = format!(
            "error: container.web.image: /root: {missing}\nerror: container.web.env_file: /x.env: {missing}"
        );
        check_refused(&[("a.toml", &web("x.env"))], &both);
        let with = |file: &str| web(file).replace("dir:root", "oci-archive:a.toml");
        let no_file = "error: container.web.env_file: /x: this is no file";
        check_refused(&[("a.toml", &with("x")), ("x/b", "")], no_file);
    }

    #[test]
    fn shows_mistakes_and_missing_files_together() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[container.db]\nimage = \"dir:db\"\n[container.web]\nimage = 7\n";
        fs::write(folder.path().join("a.toml"), text).unwrap();
        let text = read(folder.path()).unwrap_err().to_string();
        assert!(text.contains("a.toml:4:9") && text.contains("\nerror: container.db.image: "), "{text}");
    }

    #[test]
    fn takes_env_files_along_and_does_without_those_that_may_be_missing() {
        let folder = tempfile::tempdir().unwrap();
        let list = "[\"./env/a.env\", { path = \"b.env\", required = false }, \"/etc/on-the-machine\"]\n";
        fs::create_dir_all(folder.path().join("root")).unwrap();
        fs::create_dir_all(folder.path().join("env")).unwrap();
        fs::write(folder.path().join("env/a.env"), "A=1\n").unwrap();
        fs::write(folder.path().join("a.toml"), format!("{CONTAINER}{list}")).unwrap();
        let files = read(folder.path()).unwrap().files;
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a.toml", "env/a.env"]);
    }

    #[test]
    fn files_of_tls_are_taken_along_and_must_be_pem() {
        let text = "[host.log]\nforward = [{ to = \"tls://a.example:6514\", ca = \"tls/ca.pem\", cert = \"/on/the/machine\", \
                    key = \"m.key\" }]\n";
        let ca = "-----BEGIN CERTIFICATE-----\nMAMCAQU=\n-----END CERTIFICATE-----\n";
        check_refused(
            &[("a.toml", text), ("tls/ca.pem", ca), ("m.key", ca)],
            "error: host.log.forward[0].key: /m.key: there is no private key in it, as PEM has it",
        );
        check_refused(
            &[("a.toml", text), ("tls/ca.pem", "x"), ("m.key", &ca.replace("CERTIFICATE", "PRIVATE KEY"))],
            "error: host.log.forward[0].ca: /tls/ca.pem: there is no certificate in it, as PEM has it",
        );
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tls")).unwrap();
        fs::write(folder.path().join("tls/ca.pem"), ca).unwrap();
        fs::write(folder.path().join("m.key"), ca.replace("CERTIFICATE", "PRIVATE KEY")).unwrap();
        fs::write(folder.path().join("a.toml"), text).unwrap();
        let files = read(folder.path()).unwrap().files;
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a.toml", "m.key", "tls/ca.pem"]);
    }
}

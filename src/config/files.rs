//! Which files beside the configuration a machine and its containers need, for whoever can look whether they are there.

use super::collector::{Forward, TlsFiles};
use super::model::{Config, ImageSource, Seccomp};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What has to be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Whatever its reader takes.
    Any,
    /// At least one certificate, in PEM.
    Certificates,
    /// One key, in PEM, without a passphrase.
    PrivateKey,
}

/// A file or folder that a configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUse {
    /// `None`: the machine needs it.
    pub container: Option<String>,
    /// `container.db.image`
    pub key: String,
    /// Where the container is declared, `gateway.toml:3`; empty for the machine.
    pub declared_at: String,
    /// Relative to the config folder; an absolute one is on the machine, except an image's.
    pub path: String,
    /// Whether it must be there.
    pub required: bool,
    /// For [`super::judge`].
    pub kind: FileKind,
}

/// The files of the machine and of all containers that are valid, images first.
pub fn files(config: &Config) -> Vec<FileUse> {
    let of_machine = |key: String, path: &String, kind| FileUse {
        container: None,
        key,
        declared_at: String::new(),
        path: path.clone(),
        required: true,
        kind,
    };
    let policy = |path| of_machine("host.apparmor_profiles".into(), path, FileKind::Any);
    let mut files: Vec<FileUse> = config.host.apparmor_profiles.iter().map(policy).collect();
    for (index, Forward { files: of_tls, .. }) in config.host.log_forward.iter().enumerate() {
        let Some(TlsFiles { ca, own }) = of_tls else { continue };
        let key = |key: &str| format!("host.log.forward[{index}].{key}");
        files.push(of_machine(key("ca"), ca, FileKind::Certificates));
        if let Some((cert, private)) = own {
            files.push(of_machine(key("cert"), cert, FileKind::Certificates));
            files.push(of_machine(key("key"), private, FileKind::PrivateKey));
        }
    }
    for (name, container) in &config.containers {
        let mut add = |key: &str, path: &str, required| {
            let key = format!("container.{name}.{key}");
            let declared_at = container.declared_at.clone();
            files.push(FileUse {
                container: Some(name.clone()),
                key,
                declared_at,
                path: path.into(),
                required,
                kind: FileKind::Any,
            });
        };
        match &container.image {
            ImageSource::Registry(_) => {}
            ImageSource::Oci { path, .. }
            | ImageSource::OciArchive { path, .. }
            | ImageSource::DockerArchive { path, .. }
            | ImageSource::Dir { path } => add("image", path, true),
        }
        for file in &container.env_file {
            add("env_file", &file.path, file.required);
        }
        match &container.seccomp {
            Seccomp::Default | Seccomp::Unconfined => {}
            Seccomp::File(path) => add("seccomp", path, true),
        }
    }
    files
}

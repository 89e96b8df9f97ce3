//! Which files beside the configuration a machine and its containers need, for whoever can look whether they are there.

use super::model::{Config, ImageSource, Seccomp};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

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
}

/// The files of the machine and of all containers that are valid, images first.
pub fn files(config: &Config) -> Vec<FileUse> {
    let policy = |path: &String| FileUse {
        container: None,
        key: "host.apparmor_profiles".into(),
        declared_at: String::new(),
        path: path.clone(),
        required: true,
    };
    let mut files: Vec<FileUse> = config.host.apparmor_profiles.iter().map(policy).collect();
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

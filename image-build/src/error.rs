//! What can go wrong in a build. Every text names the thing, and where it stands.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use orlop::image::modules::UnknownModule;

#[derive(Debug)]
pub enum Error {
    /// The configuration's mistakes, as every other reader of it shows them, and the files that it
    /// names and the build cannot take in: all of them.
    Config(String),
    /// An image that is damaged, missing, or cannot be converted.
    Image {
        key: String,
        why: String,
    },
    /// The kernel, or where it should have come from.
    Kernel(String),
    Module {
        key: Option<String>,
        unknown: UnknownModule,
    },
    /// A module's file that is not what it says it is.
    ModuleFile {
        path: PathBuf,
        why: String,
    },
    /// The binary that becomes `/init`, or another of ours.
    Init(String),
    /// The place for the result.
    Output {
        path: PathBuf,
        why: String,
    },
    /// A file of ours: what was being done to it.
    File {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(text) | Self::Kernel(text) | Self::Init(text) => f.write_str(text),
            Self::Image { key, why } => write!(f, "{key}: {why}"),
            Self::Module { key: Some(key), unknown } => write!(f, "{key}: {unknown}"),
            Self::Module { key: None, unknown } => unknown.fmt(f),
            Self::ModuleFile { path, why } | Self::Output { path, why } => {
                write!(f, "{}: {why}", path.display())
            }
            Self::File { doing, path, source } => write!(f, "cannot {doing} {}: {source}", path.display()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { source, .. } => Some(source),
            Self::Module { unknown, .. } => Some(unknown),
            Self::Config(_)
            | Self::Image { .. }
            | Self::Kernel(_)
            | Self::ModuleFile { .. }
            | Self::Init(_)
            | Self::Output { .. } => None,
        }
    }
}

/// Gives an I/O error its place: `fs::read(path).at("read", path)?`.
pub(crate) trait At<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::File { doing, path: path.to_owned(), source })
    }
}

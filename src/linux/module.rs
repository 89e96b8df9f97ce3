//! Loading one kernel module from a file; what it depends on must be loaded before.

use std::ffi::CStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};

use super::insist::passes;
use super::{errno_of, insist};

/// linux/module.h, since 5.17: the kernel itself takes the compressed file apart.
const MODULE_INIT_COMPRESSED_FILE: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loaded {
    Now,
    /// It, or one of the same name built in, was there.
    Before,
}

#[derive(Debug)]
pub(crate) enum Error {
    Open {
        path: PathBuf,
        error: io::Error,
    },
    /// ENODEV: it found nothing to drive, which many modules say of the wrong CPU. ENOENT: a module
    /// that it needs is missing. ENOEXEC: it was built for another kernel.
    Load {
        path: PathBuf,
        errno: Errno,
    },
}

impl Error {
    /// The module is fine, this machine has no use for it.
    pub(crate) fn is_no_device(&self) -> bool {
        matches!(self, Self::Load { errno: Errno::ENODEV, .. })
    }
}

/// Loads a `.ko`, or a compressed one (`.ko.xz`, `.ko.zst`, `.ko.gz`) as the kernel was built to
/// take it. `parameters` as on the kernel's command line, `soft_margin=3 nowayout=1`.
///
/// Returns when the module's own start has run, which may look for hardware and take its time: not
/// for a loop that must not block. finit_module(2).
pub(crate) fn load_module(path: &Path, parameters: &CStr) -> Result<Loaded, Error> {
    let open = insist(|| File::open(path).map_err(errno_of));
    let file = open.map_err(|errno| Error::Open { path: path.into(), error: errno.into() })?;
    let flags = if path.extension().is_some_and(|extension| extension == "ko") {
        ModuleInitFlags::empty()
    } else {
        ModuleInitFlags::from_bits_retain(MODULE_INIT_COMPRESSED_FILE)
    };
    // Not more often: a driver may have waited for its hardware before it says so.
    let load = || finit_module(&file, parameters, flags);
    match load().or_else(|errno| if passes(errno) { load() } else { Err(errno) }) {
        Ok(()) => Ok(Loaded::Now),
        Err(Errno::EEXIST) => Ok(Loaded::Before),
        Err(errno) => Err(Error::Load { path: path.into(), errno }),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Load { path, errno } => {
                write!(f, "{}: cannot load: {} ({errno:?})", path.display(), errno.desc())
            }
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_cannot_be_opened_is_named() {
        let error = load_module(Path::new("/nonexistent/dummy.ko.xz"), c"").unwrap_err();
        let expected = "/nonexistent/dummy.ko.xz: No such file or directory (os error 2)";
        assert_eq!(error.to_string(), expected);
        assert!(!error.is_no_device());
    }

    #[test]
    fn a_file_that_is_no_module_is_refused_by_name() {
        // Which errno depends on what this kernel was built with and what we may do.
        for name in ["Cargo.toml", "src/main.rs"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
            let error = load_module(&path, c"").unwrap_err().to_string();
            assert!(error.contains(&format!("{name}: cannot load: ")), "{error}");
        }
    }
}

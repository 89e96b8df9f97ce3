//! From a configuration to a running machine in one sentence, for tests.
//!
//! ```no_run
//! # use orlop_vm::TestMachine;
//! # fn main() -> Result<(), orlop_vm::Error> {
//! let machine = TestMachine::new("gateway")
//!     .config("[container.web]\nimage = \"oci-archive:web.tar\"\n")
//!     .image("web.tar", "build/images/web.tar")
//!     .boot()?;
//! machine.wait_for("web", "running")?;
//! # Ok(())
//! # }
//! ```
//!
//! Everything is written when it is built, into a folder of its own that goes with the machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::machine::Machine;
use crate::options::Options;

/// What is to be built and booted.
#[derive(Debug, Clone)]
pub struct TestMachine {
    name: String,
    contents: Vec<Content>,
    /// `None`: as `orlop-image` finds it.
    init: Option<PathBuf>,
    options: Options,
}

/// Something in the folder of the configuration, by its path there.
#[derive(Debug, Clone)]
enum Content {
    File {
        path: PathBuf,
        bytes: Vec<u8>,
    },
    /// A copy, mode included.
    Copy {
        path: PathBuf,
        from: PathBuf,
    },
    /// Stays where it is: images are large.
    Link {
        path: PathBuf,
        to: PathBuf,
    },
}

impl TestMachine {
    /// The name is the beginning of its folder's name, for whoever looks into /tmp.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            contents: Vec::new(),
            init: None,
            // The folder is known when it is built.
            options: Options::new(""),
        }
    }

    /// The configuration, as TOML.
    pub fn config(self, toml: &str) -> Self {
        self.file("config.toml", toml)
    }

    /// A file beside the configuration: more TOML, an `env_file`.
    pub fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.contents.push(Content::File { path: path.into(), bytes: content.as_ref().to_vec() });
        self
    }

    /// An image, by the path that the configuration uses.
    pub fn image(mut self, path: &str, from: impl Into<PathBuf>) -> Self {
        self.contents.push(Content::Link { path: path.into(), to: from.into() });
        self
    }

    /// A root for `dir:NAME` with one program in it, at `/PROGRAM`.
    pub fn program(mut self, root: &str, program: &str, from: impl Into<PathBuf>) -> Self {
        let path = Path::new(root).join(program);
        self.contents.push(Content::Copy { path, from: from.into() });
        self
    }

    /// Another program as PID 1.
    pub fn init(mut self, program: impl Into<PathBuf>) -> Self {
        self.init = Some(program.into());
        self
    }

    /// Memory, ports, a disk, kernel words, an accelerator, a deadline.
    pub fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// Builds it, without booting: for machines that are booted more than once.
    pub fn build(self) -> Result<Built> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("orlop-vm.{}.", self.name))
            .tempdir()
            .map_err(|e| Error::host("make a folder for the machine", e))?;
        let config = folder.path().join("config");
        fs::create_dir(&config).map_err(|e| Error::host("make a folder for the configuration", e))?;
        for content in &self.contents {
            content.write(&config).map_err(|e| {
                Error::host(format!("write {} of the configuration", content.path().display()), e)
            })?;
        }
        let directory = folder.path().join("machine");
        let wanted =
            orlop_image::Options { init: self.init, ..orlop_image::Options::new(config, directory.clone()) };
        orlop_image::build(&wanted).map_err(|e| Error::Build { text: e.to_string() })?;
        Ok(Built { folder, options: Options { directory, ..self.options } })
    }

    /// Builds and boots it.
    pub fn boot(self) -> Result<Machine> {
        let Built { folder, options } = self.build()?;
        let mut machine = Machine::boot(&options)?;
        machine.keep(folder);
        Ok(machine)
    }
}

impl Content {
    fn path(&self) -> &Path {
        match self {
            Self::File { path, .. } | Self::Copy { path, .. } | Self::Link { path, .. } => path,
        }
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        let path = folder.join(self.path());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        match self {
            Self::File { bytes, .. } => fs::write(path, bytes),
            Self::Copy { from, .. } => fs::copy(from, path).map(|_| ()),
            // A relative path is meant from where the test runs.
            Self::Link { to, .. } => std::os::unix::fs::symlink(fs::canonicalize(to)?, path),
        }
    }
}

/// A machine that is built, in a folder that goes with this value.
pub struct Built {
    folder: TempDir,
    options: Options,
}

impl Built {
    pub fn boot(&self) -> Result<Machine> {
        Machine::boot(&self.options)
    }

    /// For what differs from one boot to the next.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// For files that go with the machine: a socket, a disk.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

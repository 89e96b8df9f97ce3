//! A build from start to end: check, gather, pack, and only then replace what was there.

use std::env;
use std::path::{Path, PathBuf};

use orlop::config::Forward;

use crate::arch;
use crate::boot_binary::{INIT, TLS};
use crate::check::{self, Checked};
use crate::cpio::Content;
use crate::digest::{self, Sum};
use crate::error::{At, Error, Result};
use crate::images::{self, Store};
use crate::initramfs::{self, Compression, Part, Tree, Written};
use crate::kernel::{self, Kernel, KernelSource};
use crate::manifest::{self, Manifest};
use crate::module_file::Signatures;
use crate::modules::{self, Modules};
use crate::output::{self, Output};
use crate::progress::{Progress, Quiet};

/// What to build, from what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// A folder of TOML, or one file.
    pub config: PathBuf,
    /// The folder to make.
    pub out: PathBuf,
    /// The binary for `/init`; `None`: `ORLOP_BINARY`, else the one beside this program.
    pub init: Option<PathBuf>,
    /// The program that speaks TLS, for a configuration with a collector that is spoken to by it; `None`: `ORLOP_TLS_BINARY`,
    /// else the one beside `init`, else the one beside this program.
    pub tls: Option<PathBuf>,
    pub kernel: KernelSource,
    pub signatures: Signatures,
    /// Kernels and converted layers are kept here.
    pub cache: PathBuf,
}

impl Options {
    /// Everything but these two as it is by default.
    pub fn new(config: impl Into<PathBuf>, out: impl Into<PathBuf>) -> Self {
        Self {
            config: config.into(),
            out: out.into(),
            init: None,
            tls: None,
            kernel: KernelSource::Debian,
            signatures: Signatures::default(),
            cache: default_cache(),
        }
    }
}

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    pub dir: PathBuf,
    pub manifest: Manifest,
    /// What the configuration's reader found odd, but not wrong.
    pub warnings: Vec<String>,
}

impl Built {
    pub fn kernel(&self) -> PathBuf {
        self.dir.join(output::KERNEL)
    }

    pub fn initrd(&self) -> PathBuf {
        self.dir.join(output::INITRD)
    }

    pub fn cmdline(&self) -> &str {
        &self.manifest.cmdline.text
    }
}

/// Builds without a word.
pub fn build(options: &Options) -> Result<Built> {
    build_with(options, &Quiet)
}

/// Builds, and tells `progress` how far it is.
pub fn build_with(options: &Options, progress: &dyn Progress) -> Result<Built> {
    let checked = check::read(&options.config)?;
    let output = Output::beside(&options.out)?;
    let init = INIT.find(options.init.as_deref(), None, "becomes /init")?;
    let tls = tls(&checked, options.tls.as_deref(), &init)?;
    let kernel = kernel::obtain(&options.kernel, &options.cache, progress)?;
    let modules = modules::choose(&kernel.modules, &checked.config, options.signatures)?;
    let store = images::convert(&checked.config, &checked.folder, &options.cache, progress)?;
    let manifest = Inputs {
        checked: &checked,
        init: &init,
        tls: tls.as_deref(),
        kernel: &kernel,
        modules: &modules,
        store: &store,
    }
    .write(&output, progress)?;
    let dir = output.commit()?;
    let warnings = [checked.warnings, store.warnings].concat();
    Ok(Built { dir, manifest, warnings })
}

/// The program that speaks TLS, if there is somebody to speak it with.
fn tls(checked: &Checked, given: Option<&Path>, init: &Path) -> Result<Option<PathBuf>> {
    let mut collectors = checked.config.host.log_forward.iter().filter(|forward| forward.files.is_some());
    let Some(Forward { to, .. }) = collectors.next() else { return Ok(None) };
    TLS.find(given, Some(init), &format!("{to} in [host.log] forward needs")).map(Some)
}

/// Everything that goes into a machine.
struct Inputs<'a> {
    checked: &'a Checked,
    init: &'a Path,
    tls: Option<&'a Path>,
    kernel: &'a Kernel,
    modules: &'a Modules,
    store: &'a Store,
}

impl Inputs<'_> {
    fn write(&self, output: &Output, progress: &dyn Progress) -> Result<Manifest> {
        let (vmlinuz, initrd) = (output.path(output::KERNEL), output.path(output::INITRD));
        std::fs::copy(&self.kernel.image, &vmlinuz).at("copy", &self.kernel.image)?;
        let (system, store) = (self.system()?, self.store()?);
        let parts = [
            Part { name: "system", tree: system, compression: Compression::Lz4 },
            Part { name: "store", tree: store, compression: self.store.compression },
        ];
        let parts = if self.store.files.is_empty() { &parts[..1] } else { &parts[..] };
        let written = initramfs::write(&initrd, parts, progress)?;
        let text = cmdline();
        write(&output.path(output::CMDLINE), format!("{text}\n"))?;
        let archives = parts.iter().zip(written).map(|(part, written)| archive(part, written)).collect();
        let manifest = Manifest {
            format: manifest::FORMAT,
            architecture: env::consts::ARCH.to_owned(),
            kernel: manifest::Kernel {
                file: output::KERNEL.to_owned(),
                version: self.kernel.version.clone(),
                sum: digest::of_file(&vmlinuz)?,
                packages: self.kernel.packages.clone(),
            },
            initrd: manifest::Initrd {
                file: output::INITRD.to_owned(),
                sum: digest::of_file(&initrd)?,
                archives,
            },
            cmdline: manifest::Cmdline {
                file: output::CMDLINE.to_owned(),
                sum: digest::of_bytes(format!("{text}\n").as_bytes()),
                text,
            },
            init: part("/init".to_owned(), digest::of_file(self.init)?),
            tls: match self.tls {
                Some(tls) => Some(part(format!("/{}", initramfs::TLS), digest::of_file(tls)?)),
                None => None,
            },
            config: sums(initramfs::CONFIG, &self.checked.files)?,
            modules: self.module_parts(),
            images: self.store.images.clone(),
            store: sums(initramfs::STORE, &self.store.files)?,
        };
        let mut json = serde_json::to_string_pretty(&manifest)
            .map_err(|error| Error::Output { path: output.path(output::MANIFEST), why: error.to_string() })?;
        json.push('\n');
        write(&output.path(output::MANIFEST), json)?;
        Ok(manifest)
    }

    /// `/init`, the configuration, the modules, and the mount points.
    fn system(&self) -> Result<Tree> {
        let mut tree = Tree::with_mount_points();
        tree.add_file("init", 0o755, self.init)?;
        if let Some(tls) = self.tls {
            tree.add_file(initramfs::TLS, 0o755, tls)?;
            // It looks names up, where libc looks for those who know them.
            tree.add("etc/resolv.conf", 0o777, Content::Link(initramfs::RESOLV_CONF.to_owned()));
        }
        for (name, file) in &self.checked.files {
            // Only root's: environment files hold secrets.
            tree.add_file(&format!("{}/{name}", initramfs::CONFIG), 0o600, file)?;
        }
        let mut add = |name: &str, bytes: &[u8]| {
            let path = self.module_path(name);
            tree.add(&path, 0o644, Content::Bytes(bytes.to_vec()));
        };
        add("modules.dep", self.modules.dep.as_bytes());
        add("modules.builtin", self.modules.builtin.as_bytes());
        for module in &self.modules.files {
            add(&module.path, &module.bytes);
        }
        Ok(tree)
    }

    fn store(&self) -> Result<Tree> {
        let mut tree = Tree::default();
        for (name, file) in &self.store.files {
            tree.add_file(&format!("{}/{name}", initramfs::STORE), 0o644, file)?;
        }
        Ok(tree)
    }

    fn module_path(&self, name: &str) -> String {
        format!("lib/modules/{}/{name}", self.kernel.version)
    }

    fn module_parts(&self) -> Vec<manifest::Module> {
        let describe = |module: &modules::ModuleFile| manifest::Module {
            part: part(format!("/{}", self.module_path(&module.path)), digest::of_bytes(&module.bytes)),
            signed: module.signed,
        };
        self.modules.files.iter().map(describe).collect()
    }
}

fn archive(part: &Part, written: Written) -> manifest::Archive {
    manifest::Archive {
        name: part.name.to_owned(),
        compression: part.compression.name().to_owned(),
        size: written.size,
        unpacked: written.unpacked,
    }
}

fn sums(folder: &str, files: &[(String, PathBuf)]) -> Result<Vec<manifest::Part>> {
    files.iter().map(|(name, file)| Ok(part(format!("/{folder}/{name}"), digest::of_file(file)?))).collect()
}

fn part(path: String, sum: Sum) -> manifest::Part {
    manifest::Part { path, sum }
}

fn write(path: &Path, text: String) -> Result<()> {
    std::fs::write(path, text).at("write", path)
}

/// The words for the kernel. `docs/image-build.md` says why each is there.
fn cmdline() -> String {
    let serial = arch::serial_port();
    format!(
        "console=tty0 console={serial} quiet rootfstype=ramfs printk.devkmsg=on panic=10 cryptomgr.notests"
    )
}

/// `ORLOP_CACHE`, else `XDG_CACHE_HOME/orlop`, else `~/.cache/orlop`, else below the folder for temporary files.
fn default_cache() -> PathBuf {
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let of_user = || folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
    folder("ORLOP_CACHE").unwrap_or_else(|| of_user().unwrap_or_else(env::temp_dir).join("orlop"))
}

//! A machine without Orlop: a kernel, and the payload as its `/init`.
//!
//! `ORLOP_KERNEL` names a kernel file and `ORLOP_MODULES` its folder of modules
//! (`…/lib/modules/VERSION`), as `orlop-image` takes them.

#[path = "../../../tests/vm/common/programs.rs"]
mod programs;

use std::fs;
use std::path::{Path, PathBuf};

use orlop_vm::{Accelerator, Machine, Options};
use tempfile::TempDir;

/// In the order in which they need one another.
const MODULES: [&str; 9] = [
    "button",
    "evdev",
    "pvpanic",
    "pvpanic-pci",
    "watchdog",
    "i6300esb",
    "failover",
    "net_failover",
    "virtio_net",
];

/// A folder as `orlop-image` builds it; goes with the value.
pub(crate) struct Built(TempDir);

impl Built {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::os::unix::fs::symlink(given("ORLOP_KERNEL"), at("vmlinuz")).unwrap();
        fs::write(at("initrd.img"), initramfs()).unwrap();
        fs::write(at("cmdline"), "console=ttyS0 rootfstype=ramfs panic=10\n").unwrap();
        Self(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn options(&self) -> Options {
        // The trial of KVM has a test of its own.
        Options { accelerator: Accelerator::Emulated, ..Options::new(self.path()) }
    }

    pub(crate) fn boot(&self) -> Machine {
        Machine::boot(&self.options()).unwrap()
    }
}

fn given(variable: &str) -> PathBuf {
    let help = "names no file; see qemu/tests/vm/guest.rs";
    let path = std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} {help}"));
    fs::canonicalize(&path).unwrap_or_else(|e| panic!("{variable} {help}: {e}"))
}

fn initramfs() -> Vec<u8> {
    let mut archive = Archive(Vec::new());
    archive.add("init", 0o100_755, &fs::read(programs::payload()).unwrap());
    for name in ["dev", "proc", "sys", "modules"] {
        archive.add(name, 0o040_755, &[]);
    }
    let root = given("ORLOP_MODULES");
    for (place, name) in MODULES.iter().enumerate() {
        // Those that are not there are built into the kernel.
        if let Some(path) = find(&root, &format!("{name}.ko")) {
            let name = format!("modules/{place:02}-{name}");
            archive.add(&name, 0o100_644, &fs::read(path).unwrap());
        }
    }
    archive.finish()
}

fn find(folder: &Path, start: &str) -> Option<PathBuf> {
    fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            return find(&path, start);
        }
        path.file_name()?.to_str()?.starts_with(start).then_some(path)
    })
}

/// The kernel's initramfs format, "newc".
struct Archive(Vec<u8>);

impl Archive {
    fn add(&mut self, name: &str, mode: u32, content: &[u8]) {
        let inode = self.0.len();
        let (size, name_size) = (content.len(), name.len() + 1);
        let fields = [inode, mode as usize, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        self.0.extend_from_slice(b"070701");
        for field in fields {
            self.0.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(0);
        self.pad();
        self.0.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.add("TRAILER!!!", 0, &[]);
        self.0
    }
}

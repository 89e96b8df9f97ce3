//! Kernel modules: which ones a machine loads, and in which order.
//!
//! The builder asks what to put into the initramfs, the machine asks what to load; both get the
//! answer here, from the same list and the same `modules.dep`. Nothing is looked up by alias:
//! the kernel's own requests for a module have nobody to answer them on an Orlop machine.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What no container starts without. First, because everything waits for them.
pub const NEEDED: &[&str] = &[
    "erofs",   // the layers of every image
    "overlay", // the root of every container
];

/// Loaded where the kernel has them, in this order: what the machine's network stands on. A kernel
/// without one of them boots a machine that lacks the device.
pub const NETWORK: &[&str] = &[
    "virtio_mmio", // the bus of machines without PCI; before the drivers that sit on it
    "virtio_net",  // the network of a virtual machine
];

/// As above: everything else. After the network's, for the sake of the bus.
pub const DEVICES: &[&str] = &[
    "virtio_blk", // the disks of a virtual machine
    "virtio_rng", // its entropy: early random numbers do not wait for interrupts
    "i6300esb",   // the watchdog that QEMU emulates
    "softdog",    // the watchdog where there is no other; after the real one, which is then /dev/watchdog
    "button",     // ACPI's power button …
    "evdev",      // … and how its press reaches us
];

/// `modules.dep` and `modules.builtin` of one kernel, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deps {
    /// By name, `-` written as `_`.
    modules: BTreeMap<String, Module>,
    builtin: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Module {
    /// Below `/lib/modules/VERSION/`.
    path: String,
    needs: Vec<String>,
}

/// A module that the kernel neither has as a file nor built in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownModule {
    pub name: String,
    /// A known name that is nearly the same.
    pub nearest: Option<String>,
}

impl Deps {
    /// Reads `modules.dep` (`PATH: PATH…`, modules.dep(5)) and `modules.builtin` (a path a line).
    pub fn parse(modules_dep: &str, modules_builtin: &str) -> Self {
        let modules = lines(modules_dep).map(|line| {
            let (path, needs) = line.split_once(':').unwrap_or((line, ""));
            let needs = needs.split_whitespace().map(name_of).collect();
            (name_of(path), Module { path: path.to_owned(), needs })
        });
        Self { modules: modules.collect(), builtin: lines(modules_builtin).map(name_of).collect() }
    }

    /// All that a machine loads at boot: [`NEEDED`], those of [`NETWORK`] and [`DEVICES`] that
    /// there are, and what the configuration adds; dependencies first, each path once.
    pub fn boot(&self, added: &[String]) -> Result<Vec<&str>, UnknownModule> {
        let optional = NETWORK.iter().chain(DEVICES).filter(|name| self.knows(name));
        self.order(NEEDED.iter().chain(optional).copied().chain(added.iter().map(String::as_str)))
    }

    /// As [`Deps::order`], on a machine that has to boot with what there is: what can be loaded, and
    /// what cannot be because it, or something that it needs, is not there.
    pub fn order_of_what_there_is<'a>(
        &self,
        wanted: impl IntoIterator<Item = &'a str>,
    ) -> (Vec<&str>, Vec<UnknownModule>) {
        let mut order = Order { deps: self, seen: BTreeSet::new(), paths: Vec::new() };
        let unknown = wanted.into_iter().filter_map(|name| order.add(name).err()).collect();
        (order.paths, unknown)
    }

    /// The files to load for `wanted`, in an order in which each finds what it needs. What is
    /// built in needs no file.
    pub fn order<'a>(&self, wanted: impl IntoIterator<Item = &'a str>) -> Result<Vec<&str>, UnknownModule> {
        let mut order = Order { deps: self, seen: BTreeSet::new(), paths: Vec::new() };
        for name in wanted {
            order.add(name)?;
        }
        Ok(order.paths)
    }

    /// As a file or built in.
    pub fn knows(&self, name: &str) -> bool {
        let name = canonical(name);
        self.modules.contains_key(&name) || self.builtin.contains(&name)
    }

    fn unknown(&self, name: &str) -> UnknownModule {
        let known = self.modules.keys().chain(&self.builtin);
        let canonical = canonical(name);
        let nearest = known
            .map(|candidate| (distance(&canonical, candidate), candidate))
            .filter(|(distance, _)| *distance <= FAR)
            .min()
            .map(|(_, candidate)| candidate.clone());
        UnknownModule { name: name.to_owned(), nearest }
    }
}

struct Order<'d> {
    deps: &'d Deps,
    seen: BTreeSet<String>,
    paths: Vec<&'d str>,
}

impl Order<'_> {
    /// Depth is bounded by the number of modules: a name is entered once.
    fn add(&mut self, name: &str) -> Result<(), UnknownModule> {
        let (asked, name) = (name, canonical(name));
        let Some(module) = self.deps.modules.get(&name) else {
            let known = self.deps.builtin.contains(&name);
            return if known { Ok(()) } else { Err(self.deps.unknown(asked)) };
        };
        if !self.seen.insert(name) {
            return Ok(());
        }
        for need in &module.needs {
            self.add(need)?;
        }
        self.paths.push(&module.path);
        Ok(())
    }
}

impl fmt::Display for UnknownModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the kernel has no module `{}`", self.name)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; is it `{nearest}`?"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for UnknownModule {}

/// What the kernel's command line says to the module in this file, as modprobe(8) reads it: of `ramoops.max_reason=4`,
/// which the kernel itself gives to what is built in, `max_reason=4`.
#[must_use]
pub fn parameters(words: &str, path: &str) -> String {
    let name = name_of(path);
    let of_it = |word| {
        let (module, parameter) = str::split_once(word, '.')?;
        (canonical(module) == name).then_some(parameter)
    };
    words.split_whitespace().filter_map(of_it).collect::<Vec<_>>().join(" ")
}

/// The module's name from its path: `kernel/drivers/char/hw_random/virtio-rng.ko.xz` is `virtio_rng`.
pub fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    canonical(file.split_once(".ko").map_or(file, |(stem, _)| stem))
}

/// The kernel takes `-` and `_` for the same in a module's name.
fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Two slips of the finger; more is another word.
const FAR: usize = 2;

/// Levenshtein's edit distance, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i.saturating_add(1);
        for (cell, to) in row.iter_mut().skip(1).zip(b.chars()) {
            let replaced = diagonal.saturating_add(usize::from(from != to));
            diagonal = *cell;
            left = replaced.min(left.saturating_add(1)).min(diagonal.saturating_add(1));
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i.saturating_add(1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "\
kernel/lib/libcrc32c.ko.xz:
kernel/fs/erofs/erofs.ko.xz: kernel/lib/libcrc32c.ko.xz
kernel/fs/overlayfs/overlay.ko.xz:
kernel/net/core/failover.ko.xz:
kernel/drivers/net/net_failover.ko.xz: kernel/net/core/failover.ko.xz
kernel/drivers/net/virtio_net.ko.xz: kernel/drivers/net/net_failover.ko.xz kernel/net/core/failover.ko.xz
kernel/drivers/char/hw_random/virtio-rng.ko:
kernel/a.ko: kernel/b.ko
kernel/b.ko: kernel/a.ko
";
    const BUILTIN: &str = "kernel/fs/ext4/ext4.ko\nkernel/drivers/char/virtio_console.ko\n";

    fn check(wanted: &[&str], expected: &[&str]) {
        let deps = Deps::parse(DEP, BUILTIN);
        let paths = deps.order(wanted.iter().copied()).unwrap();
        let names: Vec<String> = paths.iter().map(|path| name_of(path)).collect();
        assert_eq!(names, expected, "{wanted:?}");
    }

    fn check_unknown(wanted: &str, expected: &str) {
        let error = Deps::parse(DEP, BUILTIN).order([wanted]).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn loads_what_is_needed_first() {
        check(&["erofs"], &["libcrc32c", "erofs"]);
        check(&["virtio_net"], &["failover", "net_failover", "virtio_net"]);
    }

    #[test]
    fn names_each_file_once() {
        check(&["virtio_net", "failover", "net-failover"], &["failover", "net_failover", "virtio_net"]);
    }

    #[test]
    fn takes_a_dash_for_an_underscore() {
        check(&["virtio-rng"], &["virtio_rng"]);
        check(&["virtio_rng"], &["virtio_rng"]);
    }

    #[test]
    fn loads_nothing_for_what_is_built_in() {
        check(&["ext4", "virtio-console"], &[]);
    }

    #[test]
    fn ends_when_modules_need_each_other() {
        check(&["a"], &["b", "a"]);
    }

    #[test]
    fn refuses_an_unknown_module_and_says_the_nearest() {
        check_unknown("erof", "the kernel has no module `erof`; is it `erofs`?");
        check_unknown("virtio-nte", "the kernel has no module `virtio-nte`; is it `virtio_net`?");
        check_unknown("zfs_on_floppy", "the kernel has no module `zfs_on_floppy`");
    }

    #[test]
    fn boots_with_the_devices_that_there_are_and_with_what_is_added() {
        let deps = Deps::parse(DEP, BUILTIN);
        let names: Vec<String> = deps.boot(&["a".into()]).unwrap().into_iter().map(name_of).collect();
        let expected = [
            "libcrc32c",
            "erofs",
            "overlay",
            "failover",
            "net_failover",
            "virtio_net",
            "virtio_rng",
            "b",
            "a",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn refuses_a_kernel_that_cannot_start_a_container() {
        let error = Deps::parse("kernel/fs/erofs/erofs.ko:", "").boot(&[]).unwrap_err();
        assert_eq!(error.to_string(), "the kernel has no module `overlay`");
    }

    #[test]
    fn loads_the_rest_when_some_are_not_there() {
        let deps = Deps::parse("kernel/fs/erofs/erofs.ko:\nkernel/a.ko: kernel/gone.ko\nkernel/b.ko:", "");
        let (paths, unknown) = deps.order_of_what_there_is(["erofs", "a", "nothing", "b"]);
        assert_eq!(paths, ["kernel/fs/erofs/erofs.ko", "kernel/b.ko"]);
        let unknown: Vec<String> = unknown.iter().map(ToString::to_string).collect();
        assert!(unknown.contains(&"the kernel has no module `gone`".to_owned()), "{unknown:?}");
        assert!(unknown.iter().any(|text| text.contains("`nothing`")), "{unknown:?}");
    }

    #[test]
    fn a_module_is_told_what_the_command_line_says_to_it() {
        let words = "quiet ramoops.max_reason=4 i6300esb.heartbeat=9 ramoops.mem_name=a.b printk.devkmsg=on";
        let of = |path| parameters(words, path);
        assert_eq!(of("kernel/fs/pstore/ramoops.ko.xz"), "max_reason=4 mem_name=a.b");
        assert_eq!(of("kernel/drivers/overlay.ko"), "");
        assert_eq!(parameters("virtio-blk.queue_depth=2", "kernel/virtio_blk.ko"), "queue_depth=2");
    }
}

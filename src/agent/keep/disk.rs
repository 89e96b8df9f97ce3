//! Finds the disk by its name, and mounts it. Nothing is ever formatted.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use orlop::config::DiskName;
use orlop::keep::{SUPERBLOCK_END, Superblock};

use super::{POINT, store};
use crate::linux::mount::{self, Attributes, Filesystem};
use crate::linux::{Errno, directory, fd, fs};

/// Which disk is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) device: DiskName,
    pub(super) kind: String,
    pub(super) logs: u64,
}

/// Why there is none, by what was asked for.
pub(super) type Outcome<T> = Result<T, String>;

impl Wanted {
    /// Its root directory, at its place; from now on, or since before.
    ///
    /// # Errors
    /// In words, with the device.
    pub(super) fn mounted(&self) -> Outcome<OwnedFd> {
        let point = CString::new(POINT).unwrap_or_default();
        if !mount::table().iter().any(|mounted| mounted.point == point) {
            let device = self.find()?;
            self.mount(&device)?;
        }
        fs::open_directory(POINT).map_err(|errno| format!("{}: {POINT}: {}", self.device, errno.desc()))
    }

    /// The path of its device.
    fn find(&self) -> Outcome<String> {
        if let DiskName::Path(path) = &self.device {
            return match self.superblock_is_right(path) {
                Ok(()) => Ok(path.clone()),
                Err(Errno::ENOENT) => Err(format!("{path}: there is no such device")),
                Err(Errno::EILSEQ) => Err(format!("{path}: there is no {} on it", self.kind)),
                Err(errno) => Err(format!("{path}: {}", errno.desc())),
            };
        }
        let names = directory::names("/sys/class/block").unwrap_or_default();
        let paths = names.iter().map(|name| format!("/dev/{}", name.replace('!', "/")));
        let found: Vec<String> = paths
            .filter(|path| superblock(path).ok().flatten().is_some_and(|block| block.is(&self.device)))
            .collect();
        match found.as_slice() {
            [path] => Ok(path.clone()),
            [] => Err(format!("{}: no file system of this machine's disks is called so", self.device)),
            [one, other, ..] => Err(format!("{}: {one} and {other} are both called so", self.device)),
        }
    }

    /// Of file systems that we know by their looks.
    fn superblock_is_right(&self, path: &str) -> Result<(), Errno> {
        let found = superblock(path)?;
        let is_known = matches!(self.kind.as_str(), "ext2" | "ext3" | "ext4");
        if is_known && found.is_none() { Err(Errno::EILSEQ) } else { Ok(()) }
    }

    fn mount(&self, path: &str) -> Outcome<()> {
        let fail = |what: String| format!("{path}: {what}");
        let kind = CString::new(self.kind.as_str()).unwrap_or_default();
        let system = Filesystem::open(&kind).map_err(|errno| {
            fail(match errno {
                Errno::ENODEV => format!("the kernel knows no {}: its module is missing", self.kind),
                errno => format!("{}: {}", self.kind, errno.desc()),
            })
        })?;
        let attributes = Attributes::NO_SUID.and(Attributes::NO_DEV).and(Attributes::NO_EXEC);
        let mounted =
            system.set("source", path).and_then(|system| system.mount(attributes.and(Attributes::NO_ATIME)));
        let mounted = mounted.map_err(|errno| {
            fail(match errno {
                Errno::EINVAL => format!("there is no {} on it, or a damaged one", self.kind),
                errno => format!("it cannot be mounted: {}", errno.desc()),
            })
        })?;
        // One of a later release is let go of as it is.
        store::check_version(mounted.as_fd()).map_err(fail)?;
        fs::open_path(POINT)
            .and_then(|place| mount::attach(mounted.as_fd(), place.as_fd()))
            .map_err(|errno| fail(format!("{POINT}: {}", errno.desc())))
    }
}

/// What is at the beginning of a device.
fn superblock(path: &str) -> Result<Option<Superblock>, Errno> {
    // A drive without a medium is not waited for.
    let device = fs::open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY, Mode::empty())?;
    let mut bytes = vec![0; SUPERBLOCK_END];
    let mut done = 0usize;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match fd::read(device.as_fd(), rest)? {
            0 => break,
            count => done = done.saturating_add(count),
        }
    }
    Ok(Superblock::parse(bytes.get(..done).unwrap_or_default()))
}

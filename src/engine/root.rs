//! The root of a container: an overlay over layers that the machine shares, or a directory of a bundle.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::setup::Made;
use super::{LAYERS, SCRATCH, STORE_LAYERS};
use crate::linux::mount::{self, Attributes, Depth, Filesystem, Propagation};
use crate::linux::{Errno, Result, fs, process};

/// Where a root of layers is put together.
const ROOT: &str = "/run/orlop/scratch/root";
/// The lower layers of an overlay are attached here, numbered.
const LOWER: &str = "/run/orlop/scratch/lower-";
const UPPER: &str = "/run/orlop/scratch/upper";
const WORK: &str = "/run/orlop/scratch/work";

/// Once for the machine: whoever comes first mounts, the others find it.
pub fn mount_layer(diff_id: &str) -> Result<()> {
    let at = format!("{LAYERS}/{diff_id}");
    fs::make_directory(&at, 0o755)?;
    let directory = fs::open_directory(&at)?;
    if mount::has_magic(directory.as_fd(), mount::EROFS_MAGIC)? {
        return Ok(());
    }
    fs::lock(directory.as_fd())?;
    let again = fs::open_directory(&at)?;
    if mount::has_magic(again.as_fd(), mount::EROFS_MAGIC)? {
        return Ok(());
    }
    let layers = Filesystem::open(c"erofs")?;
    layers.set("source", &format!("{STORE_LAYERS}/{diff_id}.erofs"))?;
    let mounted = layers.flag("ro")?.mount(Attributes::READ_ONLY)?;
    mount::attach(mounted.as_fd(), directory.as_fd())
}

/// A volume without a disk is memory, kept while the machine runs.
pub fn mount_volume(path: &str, size: u64) -> Result<()> {
    fs::make_directory(path, 0o755)?;
    let parent = fs::open_directory(&format!("{path}/.."))?;
    fs::lock(parent.as_fd())?;
    let directory = fs::open_directory(path)?;
    if !fs::same_device(parent.as_fd(), directory.as_fd())? {
        return Ok(());
    }
    let memory = Filesystem::open(c"tmpfs")?;
    memory.set("size", &size.to_string())?.set("mode", &format!("{:o}", fs::UNCLAIMED))?;
    let mounted = memory.mount(Attributes::NO_DEV.and(Attributes::NO_SUID))?;
    mount::attach(mounted.as_fd(), directory.as_fd())
}

pub fn overlay(layers: &[String], upper_size: u64, made: &Made) -> Result<OwnedFd> {
    let scratch = fs::open_directory(SCRATCH)?;
    let memory = Filesystem::open(c"tmpfs")?;
    memory.set("size", &upper_size.to_string())?.set("mode", "0755")?;
    let memory = memory.mount(Attributes::NO_DEV)?;
    mount::attach(memory.as_fd(), scratch.as_fd())?;
    for path in [UPPER, WORK] {
        fs::make_directory(path, 0o755)?;
    }
    let upper = fs::open_directory(UPPER)?;
    let (uid, gid) = made.owner()?;
    process::give(upper.as_fd(), uid, gid)?;
    let overlay = Filesystem::open(c"overlay")?;
    for (number, diff_id) in layers.iter().enumerate() {
        let at = format!("{LOWER}{number}");
        fs::make_directory(&at, 0o755)?;
        let layer = fs::open_directory(&format!("{LAYERS}/{diff_id}"))?;
        let lower = mount::clone_one(layer.as_fd(), "")?;
        if let Some(user_namespace) = &made.user_namespace {
            mount::map_ids(lower.as_fd(), Depth::One, user_namespace.as_fd())?;
        }
        mount::attach(lower.as_fd(), fs::open_directory(&at)?.as_fd())?;
        overlay.set("lowerdir+", &at)?;
    }
    overlay.set("upperdir", UPPER)?.set("workdir", WORK)?.set("redirect_dir", "on")?;
    // Block devices of an image are of no use in a user namespace; nodev says so.
    let root = overlay.mount(Attributes::NO_DEV)?;
    fs::make_directory(ROOT, 0o755)?;
    mount::attach(root.as_fd(), fs::open_directory(ROOT)?.as_fd())?;
    fs::open_directory(ROOT)
}

/// A directory, with all that is mounted in it, as a mount of its own.
pub fn bind(path: &str) -> Result<OwnedFd> {
    let directory = fs::open_directory(path)?;
    // pivot_root(2) refuses a root, or one above it, whose mounts are seen elsewhere.
    mount::propagate(mount::point_of(directory.as_fd())?.as_fd(), Depth::One, Propagation::Private)?;
    let tree = mount::clone_tree(directory.as_fd(), "")?;
    mount::attach(tree.as_fd(), directory.as_fd())?;
    fs::open_directory(path)
}

pub fn read_only(root: BorrowedFd<'_>) -> Result<()> {
    mount::restrict_one(root, Attributes::READ_ONLY)
}

/// The working directory as we may pivot to it. What setup attached is locked in a mount namespace that
/// a user namespace came between; a clone of the tree has an unlocked top, and below it every mount is as
/// locked as before.
pub fn own() -> Result<OwnedFd> {
    let root = fs::open_directory(".")?;
    let tree = mount::clone_tree(root.as_fd(), "")?;
    mount::attach(tree.as_fd(), root.as_fd())?;
    // What was attached last covers what we stand in.
    let path = nix::unistd::getcwd()?;
    fs::open_directory(path.to_str().ok_or(Errno::EILSEQ)?)
}

//! Mounts, devices and links in a container's root, each on a descriptor that was opened inside it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::container::{self, Bind, Fresh, IdMap, Manner, NodeKind, Reach};

use super::setup::{Made, new_user_namespace};
use crate::linux::fs::{self, Links, Node};
use crate::linux::mount::{self, Attributes, Depth, Filesystem, Propagation};
use crate::linux::{Errno, Result, c_path, label, node};

/// The plan's words in the kernel's.
pub fn propagation(wanted: container::Propagation) -> Propagation {
    match wanted {
        container::Propagation::Shared => Propagation::Shared,
        container::Propagation::Slave => Propagation::Slave,
        container::Propagation::Private => Propagation::Private,
        container::Propagation::Unbindable => Propagation::Unbindable,
    }
}

pub fn depth(reach: Reach) -> Depth {
    match reach {
        Reach::One => Depth::One,
        Reach::AllBelow => Depth::AllBelow,
    }
}

/// Finds the place, or makes it for the container's root.
pub fn place(at: &str, node: Node, links: Links, made: &Made) -> Result<OwnedFd> {
    #[cfg(naive)]
    if super::naive::asked(&made.env, "places") {
        return super::naive::place(made.root()?.as_fd(), at, node);
    }
    let root = made.root()?.as_fd();
    let found = fs::make_in_root(root, at, node, made.owner()?, links)?;
    if links == Links::Follow && leads_astray(root, at, found.as_fd())? {
        return Err(Errno::ELOOP);
    }
    Ok(found)
}

/// Into a file system of the kernel's by a link of the image, which a destination does not say.
fn leads_astray(root: BorrowedFd<'_>, at: &str, found: BorrowedFd<'_>) -> Result<bool> {
    let is_kernels = |magic| mount::has_magic(found, magic);
    if !(is_kernels(mount::PROC_MAGIC)? || is_kernels(mount::SYSFS_MAGIC)?) {
        return Ok(false);
    }
    Ok(matches!(fs::open_without_links(root, at, libc::O_PATH), Err(Errno::ELOOP)))
}

/// Whatever is to be done to a mount before anybody sees it.
pub fn settle(tree: BorrowedFd<'_>, manner: &Manner) -> Result<()> {
    for (depth, attributes) in [(Depth::One, manner.attributes), (Depth::AllBelow, manner.attributes_below)] {
        if !attributes.is_empty() {
            mount::change(tree, depth, Attributes(attributes.set), Attributes(attributes.clear))?;
        }
    }
    manner
        .propagation
        .iter()
        .try_for_each(|(wanted, reach)| mount::propagate(tree, depth(*reach), propagation(*wanted)))
}

/// A file system of its own, attached nowhere yet. Its ids are the container's.
pub fn make(fresh: &Fresh, ids: impl Fn(u32, u32) -> Result<(u32, u32)>) -> Result<OwnedFd> {
    let filesystem = Filesystem::open(&c_path(&fresh.kind)?)?;
    if let Some(source) = fresh.source.as_deref().filter(|source| !source.is_empty()) {
        filesystem.set("source", source)?;
    }
    for (key, value) in &fresh.data {
        // Nobody asks for labels where nothing keeps them.
        if key == "context" && !label::keeps_labels() {
            continue;
        }
        match (key.as_str(), value.parse::<u32>()) {
            (_, _) if value.is_empty() => filesystem.flag(key)?,
            ("uid", Ok(id)) => filesystem.set(key, &ids(id, 0)?.0.to_string())?,
            ("gid", Ok(id)) => filesystem.set(key, &ids(0, id)?.1.to_string())?,
            _ => filesystem.set(key, value)?,
        };
    }
    // What contradicts an attribute that nothing has yet says nothing new.
    let mounted = filesystem.mount(Attributes(fresh.manner.attributes.set))?;
    settle(
        mounted.as_fd(),
        &Manner { attributes: container::Attributes::default(), ..fresh.manner.clone() },
    )?;
    Ok(mounted)
}

pub fn fresh(fresh: &Fresh, made: &Made) -> Result<()> {
    let mut fresh = fresh.clone();
    if fresh.kind == "tmpfs" && !fresh.data.iter().any(|(key, _)| key == "mode") {
        // As the directory that it covers, if there is one.
        if let Ok(covered) = fs::open_in_root(made.root()?.as_fd(), &fresh.at, libc::O_PATH) {
            fresh.data.push((
                "mode".to_owned(),
                format!("{:o}", nix::sys::stat::fstat(&covered)?.st_mode & 0o7777),
            ));
        }
    }
    let target = place(&fresh.at, Node::Directory, Links::Follow, made)?;
    mount::attach(make_for_root(&fresh, made)?.as_fd(), target.as_fd())
}

/// As root of the container would have made it: memory belongs to whoever asked for it.
fn make_for_root(fresh: &Fresh, made: &Made) -> Result<OwnedFd> {
    let mut fresh = fresh.clone();
    if fresh.kind == "tmpfs" {
        for key in ["uid", "gid"] {
            if !fresh.data.iter().any(|(known, _)| known == key) {
                fresh.data.push((key.to_owned(), "0".to_owned()));
            }
        }
    }
    make(&fresh, |uid, gid| made.ids(uid, gid))
}

/// A tmpfs with all that it covers.
pub fn copy_up(fresh: &Fresh, made: &Made) -> Result<()> {
    let target = place(&fresh.at, Node::Directory, Links::Follow, made)?;
    // Read-only only once it is full.
    let mut writable = fresh.clone();
    let last = core::mem::take(&mut writable.manner);
    let memory = make_for_root(&writable, made)?;
    super::copy_up::copy(target.as_fd(), memory.as_fd())?;
    settle(memory.as_fd(), &last)?;
    mount::attach(memory.as_fd(), target.as_fd())
}

/// What is bound, attached nowhere yet.
pub fn open_bind(bind: &Bind, made: &Made) -> Result<OwnedFd> {
    tree_of(fs::open_path(&bind.source)?.as_fd(), bind, made)
}

fn tree_of(source: BorrowedFd<'_>, bind: &Bind, made: &Made) -> Result<OwnedFd> {
    let tree = match bind.reach {
        Reach::One => mount::clone_one(source, "")?,
        Reach::AllBelow => mount::clone_tree(source, "")?,
    };
    match &bind.id_map {
        None => {}
        Some(IdMap::Container(reach)) => {
            let user_namespace = made.user_namespace.as_ref().ok_or(Errno::EINVAL)?;
            mount::map_ids(tree.as_fd(), depth(*reach), user_namespace.as_fd())?;
        }
        Some(IdMap::Own { uids, gids, reach }) => {
            // One that was made where its maps could be written.
            let made_before = made.maps.borrow_mut().pop_front();
            let user_namespace = match made_before {
                Some(map) => map,
                None => new_user_namespace(uids, gids)?,
            };
            mount::map_ids(tree.as_fd(), depth(*reach), user_namespace.as_fd())?;
        }
    }
    settle(tree.as_fd(), &bind.manner)?;
    Ok(tree)
}

pub fn bind(bind: &Bind, made: &Made) -> Result<()> {
    let source = fs::open_path(&bind.source)?;
    let node = if fs::is_directory(source.as_fd())? { Node::Directory } else { Node::File };
    let target = place(&bind.at, node, Links::Follow, made)?;
    if bind.is_volume {
        // As Docker has it: a new volume belongs to whom the image's directory belongs to.
        fs::claim(target.as_fd(), &bind.source, made.owner()?.0)?;
    }
    mount::attach(tree_of(source.as_fd(), bind, made)?.as_fd(), target.as_fd())
}

/// As [`remount`], in the root that setup makes.
pub fn remount_in(made: &Made, at: &str, manner: &Manner) -> Result<()> {
    remount(made.root()?.as_fd(), at, manner)
}

/// Changes what is mounted there.
pub fn remount(root: BorrowedFd<'_>, at: &str, manner: &Manner) -> Result<()> {
    settle(fs::open_without_links(root, at, libc::O_PATH)?.as_fd(), manner)
}

/// A device or a fifo; where nodes cannot be made (a user namespace around the engine), the engine's own
/// of that name and number is bound.
pub fn node(node: &container::Node, made: &mut Made) -> Result<()> {
    let ids = made.ids(node.uid, node.gid)?;
    #[cfg(naive)]
    let takes_any = super::naive::asked(&made.env, "nodes");
    let (parent, name) = parent_of(&node.at, made)?;
    let (kind, major, minor) = match node.kind {
        NodeKind::Character { major, minor } => (libc::S_IFCHR, major, minor),
        NodeKind::Block { major, minor } => (libc::S_IFBLK, major, minor),
        NodeKind::Fifo => (libc::S_IFIFO, 0, 0),
    };
    match node::make_node(parent, name, kind, node.mode, (major, minor), ids) {
        #[cfg(naive)]
        Err(Errno::EEXIST) if takes_any => Ok(()),
        Err(Errno::EEXIST) => node::is_node(parent, name, kind, (major, minor)),
        Err(Errno::EPERM) => {
            let source = fs::open_path(&node.at)?;
            if !node::is_same_node(source.as_fd(), kind, (major, minor))? {
                return Err(Errno::ENXIO);
            }
            let target = place(&node.at, Node::File, Links::Refuse, made)?;
            mount::attach(mount::clone_one(source.as_fd(), "")?.as_fd(), target.as_fd())
        }
        other => other,
    }
}

/// A symbolic link, unless something is there.
pub fn link(at: &str, to: &str, made: &mut Made) -> Result<()> {
    let (parent, name) = parent_of(at, made)?;
    match nix::unistd::symlinkat(to, parent, name) {
        Err(Errno::EEXIST) => Ok(()),
        other => other,
    }
}

/// The directory that a path of the plan ends in, without any link on the way, and the name in it.
fn parent_of<'a, 'b>(at: &'a str, made: &'b mut Made) -> Result<(BorrowedFd<'b>, &'a str)> {
    let (parent, name) = at.rsplit_once('/').ok_or(Errno::EINVAL)?;
    let parent = if parent.is_empty() { "/" } else { parent };
    let open = match made.parent.take() {
        Some((known, open)) if known == parent => open,
        _ => place(parent, Node::Directory, Links::Refuse, made)?,
    };
    Ok((made.parent.insert((parent.to_owned(), open)).1.as_fd(), name))
}

//! What a container gets, told whole: its user and environment looked up as a start would, and when it is
//! asked for, its root mounted as a bundle that any runtime can run. Nothing of it runs here.

use std::os::fd::{AsFd, OwnedFd};

use orlop::container::spec::{Mount, Spec};
use orlop::container::{Files, Propagation, Resolved, Root};

use super::power::look_up;
use super::report::Failure;
use super::setup::{Made, new_mount_namespace, new_user_namespace, read_environment};
use super::{Environment, root};
use crate::linux::clone::flags;
use crate::linux::fs::{self, Links, Node};
use crate::linux::{Errno, Result, mount, namespace, seqpacket};

/// The spec with numbers for names, and all of the environment. In a process that may die, and that has
/// nothing else to do: it changes its mount namespace.
///
/// # Errors
/// [`Failure`] as a start would tell it.
pub fn describe(
    mut spec: Spec,
    root: &Root,
    environment: &Environment<'_>,
    bundle: Option<&str>,
) -> core::result::Result<Spec, Failure> {
    let Files::Layers { names, upper_size } = &root.files else {
        return Err(Failure::said("root", "it is no image's"));
    };
    let mut env = read_environment(environment)?;
    for layer in names {
        root::mount_layer(layer).map_err(|errno| Failure::new("layer", layer, errno))?;
    }
    if bundle.is_some() {
        for volume in &root.volumes {
            root::mount_volume(&volume.path, volume.size)
                .map_err(|errno| Failure::new("volume", &volume.path, errno))?;
        }
    }
    let fail = |step: &'static str| move |errno| Failure::new(step, "", errno);
    let machine =
        namespace::open_of_kind("/proc/self/ns/mnt", flags::NEWNS).map_err(fail("mount namespace"))?;
    new_mount_namespace(Propagation::Slave).map_err(fail("mount namespace"))?;
    let mut made = Made::new(seqpacket::pair().map_err(fail("socket"))?.0)?;
    if !spec.linux.uid_mappings.is_empty() {
        let users = new_user_namespace(&spec.linux.uid_mappings, &spec.linux.gid_mappings);
        made.user_namespace = Some(users.map_err(fail("user namespace"))?);
        (made.uids, made.gids) = (spec.linux.uid_mappings.clone(), spec.linux.gid_mappings.clone());
    }
    let tree = root::overlay(names, *upper_size, &made).map_err(fail("root"))?;
    if let Some(process) = &mut spec.process {
        let Resolved { uid, gid, groups, home } = look_up(&process.user, &root.names, &env, tree.as_fd())?;
        (process.user.uid, process.user.gid, process.user.additional_gids) = (uid, gid, groups);
        if !env.iter().any(|pair| pair.starts_with("HOME=")) {
            env.push(format!("HOME={}", home.as_deref().unwrap_or("/")));
        }
        process.env = env;
    }
    if let Some(directory) = bundle {
        for mount in &spec.mounts {
            claim(mount, root, &tree, &made)
                .map_err(|errno| Failure::new("volume", &mount.destination, errno))?;
        }
        // Its name is that of another container, which may run.
        spec.linux.cgroups_path = None;
        let text = serde_json::to_string_pretty(&spec).unwrap_or_default();
        put(&machine, &tree, directory, &text).map_err(|errno| Failure::new("bundle", directory, errno))?;
    }
    Ok(spec)
}

/// A volume that is new belongs to whom the image's directory belongs to, as at a start.
fn claim(mount: &Mount, root: &Root, tree: &OwnedFd, made: &Made) -> Result<()> {
    let source = mount.source.as_deref().unwrap_or_default();
    if root.volumes.iter().all(|volume| volume.path != source) {
        return Ok(());
    }
    let owner = made.owner()?;
    let place = fs::make_in_root(tree.as_fd(), &mount.destination, Node::Directory, owner, Links::Follow)?;
    fs::claim(place.as_fd(), source, owner.0)
}

/// The root at `DIRECTORY/rootfs` for the whole machine, and what is to be run in it beside it.
fn put(machine: &OwnedFd, tree: &OwnedFd, directory: &str, config: &str) -> Result<()> {
    let tree = mount::clone_tree(tree.as_fd(), "")?;
    namespace::join(machine.as_fd(), flags::NEWNS)?;
    if std::path::Path::new(&format!("{directory}/config.json")).exists() {
        return Err(Errno::EEXIST);
    }
    let slash = fs::open_directory("/")?;
    let place = fs::make_in_root(
        slash.as_fd(),
        &format!("{directory}/rootfs"),
        Node::Directory,
        (0, 0),
        Links::Refuse,
    )?;
    mount::attach(tree.as_fd(), place.as_fd())?;
    std::fs::write(format!("{directory}/config.json"), config)
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
}

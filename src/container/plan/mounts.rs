//! In which order, and by whom, the mounts of a spec are made.
//!
//! Setup attaches whatever it can. The container itself mounts what shows its namespaces, and whatever
//! lies above or below that; of a bundle whose container is no user namespace's also all that is listed after it, so
//! that everything is mounted in the order of the list.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::namespaces::{Namespaces, check_map};
use crate::container::mount_options::{MountOptions, Propagation, Reach};
use crate::container::refused::Refused;
use crate::container::spec::{Mount, Spec};
use crate::container::steps::{
    Bind, Files, Fresh, IdMap, InsideStep, Manner, NamespaceKind as Kind, Root, SetupStep,
};

#[derive(Default)]
pub(super) struct Mounts {
    pub setup: Vec<SetupStep>,
    pub inside: Vec<InsideStep>,
    /// The container itself makes the last ones: what is put in the root comes after them.
    pub ends_inside: bool,
    /// When all is mounted and every device is there.
    pub last: Vec<InsideStep>,
    /// Where the container mounts what setup does not see.
    hidden: Vec<String>,
}

impl Mounts {
    /// Whether setup does not see what is there in the end.
    pub(super) fn is_over(&self, path: &str) -> bool {
        self.hidden.iter().any(|at| is_within(path, at))
    }
}

/// Whether it shows what is mounted or stands elsewhere.
#[must_use]
pub fn is_bind(mount: &Mount) -> bool {
    mount.kind.as_deref() == Some("bind")
        || mount.options.iter().any(|option| matches!(option.as_str(), "bind" | "rbind"))
}

/// Whether the container has setup's power over the root, and the list says in which order it is put together. That
/// of a configuration is our own: nobody waits there for what could be done before.
fn is_listed(root: &Root, namespaces: &Namespaces) -> bool {
    namespaces.user.is_none() && matches!(root.files, Files::Directory(_))
}

pub(super) fn order(spec: &Spec, root: &Root, namespaces: &Namespaces) -> Result<Mounts, Refused> {
    let mut mounts = Mounts::default();
    mounts.setup.reserve(spec.mounts.len());
    mounts.inside.reserve(spec.mounts.len());
    let listed = is_listed(root, namespaces);
    // Where the container has mounted something.
    let mut inside: Vec<String> = Vec::new();
    for (index, mount) in spec.mounts.iter().enumerate() {
        let later = spec.mounts.get(index + 1..).unwrap_or_default();
        let field = |name: &str| format!("mounts[{index}].{name}");
        let at = destination(&mount.destination).map_err(|why| Refused::new(field("destination"), why))?;
        let mut options =
            MountOptions::read(&mount.options).map_err(|why| Refused::new(field("options"), why))?;
        let kind = substitute(mount, namespaces, &mut options);
        let near = |other: &String| is_within(&at, other) || is_within(other, &at);
        let by_container = shown(kind).is_some() || inside.iter().any(near) || (listed && !inside.is_empty());
        if options.remount {
            let manner = manner(&options);
            match by_container {
                true => mounts.inside.push(InsideStep::Remount { at, manner }),
                false => mounts.setup.push(SetupStep::Remount { at, manner }),
            }
            continue;
        }
        if at == "/" {
            return Err(Refused::new(field("destination"), "nobody would see it: the root lies over it"));
        }
        if by_container && listed {
            let own = shown(kind).is_some();
            inside.push(at.clone());
            let mut step = as_setup(index, mount, (kind, at), options, (spec, root))?;
            mounts.last.extend(open_until_filled(&mut step, later));
            if let SetupStep::Bind(Bind { id_map: Some(IdMap::Own { uids, gids, .. }), .. }) = &step {
                mounts.setup.push(SetupStep::OpenMap { uids: uids.clone(), gids: gids.clone() });
            }
            mounts.inside.push(match step {
                SetupStep::Fresh(fresh) if own => InsideStep::Fresh(fresh),
                step => InsideStep::AsSetup(step),
            });
            continue;
        }
        if by_container {
            // Made while the root can still be written, unless it lies in what is not there yet.
            if shown(kind).is_some() && !inside.iter().any(|other| is_within(&at, other)) {
                mounts.setup.push(SetupStep::MountPoint { at: at.clone() });
            }
            inside.push(at.clone());
        }
        if namespaces.user.is_some() && options.propagation.iter().any(|(it, _)| *it == Propagation::Shared) {
            // The copy in another user namespace is nobody's peer.
            let manner = Manner { propagation: options.propagation.clone(), ..Manner::default() };
            mounts.last.push(InsideStep::Remount { at: at.clone(), manner });
        }
        let mut step = as_setup(index, mount, (kind, at.clone()), options, (spec, root))?;
        mounts.last.extend(open_until_filled(&mut step, later));
        match step {
            step if !by_container => mounts.setup.push(step),
            SetupStep::Bind(bind) => {
                mounts.setup.push(SetupStep::OpenBind(bind));
                mounts.inside.push(InsideStep::AttachBind { at });
            }
            SetupStep::Fresh(fresh) => mounts.inside.push(InsideStep::Fresh(fresh)),
            _ => return Err(Refused::new(field("options"), "tmpcopyup has nothing to copy there")),
        }
    }
    mounts.ends_inside = listed && !inside.is_empty();
    mounts.hidden = if listed { Vec::new() } else { inside };
    Ok(mounts)
}

/// As setup does it, where it may.
fn as_setup(
    index: usize,
    mount: &Mount,
    (kind, at): (&str, String),
    options: MountOptions,
    (spec, root): (&Spec, &Root),
) -> Result<SetupStep, Refused> {
    if kind == "bind" {
        return bind(index, mount, &at, options, root).map(SetupStep::Bind);
    }
    let copy_up = options.copy_up;
    if copy_up && kind != "tmpfs" {
        let field = format!("mounts[{index}].options");
        return Err(Refused::new(field, "tmpcopyup is for a tmpfs alone"));
    }
    let fresh = fresh(kind, mount, at, options, spec)?;
    Ok(if copy_up { SetupStep::CopyUp(fresh) } else { SetupStep::Fresh(fresh) })
}

/// A read-only file system in memory in which others have their places, as engines write of `/dev`, is closed
/// when they are there.
fn open_until_filled(step: &mut SetupStep, later: &[Mount]) -> Option<InsideStep> {
    let (SetupStep::Fresh(fresh) | SetupStep::CopyUp(fresh)) = step else { return None };
    let is_in_it = |mount: &Mount| {
        destination(&mount.destination).is_ok_and(|at| at != fresh.at && is_within(&at, &fresh.at))
    };
    if fresh.kind != "tmpfs" || !(fresh.at == "/dev" || later.iter().any(is_in_it)) {
        return None;
    }
    let manner = Manner { propagation: Vec::new(), ..fresh.manner.clone() };
    fresh.manner.attributes = fresh.manner.attributes.writable()?;
    Some(InsideStep::Remount { at: fresh.at.clone(), manner })
}

/// Normal, absolute, and without a way up. Version 1.0 took relative ones as if from `/`.
fn destination(path: &str) -> Result<String, String> {
    if path.is_empty() {
        return Err("it is empty".to_string());
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") || path.contains('\0') {
        return Err(format!("{path:?} leads up, or nowhere"));
    }
    Ok(format!("/{}", parts.join("/")))
}

/// Whether `path` is `other` or lies in it; both normal.
fn is_within(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| other == "/" || rest.is_empty() || rest.starts_with('/'))
}

/// The namespace that such a file system shows.
fn shown(kind: &str) -> Option<Kind> {
    match kind {
        "proc" => Some(Kind::Pid),
        "sysfs" => Some(Kind::Network),
        "cgroup" | "cgroup2" => Some(Kind::Cgroup),
        "mqueue" => Some(Kind::Ipc),
        // Its ids are those of the container.
        "devpts" => Some(Kind::User),
        _ => None,
    }
}

/// What shows a namespace that is not the container's to show is the engine's own, bound.
fn substitute<'a>(mount: &'a Mount, namespaces: &Namespaces, options: &mut MountOptions) -> &'a str {
    if is_bind(mount) {
        return "bind";
    }
    let kind = mount.kind.as_deref().unwrap_or("none");
    match shown(kind) {
        Some(shown) if shown != Kind::User && !owned(namespaces, shown) => {
            options.bind = Some(Reach::AllBelow);
            options.data.clear();
            // Read-only, and so all below it.
            options.attributes_below = options.attributes;
            "bind"
        }
        _ => kind,
    }
}

fn owned(namespaces: &Namespaces, shown: Kind) -> bool {
    // The whole hierarchy is not for a container to see, whoever it is.
    if shown == Kind::Cgroup {
        namespaces.has(shown) && namespaces.owns(shown)
    } else {
        namespaces.owns(shown)
    }
}

/// Where the engine itself has it.
fn own_place(kind: &str) -> &'static str {
    match kind {
        "proc" => "/proc",
        "sysfs" => "/sys",
        "mqueue" => "/dev/mqueue",
        _ => "/sys/fs/cgroup",
    }
}

fn manner(options: &MountOptions) -> Manner {
    Manner {
        attributes: options.attributes,
        attributes_below: options.attributes_below,
        propagation: options.propagation.clone(),
    }
}

/// Options of a file system in memory while it is made. Engines write them for binds too, where there is
/// nothing left to make: the kernel and other runtimes pass over them.
const WHEN_MADE: [&str; 6] = ["mode", "size", "nr_inodes", "nr_blocks", "uid", "gid"];

fn bind(index: usize, mount: &Mount, at: &str, options: MountOptions, root: &Root) -> Result<Bind, Refused> {
    let field = |name: &str| format!("mounts[{index}].{name}");
    let source = match (mount.kind.as_deref(), &mount.source) {
        (Some(kind), _) if shown(kind).is_some() && !is_bind(mount) => own_place(kind).to_string(),
        (_, Some(source)) if !source.is_empty() => source.clone(),
        _ => return Err(Refused::new(field("source"), "there is nothing to bind")),
    };
    if let Some((key, _)) = options.data.iter().find(|(key, _)| !WHEN_MADE.contains(&key.as_str())) {
        return Err(Refused::new(field("options"), format!("nobody knows `{key}` of a bind mount")));
    }
    let own = !(mount.uid_mappings.is_empty() && mount.gid_mappings.is_empty());
    if own {
        check_map(&field("uidMappings"), &mount.uid_mappings)?;
        check_map(&field("gidMappings"), &mount.gid_mappings)?;
    }
    let id_map = match (own, options.id_map) {
        (true, reach) => Some(IdMap::Own {
            uids: mount.uid_mappings.clone(),
            gids: mount.gid_mappings.clone(),
            reach: reach.unwrap_or(Reach::One),
        }),
        (false, reach) => reach.map(IdMap::Container),
    };
    Ok(Bind {
        is_volume: root.volumes.iter().any(|volume| volume.path == source),
        source,
        reach: options.bind.unwrap_or(Reach::One),
        id_map,
        at: at.to_string(),
        manner: manner(&options),
    })
}

fn fresh(
    kind: &str,
    mount: &Mount,
    at: String,
    options: MountOptions,
    spec: &Spec,
) -> Result<Fresh, Refused> {
    let manner = manner(&options);
    let mut data = options.data;
    // A file system without ids or labels of its own has the container's.
    if let Some(label) = spec.linux.mount_label.as_deref().filter(|label| !label.is_empty())
        && matches!(kind, "tmpfs" | "mqueue" | "devpts" | "ramfs")
    {
        data.push(("context".to_string(), label.to_string()));
    }
    // There is one hierarchy, and it takes no options from a container.
    let kind = if kind == "cgroup" { "cgroup2" } else { kind };
    if kind == "cgroup2" {
        data.clear();
    }
    Ok(Fresh { kind: kind.to_string(), source: mount.source.clone(), data, at, manner })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_normal_and_leads_nowhere_up() {
        let check = |path: &str, expected: Option<&str>| {
            assert_eq!(destination(path).ok().as_deref(), expected, "{path:?}");
        };
        check("/proc", Some("/proc"));
        check("/dev//shm/.", Some("/dev/shm"));
        check("data", Some("/data"));
        check("/", Some("/"));
        check("/a/../../b", None);
        check("", None);
        check("/a\0b", None);
    }

    #[test]
    fn a_bind_makes_no_file_system_and_still_knows_its_options() {
        let check = |option: &str, expected: Option<&str>| {
            let mount = Mount { source: Some("/etc".to_string()), ..Mount::default() };
            let options = MountOptions::read(&[option.to_string()]).unwrap();
            let refused = bind(3, &mount, "/mnt", options, &Root::directory("/root".to_string()))
                .err()
                .map(|why| why.to_string());
            assert_eq!(refused.as_deref(), expected, "{option}");
        };
        check("mode=755", None);
        check("size=1k", None);
        check("readonly", Some("mounts[3].options: nobody knows `readonly` of a bind mount"));
    }

    #[test]
    fn whole_names_decide_what_lies_in_what() {
        assert!(is_within("/dev/shm", "/dev"));
        assert!(is_within("/dev", "/dev"));
        assert!(is_within("/dev", "/"));
        assert!(!is_within("/device", "/dev"));
        assert!(!is_within("/dev", "/dev/shm"));
    }
}

//! Spec and root → the steps of a start, in order, as data.
//!
//! *Setup* steps are done with the machine's privileges, before the container's namespaces exist:
//! what they attach is locked when those are made, so that a container cannot make a read-only
//! volume writable. *Inside* steps are done by the container itself, in all its namespaces.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::seccomp::{self, Flag, Instruction, Refused};
use super::spec::{IdMapping, Mount, NamespaceKind, RlimitSpec, Spec, User};

/// What the container's file system is made of: EROFS files below, memory above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Names of the layers' files, without their ending; the topmost first.
    pub layers: Vec<String>,
    /// Size of the private upper, bytes.
    pub upper_size: u64,
}

/// Attributes of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attach {
    pub read_only: bool,
    pub no_suid: bool,
    pub no_dev: bool,
    pub no_exec: bool,
}

/// Which /dev a container sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Devices {
    /// The machine's template: null zero full random urandom tty, links, empty directories.
    Template,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetupStep {
    /// Mounts the layer's EROFS file for the whole machine, unless it is.
    MountLayer {
        diff_id: String,
    },
    /// Leaves the machine's mount namespace.
    NewMountNamespace,
    /// Makes a user namespace with these maps, for idmapped mounts and the container.
    NewUserNamespace {
        first_id: u32,
        size: u32,
    },
    /// A directory that must be there, and no link, before the root becomes read-only.
    MountPoint {
        at: String,
    },
    /// A volume in memory for the whole machine, unless it is there.
    MountVolume {
        path: String,
        size: u64,
    },
    /// An overlay of idmapped clones of the layers, with an upper of its own, becomes the root.
    Overlay {
        layers: Vec<String>,
        upper_size: u64,
        owner: u32,
    },
    Dev {
        at: String,
        devices: Devices,
    },
    Bind {
        source: String,
        at: String,
        attach: Attach,
        idmap: bool,
    },
    Tmpfs {
        at: String,
        options: Vec<(String, String)>,
        attach: Attach,
    },
    RootReadOnly,
    Rlimit {
        kind: String,
        soft: u64,
        hard: u64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InsideStep {
    /// Becomes root of the user namespace.
    BecomeRoot,
    /// Writes a parameter of the namespaces that it is in by now, below the machine's /proc.
    Sysctl {
        key: String,
        value: String,
    },
    Mount {
        kind: String,
        at: String,
        options: Vec<(String, String)>,
        attach: Attach,
    },
    ReadOnly {
        path: String,
    },
    Mask {
        path: String,
    },
    PivotRoot,
    Hostname(String),
    LoopbackUp,
    Keyring,
    /// Looks the user up inside the root.
    ResolveUser(User),
    NoNewPrivileges,
    BoundCapabilities(u64),
    BecomeUser,
    Capabilities(u64),
    WorkingDirectory(String),
    /// Waits until PID 1 keeps this process.
    Barrier,
    /// Signals, descriptors and umask as the program is to find them.
    Prepare,
    /// The last step but the program: of ours only execve has to pass the filter, and what says why
    /// it failed.
    Seccomp {
        program: Vec<Instruction>,
        flags: Vec<Flag>,
    },
    Execute {
        args: Vec<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub namespaces: Vec<NamespaceKind>,
    pub setup: Vec<SetupStep>,
    pub inside: Vec<InsideStep>,
}

/// Orders everything that a start does.
///
/// # Errors
/// [`Refused`] for a filter that the kernel would not take.
pub fn plan(spec: &Spec, root: &Root) -> Result<Plan, Refused> {
    let namespaces: Vec<NamespaceKind> =
        spec.linux.namespaces.iter().map(|namespace| namespace.kind).collect();
    let map = spec.linux.uid_mappings.first().copied();
    let IdMapping { host_id: first_id, size, .. } =
        map.unwrap_or(IdMapping { container_id: 0, host_id: 0, size: u32::MAX });
    let mut setup: Vec<SetupStep> =
        root.layers.iter().map(|id| SetupStep::MountLayer { diff_id: id.clone() }).collect();
    setup.extend(spec.mounts.iter().filter(|mount| is_volume(mount)).map(|mount| {
        let mut sizes = mount.options.iter().filter_map(|option| option.strip_prefix("size=")?.parse().ok());
        SetupStep::MountVolume {
            path: mount.source.clone(),
            size: sizes.next_back().unwrap_or(root.upper_size),
        }
    }));
    setup.push(SetupStep::NewMountNamespace);
    setup.push(SetupStep::NewUserNamespace { first_id, size });
    let (layers, upper_size) = (root.layers.clone(), root.upper_size);
    setup.push(SetupStep::Overlay { layers, upper_size, owner: first_id });
    let top = spec.mounts.iter().filter(|mount| is_of_namespaces(&mount.kind));
    setup.extend(
        top.filter(|mount| mount.destination.rfind('/') == Some(0))
            .map(|mount| SetupStep::MountPoint { at: mount.destination.clone() }),
    );
    setup.extend(spec.mounts.iter().filter_map(setup_mount));
    if spec.root.readonly {
        setup.push(SetupStep::RootReadOnly);
    }
    setup.extend(spec.process.rlimits.iter().map(|RlimitSpec { kind, soft, hard }| SetupStep::Rlimit {
        kind: kind.clone(),
        soft: *soft,
        hard: *hard,
    }));
    Ok(Plan { setup, inside: inside(spec, &namespaces)?, namespaces })
}

fn inside(spec: &Spec, namespaces: &[NamespaceKind]) -> Result<Vec<InsideStep>, Refused> {
    let mut steps = Vec::new();
    steps.push(InsideStep::BecomeRoot);
    let sysctls = spec.linux.sysctl.iter();
    steps.extend(sysctls.map(|(key, value)| InsideStep::Sysctl { key: key.clone(), value: value.clone() }));
    steps.extend(spec.mounts.iter().filter_map(inside_mount));
    let paths = |list: &[String], step: fn(String) -> InsideStep| -> Vec<InsideStep> {
        list.iter().cloned().map(step).collect()
    };
    steps.extend(paths(&spec.linux.readonly_paths, |path| InsideStep::ReadOnly { path }));
    steps.extend(paths(&spec.linux.masked_paths, |path| InsideStep::Mask { path }));
    steps.push(InsideStep::PivotRoot);
    if namespaces.contains(&NamespaceKind::Uts) {
        steps.push(InsideStep::Hostname(spec.hostname.clone()));
    }
    if namespaces.contains(&NamespaceKind::Network) {
        steps.push(InsideStep::LoopbackUp);
    }
    steps.push(InsideStep::Keyring);
    steps.push(InsideStep::ResolveUser(spec.process.user.clone()));
    if spec.process.no_new_privileges {
        steps.push(InsideStep::NoNewPrivileges);
    }
    steps.push(InsideStep::BoundCapabilities(spec.process.capabilities.bounding));
    steps.push(InsideStep::BecomeUser);
    steps.push(InsideStep::Capabilities(spec.process.capabilities.effective));
    steps.push(InsideStep::WorkingDirectory(spec.process.cwd.clone()));
    steps.push(InsideStep::Barrier);
    steps.push(InsideStep::Prepare);
    if let Some(filter) = &spec.linux.seccomp {
        let program = seccomp::compile(filter)?;
        steps.push(InsideStep::Seccomp { program, flags: filter.flags.clone() });
    }
    steps.push(InsideStep::Execute { args: spec.process.args.clone() });
    Ok(steps)
}

/// What belongs to the container's own namespaces, it must mount itself.
fn is_of_namespaces(kind: &str) -> bool {
    matches!(kind, "proc" | "sysfs" | "cgroup2" | "devpts" | "mqueue")
}

/// A volume of Orlop's own, whose ids on the disk are the container's.
fn is_volume(mount: &Mount) -> bool {
    mount.kind == "bind" && mount.options.iter().any(|option| option == "idmap")
}

fn setup_mount(mount: &Mount) -> Option<SetupStep> {
    let (attach, options) = split(&mount.options);
    let at = mount.destination.clone();
    match mount.kind.as_str() {
        // On a directory of /dev, which is read-only by then: the container's own work.
        _ if at.starts_with("/dev/") => None,
        kind if is_of_namespaces(kind) => None,
        "dev" => Some(SetupStep::Dev { at, devices: Devices::Template }),
        "bind" => Some(SetupStep::Bind { source: mount.source.clone(), at, attach, idmap: is_volume(mount) }),
        "tmpfs" => Some(SetupStep::Tmpfs { at, options, attach }),
        _ => None,
    }
}

fn inside_mount(mount: &Mount) -> Option<InsideStep> {
    let ours = is_of_namespaces(&mount.kind) || mount.destination.starts_with("/dev/");
    let (attach, options) = split(&mount.options);
    ours.then(|| InsideStep::Mount {
        kind: mount.kind.clone(),
        at: mount.destination.clone(),
        options,
        attach,
    })
}

/// Flags of the mount apart from the options of its file system.
fn split(options: &[String]) -> (Attach, Vec<(String, String)>) {
    let mut attach = Attach::default();
    let mut rest = Vec::new();
    for option in options {
        match option.as_str() {
            "ro" => attach.read_only = true,
            "rw" | "idmap" => {}
            "nosuid" => attach.no_suid = true,
            "nodev" => attach.no_dev = true,
            "noexec" => attach.no_exec = true,
            other => {
                let (key, value) = other.split_once('=').unwrap_or((other, ""));
                rest.push((key.to_owned(), value.to_string()));
            }
        }
    }
    (attach, rest)
}

//! Container and image → OCI runtime spec. The TOML wins over the image; the strictest known
//! defaults stand where neither says anything.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

mod devices;
mod mounts;
mod pods;
#[cfg(test)]
mod tests;

use super::RANGE;
use super::limits::resources;
use super::plan::host_id;
use super::seccomp::{self, Seccomp};
use super::spec::{self, Device, IdMapping, Linux, Namespace, Process, Resources, RootPath, Spec, User};
use super::steps::{Files, Names, NamespaceKind, Root};
use crate::config::{self, Capabilities, Container, NetworkMode, Readiness, Rlimit, UserNamespace};
pub use mounts::SYSLOG;
use mounts::{mounts, volumes};

/// Of the specification.
pub const VERSION: &str = "1.3.0";

/// What programs find in PATH when nobody says anything.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The union of what Docker and podman hide; directories and files alike. What podman only makes
/// read-only, /proc/asound, Docker hides.
pub const MASKED: [&str; 13] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/selinux",
];

/// What shows the machine and sets it.
pub const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Where a container finds the socket that it says things of itself to, and the name of that socket beside the
/// container's other files.
const NOTIFY_SOCKET: &str = "/run/orlop/notify";
pub const NOTIFY_FILE: &str = "notify";

/// What the image's configuration says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Defaults {
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    /// `KEY=value`.
    pub environment: Vec<String>,
    pub user: Option<String>,
    pub working_dir: Option<String>,
    pub volumes: Vec<String>,
}

/// What the machine knows and the configuration does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// First id of the container's range.
    pub first_id: u32,
    /// Device path of a limit → (major, minor).
    pub disks: BTreeMap<String, (u32, u32)>,
    /// What `devices` names → what stands there; with `privileged`, `/dev` → all.
    pub devices: BTreeMap<String, Vec<HostDevice>>,
    /// What tells of the processors' heat, which tells of others' work.
    pub thermal: Vec<String>,
    /// Where hosts, hostname and resolv.conf for this container stand on the machine.
    pub files: String,
    /// The directory of devices that containers share.
    pub dev: String,
    /// Where `[volume.X]` and anonymous volumes stand on the machine.
    pub volumes: String,
    /// Where the namespaces of groups stand on the machine.
    pub pods: String,
    /// Bytes that a `[volume.X]` may hold in memory.
    pub volume_sizes: BTreeMap<String, u64>,
    /// What the file says that `seccomp` names; or the default, when somebody had it made before.
    pub seccomp: Option<Arc<Seccomp>>,
}

/// A device as it stands on the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostDevice {
    pub path: String,
    pub kind: DeviceKind,
    pub major: u32,
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    Character,
    Block,
}

/// What a container's cgroup is told before there is anything in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Confinement {
    pub resources: Resources,
    pub devices: Vec<Device>,
}

/// The part of [`compile`] that confines.
#[must_use]
pub fn confinement(container: &Container, facts: &Facts) -> Confinement {
    let (devices, rules) = devices::devices(container, facts);
    let resources = Resources { devices: rules, ..resources(&container.limits, &facts.disks) };
    Confinement { resources, devices }
}

/// Compiles what the container gets.
#[must_use]
pub fn compile(container: &Container, image: &Defaults, facts: &Facts) -> Spec {
    compile_with(container, image, facts, confinement(container, facts))
}

/// As [`compile`], of which this part is there already.
#[must_use]
pub fn compile_with(container: &Container, image: &Defaults, facts: &Facts, part: Confinement) -> Spec {
    let Confinement { resources, devices } = part;
    let capabilities = capabilities(container);
    let range = range(container, facts);
    let hidden = if container.privileged { &[][..] } else { &MASKED[..] };
    let read_only = if container.privileged { &[][..] } else { &READ_ONLY[..] };
    let thermal = facts.thermal.iter().filter(|_| !container.privileged);
    let process = Process {
        user: User { umask: Some(0o022), ..User::default() },
        args: arguments(container, image),
        terminal: container.tty,
        env: env(container, image),
        cwd: container
            .working_dir
            .clone()
            .or_else(|| image.working_dir.clone().filter(|dir| !dir.is_empty()))
            .unwrap_or_else(|| "/".to_owned()),
        capabilities: Some(capability_sets(capabilities)),
        rlimits: rlimits(container),
        no_new_privileges: container.no_new_privileges,
        apparmor_profile: container.apparmor.clone(),
        // The engine's own is less, so that it goes last.
        oom_score_adj: Some(0),
        ..Process::default()
    };
    Spec {
        oci_version: VERSION.to_owned(),
        hostname: Some(container.hostname.clone()),
        process: Some(process),
        root: Some(RootPath { path: "rootfs".to_owned(), readonly: container.read_only }),
        mounts: mounts(container, image, facts),
        linux: Linux {
            namespaces: namespaces(container, facts),
            uid_mappings: range.clone(),
            gid_mappings: range,
            cgroups_path: Some(format!("/containers/{}", container.name)),
            sysctl: sysctls(container, capabilities),
            devices,
            resources,
            masked_paths: hidden.iter().map(ToString::to_string).chain(thermal.cloned()).collect(),
            readonly_paths: read_only.iter().map(ToString::to_string).collect(),
            seccomp: match &container.seccomp {
                config::Seccomp::Default => {
                    Some(facts.seccomp.clone().unwrap_or_else(|| seccomp::allowed(capabilities).into()))
                }
                config::Seccomp::Unconfined => None,
                config::Seccomp::File(_) => facts.seccomp.clone(),
            },
            ..Linux::default()
        },
        annotations: container.labels.clone(),
        ..Spec::default()
    }
}

/// Inheritable and ambient are empty: no program gets more by what its file says, or by nothing.
fn capability_sets(set: u64) -> spec::Capabilities {
    let names: Vec<String> = Capabilities(set).names().collect();
    spec::Capabilities {
        bounding: names.clone(),
        effective: names.clone(),
        permitted: names,
        ..spec::Capabilities::default()
    }
}

/// What the container's files are made of, for the engine beside the spec.
#[must_use]
pub fn root(
    container: &Container,
    image: &Defaults,
    facts: &Facts,
    layers: &[String],
    upper_size: u64,
) -> Root {
    let named = container.user.clone().or_else(|| image.user.clone()).filter(|name| !name.is_empty());
    Root {
        files: Files::Layers { names: layers.to_vec(), upper_size },
        volumes: volumes(container, image, facts, upper_size),
        names: Names {
            // Whoever the image calls root belongs to the groups that the image says.
            user: Some(named.unwrap_or_else(|| "0".to_owned())),
            groups: container.group_add.clone(),
        },
        pod: pods::shared(container, facts),
    }
}

fn range(container: &Container, facts: &Facts) -> Vec<IdMapping> {
    match container.userns {
        UserNamespace::Private => vec![IdMapping { container_id: 0, host_id: facts.first_id, size: RANGE }],
        UserNamespace::Host => Vec::new(),
    }
}

/// Drop everything, then add: what is added stays. Else what is dropped goes.
#[must_use]
pub fn capabilities(container: &Container) -> u64 {
    let (base, add, drop) = (container.cap_base.0, container.cap_add.0, container.cap_drop.0);
    let all = Capabilities::ALL.0;
    if drop & all == all { add } else { (base | add) & !drop }
}

/// CAP_SYS_ADMIN of linux/capability.h.
const SYS_ADMIN: u64 = 1 << 21;

const LOW_PORTS: &str = "net.ipv4.ip_unprivileged_port_start";
const PING_GROUPS: &str = "net.ipv4.ping_group_range";
/// Those that a range of ids has.
const ALL_GROUPS: &str = "0 65535";
const USER_NAMESPACES: &str = "user.max_user_namespaces";

/// Docker's two for a network of its own, and none that another namespace would have to have.
fn sysctls(container: &Container, capabilities: u64) -> BTreeMap<String, String> {
    let mut sysctls = BTreeMap::new();
    let mut set = |key: &str, value: &str| sysctls.insert(key.to_owned(), value.to_owned());
    if container.network_mode == NetworkMode::None && !pods::has_defaults(container, NamespaceKind::Network) {
        // There is nobody else in its network whom a low port would be taken from.
        set(LOW_PORTS, "0");
        // Every group may ping, and the groups are those that its ids have.
        set(
            PING_GROUPS,
            match container.userns {
                UserNamespace::Private => ALL_GROUPS,
                UserNamespace::Host => "0 2147483647",
            },
        );
    }
    // A user namespace gives its maker every capability over the kernel's rarely tried corners. Whoever has
    // SYS_ADMIN anyway gains nothing by it, and may be a builder of containers; whoever chose its system
    // calls itself has decided.
    let is_closed = capabilities & SYS_ADMIN == 0 && container.seccomp == config::Seccomp::Default;
    let is_made_closed = pods::has_defaults(container, NamespaceKind::User);
    if is_closed && container.userns == UserNamespace::Private && !is_made_closed {
        set(USER_NAMESPACES, "0");
    }
    sysctls.extend(container.sysctls.clone());
    sysctls
}

/// The program and its arguments. Compose's rule: an entrypoint of one's own takes the image's
/// command away.
#[must_use]
pub fn arguments(container: &Container, image: &Defaults) -> Vec<String> {
    let mut args = container.entrypoint.clone().unwrap_or_else(|| image.entrypoint.clone());
    match (&container.command, &container.entrypoint) {
        (Some(command), _) => args.extend(command.iter().cloned()),
        (None, None) => args.extend(image.command.iter().cloned()),
        (None, Some(_)) => {}
    }
    args
}

/// Whether it has a socket to say things of itself to.
#[must_use]
pub fn has_notify_socket(container: &Container) -> bool {
    container.ready == Readiness::Notify || container.watchdog.is_some()
}

/// The image's, with a PATH; the container's own comes later, over the env files.
fn env(container: &Container, image: &Defaults) -> Vec<String> {
    let mut env = image.environment.clone();
    // sd_notify(3), sd_watchdog_enabled(3).
    if has_notify_socket(container) {
        env.push(format!("NOTIFY_SOCKET={NOTIFY_SOCKET}"));
    }
    env.extend(listening(container));
    env.extend(container.watchdog.map(|watchdog| format!("WATCHDOG_USEC={}", watchdog.as_micros())));
    if !env.iter().any(|pair| pair.starts_with("PATH=")) {
        env.insert(0, PATH.to_owned());
    }
    env
}

/// What sd_listen_fds(3) asks for: how many sockets there are from 3 on, what they are called, and who they are for, by
/// the number that it has itself: our own init has the first one, where there is one.
fn listening(container: &Container) -> Vec<String> {
    let names: Vec<&str> = container.sockets.iter().map(|socket| socket.name.as_str()).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let pid = if container.init { 2 } else { 1 };
    let names_of_all = names.join(":");
    [
        format!("LISTEN_FDS={}", names.len()),
        format!("LISTEN_PID={pid}"),
        format!("LISTEN_FDNAMES={names_of_all}"),
    ]
    .into()
}

fn namespaces(container: &Container, facts: &Facts) -> Vec<Namespace> {
    NamespaceKind::ALL
        .into_iter()
        .filter(|kind| match kind {
            NamespaceKind::Network => container.network_mode == NetworkMode::None,
            NamespaceKind::User => container.userns == UserNamespace::Private,
            _ => true,
        })
        .map(|kind| Namespace { kind: kind.name().to_owned(), path: pods::place(container, facts, kind) })
        .collect()
}

/// setrlimit(2)'s names.
fn rlimit_name(rlimit: Rlimit) -> &'static str {
    match rlimit {
        Rlimit::As => "RLIMIT_AS",
        Rlimit::Core => "RLIMIT_CORE",
        Rlimit::Cpu => "RLIMIT_CPU",
        Rlimit::Data => "RLIMIT_DATA",
        Rlimit::Fsize => "RLIMIT_FSIZE",
        Rlimit::Locks => "RLIMIT_LOCKS",
        Rlimit::Memlock => "RLIMIT_MEMLOCK",
        Rlimit::Msgqueue => "RLIMIT_MSGQUEUE",
        Rlimit::Nice => "RLIMIT_NICE",
        Rlimit::Nofile => "RLIMIT_NOFILE",
        Rlimit::Nproc => "RLIMIT_NPROC",
        Rlimit::Rss => "RLIMIT_RSS",
        Rlimit::Rtprio => "RLIMIT_RTPRIO",
        Rlimit::Rttime => "RLIMIT_RTTIME",
        Rlimit::Sigpending => "RLIMIT_SIGPENDING",
        Rlimit::Stack => "RLIMIT_STACK",
    }
}

fn rlimits(container: &Container) -> Vec<spec::Rlimit> {
    // No core files where nobody looks for them; 1,024 files for select(2), more for who asks.
    let mut limits = vec![(Rlimit::Core, 0, 0), (Rlimit::Nofile, 1024, 524_288)];
    limits.retain(|(kind, ..)| !container.ulimits.contains_key(kind));
    limits.extend(container.ulimits.iter().map(|(kind, limit)| (*kind, limit.soft, limit.hard)));
    limits
        .into_iter()
        .map(|(kind, soft, hard)| spec::Rlimit { kind: rlimit_name(kind).to_owned(), soft, hard })
        .collect()
}

/// Who may divide the container's cgroup, outside: whoever its process is, when it has a view of its own
/// of it that can be written to (config-linux.md, Cgroup ownership).
#[must_use]
pub fn delegated_to(spec: &Spec) -> Option<(u32, u32)> {
    let own_view =
        spec.linux.namespaces.iter().any(|it| it.kind == NamespaceKind::Cgroup.name() && it.path.is_none());
    let is_writable = |mount: &spec::Mount| {
        mount.destination == "/sys/fs/cgroup"
            && mount.kind.as_deref().is_some_and(|kind| matches!(kind, "cgroup" | "cgroup2"))
            && !mount.options.iter().any(|option| option == "ro")
    };
    if !own_view || !spec.mounts.iter().any(is_writable) {
        return None;
    }
    let user = spec.process.as_ref().map(|process| &process.user)?;
    if spec.linux.uid_mappings.is_empty() {
        return Some((user.uid, user.gid));
    }
    Some((host_id(&spec.linux.uid_mappings, user.uid)?, host_id(&spec.linux.gid_mappings, user.gid)?))
}

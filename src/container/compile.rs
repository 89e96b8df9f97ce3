//! Container and image → OCI runtime spec. The TOML wins over the image; the strictest known
//! defaults stand where neither says anything.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::RANGE;
use super::limits::resources;
use super::seccomp::{self, Seccomp};
use super::spec::{
    CapabilitySets, IdMapping, Linux, Mount, Namespace, NamespaceKind, Process, RlimitSpec, Spec, SpecRoot,
    User,
};
use crate::config::{self, Container, NetworkMode, Rlimit, VolumeSource};

/// CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE: podman's default
/// set less SYS_CHROOT and SETFCAP.
pub const DEFAULT_CAPABILITIES: u64 =
    1 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10;

/// Every capability of Linux 6.12: 0 (CHOWN) to 40 (CHECKPOINT_RESTORE).
const ALL_CAPABILITIES: u64 = (1 << 41) - 1;

/// What programs find in PATH when nobody says anything.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The union of what Docker and podman hide; directories and files alike.
const MASKED: [&str; 13] = [
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

const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

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
    pub devices: BTreeMap<String, (u32, u32)>,
    /// Where hosts, hostname and resolv.conf for this container stand on the machine.
    pub files: String,
    /// Where `[volume.X]` and anonymous volumes stand on the machine.
    pub volumes: String,
    /// Bytes that a `[volume.X]` may hold in memory.
    pub volume_sizes: BTreeMap<String, u64>,
    /// What the file says that `seccomp` names.
    pub seccomp: Option<Seccomp>,
}

/// Compiles what the container gets.
#[must_use]
pub fn compile(container: &Container, image: &Defaults, facts: &Facts) -> Spec {
    let capabilities = capabilities(container);
    let range = vec![IdMapping { container_id: 0, host_id: facts.first_id, size: RANGE }];
    Spec {
        oci_version: "1.3.0".to_owned(),
        hostname: container.hostname.clone(),
        process: Process {
            user: user(container, image),
            args: arguments(container, image),
            env: env(container, image),
            cwd: container
                .working_dir
                .clone()
                .or_else(|| image.working_dir.clone().filter(|dir| !dir.is_empty()))
                .unwrap_or_else(|| "/".to_owned()),
            capabilities: CapabilitySets { bounding: capabilities, effective: capabilities },
            rlimits: rlimits(container),
            no_new_privileges: true,
        },
        root: SpecRoot { path: "rootfs".to_owned(), readonly: container.read_only },
        mounts: mounts(container, image, facts),
        linux: Linux {
            namespaces: namespaces(container.network_mode),
            uid_mappings: range.clone(),
            gid_mappings: range,
            cgroups_path: format!("/containers/{}", container.name),
            sysctl: sysctls(capabilities, &container.seccomp),
            devices: Vec::new(),
            resources: resources(&container.limits, &facts.devices),
            masked_paths: MASKED.map(ToString::to_string).to_vec(),
            readonly_paths: READ_ONLY.map(ToString::to_string).to_vec(),
            seccomp: match &container.seccomp {
                config::Seccomp::Default => Some(seccomp::allowed(capabilities)),
                config::Seccomp::Unconfined => None,
                config::Seccomp::File(_) => facts.seccomp.clone(),
            },
        },
        annotations: container.labels.clone(),
    }
}

/// Drop everything, then add: what is added stays. Else what is dropped goes.
#[must_use]
pub fn capabilities(container: &Container) -> u64 {
    let (add, drop) = (container.cap_add.0, container.cap_drop.0);
    if drop & ALL_CAPABILITIES == ALL_CAPABILITIES { add } else { (DEFAULT_CAPABILITIES | add) & !drop }
}

/// CAP_SYS_ADMIN of linux/capability.h.
const SYS_ADMIN: u64 = 1 << 21;

/// A user namespace gives its maker every capability over the kernel's rarely tried corners. Whoever has
/// SYS_ADMIN anyway gains nothing by it, and may be a builder of containers; whoever chose its system
/// calls itself has decided.
fn sysctls(capabilities: u64, profile: &config::Seccomp) -> BTreeMap<String, String> {
    let none = ("user.max_user_namespaces".to_owned(), "0".to_owned());
    let is_closed = capabilities & SYS_ADMIN == 0 && *profile == config::Seccomp::Default;
    is_closed.then_some(none).into_iter().collect()
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

/// The image's, with a PATH; the container's own comes later, over the env files.
fn env(_container: &Container, image: &Defaults) -> Vec<String> {
    let mut env = image.environment.clone();
    if !env.iter().any(|pair| pair.starts_with("PATH=")) {
        env.insert(0, PATH.to_owned());
    }
    env
}

fn user(container: &Container, image: &Defaults) -> User {
    let username = container.user.clone().or_else(|| image.user.clone()).filter(|name| !name.is_empty());
    User { username, groups: container.group_add.clone(), umask: 0o022, ..User::default() }
}

fn namespaces(network: NetworkMode) -> Vec<Namespace> {
    use NamespaceKind as Kind;
    let all =
        [Kind::User, Kind::Mount, Kind::Pid, Kind::Network, Kind::Ipc, Kind::Uts, Kind::Cgroup, Kind::Time];
    all.into_iter()
        .filter(|kind| match network {
            NetworkMode::None => true,
            NetworkMode::Host => *kind != Kind::Network,
        })
        .map(|kind| Namespace { kind })
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

fn rlimits(container: &Container) -> Vec<RlimitSpec> {
    // No core files where nobody looks for them; 1,024 files for select(2), more for who asks.
    let mut limits = vec![(Rlimit::Core, 0, 0), (Rlimit::Nofile, 1024, 524_288)];
    limits.retain(|(kind, ..)| !container.ulimits.contains_key(kind));
    limits.extend(container.ulimits.iter().map(|(kind, limit)| (*kind, limit.soft, limit.hard)));
    limits
        .into_iter()
        .map(|(kind, soft, hard)| RlimitSpec { kind: rlimit_name(kind).to_owned(), soft, hard })
        .collect()
}

fn mount(destination: &str, kind: &str, options: &[&str]) -> Mount {
    Mount {
        destination: destination.to_owned(),
        kind: kind.to_owned(),
        source: kind.to_owned(),
        options: options.iter().map(ToString::to_string).collect(),
    }
}

fn bind(source: String, destination: &str, options: &[&str]) -> Mount {
    let options = options.iter().map(ToString::to_string).collect();
    Mount { destination: destination.to_owned(), kind: "bind".to_owned(), source, options }
}

fn mounts(container: &Container, image: &Defaults, facts: &Facts) -> Vec<Mount> {
    const BARE: [&str; 3] = ["nosuid", "noexec", "nodev"];
    let shm = format!("size={}", container.shm_size);
    let mut mounts = vec![mount("/proc", "proc", &BARE), mount("/dev", "dev", &["nosuid", "noexec", "ro"])];
    mounts.push(match container.network_mode {
        NetworkMode::None => mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        // sysfs shows a network namespace, and the machine's is not ours to mount.
        NetworkMode::Host => bind("/sys".to_owned(), "/sys", &["nosuid", "noexec", "nodev", "ro"]),
    });
    mounts.push(mount("/sys/fs/cgroup", "cgroup2", &["nosuid", "noexec", "nodev", "ro"]));
    mounts.push(mount(
        "/dev/pts",
        "devpts",
        &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    ));
    mounts.push(mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", &shm]));
    mounts.push(mount("/dev/mqueue", "mqueue", &BARE));
    for name in ["hosts", "hostname", "resolv.conf"] {
        mounts.push(bind(
            format!("{}/{name}", facts.files),
            &format!("/etc/{name}"),
            &["nosuid", "noexec", "nodev", "ro"],
        ));
    }
    for tmpfs in &container.tmpfs {
        let mode = format!("mode={:o}", tmpfs.mode.unwrap_or(0o1777));
        let size = tmpfs.size.map(|size| format!("size={size}"));
        let mut options = vec!["nosuid", "nodev", "noexec", &mode];
        options.extend(size.as_deref());
        mounts.push(mount(&tmpfs.target, "tmpfs", &options));
    }
    let declared = container.volumes.iter().map(|volume| (&volume.source, &volume.target, volume.read_only));
    let anonymous = VolumeSource::Anonymous;
    let of_image = image
        .volumes
        .iter()
        .filter(|target| !container.volumes.iter().any(|volume| volume.target == **target))
        .map(|target| (&anonymous, target, false));
    for (source, target, read_only) in declared.chain(of_image) {
        let size = match source {
            VolumeSource::Named(name) => facts.volume_sizes.get(name).map(|size| format!("size={size}")),
            VolumeSource::Anonymous | VolumeSource::Bind(_) => None,
        };
        let (source, idmap) = match source {
            VolumeSource::Named(name) => (format!("{}/{name}", facts.volumes), true),
            VolumeSource::Anonymous => {
                (format!("{}/{}@{}", facts.volumes, container.name, file_name(target)), true)
            }
            VolumeSource::Bind(path) => (path.clone(), false),
        };
        let mut options = vec!["nosuid", "nodev"];
        options.extend(idmap.then_some("idmap"));
        options.extend(size.as_deref());
        options.extend(read_only.then_some("ro"));
        mounts.push(bind(source, target, &options));
    }
    mounts
}

/// A path as the name of one file, and no other path's.
fn file_name(path: &str) -> String {
    path.replace('%', "%25").replace('/', "%2F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_namespaces_are_for_those_with_sys_admin() {
        let of = |capabilities, profile| sysctls(capabilities, profile).into_values().next();
        let none = |capabilities| of(capabilities, &config::Seccomp::Default);
        assert_eq!(of(DEFAULT_CAPABILITIES, &config::Seccomp::Unconfined), None);
        assert_eq!(none(DEFAULT_CAPABILITIES).as_deref(), Some("0"));
        assert_eq!(none(DEFAULT_CAPABILITIES | SYS_ADMIN), None);
        assert_eq!(none(ALL_CAPABILITIES), None);
    }

    #[test]
    fn no_two_anonymous_volumes_of_a_container_are_one() {
        let names = ["/a/b", "/a-b", "/a%2Fb", "/a%252Fb"].map(file_name);
        assert_eq!(names, ["%2Fa%2Fb", "%2Fa-b", "%2Fa%252Fb", "%2Fa%25252Fb"]);
    }
}

//! The checked configuration: a value of these types cannot be wrong.
//!
//! Every field is what the machine will do, with the default already filled in; what was typed,
//! and where, lives only in the diagnostics. Sizes are bytes, times are [`Duration`]s.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::collector::Forward;
use super::life::{
    Dependency, Gate, Group, HealthCheck, Kind, Pod, Readiness, Restart, RestartPolicy, RestartRule,
    Timetable,
};
use super::machine::{Disk, Watchdog};
use super::socket::{Socket, StartBy};

/// Everything an appliance declares.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    pub host: Host,
    /// Each by itself: places of the map's that nobody takes are small.
    pub containers: BTreeMap<String, Box<Container>>,
    pub volumes: BTreeMap<String, Volume>,
    /// A container is in one of them at most.
    pub groups: BTreeMap<String, Group>,
    /// Declared containers that cannot run: name → why, one text per mistake.
    pub invalid: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    pub hostname: String,
    /// Kernel modules to load beyond those that the machine needs itself.
    pub modules: Vec<String>,
    /// Key with dots (`net.ipv4.ip_forward`) → value as written to /proc/sys.
    pub sysctls: BTreeMap<String, String>,
    /// Files with compiled policy, beside the configuration or anywhere on the machine.
    pub apparmor_profiles: Vec<String>,
    pub control_ports: bool,
    pub control: super::Admission,
    pub fault_injection: bool,
    /// From the request to the reboot(2), at most.
    pub poweroff_timeout: Duration,
    /// Of the machine. `None`: nobody feeds it, and nobody starts it.
    pub watchdog: Option<Watchdog>,
    /// `None`: nothing is kept over a power-off.
    pub disk: Option<Disk>,
    pub networks: BTreeMap<String, HostNetwork>,
    pub dns: Dns,
    /// Memory for the logs of all containers together, bytes.
    pub log_memory: u64,
    /// Where all logs are sent, too.
    pub log_forward: Vec<Forward>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkMatch {
    Name(String),
    Mac([u8; 6]),
    Driver(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct HostNetwork {
    pub link: LinkMatch,
    pub addresses: Vec<Cidr>,
    pub gateways: Vec<IpAddr>,
    pub routes: Vec<Route>,
    pub mtu: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cidr {
    pub address: IpAddr,
    pub prefix: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub to: Cidr,
    pub via: Option<IpAddr>,
    pub metric: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dns {
    pub servers: Vec<IpAddr>,
    pub search: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Container {
    pub name: String,
    pub image: ImageSource,
    /// `None`: the image's.
    pub entrypoint: Option<Vec<String>>,
    /// `None`: the image's, unless `entrypoint` is given (then none, as Compose has it).
    pub command: Option<Vec<String>>,
    /// In the order written; over the image's and those of `env_file`.
    pub environment: Vec<(String, String)>,
    pub env_file: Vec<EnvFile>,
    pub working_dir: Option<String>,
    /// `user[:group]`, names or numbers, looked up inside the root.
    pub user: Option<String>,
    pub group_add: Vec<String>,
    pub volumes: Vec<VolumeMount>,
    pub tmpfs: Vec<Tmpfs>,
    pub read_only: bool,
    /// Default: the container's name.
    pub hostname: String,
    pub network_mode: NetworkMode,
    pub pod: Option<Pod>,
    pub depends_on: BTreeMap<String, Dependency>,
    pub sockets: Vec<Socket>,
    pub start: StartBy,
    /// All of them are open when it starts.
    pub gates: BTreeSet<Gate>,
    /// Never up at the same time, whoever says so.
    pub conflicts: BTreeSet<String>,
    pub kind: Kind,
    /// `None`: it runs from boot on.
    pub timetable: Option<Timetable>,
    /// The longest that it may run.
    pub run_timeout: Option<Duration>,
    pub ready: Readiness,
    /// From the first instruction on; nothing for who is ready at once, or when its health check says so.
    pub ready_timeout: Duration,
    pub healthcheck: HealthCheck,
    /// The longest time between two signs of life. `None`: it need not give any.
    pub watchdog: Option<Duration>,
    pub restart: Restart,
    pub restart_policy: RestartPolicy,
    /// The first that fits counts.
    pub restart_rules: Vec<RestartRule>,
    /// A signal number, 1–64. `None`: the image's, else SIGTERM.
    pub stop_signal: Option<i32>,
    pub stop_grace_period: Duration,
    /// Nothing is masked or read-only that shows the machine, and every device is there.
    pub privileged: bool,
    pub userns: UserNamespace,
    pub no_new_privileges: bool,
    /// What it has before `cap_add` and `cap_drop`.
    pub cap_base: Capabilities,
    /// No capability is in both: `ALL` in one leaves out what the other names.
    pub cap_add: Capabilities,
    pub cap_drop: Capabilities,
    pub seccomp: Seccomp,
    /// The name of a profile that the kernel has.
    pub apparmor: Option<String>,
    pub devices: Vec<DeviceUse>,
    pub cgroup: CgroupMode,
    /// Key with dots → value, of the container's own namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Whether our own PID 1 stands before the program.
    pub init: bool,
    /// Whether it has a terminal, which `attach` shows.
    pub tty: bool,
    /// Whether it has an input, which `attach` writes to.
    pub stdin_open: bool,
    pub limits: Limits,
    pub ulimits: BTreeMap<Rlimit, Ulimit>,
    pub shm_size: u64,
    pub labels: BTreeMap<String, String>,
    pub log: ContainerLog,
    /// Where the table stands, `file.toml:12`, for messages.
    pub declared_at: String,
}

/// A set of capabilities: bit N is capability number N of linux/capability.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(pub u64);

/// Whose ids a container has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserNamespace {
    /// A range of its own.
    Private,
    /// The machine's: its root is the machine's root.
    Host,
}

/// What a container sees of its cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgroupMode {
    /// It can be read.
    Private,
    /// It can be divided further.
    Delegate,
}

/// A device of the machine, or all in a folder of /dev.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceUse {
    /// On the machine.
    pub source: String,
    /// In the container.
    pub target: String,
    /// What may be done: of `r`, `w` and `m` (mknod), in this order.
    pub access: String,
}

/// Which system calls a container may make.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Seccomp {
    /// Those that programs need, and those that its capabilities are for.
    #[default]
    Default,
    /// All.
    Unconfined,
    /// A profile in a file, relative to the config folder.
    File(String),
}

/// Where an image comes from. Files are relative to the config folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImageSource {
    /// `registry.example/shop/web:2.1@sha256:…`, normalised (`docker.io/library/…`, `:latest` filled in).
    Registry(String),
    /// `oci:DIR[:TAG]`
    Oci { path: String, tag: Option<String> },
    /// `oci-archive:FILE[:TAG]`
    OciArchive { path: String, tag: Option<String> },
    /// `docker-archive:FILE[:TAG]`
    DockerArchive { path: String, tag: Option<String> },
    /// `dir:ROOTFS`
    Dir { path: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFile {
    pub path: String,
    pub required: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeMount {
    pub source: VolumeSource,
    /// Absolute path in the container.
    pub target: String,
    pub read_only: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum VolumeSource {
    /// A `[volume.NAME]`.
    Named(String),
    /// An absolute path on the machine.
    Bind(String),
    /// A volume without a name, private to this container and gone with it.
    Anonymous,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tmpfs {
    pub target: String,
    pub size: Option<u64>,
    pub mode: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkMode {
    /// An own network namespace with loopback only.
    None,
    /// The machine's.
    Host,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limits {
    /// memory.max, bytes.
    pub memory: Option<u64>,
    /// memory.high, bytes.
    pub memory_high: Option<u64>,
    /// memory.low, bytes.
    pub memory_low: Option<u64>,
    /// memory.swap.max, bytes, swap alone.
    pub swap: Option<u64>,
    /// cpu.max as thousandths of a CPU: `cpus = 0.5` is 500.
    pub cpus: Option<u32>,
    /// cpu.weight, 1–10000.
    pub cpu_weight: Option<u32>,
    /// cpuset.cpus in list form, `0-1,4`.
    pub cpuset: Option<String>,
    /// pids.max; default 2048.
    pub pids: Option<u64>,
    pub io: Vec<IoLimit>,
    pub oom: OomPolicy,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IoLimit {
    /// A path like /dev/vda.
    pub device: String,
    pub rbps: Option<u64>,
    pub wbps: Option<u64>,
    pub riops: Option<u64>,
    pub wiops: Option<u64>,
}

/// memory.oom.group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OomPolicy {
    /// All of the container goes at once.
    #[default]
    Group,
    /// Only the process that the kernel picks.
    Process,
}

/// RLIMIT_*, by the names of setrlimit(2) in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rlimit {
    As,
    Core,
    Cpu,
    Data,
    Fsize,
    Locks,
    Memlock,
    Msgqueue,
    Nice,
    Nofile,
    Nproc,
    Rss,
    Rtprio,
    Rttime,
    Sigpending,
    Stack,
}

/// `u64::MAX` is "unlimited".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ulimit {
    pub soft: u64,
    pub hard: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainerLog {
    /// Bytes of output kept.
    pub memory: u64,
    /// Bytes a second; `None`: as much as it writes.
    pub rate: Option<u64>,
    /// Whether it has a socket for syslog(3), whose messages are kept too.
    pub syslog: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub name: String,
    /// Size of the tmpfs behind it while there is no disk; bytes.
    pub size: Option<u64>,
}

/// pids.max of a container that says nothing: enough for a busy server, too few for a fork bomb.
pub const DEFAULT_PIDS: u64 = 2048;

impl Default for Host {
    fn default() -> Self {
        Self {
            hostname: String::from("orlop"),
            modules: Vec::new(),
            sysctls: BTreeMap::new(),
            apparmor_profiles: Vec::new(),
            control_ports: true,
            control: super::Admission::default(),
            fault_injection: false,
            poweroff_timeout: Duration::from_secs(60),
            watchdog: None,
            disk: None,
            networks: BTreeMap::new(),
            dns: Dns::default(),
            log_memory: 8 << 20,
            log_forward: Vec::new(),
        }
    }
}

//! The one table of weights, in tenths of the exposure: how much nearer the machine comes.

/// What is open, apart from capabilities and shared namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    MachinesRoot,
    MachinesIds,
    NoFilter,
    OwnFilter,
    NewPrivileges,
    Unmasked,
    WritableKernel,
    WritableSysfs,
    DividedCgroup,
    AllDevices,
    BlockDevice,
    Device,
    MachinesSecrets,
    WritableBind,
    Bind,
    UserNamespaces,
    NoProcessLimit,
    Root,
    WritableRoot,
    NoMemoryLimit,
    NoLabel,
}

/// Weight, the key that is about it, and what it may lead to.
pub(super) fn of(open: Open) -> (u32, &'static str, &'static str) {
    match open {
        Open::MachinesRoot => {
            (100, "privileged", "it is the machine's root: nothing keeps it from the machine")
        }
        Open::MachinesIds => (25, "userns", "whoever gets out is root of the machine"),
        Open::NoFilter => (15, "seccomp", "every system call can be tried for holes"),
        Open::OwnFilter => (2, "seccomp", "nobody but its author has looked at it"),
        Open::NewPrivileges => {
            (6, "no_new_privileges", "a set-user-ID program gives its caller more than it had")
        }
        Open::Unmasked => (5, "privileged", "the kernel's memory map, keys and timers can be read"),
        Open::WritableKernel => (7, "privileged", "parameters of the kernel can be set"),
        Open::WritableSysfs => (4, "privileged", "devices and drivers can be set"),
        Open::DividedCgroup => (2, "cgroup", "more of the kernel's code can be tried"),
        Open::AllDevices => (20, "privileged", "disks and memory can be read and written past all rules"),
        Open::BlockDevice => (10, "devices", "a disk can be written past its file system"),
        Open::Device => (3, "devices", "its driver can be tried for holes"),
        Open::MachinesSecrets => (40, "volumes", "it can control the machine, or read what it must not"),
        Open::WritableBind => (6, "volumes", "files of the machine can be changed"),
        Open::Bind => (1, "volumes", "files of the machine can be read"),
        Open::UserNamespaces => {
            (4, "sysctls", "a user namespace opens corners of the kernel that are rarely tried")
        }
        Open::NoProcessLimit => (5, "limits.pids", "a fork bomb takes the machine along"),
        Open::Root => (3, "user", "what is found in it has its root"),
        Open::WritableRoot => (1, "read_only", "what gets in can stay until the next start"),
        Open::NoMemoryLimit => (2, "limits.memory", "it can take the memory of all"),
        Open::NoLabel => (1, "apparmor", "no security module holds it"),
    }
}

/// Namespaces by the specification's names, when they are not its own. That of users stands above.
pub(super) const SHARED: [(&str, u32, &str, &str); 6] = [
    ("pid", 12, "pid", "it sees and reaches the machine's processes"),
    ("network", 8, "network_mode", "it reaches what listens on the machine alone, and may take its ports"),
    ("ipc", 5, "ipc", "memory that others share is its too"),
    ("cgroup", 3, "cgroup", "it sees all containers' groups"),
    ("uts", 1, "hostname", "the machine's name is its too"),
    ("time", 1, "time", "it sees how long the machine runs"),
];

/// By number: weight with ids of its own, where most mean nothing outside, and with the machine's. Those
/// that are not named are worth 0 and 1.
pub(super) const CAPABILITIES: [(u32, u32, u32, &str); 19] = [
    (21, 5, 20, "mounts, namespaces and much else of the kernel's"),
    (16, 0, 25, "modules of the kernel"),
    (17, 0, 20, "ports and memory of devices"),
    (39, 1, 15, "programs inside the kernel"),
    (19, 1, 12, "other processes' memory"),
    (2, 1, 12, "any file, by its number"),
    (22, 0, 8, "another kernel, or none"),
    (33, 0, 8, "labels of security modules"),
    (12, 2, 6, "interfaces, routes and packet filters"),
    (38, 1, 6, "the processor's counters"),
    (27, 0, 6, "device files"),
    (34, 0, 4, "the kernel's log"),
    (25, 0, 4, "the machine's clock"),
    (24, 0, 4, "limits of everybody"),
    (31, 1, 3, "privileges of files"),
    (13, 1, 3, "packets as it likes, in others' names"),
    (40, 1, 3, "states of other processes"),
    (18, 1, 2, "another root directory"),
    (9, 0, 2, "files that nobody can change"),
];

/// Paths of the machine that are as good as its root, or tell everything.
pub(super) const SECRETS: [&str; 6] = ["/", "/run", "/dev", "/dev/mem", "/dev/port", "/init"];

/// The same of all that is below them.
pub(super) const SECRET_TREES: [&str; 4] = ["/run/orlop", "/orlop", "/proc", "/sys/fs/cgroup"];

/// All default capabilities together.
pub(super) const DEFAULT_SET: u32 = 2;

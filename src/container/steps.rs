//! The steps of a start, as data.
//!
//! *Setup* steps are done with the engine's privileges, before the container's namespaces exist: what
//! they attach is locked when those are made, so that a container cannot make a read-only volume
//! writable. *Inside* steps are done by the container itself, in all its namespaces.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::mount_options::{Attributes, Propagation, Reach};
use super::scheduling::{IoClass, MemoryPolicy, Scheduling};
use super::seccomp::{Flag, Instruction};
use super::spec::{Hook, IdMapping, Size, User};

/// What a container's files are, beside the spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    pub files: Files,
    /// Directories that are made before anything is bound from them.
    pub volumes: Vec<Volume>,
    /// Over the numbers of the spec, and looked up inside the root.
    pub names: Names,
    /// Namespaces that the spec joins, and that are made before by whoever comes first.
    pub pod: Option<SharedNamespaces>,
}

/// Namespaces in a directory, each in a file of its kind's name, with a user namespace that owns them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedNamespaces {
    pub path: String,
    pub kinds: Vec<NamespaceKind>,
    pub ids: Vec<IdMapping>,
    /// Kernel parameters that are set when they are made, and whose they are.
    pub sysctls: Vec<(NamespaceKind, String, String)>,
}

impl Root {
    /// A bundle's: nothing beside what its spec says.
    #[must_use]
    pub fn directory(path: String) -> Self {
        Self { files: Files::Directory(path), volumes: Vec::new(), names: Names::default(), pod: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Files {
    /// As the bundle has it; absolute.
    Directory(String),
    /// EROFS files below, memory above.
    Layers {
        /// Names of the layers' files, without their ending; the topmost first.
        names: Vec<String>,
        /// Size of the private upper, bytes.
        upper_size: u64,
    },
}

/// A volume that is memory: it belongs to whom the image's directory belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub path: String,
    /// Bytes.
    pub size: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// `user[:group]`, by name or number.
    pub user: Option<String>,
    /// Further groups.
    pub groups: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamespaceKind {
    User,
    Mount,
    Pid,
    Network,
    Ipc,
    Uts,
    Cgroup,
    Time,
}

impl NamespaceKind {
    pub const ALL: [Self; 8] =
        [Self::User, Self::Mount, Self::Pid, Self::Network, Self::Ipc, Self::Uts, Self::Cgroup, Self::Time];

    /// As the specification calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Mount => "mount",
            Self::Pid => "pid",
            Self::Network => "network",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
        }
    }
}

/// How ids of a mount are mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdMap {
    /// As the container's user namespace has it.
    Container(Reach),
    Own {
        uids: Vec<IdMapping>,
        gids: Vec<IdMapping>,
        reach: Reach,
    },
}

/// Whatever is done to a mount beside attaching it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manner {
    pub attributes: Attributes,
    pub attributes_below: Attributes,
    pub propagation: Vec<(Propagation, Reach)>,
}

/// A file system of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    pub kind: String,
    pub source: Option<String>,
    pub data: Vec<(String, String)>,
    pub at: String,
    pub manner: Manner,
}

/// What stands somewhere already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    pub source: String,
    pub reach: Reach,
    pub id_map: Option<IdMap>,
    pub at: String,
    pub manner: Manner,
    /// It is a volume of [`Root`].
    pub is_volume: bool,
}

/// A device node, or a fifo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub at: String,
    pub kind: NodeKind,
    /// Permission bits.
    pub mode: u32,
    /// As the container has them.
    pub uid: u32,
    pub gid: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    Character { major: u32, minor: u32 },
    Block { major: u32, minor: u32 },
    Fifo,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetupStep {
    /// Mounts the layer's EROFS file for the whole machine, unless it is.
    MountLayer {
        diff_id: String,
    },
    /// A volume in memory for the whole machine, unless it is there.
    MountVolume {
        path: String,
        size: u64,
    },
    /// Namespaces for several containers, unless they are there.
    MakeNamespaces(SharedNamespaces),
    /// Leaves the engine's mount namespace.
    NewMountNamespace {
        propagation: Propagation,
    },
    /// Makes the container, in these new namespaces. With a user namespace it waits until the tree is put
    /// together; else this is the last step.
    Clone {
        namespaces: Vec<NamespaceKind>,
    },
    /// Maps the container's new user namespace, which idmapped mounts have too.
    MapIds {
        uids: Vec<IdMapping>,
        gids: Vec<IdMapping>,
    },
    JoinUserNamespace {
        path: String,
    },
    /// An overlay of idmapped clones of the layers, with an upper of its own, becomes the root.
    Overlay {
        layers: Vec<String>,
        upper_size: u64,
    },
    /// A directory with all that is mounted in it becomes the root.
    BindRoot {
        path: String,
    },
    /// A directory that must be there, and no link, before the root becomes read-only.
    MountPoint {
        at: String,
    },
    /// The directory that the program begins in, unless it is there or cannot be made: a bundle has it by the
    /// time its root becomes read-only.
    WorkingDirectory {
        at: String,
    },
    Fresh(Fresh),
    /// A tmpfs that begins with what it covers.
    CopyUp(Fresh),
    Bind(Bind),
    /// As `Bind`, but the container attaches it, on what it has mounted itself: the next in a row.
    OpenBind(Bind),
    /// A user namespace for an idmapped mount that the container makes: the next in a row.
    OpenMap {
        uids: Vec<IdMapping>,
        gids: Vec<IdMapping>,
    },
    Remount {
        at: String,
        manner: Manner,
    },
    Node(Node),
    Link {
        at: String,
        to: String,
    },
    RootReadOnly,
    OomScore(i32),
    Rlimit {
        kind: String,
        soft: u64,
        hard: u64,
    },
    Scheduler(Scheduling),
    IoPriority {
        class: IoClass,
        priority: u8,
    },
    /// Of a process that joins a container, until it is one of its own; bit N of the row is CPU N.
    Cpus(Vec<u64>),
    /// Checked to be of this kind; a process namespace is our children's.
    JoinNamespace {
        kind: NamespaceKind,
        path: String,
    },
}

/// How a container comes to the root that setup made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taking {
    /// In the mount namespace that it shares with setup.
    AsItIs,
    /// In a mount namespace of its own, made with it.
    Copied,
    /// As `Copied`, in one that it makes once setup is done.
    Awaited,
    /// In a container that runs already.
    Joined,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InsideStep {
    /// First of all.
    TakeRoot(Taking),
    /// A time namespace for the program, with clocks that are ahead: `monotonic SECONDS NANOSECONDS`.
    TimeOffsets(Vec<String>),
    /// Becomes root of the user namespace.
    BecomeRoot,
    /// Tells that the namespaces are there, and waits for what is done to them from outside.
    Meet,
    /// What setup would do with the same power, had it not to come after what the container itself mounts: in
    /// the mount namespace that they share.
    AsSetup(SetupStep),
    /// Writes a parameter of the namespaces that it is in by now, below the engine's /proc.
    Sysctl {
        key: String,
        value: String,
    },
    Fresh(Fresh),
    /// Attaches the next of those that setup opened.
    AttachBind {
        at: String,
    },
    Remount {
        at: String,
        manner: Manner,
    },
    ReadOnly {
        path: String,
    },
    Mask {
        path: String,
    },
    /// A terminal of the container's own, told to the engine.
    Terminal {
        size: Option<Size>,
    },
    /// The terminal is /dev/console too.
    Console,
    Hooks(Vec<Hook>),
    /// The label of the program to come, as its security module spells it.
    AppArmor(String),
    Selinux(String),
    RootReadOnly,
    PivotRoot,
    RootPropagation(Propagation, Reach),
    Hostname(String),
    DomainName(String),
    LoopbackUp,
    Keyring,
    Personality(u32),
    /// As in setup, from here on.
    Cpus(Vec<u64>),
    Scheduler(Scheduling),
    MemoryPolicy(MemoryPolicy),
    /// Looks the user up inside the root.
    ResolveUser {
        user: User,
        names: Names,
    },
    NoNewPrivileges,
    /// Bit N is capability N.
    BoundCapabilities(u64),
    BecomeUser,
    Capabilities(CapabilitySets),
    WorkingDirectory(String),
    /// As root, who may enter what the user may not; of no consequence if the user may, or neither.
    TryWorkingDirectory(String),
    /// Finds the program as its user would.
    FindProgram {
        args: Vec<String>,
    },
    /// All that can fail is done.
    Ready,
    /// Waits until somebody says to go on.
    Barrier,
    /// Hooks in the container, with its own files.
    StartHooks(Vec<Hook>),
    /// Signals, descriptors and umask as the program is to find them.
    Prepare {
        umask: u32,
    },
    /// The last step but the program: of ours only execve has to pass the filter, and what says why it
    /// failed; without no_new_privs also capset, since the filter needs a capability.
    Seccomp {
        program: Arc<[Instruction]>,
        flags: Vec<Flag>,
        /// Whoever listens is told.
        notifies: bool,
    },
    /// Becomes the container's init, and goes on in a child.
    Init,
    /// To what the program has, from that and what the filter needed.
    LowerCapabilities(CapabilitySets),
    Execute {
        args: Vec<String>,
    },
}

/// Bit N of each is capability number N (capabilities(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CapabilitySets {
    pub effective: u64,
    pub permitted: u64,
    pub inheritable: u64,
    pub ambient: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub setup: Vec<SetupStep>,
    pub inside: Vec<InsideStep>,
}

impl Plan {
    /// With an init of ours as process 1, under the filter and with the capabilities of the program: it is
    /// no way around them.
    #[must_use]
    pub fn with_init(mut self) -> Self {
        let last = self.inside.iter().position(|step| matches!(step, InsideStep::Execute { .. }));
        self.inside.insert(last.unwrap_or(self.inside.len()), InsideStep::Init);
        self
    }
}

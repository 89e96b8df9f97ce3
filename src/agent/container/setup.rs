//! Setup: what needs the machine's privileges or may block, done in a process that may die.
//!
//! It puts the container's tree together in a mount namespace of its own, then enters the
//! container's user namespace and clones the container, whose mounts are thereby locked.

use std::os::fd::{AsFd, OwnedFd};

use orlop::container::{Attach, Devices, SetupStep, environment, parse_env_file, spec::NamespaceKind};

use super::report::{self, Failure};
use super::{DEVICES, Job, LAYERS, ROOT, SCRATCH, STORE_LAYERS, inside};
use crate::agent::files::beside;
use crate::linux::clone::{Cloned, Parent, clone3, flags};
use crate::linux::fs::{self, Links, Node};
use crate::linux::mount::{self, Attributes, Filesystem};
use crate::linux::{Errno, Result, namespace, pidfd, process, wait};

/// The lower layers of an overlay are attached here, numbered.
const LOWER: &str = "/run/orlop/scratch/lower-";
const UPPER: &str = "/run/orlop/scratch/upper";
const WORK: &str = "/run/orlop/scratch/work";
/// An env file is text that a person writes.
const ENV_FILE_LIMIT: usize = 1 << 20;

/// What the steps so far have made.
#[derive(Default)]
struct Made {
    user_namespace: Option<OwnedFd>,
    /// Where ids begin outside.
    first_id: u32,
    /// The container's root, attached in our mount namespace.
    root: Option<OwnedFd>,
}

impl Made {
    fn root(&self) -> Result<&OwnedFd> {
        self.root.as_ref().ok_or(Errno::EINVAL)
    }
    fn owner(&self) -> (u32, u32) {
        (self.first_id, self.first_id)
    }
}

/// Runs all steps and clones the container. The value is setup's exit code.
pub fn run(job: &Job<'_>, report: OwnedFd) -> i32 {
    match steps(job, &report) {
        Ok(()) => 0,
        Err(failure) => {
            report::send_failure(report.as_fd(), &failure);
            1
        }
    }
}

fn steps(job: &Job<'_>, report: &OwnedFd) -> core::result::Result<(), Failure> {
    let env = read_environment(job)?;
    let mut made = Made::default();
    for step in &job.plan.setup {
        execute(step, &mut made)?;
    }
    clone_container(job, &made, &env, report)
}

fn read_environment(job: &Job<'_>) -> core::result::Result<Vec<String>, Failure> {
    let mut over = Vec::new();
    for file in job.env_files {
        let path = beside(job.config_dir, &file.path);
        let bytes = fs::open_regular(&path).and_then(|fd| fs::read_regular(fd.as_fd(), ENV_FILE_LIMIT));
        match bytes {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                over.extend(parse_env_file(&text).map_err(|bad| {
                    Failure::said(
                        "env_file",
                        format!("{}:{}: no assignment: {}", file.path, bad.line, bad.text),
                    )
                })?);
            }
            Err(Errno::ENOENT) if !file.required => {}
            Err(errno) => return Err(Failure::new("env_file", &file.path, errno)),
        }
    }
    Ok(environment(job.env, over.iter().chain(job.env_over)))
}

fn execute(step: &SetupStep, made: &mut Made) -> core::result::Result<(), Failure> {
    let fail = |name: &'static str, object: &str| {
        let object = object.to_owned();
        move |errno| Failure::new(name, object, errno)
    };
    match step {
        SetupStep::MountLayer { diff_id } => mount_layer(diff_id).map_err(fail("layer", diff_id)),
        SetupStep::MountVolume { path, size } => mount_volume(path, *size).map_err(fail("volume", path)),
        SetupStep::NewMountNamespace => {
            namespace::new_mount().and_then(|()| mount::make_private()).map_err(fail("mount namespace", ""))
        }
        SetupStep::NewUserNamespace { first_id, size } => {
            made.first_id = *first_id;
            made.user_namespace =
                Some(new_user_namespace(*first_id, *size).map_err(fail("user namespace", ""))?);
            Ok(())
        }
        SetupStep::Overlay { layers, upper_size, owner } => {
            let root = overlay(layers, *upper_size, *owner, made).map_err(fail("root", "overlay"))?;
            made.root = Some(root);
            Ok(())
        }
        SetupStep::MountPoint { at } => made
            .root()
            .and_then(|root| fs::make_in_root(root.as_fd(), at, Node::Directory, made.owner(), Links::Refuse))
            .map(drop)
            .map_err(fail("mount point", at)),
        SetupStep::Dev { at, devices: Devices::Template } => dev(at, made).map_err(fail("mount", at)),
        SetupStep::Bind { source, at, attach, idmap } => {
            bind(source, at, *attach, *idmap, made).map_err(fail("mount", &format!("{source} on {at}")))
        }
        SetupStep::Tmpfs { at, options, attach } => {
            tmpfs(at, options, *attach, made).map_err(fail("tmpfs", at))
        }
        SetupStep::RootReadOnly => made
            .root()
            .and_then(|root| mount::restrict_one(root.as_fd(), Attributes::READ_ONLY))
            .map_err(fail("read_only", "/")),
        SetupStep::Rlimit { kind, soft, hard } => process::limit_number(kind)
            .ok_or(Errno::EINVAL)
            .and_then(|number| process::set_limit(number, *soft, *hard))
            .map_err(fail("ulimit", kind)),
    }
}

/// Once for the machine: whoever comes first mounts, the others find it.
fn mount_layer(diff_id: &str) -> Result<()> {
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
fn mount_volume(path: &str, size: u64) -> Result<()> {
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

/// A user namespace with nobody in it: a child makes it, and ends once it is mapped and open.
fn new_user_namespace(first_id: u32, size: u32) -> Result<OwnedFd> {
    match clone3(Parent::Caller, flags::NEWUSER, None)? {
        Cloned::Child => loop {
            process::pause();
        },
        Cloned::Parent { pid, pidfd } => {
            let made =
                namespace::map_range(pid, first_id, size).and_then(|()| pidfd::user_namespace(pidfd.as_fd()));
            pidfd::send_signal(pidfd.as_fd(), libc::SIGKILL)?;
            wait::wait_for(pidfd.as_fd())?;
            made
        }
    }
}

fn overlay(layers: &[String], upper_size: u64, owner: u32, made: &Made) -> Result<OwnedFd> {
    let user_namespace = made.user_namespace.as_ref().ok_or(Errno::EINVAL)?;
    let scratch = fs::open_directory(SCRATCH)?;
    let memory = Filesystem::open(c"tmpfs")?;
    memory.set("size", &upper_size.to_string())?.set("mode", "0755")?;
    let memory = memory.mount(Attributes::NO_DEV)?;
    mount::attach(memory.as_fd(), scratch.as_fd())?;
    for path in [UPPER, WORK] {
        fs::make_directory(path, 0o755)?;
    }
    let upper = fs::open_directory(UPPER)?;
    process::give(upper.as_fd(), owner, owner)?;
    let overlay = Filesystem::open(c"overlay")?;
    for (number, diff_id) in layers.iter().enumerate() {
        let at = format!("{LOWER}{number}");
        fs::make_directory(&at, 0o755)?;
        let layer = fs::open_directory(&format!("{LAYERS}/{diff_id}"))?;
        let lower = mount::clone_one(layer.as_fd(), "")?;
        mount::map_ids(lower.as_fd(), user_namespace.as_fd())?;
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

fn dev(at: &str, made: &Made) -> Result<()> {
    let target = fs::make_in_root(made.root()?.as_fd(), at, Node::Directory, made.owner(), Links::Refuse)?;
    let template = fs::open_directory(DEVICES)?;
    let devices = mount::clone_one(template.as_fd(), "")?;
    let attributes = Attributes::READ_ONLY.and(Attributes::NO_SUID).and(Attributes::NO_EXEC);
    mount::restrict(devices.as_fd(), attributes)?;
    mount::attach(devices.as_fd(), target.as_fd())
}

fn bind(path: &str, at: &str, attach: Attach, idmap: bool, made: &Made) -> Result<()> {
    let source = fs::open_path(path)?;
    let node = if fs::is_directory(source.as_fd())? { Node::Directory } else { Node::File };
    let target = fs::make_in_root(made.root()?.as_fd(), at, node, made.owner(), Links::Follow)?;
    if idmap {
        // As Docker has it: a new volume belongs to whom the image's directory belongs to.
        fs::claim(target.as_fd(), path, made.first_id)?;
    }
    let tree = mount::clone_one(source.as_fd(), "")?;
    if idmap {
        let user_namespace = made.user_namespace.as_ref().ok_or(Errno::EINVAL)?;
        mount::map_ids(tree.as_fd(), user_namespace.as_fd())?;
    }
    mount::restrict(tree.as_fd(), attributes(attach))?;
    mount::attach(tree.as_fd(), target.as_fd())
}

fn tmpfs(at: &str, options: &[(String, String)], attach: Attach, made: &Made) -> Result<()> {
    let target = fs::make_in_root(made.root()?.as_fd(), at, Node::Directory, made.owner(), Links::Follow)?;
    let memory = Filesystem::open(c"tmpfs")?;
    for (key, value) in options {
        memory.set(key, value)?;
    }
    let (uid, gid) = made.owner();
    memory.set("uid", &uid.to_string())?.set("gid", &gid.to_string())?;
    mount::attach(memory.mount(attributes(attach))?.as_fd(), target.as_fd())
}

/// The plan's flags in the kernel's.
pub fn attributes(attach: Attach) -> Attributes {
    let bit = |wanted, attribute| if wanted { attribute } else { Attributes::NONE };
    bit(attach.read_only, Attributes::READ_ONLY)
        .and(bit(attach.no_suid, Attributes::NO_SUID))
        .and(bit(attach.no_dev, Attributes::NO_DEV))
        .and(bit(attach.no_exec, Attributes::NO_EXEC))
}

fn clone_container(
    job: &Job<'_>,
    made: &Made,
    env: &[String],
    report: &OwnedFd,
) -> core::result::Result<(), Failure> {
    let fail = |step: &'static str| move |errno| Failure::new(step, "", errno);
    let (uid, gid) = made.owner();
    for output in [&job.stdout, &job.stderr] {
        process::give(output.as_fd(), uid, gid).map_err(fail("output"))?;
    }
    let user_namespace = made.user_namespace.as_ref().ok_or(Errno::EINVAL).map_err(fail("user namespace"))?;
    namespace::enter_user(user_namespace.as_fd()).map_err(fail("user namespace"))?;
    let wanted = job.plan.namespaces.iter().fold(0, |all, kind| all | flag(*kind));
    let flags = wanted | flags::INTO_CGROUP;
    match clone3(Parent::CallersParent, flags, Some(job.main_cgroup.as_fd())).map_err(fail("clone"))? {
        Cloned::Parent { pid, pidfd } => {
            report::send_container(report.as_fd(), pid, pidfd.as_fd()).map_err(fail("report"))
        }
        Cloned::Child => {
            let failure = inside::run(job, env, report);
            report::send_failure(report.as_fd(), &failure);
            process::exit_now(127)
        }
    }
}

/// The user namespace is entered before, everything else is made by the clone.
fn flag(kind: NamespaceKind) -> u64 {
    match kind {
        NamespaceKind::User => 0,
        NamespaceKind::Mount => flags::NEWNS,
        NamespaceKind::Pid => flags::NEWPID,
        NamespaceKind::Network => flags::NEWNET,
        NamespaceKind::Ipc => flags::NEWIPC,
        NamespaceKind::Uts => flags::NEWUTS,
        NamespaceKind::Cgroup => flags::NEWCGROUP,
        NamespaceKind::Time => flags::NEWTIME,
    }
}

//! Setup: what needs the machine's privileges or may block, done in a process that may die.
//!
//! It puts the container's tree together in a mount namespace of its own, then enters the
//! container's user namespace and clones the container, whose mounts are thereby locked.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::container::spec::IdMapping;
use orlop::container::{NamespaceKind, Propagation, SetupStep, environment, host_id, parse_env_file};

use super::report::{self, Failure};
use super::{Environment, Job, Work, inside, mounts, pod, root};
use crate::linux::clone::{Cloned, Parent, clone3, flags};
use crate::linux::fs::{self, Links, Node};
use crate::linux::{Errno, Result, fd, mount, namespace, pidfd, process, scheduling, seqpacket, wait};

/// An env file is text that a person writes.
const ENV_FILE_LIMIT: usize = 1 << 20;

/// What the steps so far have made.
pub struct Made {
    pub report: OwnedFd,
    pub env: Vec<String>,
    pub user_namespace: Option<OwnedFd>,
    /// Empty without a user namespace whose maps are known.
    pub uids: Vec<IdMapping>,
    pub gids: Vec<IdMapping>,
    /// The container's root, attached in our mount namespace.
    pub root: Option<OwnedFd>,
    /// What the container itself will attach, in the order of its steps.
    pub trees: VecDeque<OwnedFd>,
    /// Of mounts that the container makes with our power, in the order of its steps.
    pub maps: RefCell<VecDeque<OwnedFd>>,
    /// The directory that a device or link was made in by the step before this one.
    pub parent: Option<(String, OwnedFd)>,
    /// The container, once it is there, in a process namespace of its own.
    pub container: Option<i32>,
    pidfd: Option<OwnedFd>,
    /// Both ends of the way to a container that waits for us.
    ends: (OwnedFd, OwnedFd),
}

impl Made {
    pub fn new(report: OwnedFd) -> core::result::Result<Self, Failure> {
        Ok(Self {
            report,
            env: Vec::new(),
            user_namespace: None,
            uids: Vec::new(),
            gids: Vec::new(),
            root: None,
            trees: VecDeque::new(),
            maps: RefCell::default(),
            parent: None,
            container: None,
            pidfd: None,
            ends: seqpacket::pair().map_err(|errno| Failure::new("socket", "", errno))?,
        })
    }

    /// Gives the container what it is to attach.
    fn hand_over(&mut self, tree: OwnedFd) -> Result<()> {
        if self.container.is_some() {
            return send(&self.ends.0, TREE, tree.as_fd());
        }
        self.trees.push_back(tree);
        Ok(())
    }

    fn let_on(&self, root: &OwnedFd) -> Result<()> {
        send(&self.ends.0, ROOT, root.as_fd())
    }

    /// For the container: waits until setup is done, and returns where the root is. `None`: it will never be.
    pub fn wait_for_root(&mut self) -> Option<OwnedFd> {
        let mut word = [0u8; 1];
        loop {
            let (size, fds) = seqpacket::receive_blocking(self.ends.1.as_fd(), &mut word).ok()?;
            let fd = fds.into_iter().flatten().next()?;
            match (size, word) {
                (1, TREE) => self.trees.push_back(fd),
                (1, ROOT) => return Some(fd),
                _ => return None,
            }
        }
    }

    fn open_map(&self, uids: &[IdMapping], gids: &[IdMapping]) -> Result<()> {
        let map = new_user_namespace(uids, gids)?;
        self.maps.borrow_mut().push_back(map);
        Ok(())
    }

    /// Of the container that is there already, or of us and so of it.
    fn limit(&self, kind: &str, soft: u64, hard: u64) -> Result<()> {
        let number = process::limit_number(kind).ok_or(Errno::EINVAL)?;
        process::set_limit(self.container.unwrap_or(0), number, soft, hard)
    }

    pub fn root(&self) -> Result<&OwnedFd> {
        self.root.as_ref().ok_or(Errno::EINVAL)
    }

    /// What ids of the container are outside.
    pub fn ids(&self, uid: u32, gid: u32) -> Result<(u32, u32)> {
        if self.uids.is_empty() {
            return Ok((uid, gid));
        }
        match (host_id(&self.uids, uid), host_id(&self.gids, gid)) {
            (Some(uid), Some(gid)) => Ok((uid, gid)),
            _ => Err(Errno::EOVERFLOW),
        }
    }

    /// Root of the container.
    pub fn owner(&self) -> Result<(u32, u32)> {
        self.ids(0, 0)
    }
}

/// Messages of one descriptor each.
const TREE: [u8; 1] = *b"t";
const ROOT: [u8; 1] = *b"r";

fn send(to: &OwnedFd, word: [u8; 1], fd: BorrowedFd<'_>) -> Result<()> {
    loop {
        match seqpacket::send(to.as_fd(), &word, &[fd]) {
            Err(Errno::EAGAIN) => seqpacket::wait_writable(to.as_fd())?,
            other => return other,
        }
    }
}

/// Runs all steps and clones the container. The value is setup's exit code.
pub fn run<'a>(
    job: &Job,
    work: impl FnOnce() -> core::result::Result<Work<'a>, Failure>,
    report: OwnedFd,
) -> i32 {
    let failed = |to: &OwnedFd, failure: &Failure| {
        report::send_failure(to.as_fd(), failure);
        1
    };
    let own = match fd::copy(report.as_fd()) {
        Ok(own) => own,
        Err(errno) => return failed(&report, &Failure::new("report", "", errno)),
    };
    let mut made = match Made::new(own) {
        Ok(made) => made,
        Err(failure) => return failed(&report, &failure),
    };
    match work().and_then(|work| steps(job, &work, &mut made)) {
        Ok(()) => 0,
        // Before `made` lets go of the container: its end must not be heard before the reason.
        Err(failure) => failed(&report, &failure),
    }
}

fn steps(job: &Job, work: &Work<'_>, made: &mut Made) -> core::result::Result<(), Failure> {
    made.env = read_environment(&work.environment)?;
    for step in &work.plan.setup {
        // What else may be done could cover it.
        if !matches!(step, SetupStep::Node(_) | SetupStep::Link { .. }) {
            made.parent = None;
        }
        execute(step, (job, work), made)?;
    }
    // Whoever was made last waits for nothing.
    match (&made.container, &made.root) {
        (Some(_), Some(root)) => made.let_on(root).map_err(|errno| Failure::new("root", "", errno)),
        _ => Ok(()),
    }
}

pub fn read_environment(wanted: &Environment<'_>) -> core::result::Result<Vec<String>, Failure> {
    let mut over = Vec::new();
    for file in wanted.files.iter() {
        let bytes = fs::open_regular(&file.path).and_then(|fd| fs::read_regular(fd.as_fd(), ENV_FILE_LIMIT));
        match bytes {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                over.extend(parse_env_file(&text).map_err(|bad| {
                    Failure::said(
                        "env_file",
                        format!("{}:{}: no assignment: {}", file.name, bad.line, bad.text),
                    )
                })?);
            }
            Err(Errno::ENOENT) if !file.required => {}
            Err(errno) => return Err(Failure::new("env_file", &file.name, errno)),
        }
    }
    Ok(environment(&wanted.base, over.iter().chain(wanted.over)))
}

pub fn execute(
    step: &SetupStep,
    (job, work): (&Job, &Work<'_>),
    made: &mut Made,
) -> core::result::Result<(), Failure> {
    let fail = Failure::of;
    match step {
        SetupStep::MountLayer { diff_id } => root::mount_layer(diff_id).map_err(fail("layer", diff_id)),
        SetupStep::MountVolume { path, size } => {
            root::mount_volume(path, *size).map_err(fail("volume", path))
        }
        SetupStep::MakeNamespaces(shared) => pod::make(shared).map_err(fail("namespaces", &shared.path)),
        SetupStep::NewMountNamespace { propagation } => {
            new_mount_namespace(*propagation).map_err(fail("mount namespace", ""))
        }
        SetupStep::Clone { namespaces } => clone_container(namespaces, job, work, made),
        SetupStep::MapIds { uids, gids } => {
            map_ids(uids, gids, made).map_err(fail("user namespace", ""))?;
            lend_stdio(job, made).map_err(fail("output", ""))
        }
        SetupStep::JoinUserNamespace { path } => {
            join_user_namespace(path, made).map_err(fail("user namespace", path))
        }
        SetupStep::Overlay { layers, upper_size } => {
            let root = root::overlay(layers, *upper_size, made).map_err(fail("root", "overlay"))?;
            made.root = Some(root);
            Ok(())
        }
        SetupStep::BindRoot { path } => {
            made.root = Some(root::bind(path).map_err(fail("root", path))?);
            Ok(())
        }
        SetupStep::MountPoint { at } => {
            mounts::place(at, Node::Directory, Links::Refuse, made).map(drop).map_err(fail("mount point", at))
        }
        // Whoever enters it says why it is not there.
        SetupStep::WorkingDirectory { at } => {
            mounts::place(at, Node::Directory, Links::Follow, made).map(drop).or(Ok(()))
        }
        SetupStep::Fresh(fresh) => mounts::fresh(fresh, made).map_err(fail("mount", &fresh.at)),
        SetupStep::CopyUp(fresh) => mounts::copy_up(fresh, made).map_err(fail("tmpcopyup", &fresh.at)),
        SetupStep::Bind(bind) => mounts::bind(bind, made)
            .map_err(|errno| Failure::new("mount", format!("{} on {}", bind.source, bind.at), errno)),
        SetupStep::OpenBind(bind) => mounts::open_bind(bind, made)
            .and_then(|tree| made.hand_over(tree))
            .map_err(fail("mount", &bind.source)),
        SetupStep::OpenMap { uids, gids } => made.open_map(uids, gids).map_err(fail("idmap", "")),
        SetupStep::Remount { at, manner } => {
            mounts::remount_in(made, at, manner).map_err(fail("remount", at))
        }
        SetupStep::Node(node) => mounts::node(node, made).map_err(fail("device", &node.at)),
        SetupStep::Link { at, to } => mounts::link(at, to, made).map_err(fail("link", at)),
        SetupStep::RootReadOnly => {
            made.root().and_then(|root| root::read_only(root.as_fd())).map_err(fail("read_only", "/"))
        }
        SetupStep::OomScore(score) => process::set_oom_score(*score)
            .map_err(|errno| Failure::new("oom_score_adj", score.to_string(), errno)),
        SetupStep::Rlimit { kind, soft, hard } => {
            made.limit(kind, *soft, *hard).map_err(fail("ulimit", kind))
        }
        SetupStep::Scheduler(wanted) => inside::schedule(wanted).map_err(fail("scheduler", "")),
        SetupStep::IoPriority { class, priority } => {
            scheduling::set_io_priority(*class as u8, *priority).map_err(fail("ioPriority", ""))
        }
        SetupStep::Cpus(cpus) => scheduling::set_cpus(cpus).map_err(fail("execCPUAffinity", "initial")),
        SetupStep::JoinNamespace { kind, path } => namespace::open_of_kind(path, flag(*kind))
            .and_then(|namespace| namespace::join(namespace.as_fd(), flag(*kind)))
            .map_err(fail(kind.name(), path)),
    }
}

pub fn new_mount_namespace(propagation: Propagation) -> Result<()> {
    namespace::unshare_flags(flags::NEWNS)?;
    mount::propagate_all(mounts::propagation(propagation))
}

/// As the kernel takes a map.
fn lines(map: &[IdMapping]) -> String {
    map.iter().map(|it| format!("{} {} {}\n", it.container_id, it.host_id, it.size)).collect()
}

/// A user namespace with nobody in it: a child makes it, and ends once it is mapped and open.
pub fn new_user_namespace(uids: &[IdMapping], gids: &[IdMapping]) -> Result<OwnedFd> {
    match clone3(Parent::Caller, flags::NEWUSER, None)? {
        Cloned::Child => loop {
            process::pause();
        },
        Cloned::Parent { pid, pidfd } => {
            let made = namespace::write_maps(pid, &lines(uids), &lines(gids))
                .and_then(|()| pidfd::user_namespace(pidfd.as_fd()));
            pidfd::send_signal(pidfd.as_fd(), libc::SIGKILL)?;
            wait::wait_for(pidfd.as_fd())?;
            made
        }
    }
}

/// Its maps are read from whoever is in it: a child of ours that enters.
fn join_user_namespace(path: &str, made: &mut Made) -> Result<()> {
    let user_namespace = namespace::open_of_kind(path, flags::NEWUSER)?;
    let (uids, gids) = namespace::maps_of(user_namespace.as_fd())?;
    let mapped = |lines: Vec<[u32; 3]>| {
        lines
            .into_iter()
            .map(|[container_id, host_id, size]| IdMapping { container_id, host_id, size })
            .collect()
    };
    (made.uids, made.gids) = (mapped(uids), mapped(gids));
    made.user_namespace = Some(user_namespace);
    Ok(())
}

fn clone_container(
    namespaces: &[NamespaceKind],
    job: &Job,
    work: &Work<'_>,
    made: &mut Made,
) -> core::result::Result<(), Failure> {
    let fail = |step: &'static str| move |errno| Failure::new(step, "", errno);
    let is_new = namespaces.contains(&NamespaceKind::User);
    if let Some(target) = &job.joins {
        join(target).map_err(fail("join"))?;
    } else if !is_new {
        lend_stdio(job, made).map_err(fail("output"))?;
        // By way of the working directory, which a new mount namespace translates.
        made.root().and_then(nix::unistd::fchdir).map_err(fail("root"))?;
    }
    if let Some(user_namespace) = &made.user_namespace {
        namespace::enter_user(user_namespace.as_fd()).map_err(fail("user namespace"))?;
    }
    let wanted = namespaces.iter().fold(0, |all, kind| all | flag(*kind));
    match clone3(Parent::CallersParent, wanted, None).map_err(fail("clone"))? {
        Cloned::Parent { pid, pidfd } => {
            if is_new {
                made.container = Some(pid);
            }
            report::send_container(made.report.as_fd(), pid, pidfd.as_fd()).map_err(fail("report"))?;
            made.pidfd = Some(pidfd);
            Ok(())
        }
        Cloned::Child => {
            // Or it would wait for itself when setup is gone.
            let (ours, _) = &made.ends;
            fd::close_borrowed(ours.as_fd());
            process::exit_now(inside::run(job, work, made))
        }
    }
}

fn lend_stdio(job: &Job, made: &Made) -> Result<()> {
    let (uid, gid) = made.owner()?;
    let gid = (!made.gids.is_empty()).then_some(gid);
    job.stdio.iter().try_for_each(|fd| process::lend(fd.as_fd(), uid, gid))
}

fn map_ids(uids: &[IdMapping], gids: &[IdMapping], made: &mut Made) -> Result<()> {
    let (pid, pidfd) = made.container.zip(made.pidfd.as_ref()).ok_or(Errno::ESRCH)?;
    namespace::write_maps(pid, &lines(uids), &lines(gids))?;
    made.user_namespace = Some(pidfd::user_namespace(pidfd.as_fd())?);
    (made.uids, made.gids) = (uids.to_vec(), gids.to_vec());
    Ok(())
}

/// All namespaces of a process; the user namespace too, unless it is ours.
fn join(target: &OwnedFd) -> Result<()> {
    let theirs = pidfd::user_namespace(target.as_fd())?;
    let user = match namespace::is_same(theirs.as_fd(), namespace::own_user()?.as_fd())? {
        true => 0,
        false => flags::NEWUSER,
    };
    let all = NamespaceKind::ALL.iter().filter(|kind| **kind != NamespaceKind::User);
    let all = all.fold(user, |all, kind| all | flag(*kind));
    match namespace::join_those_of(target.as_fd(), all) {
        // Somebody without power over a namespace needs none where he is in it already.
        Err(Errno::EPERM) => {
            let others = namespace::other_than_ours(target.as_fd(), all)?;
            if others == 0 { Ok(()) } else { namespace::join_those_of(target.as_fd(), others) }
        }
        other => other,
    }
}

pub fn flag(kind: NamespaceKind) -> u64 {
    match kind {
        NamespaceKind::User => flags::NEWUSER,
        NamespaceKind::Mount => flags::NEWNS,
        NamespaceKind::Pid => flags::NEWPID,
        NamespaceKind::Network => flags::NEWNET,
        NamespaceKind::Ipc => flags::NEWIPC,
        NamespaceKind::Uts => flags::NEWUTS,
        NamespaceKind::Cgroup => flags::NEWCGROUP,
        NamespaceKind::Time => flags::NEWTIME,
    }
}

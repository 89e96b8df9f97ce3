//! The container's own steps, in its namespaces, until it becomes its program.

use std::collections::VecDeque;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::container::{InsideStep, Resolved, Scheduling, Taking};

use super::report::{self, Failure};
use super::setup::Made as Setup;
use super::{Gate, Job, Work, hooks, init, mounts, power, program, root, setup as outside, terminal};
use crate::linux::clone::flags;
use crate::linux::fs::{self, Links, Node};
use crate::linux::mount::{self, Attributes, Filesystem};
use crate::linux::{
    Errno, Result, fd, label, namespace, node, process, scheduling, seqpacket, signal, sysctl,
};

/// What the steps so far have made.
pub struct Made {
    /// The root, first where setup attached it, then as `/`.
    pub root: OwnedFd,
    trees: VecDeque<OwnedFd>,
    pub user: Resolved,
    pub env: Vec<String>,
    /// One empty read-only directory serves all that is masked.
    empty: Option<OwnedFd>,
    /// The engine's own /dev/null serves all that is masked and no directory.
    null: Option<OwnedFd>,
    pub terminal: Option<OwnedFd>,
    pub program: Option<CString>,
    /// The working directory is entered, by root.
    entered: bool,
    /// What hooks are told.
    state: Vec<u8>,
    /// Where failures are told: the maker, or whoever opened the gate.
    pub report: OwnedFd,
}

/// When no program comes of it: not found, cannot be executed, and all else; as shells have it.
const NOT_FOUND: i32 = 127;
const CANNOT: i32 = 126;

/// Runs all steps. Returns only when one fails, which it has told by then: the exit code.
pub fn run(job: &Job, work: &Work<'_>, setup: &mut Setup) -> i32 {
    process::set_name(c"orlop-container");
    // Setup's session lies outside of the process namespace, where ours would have the number 0.
    let _ = process::new_session();
    let opened = fs::open_directory("/");
    let (root, report) = match opened.and_then(|root| Ok((root, fd::copy(setup.report.as_fd())?))) {
        Ok(opened) => opened,
        Err(errno) => {
            report::send_failure(setup.report.as_fd(), &Failure::new("root", "/", errno));
            return NOT_FOUND;
        }
    };
    let user = Resolved { uid: 0, gid: 0, groups: Vec::new(), home: None };
    // Setup's own steps are asked by it how naive they are to be.
    #[cfg(naive)]
    let env = setup.env.clone();
    #[cfg(not(naive))]
    let env = core::mem::take(&mut setup.env);
    let trees = core::mem::take(&mut setup.trees);
    let (empty, null, terminal, program, state) = (None, None, None, None, Vec::new());
    let entered = false;
    let mut made = Made { root, trees, user, env, empty, null, terminal, program, entered, state, report };
    for step in &work.plan.inside {
        if let Err(failure) = execute(step, &mut made, setup, (job, work)) {
            report::send_failure(made.report.as_fd(), &failure);
            return if failure.errno == Errno::EACCES as i32 { CANNOT } else { NOT_FOUND };
        }
    }
    NOT_FOUND
}

fn execute(
    step: &InsideStep,
    made: &mut Made,
    setup: &mut Setup,
    (job, work): (&Job, &Work<'_>),
) -> core::result::Result<(), Failure> {
    let fail = Failure::of;
    #[cfg(naive)]
    if let Some(done) = naively(step, made) {
        return done.map_err(fail("naive", ""));
    }
    match step {
        InsideStep::TakeRoot(taking) => take_root(*taking, made, setup).map_err(fail("root", "/")),
        InsideStep::TimeOffsets(lines) => namespace::unshare_flags(flags::NEWTIME)
            .and_then(|()| namespace::write_time_offsets(&(lines.join("\n") + "\n")))
            .map_err(fail("time offsets", "")),
        InsideStep::BecomeRoot => process::become_user(0, 0, &[]).map_err(fail("become root", "")),
        InsideStep::AsSetup(step) => outside::execute(step, (job, work), setup),
        InsideStep::Meet => meet(made).map_err(fail("hooks", "")),
        InsideStep::Sysctl { key, value } => {
            sysctl::write_sysctl(key, value).map_err(|error| Failure::said("sysctl", error.to_string()))
        }
        InsideStep::Fresh(fresh) => mount_fresh(fresh, made).map_err(|errno| match errno {
            Errno::ELOOP => {
                Failure::said("mount", format!("{} must be mounted on ordinary directory", fresh.at))
            }
            errno => Failure::new("mount", &fresh.at, errno),
        }),
        InsideStep::AttachBind { at } => attach_bind(at, made).map_err(fail("mount", at)),
        InsideStep::Remount { at, manner } => {
            mounts::remount(made.root.as_fd(), at, manner).map_err(fail("remount", at))
        }
        InsideStep::ReadOnly { path } => read_only(path, made).map_err(fail("read-only path", path)),
        InsideStep::Mask { path } => mask(path, made).map_err(fail("masked path", path)),
        InsideStep::Terminal { size } => {
            terminal::open(*size, made).map_err(fail("terminal", "/dev/pts/ptmx"))
        }
        InsideStep::Console => terminal::be_console(made).map_err(fail("terminal", "/dev/console")),
        InsideStep::Hooks(hooks) => {
            let bundle = hooks::bundle(&made.state);
            let place = hooks::Place { directory: bundle.as_deref(), with: None };
            hooks::run_outside(hooks, &made.state, place)
                .map_err(|why| Failure::said("hook", format!("error running createContainer hook {why}")))
        }
        InsideStep::StartHooks(hooks) => hooks::run(hooks, &made.state, hooks::Place::default(), &made.env)
            .map_err(|why| Failure::said("hook", why)),
        InsideStep::AppArmor(profile) => {
            label::set_for_exec(label::Module::AppArmor, &format!("exec {profile}"))
                .map_err(fail("apparmor", profile))
        }
        InsideStep::Selinux(context) => {
            label::set_for_exec(label::Module::Selinux, context).map_err(fail("selinux", context))
        }
        InsideStep::RootReadOnly => root::read_only(made.root.as_fd()).map_err(fail("read_only", "/")),
        InsideStep::PivotRoot => {
            setup.parent = None;
            pivot(made).map_err(fail("pivot_root", ""))
        }
        InsideStep::RootPropagation(wanted, reach) => {
            mount::propagate(made.root.as_fd(), mounts::depth(*reach), mounts::propagation(*wanted))
                .map_err(fail("propagation", "/"))
        }
        InsideStep::Hostname(name) => nix::unistd::sethostname(name).map_err(fail("hostname", name)),
        InsideStep::DomainName(name) => process::set_domain_name(name).map_err(fail("domainname", name)),
        InsideStep::LoopbackUp => namespace::loopback_up().map_err(fail("loopback", "lo")),
        InsideStep::Keyring => {
            process::new_keyring();
            Ok(())
        }
        InsideStep::Personality(persona) => {
            scheduling::set_personality(*persona).map_err(fail("personality", ""))
        }
        InsideStep::Cpus(cpus) => scheduling::set_cpus(cpus).map_err(fail("execCPUAffinity", "final")),
        InsideStep::Scheduler(wanted) => schedule(wanted).map_err(fail("scheduler", "")),
        InsideStep::MemoryPolicy(policy) => {
            scheduling::set_memory_policy(policy.mode, &policy.nodes).map_err(fail("memory policy", ""))
        }
        InsideStep::ResolveUser { user, names } => power::resolve_user(user, names, made),
        InsideStep::NoNewPrivileges => process::no_new_privileges().map_err(fail("no_new_privs", "")),
        InsideStep::BoundCapabilities(keep) => power::bound(*keep).map_err(fail("bounding set", "")),
        InsideStep::BecomeUser => power::become_user(made, job)
            .map_err(|errno| Failure::new("user", made.user.uid.to_string(), errno)),
        InsideStep::Capabilities(sets) => power::set(*sets).map_err(fail("capabilities", "")),
        InsideStep::LowerCapabilities(sets) => power::lower(*sets).map_err(fail("capabilities", "")),
        InsideStep::TryWorkingDirectory(path) => {
            made.entered = enter(path, false, made).is_ok();
            Ok(())
        }
        InsideStep::WorkingDirectory(path) => match enter(path, job.joins.is_none(), made) {
            Err(Errno::EACCES) if made.entered => Ok(()),
            other => other.map_err(fail("working_dir", path)),
        },
        InsideStep::FindProgram { args } => program::find(args, made),
        InsideStep::Ready => {
            if matches!(job.gate, Gate::Listen(_)) {
                signal::end_as_others_do();
            }
            report::send_ready(made.report.as_fd()).map_err(fail("report", ""))
        }
        InsideStep::Barrier => barrier(made, job).map_err(fail("barrier", "")),
        InsideStep::Prepare { umask } => program::prepare(*umask, made, job).map_err(fail("output", "")),
        InsideStep::Seccomp { program, flags, notifies } => {
            power::filter(program, flags, *notifies, made).map_err(fail("seccomp", ""))
        }
        InsideStep::Init => init::become_init().map_err(fail("init", "")),
        InsideStep::Execute { args } => Err(program::become_it(args, made)),
    }
}

/// None: as everybody else has it.
#[cfg(naive)]
fn naively(step: &InsideStep, made: &Made) -> Option<Result<()>> {
    use super::naive;
    let asked = |word: &str| naive::asked(&made.env, word);
    let write = |path: &str, value: &str| naive::write(made.root.as_fd(), path, value);
    match step {
        InsideStep::TakeRoot(_) if asked("fds") => naive::leave_root_open().err().map(Err),
        InsideStep::Sysctl { key, value } if asked("proc") => {
            Some(write(&format!("/proc/sys/{}", key.replace('.', "/")), value))
        }
        InsideStep::AppArmor(profile) if asked("proc") => Some(write("/proc/self/attr/exec", profile)),
        InsideStep::Capabilities(sets) if asked("inheritable") => {
            let sets = orlop::container::CapabilitySets { inheritable: sets.permitted, ..*sets };
            Some(power::set(sets))
        }
        _ => None,
    }
}

fn take_root(taking: Taking, made: &mut Made, setup: &mut Setup) -> Result<()> {
    made.root = match taking {
        Taking::Joined => fs::open_directory("/")?,
        Taking::AsItIs => fs::open_directory(".")?,
        Taking::Copied => root::own()?,
        Taking::Awaited => {
            // Setup has told why, if it could.
            let Some(root) = setup.wait_for_root() else { process::exit_now(CANNOT) };
            made.trees = core::mem::take(&mut setup.trees);
            nix::unistd::fchdir(&root)?;
            namespace::unshare_flags(flags::NEWNS)?;
            root::own()?
        }
    };
    Ok(())
}

/// The plan's numbers in the kernel's structure.
pub fn schedule(wanted: &Scheduling) -> Result<()> {
    let Scheduling { policy, flags, nice, priority, runtime, deadline, period } = *wanted;
    let size = 0;
    scheduling::set_scheduler(scheduling::Attributes {
        size,
        policy,
        flags,
        nice,
        priority,
        runtime,
        deadline,
        period,
    })
}

/// Ends this process when nobody is there who could let it go on.
fn meet(made: &mut Made) -> Result<()> {
    report::send_meets(made.report.as_fd())?;
    match report::wait_for_go(made.report.as_fd()) {
        Some(state) => {
            made.state = state;
            Ok(())
        }
        None => process::exit_now(CANNOT),
    }
}

fn barrier(made: &mut Made, job: &Job) -> Result<()> {
    if let Gate::Listen(socket) = &job.gate {
        // Once somebody can find it again. If who made it has gone before, nobody ever will.
        if report::wait_for_go(made.report.as_fd()).is_none() {
            process::exit_now(CANNOT)
        }
        made.report = seqpacket::accept(socket.as_fd())?;
    }
    match report::wait_for_go(made.report.as_fd()) {
        Some(state) => {
            if !state.is_empty() {
                made.state = state;
            }
            Ok(())
        }
        None => process::exit_now(CANNOT),
    }
}

fn mount_fresh(fresh: &orlop::container::Fresh, made: &Made) -> Result<()> {
    let target = inside_place(&fresh.at, Node::Directory, made)?;
    mount::attach(mounts::make(fresh, |uid, gid| Ok((uid, gid)))?.as_fd(), target.as_fd())
}

fn attach_bind(at: &str, made: &mut Made) -> Result<()> {
    let tree = made.trees.pop_front().ok_or(Errno::EINVAL)?;
    let node = if fs::is_directory(tree.as_fd())? { Node::Directory } else { Node::File };
    mount::attach(tree.as_fd(), inside_place(at, node, made)?.as_fd())
}

/// What an image must not redirect: no component is a link.
fn inside_place(at: &str, node: Node, made: &Made) -> Result<OwnedFd> {
    #[cfg(naive)]
    if super::naive::asked(&made.env, "places") {
        return super::naive::place(made.root.as_fd(), at, node);
    }
    fs::make_in_root(made.root.as_fd(), at, node, (0, 0), Links::Refuse)
}

fn read_only(path: &str, made: &Made) -> Result<()> {
    let Some(target) = if_there(made.root.as_fd(), path)? else { return Ok(()) };
    let tree = mount::clone_tree(target.as_fd(), "")?;
    mount::restrict(tree.as_fd(), Attributes::READ_ONLY)?;
    mount::attach(tree.as_fd(), target.as_fd())
}

/// Not every kernel has every one of them.
fn if_there(root: BorrowedFd<'_>, path: &str) -> Result<Option<OwnedFd>> {
    match fs::open_without_links(root, path, libc::O_PATH) {
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
        other => other.map(Some),
    }
}

fn mask(path: &str, made: &mut Made) -> Result<()> {
    let Some(target) = if_there(made.root.as_fd(), path)? else { return Ok(()) };
    if !fs::is_directory(target.as_fd())? {
        #[cfg(naive)]
        if super::naive::asked(&made.env, "null") {
            let null = super::naive::null(made.root.as_fd())?;
            return mount::attach(mount::clone_one(null.as_fd(), "")?.as_fd(), target.as_fd());
        }
        let null = match made.null.take() {
            Some(null) => null,
            None => own_null()?,
        };
        mount::attach(mount::clone_one(null.as_fd(), "")?.as_fd(), target.as_fd())?;
        made.null = Some(null);
        return Ok(());
    }
    if let Some(empty) = &made.empty {
        return mount::attach(mount::clone_one(empty.as_fd(), "")?.as_fd(), target.as_fd());
    }
    let memory = Filesystem::open(c"tmpfs")?;
    let empty = memory.set("mode", "0555")?.flag("ro")?.mount(Attributes::READ_ONLY)?;
    mount::attach(empty.as_fd(), target.as_fd())?;
    made.empty = Some(empty);
    Ok(())
}

/// Nothing that the container could have put in its place.
fn own_null() -> Result<OwnedFd> {
    let null = fs::open_path("/dev/null")?;
    if node::is_device(null.as_fd(), 1, 3)? { Ok(null) } else { Err(Errno::ENODEV) }
}

fn pivot(made: &mut Made) -> Result<()> {
    mount::pivot(made.root.as_fd())?;
    // Nothing of it is open in a container that waits.
    (made.empty, made.null) = (None, None);
    made.root = fs::open_directory("/")?;
    Ok(())
}

/// Enters the working directory as the user; makes that of a container if it is missing and the user may.
fn enter(path: &str, makes: bool, made: &Made) -> Result<()> {
    #[cfg(naive)]
    if super::naive::asked(&made.env, "cwd") {
        return super::naive::enter(path);
    }
    let directory = match fs::open_in_root(made.root.as_fd(), path, libc::O_PATH | libc::O_DIRECTORY) {
        Err(Errno::ENOENT) if makes => {
            let owner = (made.user.uid, made.user.gid);
            fs::make_in_root(made.root.as_fd(), path, Node::Directory, owner, Links::Follow)?
        }
        other => other?,
    };
    nix::unistd::fchdir(directory.as_fd())?;
    // A directory outside the root would show as unreachable.
    let here = nix::unistd::getcwd()?;
    if here.has_root() { Ok(()) } else { Err(Errno::EXDEV) }
}

//! The container's own steps, in its namespaces, until it becomes its program.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use orlop::container::seccomp::{Flag, Instruction};
use orlop::container::{InsideStep, Resolved, resolve};

use super::report::{self, Failure};
use super::setup::attributes;
use super::{Job, ROOT};
use crate::linux::mount::{self, Attributes, Filesystem};
use crate::linux::{Errno, Result, capability, fd, fs, namespace, process, seccomp, signal, sysctl};

/// More of /etc/passwd or /etc/group is not read.
const USERS_LIMIT: usize = 1 << 20;

struct Made {
    /// The root, first where setup attached it, then as `/`.
    root: OwnedFd,
    user: Resolved,
    env: Vec<String>,
    /// One empty read-only directory serves all that is masked.
    empty: Option<OwnedFd>,
}

/// Runs all steps. Returns only when one fails.
pub fn run(job: &Job<'_>, env: &[String], report: &OwnedFd) -> Failure {
    process::set_name(c"orlop-container");
    // Setup's session lies outside of the process namespace, where ours would have the number 0.
    let _ = process::new_session();
    let root = match own_root() {
        Ok(root) => root,
        Err(errno) => return Failure::new("root", ROOT, errno),
    };
    let user = Resolved { uid: 0, gid: 0, groups: Vec::new(), home: None };
    let mut made = Made { root, user, env: env.to_vec(), empty: None };
    for step in &job.plan.inside {
        if let Err(failure) = execute(step, &mut made, job, report) {
            return failure;
        }
    }
    Failure::said("execute", "the plan has no program")
}

/// The root as we may pivot to it. What setup attached is locked in our namespace, the root too;
/// a clone of the tree has an unlocked top, and below it every mount is as locked as before.
fn own_root() -> Result<OwnedFd> {
    let locked = fs::open_directory(ROOT)?;
    let tree = mount::clone_tree(locked.as_fd(), "")?;
    mount::attach(tree.as_fd(), locked.as_fd())?;
    fs::open_directory(ROOT)
}

fn execute(
    step: &InsideStep,
    made: &mut Made,
    job: &Job<'_>,
    report: &OwnedFd,
) -> core::result::Result<(), Failure> {
    let fail = |name: &'static str, object: &str| {
        let object = object.to_owned();
        move |errno| Failure::new(name, object, errno)
    };
    match step {
        InsideStep::BecomeRoot => process::become_user(0, 0, &[]).map_err(fail("become root", "")),
        InsideStep::Sysctl { key, value } => {
            sysctl::write_sysctl(key, value).map_err(|error| Failure::said("sysctl", error.to_string()))
        }
        InsideStep::Mount { kind, at, options, attach } => {
            mount_fresh(kind, at, options, attributes(*attach), made).map_err(fail("mount", at))
        }
        InsideStep::ReadOnly { path } => read_only(path, made).map_err(fail("read-only path", path)),
        InsideStep::Mask { path } => mask(path, made).map_err(fail("masked path", path)),
        InsideStep::PivotRoot => mount::pivot(made.root.as_fd())
            .and_then(|()| {
                made.root = fs::open_directory("/")?;
                Ok(())
            })
            .map_err(fail("pivot_root", "")),
        InsideStep::Hostname(name) => nix::unistd::sethostname(name).map_err(fail("hostname", name)),
        InsideStep::LoopbackUp => namespace::loopback_up().map_err(fail("loopback", "lo")),
        InsideStep::Keyring => {
            process::new_keyring();
            Ok(())
        }
        InsideStep::ResolveUser(user) => {
            let read = |path| match fs::read_in_root(made.root.as_fd(), path, USERS_LIMIT) {
                Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
                Err(Errno::ENOENT) => Ok(String::new()),
                // Names cannot be looked up; numbers still can.
                Err(_) if user.username.is_none() => Ok(String::new()),
                Err(errno) => Err(Failure::new("user", path, errno)),
            };
            let (passwd, group) = (read("/etc/passwd")?, read("/etc/group")?);
            made.user = resolve(user, &passwd, &group).map_err(|e| Failure::said("user", e.to_string()))?;
            Ok(())
        }
        InsideStep::NoNewPrivileges => process::no_new_privileges().map_err(fail("no_new_privs", "")),
        InsideStep::BoundCapabilities(keep) => capability::bound(*keep).map_err(fail("bounding set", "")),
        InsideStep::BecomeUser => become_user(made, job).map_err(fail("user", &made.user.uid.to_string())),
        InsideStep::Capabilities(set) => {
            let set = if made.user.uid == 0 { *set } else { 0 };
            capability::set(set).map_err(fail("capabilities", ""))
        }
        InsideStep::WorkingDirectory(path) => enter(path, made).map_err(fail("working_dir", path)),
        InsideStep::Barrier => {
            if report::wait_for_go(report.as_fd()) {
                Ok(())
            } else {
                process::exit_now(126)
            }
        }
        InsideStep::Prepare => prepare(job).map_err(fail("output", "")),
        InsideStep::Seccomp { program, flags } => {
            let program: Vec<_> = program.iter().map(instruction).collect();
            let flags = flags.iter().fold(0, |all, flag| all | seccomp_flag(*flag));
            seccomp::install(&program, flags).map_err(fail("seccomp", ""))
        }
        InsideStep::Execute { args } => Err(become_program(args, made)),
    }
}

fn mount_fresh(
    kind: &str,
    at: &str,
    options: &[(String, String)],
    attributes: Attributes,
    made: &Made,
) -> Result<()> {
    let target = fs::open_without_links(made.root.as_fd(), at, libc::O_PATH | libc::O_DIRECTORY)?;
    let filesystem = Filesystem::open(&crate::linux::c_path(kind)?)?;
    for (key, value) in options {
        if value.is_empty() {
            filesystem.flag(key)?;
        } else {
            filesystem.set(key, value)?;
        }
    }
    mount::attach(filesystem.mount(attributes)?.as_fd(), target.as_fd())
}

fn read_only(path: &str, made: &Made) -> Result<()> {
    let target = match fs::open_without_links(made.root.as_fd(), path, libc::O_PATH) {
        // Not every kernel has every one of them.
        Err(Errno::ENOENT) => return Ok(()),
        other => other?,
    };
    let tree = mount::clone_tree(target.as_fd(), "")?;
    mount::restrict(tree.as_fd(), Attributes::READ_ONLY)?;
    mount::attach(tree.as_fd(), target.as_fd())
}

fn mask(path: &str, made: &mut Made) -> Result<()> {
    let target = match fs::open_without_links(made.root.as_fd(), path, libc::O_PATH) {
        Err(Errno::ENOENT) => return Ok(()),
        other => other?,
    };
    if !fs::is_directory(target.as_fd())? {
        let null = fs::open_without_links(made.root.as_fd(), "/dev/null", libc::O_PATH)?;
        if !fs::is_device(null.as_fd(), 1, 3)? {
            return Err(Errno::ENODEV);
        }
        return mount::attach(mount::clone_one(null.as_fd(), "")?.as_fd(), target.as_fd());
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

fn become_user(made: &mut Made, job: &Job<'_>) -> Result<()> {
    let Resolved { uid, gid, groups, home } = &made.user;
    // Or it could not open /dev/stdout anew, as nginx and httpd do.
    for output in [&job.stdout, &job.stderr] {
        process::give(output.as_fd(), *uid, *gid)?;
    }
    if !made.env.iter().any(|pair| pair.starts_with("HOME=")) {
        made.env.push(format!("HOME={}", home.as_deref().unwrap_or("/")));
    }
    process::become_user(*uid, *gid, groups)
}

/// Enters the working directory as the user; makes it if it is missing and the user may.
fn enter(path: &str, made: &Made) -> Result<()> {
    let directory = match fs::open_in_root(made.root.as_fd(), path, libc::O_PATH | libc::O_DIRECTORY) {
        Err(Errno::ENOENT) => {
            let owner = (made.user.uid, made.user.gid);
            fs::make_in_root(made.root.as_fd(), path, fs::Node::Directory, owner, fs::Links::Follow)?
        }
        other => other?,
    };
    nix::unistd::fchdir(directory.as_fd())?;
    // A directory outside the root would show as unreachable.
    let here = nix::unistd::getcwd()?;
    if here.has_root() { Ok(()) } else { Err(Errno::EXDEV) }
}

/// What a program finds that is not its own doing.
fn prepare(job: &Job<'_>) -> Result<()> {
    signal::reset();
    process::set_umask(0o022);
    fd::cloexec_from(3);
    fd::install(job.stdout.as_fd(), 1)?;
    fd::install(job.stderr.as_fd(), 2)
}

fn instruction(it: &Instruction) -> seccomp::Instruction {
    seccomp::Instruction { code: it.code, jt: it.jump_true, jf: it.jump_false, k: it.value }
}

/// SECCOMP_FILTER_FLAG_*, linux/seccomp.h.
fn seccomp_flag(flag: Flag) -> u64 {
    match flag {
        Flag::Tsync => 1,
        Flag::Log => 1 << 1,
        Flag::SpecAllow => 1 << 2,
        Flag::WaitKillableRecv => 1 << 5,
    }
}

/// Looks the program up in PATH as execvp(3) does, and becomes it.
fn become_program(args: &[String], made: &Made) -> Failure {
    let Some(program) = args.first() else {
        return Failure::said("execute", "neither the image nor the configuration names a program");
    };
    let strings = |list: &[String]| -> Result<Vec<CString>> {
        list.iter().map(|text| crate::linux::c_path(text)).collect()
    };
    let (argv, env) = match (strings(args), strings(&made.env)) {
        (Ok(argv), Ok(env)) => (argv, env),
        (Err(errno), _) | (_, Err(errno)) => return Failure::new("execute", program, errno),
    };
    let path = made.env.iter().find_map(|pair| pair.strip_prefix("PATH=")).unwrap_or_default();
    let candidates: Vec<String> = if program.contains('/') {
        vec![program.clone()]
    } else {
        path.split(':').filter(|dir| dir.starts_with('/')).map(|dir| format!("{dir}/{program}")).collect()
    };
    let mut worst = Errno::ENOENT;
    for candidate in candidates {
        let Ok(candidate) = crate::linux::c_path(&candidate) else { continue };
        match process::exec_path(&candidate, &argv, &env) {
            Errno::ENOENT | Errno::ENOTDIR => {}
            errno => worst = errno,
        }
    }
    Failure::new("execute", program, worst)
}

//! From root of the namespaces to a user who may little: users, capabilities, and the filter.

use std::os::fd::{AsFd, BorrowedFd};

use orlop::container::seccomp::{Flag, Instruction};
use orlop::container::spec::User;
use orlop::container::{CapabilitySets, Names, Resolved, resolve};

use super::Job;
use super::inside::Made;
use super::report::{self, Failure};
use crate::linux::{Errno, Result, capability, fs, process, seccomp};

/// More of /etc/passwd or /etc/group is not read.
const USERS_LIMIT: usize = 1 << 20;

/// Looks the user up inside the root; numbers alone are looked up for their home only.
pub fn resolve_user(user: &User, names: &Names, made: &mut Made) -> core::result::Result<(), Failure> {
    made.user = look_up(user, names, &made.env, made.root.as_fd())?;
    Ok(())
}

/// As [`resolve_user`], in any root.
pub fn look_up(
    user: &User,
    names: &Names,
    env: &[String],
    root: BorrowedFd<'_>,
) -> core::result::Result<Resolved, Failure> {
    let by_name = names.user.is_some() || !names.groups.is_empty();
    if !by_name && has_home(env) {
        return Ok(Resolved {
            uid: user.uid,
            gid: user.gid,
            groups: user.additional_gids.clone(),
            home: None,
        });
    }
    #[cfg(naive)]
    if super::naive::asked(env, "passwd") {
        super::naive::read_all("/etc/passwd").map_err(|errno| Failure::new("user", "", errno))?;
    }
    let read = |path| match fs::read_in_root(root, path, USERS_LIMIT) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(Errno::ENOENT) => Ok(String::new()),
        // Names cannot be looked up; numbers still can.
        Err(_) if !by_name => Ok(String::new()),
        Err(errno) => Err(Failure::new("user", path, errno)),
    };
    let (passwd, group) = (read("/etc/passwd")?, read("/etc/group")?);
    resolve(user, names, &passwd, &group).map_err(|e| Failure::said("user", e.to_string()))
}

/// An empty one is none.
fn has_home(env: &[String]) -> bool {
    env.iter().any(|pair| pair.strip_prefix("HOME=").is_some_and(|home| !home.is_empty()))
}

/// What is left of the bounding set stays over the change of the user.
pub fn bound(keep: u64) -> Result<()> {
    capability::bound(keep)?;
    capability::keep_over_user_change()
}

pub fn become_user(made: &mut Made, job: &Job) -> Result<()> {
    let Resolved { uid, gid, groups, home } = &made.user;
    // Or it could not open /dev/stdout anew, as nginx and httpd do.
    for fd in &job.stdio {
        process::lend(fd.as_fd(), *uid, None)?;
    }
    if let Some(terminal) = &made.terminal
        && *uid != 0
    {
        process::give_to_user(terminal.as_fd(), *uid)?;
    }
    if !has_home(&made.env) {
        made.env.retain(|pair| pair != "HOME=");
        made.env.push(format!("HOME={}", home.as_deref().unwrap_or("/")));
    }
    process::become_user(*uid, *gid, groups)
}

/// Ambient ones that are no longer permitted go by themselves.
pub fn lower(sets: CapabilitySets) -> Result<()> {
    capability::set(sets.effective, sets.permitted, sets.inheritable)
}

pub fn set(sets: CapabilitySets) -> Result<()> {
    capability::set(sets.effective, sets.permitted, sets.inheritable)?;
    capability::set_ambient(sets.ambient)
}

pub fn filter(program: &[Instruction], flags: &[Flag], notifies: bool, made: &Made) -> Result<()> {
    /// SECCOMP_FILTER_FLAG_NEW_LISTENER.
    const NEW_LISTENER: u64 = 1 << 3;
    let program: Vec<_> = program.iter().map(instruction).collect();
    let flags = flags.iter().fold(0, |all, flag| all | seccomp_flag(*flag));
    if !notifies {
        return seccomp::install(&program, flags);
    }
    let listener = seccomp::install_and_listen(&program, flags | NEW_LISTENER)?;
    report::send_listener(made.report.as_fd(), listener.as_fd())
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

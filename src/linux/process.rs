//! What a process is before it becomes another program.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::unistd::{Gid, Uid};

use super::{Errno, Result, check};

/// Replaces this program by the one that `fd` stands for (execveat(2) with AT_EMPTY_PATH).
/// Returns only on failure.
pub fn exec_fd(fd: BorrowedFd<'_>, argv: &[CString], env: &[CString]) -> Errno {
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: null-terminated arrays of valid C strings that live across the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            fd.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            env.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    Errno::last()
}

/// Replaces this program by the one at `path`. Returns only on failure.
pub fn exec_path(path: &CStr, argv: &[CString], env: &[CString]) -> Errno {
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: as above.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    Errno::last()
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|text| text.as_ptr()).chain([core::ptr::null()]).collect()
}

/// Ends this process at once, without destructors: for a forked child.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: always allowed.
    unsafe { libc::_exit(code) }
}

fn prctl(option: libc::c_int, value: libc::c_ulong) -> Result<()> {
    // SAFETY: options with one numeric argument.
    check(unsafe { libc::prctl(option, value, 0, 0, 0) }.into())?;
    Ok(())
}

/// No exec from here on gives privileges (PR_SET_NO_NEW_PRIVS).
///
/// # Errors
/// None known.
pub fn no_new_privileges() -> Result<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1)
}

/// Nobody with our ids may trace us or open our /proc files until the next exec.
///
/// # Errors
/// None known.
pub fn not_dumpable() -> Result<()> {
    prctl(libc::PR_SET_DUMPABLE, 0)
}

/// Orphans of our descendants become our children (for an init that is not PID 1).
///
/// # Errors
/// None known.
pub fn become_subreaper() -> Result<()> {
    prctl(libc::PR_SET_CHILD_SUBREAPER, 1)
}

/// The name in /proc/PID/comm, at most 15 bytes.
pub fn set_name(name: &CStr) {
    // SAFETY: a valid C string.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
}

/// The kernel's overflow id: of no container's range, and of no file of the machine's.
pub const NOBODY: u32 = 65_534;

/// Sets all group ids, then all user ids. In a user namespace whose maker had no power over groups nobody has,
/// and they stay as they are where no others are asked for.
///
/// Raw syscalls: libc's would signal threads that do not exist.
///
/// # Errors
/// EPERM; EINVAL for an id that the user namespace does not map.
pub fn become_user(uid: u32, gid: u32, groups: &[u32]) -> Result<()> {
    // To these calls it says that nothing is to change.
    if [uid, gid].iter().chain(groups).any(|id| *id == u32::MAX) {
        return Err(Errno::EINVAL);
    }
    // SAFETY: the pointer and length describe the slice.
    unsafe {
        match check(libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr())) {
            Err(Errno::EPERM) if groups.is_empty() && super::namespace::keeps_groups() => {}
            other => drop(other?),
        }
        check(libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
        check(libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
    }
    Ok(())
}

/// A session and process group of our own.
///
/// # Errors
/// EPERM when we lead a group already.
pub fn new_session() -> Result<()> {
    nix::unistd::setsid().map(drop)
}

/// Changes the owner of what a descriptor stands for.
///
/// # Errors
/// EPERM.
pub fn give(fd: BorrowedFd<'_>, uid: u32, gid: u32) -> Result<()> {
    nix::unistd::fchown(fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
}

/// The domain of uname(2), of our own UTS namespace.
///
/// # Errors
/// EINVAL when it is longer than 64 bytes.
pub fn set_domain_name(name: &str) -> Result<()> {
    // SAFETY: the pointer and length describe the text.
    check(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) }.into()).map(drop)
}

/// Gives a terminal to a user, and leaves its group, which is the one that may write to it.
///
/// # Errors
/// EPERM.
pub fn give_to_user(fd: BorrowedFd<'_>, uid: u32) -> Result<()> {
    nix::unistd::fchown(fd, Some(Uid::from_raw(uid)), None)
}

/// Lets a user open anew what was given to it as a stream: pipes, and files that it may write to, change their
/// owner, and other things stay whose they are. The group is changed for a user namespace, in which nobody could
/// change anything of a file whose group it does not have.
///
/// # Errors
/// As fchown(2), but not for a file system on which nobody can own anything.
pub fn lend(fd: BorrowedFd<'_>, uid: u32, gid: Option<u32>) -> Result<()> {
    let stat = nix::sys::stat::fstat(fd)?;
    let is_lent = match stat.st_mode & libc::S_IFMT {
        libc::S_IFIFO => true,
        libc::S_IFREG => {
            let flags = nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_GETFL)?;
            flags & libc::O_ACCMODE != libc::O_RDONLY
        }
        _ => false,
    };
    if !is_lent || stat.st_uid == uid {
        return Ok(());
    }
    match nix::unistd::fchown(fd, Some(Uid::from_raw(uid)), gid.map(Gid::from_raw)) {
        Err(Errno::EPERM | Errno::EROFS | Errno::EINVAL) => Ok(()),
        other => other,
    }
}

/// Permission bits that new files do not get.
pub fn set_umask(mask: u32) {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
}

/// How many descriptors a process may have open.
#[allow(clippy::unnecessary_cast, reason = "an int in musl, unsigned in glibc")]
pub const NOFILE: u32 = libc::RLIMIT_NOFILE as u32;

/// The number of a resource limit by its name in setrlimit(2).
#[allow(clippy::unnecessary_cast, reason = "an int in musl, unsigned in glibc")]
#[must_use]
pub fn limit_number(name: &str) -> Option<u32> {
    let number = match name {
        "RLIMIT_AS" => libc::RLIMIT_AS,
        "RLIMIT_CORE" => libc::RLIMIT_CORE,
        "RLIMIT_CPU" => libc::RLIMIT_CPU,
        "RLIMIT_DATA" => libc::RLIMIT_DATA,
        "RLIMIT_FSIZE" => libc::RLIMIT_FSIZE,
        "RLIMIT_LOCKS" => libc::RLIMIT_LOCKS,
        "RLIMIT_MEMLOCK" => libc::RLIMIT_MEMLOCK,
        "RLIMIT_MSGQUEUE" => libc::RLIMIT_MSGQUEUE,
        "RLIMIT_NICE" => libc::RLIMIT_NICE,
        "RLIMIT_NOFILE" => libc::RLIMIT_NOFILE,
        "RLIMIT_NPROC" => libc::RLIMIT_NPROC,
        "RLIMIT_RSS" => libc::RLIMIT_RSS,
        "RLIMIT_RTPRIO" => libc::RLIMIT_RTPRIO,
        "RLIMIT_RTTIME" => libc::RLIMIT_RTTIME,
        "RLIMIT_SIGPENDING" => libc::RLIMIT_SIGPENDING,
        "RLIMIT_STACK" => libc::RLIMIT_STACK,
        _ => return None,
    };
    Some(number as u32)
}

/// prlimit(2) of a process, 0 for our own, by number; `u64::MAX` is unlimited.
///
/// # Errors
/// EPERM when the hard limit would rise.
pub fn set_limit(pid: i32, resource: u32, soft: u64, hard: u64) -> Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the structure lives across the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_prlimit64,
            pid,
            resource,
            &raw const limit,
            core::ptr::null_mut::<libc::rlimit>(),
        )
    })?;
    Ok(())
}

/// Our worth to the kernel's OOM killer, -1000 (never) to 1000.
///
/// # Errors
/// EACCES when it would fall without privilege.
pub fn set_oom_score(score: i32) -> Result<()> {
    let (flags, mode) = (nix::fcntl::OFlag::O_WRONLY, nix::sys::stat::Mode::empty());
    let fd = super::fs::open("/proc/self/oom_score_adj", flags, mode)?;
    nix::unistd::write(fd, score.to_string().as_bytes()).map(drop)
}

/// Runs only when nobody else wants to.
pub fn give_way() {
    const LOWEST: libc::c_int = 19;
    // SAFETY: passes numbers; it cannot fail for a process that makes itself less important.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, LOWEST) };
}

/// A session keyring of our own, so that no key is shared with whoever started us.
pub fn new_keyring() {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: a null name makes an anonymous keyring. A kernel without keys answers ENOSYS, which is as good.
    unsafe {
        libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, core::ptr::null::<libc::c_char>())
    };
}

/// Blocks until a signal comes; for a child that exists only to hold a namespace.
pub fn pause() {
    // SAFETY: always allowed.
    unsafe { libc::pause() };
}

/// Which side of the fork this is.
pub enum Forked {
    Parent { child: i32 },
    Child,
}

/// fork(2), by the call that every filter lets pass: clone3(2) is often refused.
///
/// # Errors
/// EAGAIN for pids.max.
pub fn fork() -> Result<Forked> {
    // SAFETY: this program has one thread; the child has a copy of all memory.
    match unsafe { libc::fork() } {
        0 => Ok(Forked::Child),
        child if child > 0 => Ok(Forked::Parent { child }),
        _ => Err(Errno::last()),
    }
}

/// A process group of its own, in front at the terminal if standard input is one.
pub fn new_group_in_front() {
    // SAFETY: plain numbers; what is no terminal has no front.
    unsafe {
        libc::setpgid(0, 0);
        libc::tcsetpgrp(0, libc::getpid());
    }
}

//! The few system calls that the tasks share.

use std::io;

/// Errors by the names that tests compare with.
const NAMES: [(i32, &str); 20] = [
    (libc::EPERM, "EPERM"),
    (libc::ENOENT, "ENOENT"),
    (libc::ENXIO, "ENXIO"),
    (libc::E2BIG, "E2BIG"),
    (libc::ENOEXEC, "ENOEXEC"),
    (libc::EBADF, "EBADF"),
    (libc::EAGAIN, "EAGAIN"),
    (libc::ENOMEM, "ENOMEM"),
    (libc::EACCES, "EACCES"),
    (libc::EFAULT, "EFAULT"),
    (libc::EBUSY, "EBUSY"),
    (libc::EEXIST, "EEXIST"),
    (libc::ENODEV, "ENODEV"),
    (libc::EINVAL, "EINVAL"),
    (libc::ENOSPC, "ENOSPC"),
    (libc::EROFS, "EROFS"),
    (libc::ENOSYS, "ENOSYS"),
    (libc::EOPNOTSUPP, "EOPNOTSUPP"),
    (libc::ETXTBSY, "ETXTBSY"),
    (libc::ELOOP, "ELOOP"),
];

pub(crate) fn error_name(error: &io::Error) -> String {
    let number = error.raw_os_error().unwrap_or_default();
    let known = NAMES.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| format!("errno {number}"), |(_, name)| (*name).to_owned())
}

/// A system call's answer as a result.
pub(crate) fn check(answer: impl Into<i64>) -> io::Result<i64> {
    let answer = answer.into();
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

pub(crate) enum Fork {
    Child,
    Parent,
}

pub(crate) fn fork() -> io::Result<Fork> {
    // SAFETY: this program has one thread, so that its child may do all that it may.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        _ => Ok(Fork::Parent),
    }
}

/// Reaps a child that has ended, if there is one, and says so.
pub(crate) fn reap_one_ended() -> bool {
    // SAFETY: the status is not asked for.
    check(unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) }).is_ok_and(|pid| pid > 0)
}

/// Reaps one child; `false` when there is none.
pub(crate) fn reap() -> bool {
    // SAFETY: the status is not asked for.
    check(unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) }).is_ok()
}

pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: ends the process; nothing of it is used after.
    unsafe { libc::_exit(code) }
}

/// Until a signal ends the process.
pub(crate) fn pause_for_ever() -> ! {
    loop {
        // SAFETY: takes no arguments.
        unsafe { libc::pause() };
    }
}

/// At least so long, unless a signal comes.
pub(crate) fn sleep(time: std::time::Duration) {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let time = libc::timespec { tv_sec: seconds, tv_nsec: time.subsec_nanos().into() };
    // SAFETY: `time` lives through the call, and what is left is not asked for.
    unsafe { libc::nanosleep(&raw const time, std::ptr::null_mut()) };
}

/// `SIG_DFL`, `SIG_IGN` or a handler.
#[allow(clippy::disallowed_methods, reason = "a program of its own")]
pub(crate) fn on_signal(signal: i32, handler: libc::sighandler_t) -> io::Result<()> {
    // SAFETY: the handlers of this program call nothing but _exit.
    let previous = unsafe { libc::signal(signal, handler) };
    if previous == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// PID 1 of a container gets no signal that it has no handler for.
pub(crate) fn end_on_term() -> Result<(), String> {
    extern "C" fn end(_: i32) {
        exit_now(0)
    }
    let handler = end as extern "C" fn(i32) as libc::sighandler_t;
    for signal in [libc::SIGTERM, libc::SIGINT] {
        on_signal(signal, handler).map_err(|e| format!("catch signal {signal}: {e}"))?;
    }
    Ok(())
}

pub(crate) fn clock(clock: libc::clockid_t) -> std::time::Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` lives through the call, which writes it.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    std::time::Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

//! Signals: read from a descriptor in PID 1 and the supervisor, plain again in every child.

#![allow(clippy::disallowed_methods, reason = "here is known what was changed")]

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Result, check};

/// The highest signal number of Linux on the architectures we run on.
pub const LAST: i32 = 64;

fn full_set() -> libc::sigset_t {
    // SAFETY: sigfillset initialises the set it is given.
    unsafe {
        let mut set = core::mem::zeroed();
        libc::sigfillset(&raw mut set);
        set
    }
}

/// Blocks every signal and returns a descriptor from which those of `signals` are read.
///
/// # Errors
/// As signalfd(2).
pub fn block_all_and_read(signals: &[i32]) -> Result<OwnedFd> {
    let all = full_set();
    // SAFETY: initialised sets, valid across the calls.
    unsafe {
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, core::ptr::null_mut());
        let mut read: libc::sigset_t = core::mem::zeroed();
        libc::sigemptyset(&raw mut read);
        for &signal in signals {
            libc::sigaddset(&raw mut read, signal);
        }
        let fd = libc::signalfd(-1, &raw const read, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        check(fd.into())?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// As [`block_all_and_read`], but blocks those alone that are read.
///
/// # Errors
/// As signalfd(2).
pub fn block_and_read(signals: &[i32]) -> Result<OwnedFd> {
    // SAFETY: an initialised set, valid across the calls.
    unsafe {
        let mut read: libc::sigset_t = core::mem::zeroed();
        libc::sigemptyset(&raw mut read);
        for &signal in signals {
            libc::sigaddset(&raw mut read, signal);
        }
        libc::sigprocmask(libc::SIG_BLOCK, &raw const read, core::ptr::null_mut());
        let fd = libc::signalfd(-1, &raw const read, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        check(fd.into())?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Lets these come again as they did.
pub fn unblock(signals: &[i32]) {
    // SAFETY: an initialised set, valid across the calls.
    unsafe {
        let mut set: libc::sigset_t = core::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for &signal in signals {
            libc::sigaddset(&raw mut set, signal);
        }
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, core::ptr::null_mut());
    }
}

/// As many as are waited for at most: a standard signal is pending once.
const PENDING: usize = 4;

/// What is pending, by one call: of each its number and the pid of who sent it. Nothing when nothing
/// is; whatever comes later makes the descriptor ready again.
pub fn read(fd: &OwnedFd) -> impl Iterator<Item = (i32, u32)> + use<> {
    // SAFETY: plain data that the kernel fills.
    let mut infos: [libc::signalfd_siginfo; PENDING] = unsafe { core::mem::zeroed() };
    let size = core::mem::size_of_val(&infos);
    // SAFETY: the buffer is `size` bytes, and the kernel writes whole structures.
    let got = check(unsafe { libc::read(fd.as_raw_fd(), (&raw mut infos).cast(), size) as i64 });
    let count = got.unwrap_or_default() as usize / core::mem::size_of::<libc::signalfd_siginfo>();
    infos.into_iter().take(count).map(|info| (info.ssi_signo as i32, info.ssi_pid))
}

/// Signals whose disposition may not be default, bit N for signal N + 1: at first all, for nobody knows what
/// was inherited.
static CHANGED: AtomicU64 = AtomicU64::new(u64::MAX);

fn set(signal: i32, disposition: libc::sighandler_t) {
    let bit = 1u64.checked_shl(signal.wrapping_sub(1) as u32).unwrap_or_default();
    CHANGED.fetch_or(bit, Ordering::Relaxed);
    // SAFETY: no handler, or one of ours that does what it may (signal-safety(7)).
    unsafe { libc::signal(signal, disposition) };
}

/// Every disposition default, nothing blocked: what a program expects to start with, and what std
/// no longer gives it.
pub fn reset() {
    let changed = CHANGED.load(Ordering::Relaxed);
    for signal in (1..=LAST).filter(|signal| changed >> (signal - 1) & 1 == 1) {
        // SAFETY: SIG_DFL installs no handler. The kernel refuses SIGKILL and SIGSTOP, and libc its own two; all
        // are default already.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // Once: a child would have the page copied to note what its maker has changed since, and is over soon.
    if changed == u64::MAX {
        CHANGED.store(0, Ordering::Relaxed);
    }
    unblock_all();
}

/// As [`reset`], for whom all dispositions are default already.
pub fn unblock_all() {
    // SAFETY: rt_sigprocmask with an empty set of the kernel's size; libc's own would keep 32–34.
    unsafe {
        let none: u64 = 0;
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const none, 0usize, 8usize);
    }
}

/// What ends a process that does nothing about it, and is sent to be ended by.
const ENDING: [i32; 6] =
    [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGUSR1, libc::SIGUSR2];

/// The first process of a namespace hears no signal that it does nothing about (pid_namespaces(7)): this one ends
/// by them, as any other would, until it executes a program.
pub fn end_as_others_do() {
    extern "C" fn end(signal: libc::c_int) {
        // SAFETY: it may be called in a handler (signal-safety(7)).
        unsafe { libc::_exit(128 + signal) }
    }
    for signal in ENDING {
        set(signal, end as extern "C" fn(libc::c_int) as libc::sighandler_t);
    }
}

/// Blocks every signal, those too that libc keeps for itself.
pub fn block_all() {
    let all = u64::MAX;
    // SAFETY: a set of the kernel's size.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const all, 0usize, 8usize);
    }
}

/// Waits for any signal, all of which are blocked; its number.
pub fn wait_for_any() -> i32 {
    let all = u64::MAX;
    loop {
        // SAFETY: a set of the kernel's size; nobody asks for more about the signal.
        let got = unsafe { libc::syscall(libc::SYS_rt_sigtimedwait, &raw const all, 0usize, 0usize, 8usize) };
        if got > 0 {
            return got as i32;
        }
    }
}

/// Sends one to a child of ours that is not yet reaped.
pub fn send_to_child(pid: i32, signal: i32) {
    // SAFETY: plain numbers; who is dead hears nothing.
    unsafe { libc::kill(pid, signal) };
}

/// Makes the descriptor of [`block_all_and_read`] ready once more, as if another child had died:
/// for a reaper that stopped before it had reaped all.
pub fn wake_for_children() {
    // SAFETY: a blocked signal to ourselves only becomes pending.
    unsafe { libc::kill(libc::getpid(), libc::SIGCHLD) };
}

/// Ignores one signal.
pub fn ignore(signal: i32) {
    set(signal, libc::SIG_IGN);
}

/// Sends one to our parent. PID 1 takes only those that it waits for; the kernel drops the others.
pub fn send_to_parent(signal: i32) {
    // SAFETY: plain numbers.
    unsafe { libc::kill(libc::getppid(), signal) };
}

/// Dies of a signal as if it had come from outside, whatever was done about it before.
pub fn die_of(signal: i32) -> ! {
    reset();
    // SAFETY: ends this process unless the signal's default is harmless.
    unsafe { libc::kill(libc::getpid(), signal) };
    super::process::exit_now(128 + signal)
}

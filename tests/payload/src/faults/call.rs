//! Which calls can fail at all.

use super::order::INIT;

/// What the kernel never refuses a program that is not broken, or nobody could do anything about.
const NEVER_FAILS: [libc::c_long; 34] = [
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigaction,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_munmap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getppid,
    libc::SYS_getsid,
    libc::SYS_getpgid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_umask,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_clock_gettime,
    libc::SYS_sync,
    libc::SYS_pause,
    libc::SYS_kill,
    libc::SYS_tgkill,
    libc::SYS_tkill,
    libc::SYS_uname,
    libc::SYS_getrandom,
];

/// How a program gets memory: what fails there is memory, and not for a program that asks for none once it runs.
const MEMORY: [libc::c_long; 4] = [libc::SYS_mmap, libc::SYS_mremap, libc::SYS_brk, libc::SYS_mprotect];

/// Waits that nothing but a signal ends before their time.
const WAITS: [libc::c_long; 4] =
    [libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2, libc::SYS_nanosleep, libc::SYS_clock_nanosleep];

pub(super) fn can_fail(number: i64, errno: i32, kind: u32) -> bool {
    if MEMORY.contains(&number) {
        return errno == libc::ENOMEM && kind != INIT;
    }
    if WAITS.contains(&number) {
        return errno == libc::EINTR;
    }
    #[cfg(target_arch = "x86_64")]
    if number == libc::SYS_arch_prctl {
        return false;
    }
    number >= 0 && !NEVER_FAILS.contains(&number)
}

//! What a container must not be able to do: tries it, and says with which error it failed.
//!
//! Each line is `what ok` or `what ERRNO`. Nothing here harms a machine that lets it.

use std::ffi::CString;
use std::io;

use crate::system::{Fork, check, error_name, exit_now, fork};

pub(crate) fn everything(paths: &[&str]) -> Result<(), String> {
    for path in paths {
        say(&format!("read {path}"), std::fs::read(path).map(|_| 0));
        let file = std::fs::OpenOptions::new().append(true).open(path);
        say(&format!("open for writing {path}"), file.map(|_| 0));
    }
    clocks();
    kernel();
    mounts();
    processes();
    Ok(())
}

/// Without waiting for whom a device may wait for.
pub(crate) fn open(to_write: bool, path: &str) -> Result<(), String> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options.read(!to_write).write(to_write).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    say(if to_write { "write" } else { "read" }, options.open(path).map(|_| 0));
    Ok(())
}

/// More than there are.
const SYSTEM_CALLS: i64 = 480;

/// Each answer with the numbers of the calls that give it. A filter's verdict comes before a look at
/// arguments. Without those that end or stop whoever calls them, or return twice, whatever they are given.
pub(crate) fn system_calls() -> Result<(), String> {
    use libc::{SYS_exit, SYS_exit_group, SYS_fork, SYS_pause, SYS_rt_sigreturn, SYS_vfork};
    let left_out = [SYS_exit, SYS_exit_group, SYS_fork, SYS_pause, SYS_rt_sigreturn, SYS_vfork];
    let mut answers = std::collections::BTreeMap::<String, Vec<String>>::new();
    for number in (0..SYSTEM_CALLS).filter(|number| !left_out.contains(number)) {
        let answer = in_a_child(|| {
            // SAFETY: -1 is no address, no descriptor and no process; what it does, it does to a child that
            // ends with it.
            check(unsafe { libc::syscall(number, -1_i64, -1_i64, -1_i64, -1_i64, -1_i64, -1_i64) })
        })?;
        answers.entry(answer).or_default().push(number.to_string());
    }
    for (answer, numbers) in answers {
        println!("{answer}: {}", numbers.join(" "));
    }
    Ok(())
}

/// What it returns there, or how the child ended.
fn in_a_child(call: impl FnOnce() -> io::Result<i64>) -> Result<String, String> {
    let failed = |error: io::Error| format!("system-calls: {}", error_name(&error));
    std::io::Write::flush(&mut io::stdout()).map_err(failed)?;
    match fork().map_err(failed)? {
        Fork::Child => {
            let errno = call().err().and_then(|error| error.raw_os_error());
            exit_now(errno.unwrap_or_default())
        }
        Fork::Parent => {
            let mut status = 0;
            // SAFETY: `status` lives through the call.
            check(unsafe { libc::wait(&raw mut status) }).map_err(failed)?;
            Ok(match libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)) {
                Some(0) => "ok".to_owned(),
                Some(errno) => error_name(&io::Error::from_raw_os_error(errno)),
                None => format!("signal {}", libc::WTERMSIG(status)),
            })
        }
    }
}

fn say(what: &str, result: io::Result<i64>) {
    match result {
        Ok(_) => println!("{what} ok"),
        Err(error) => println!("{what} {}", error_name(&error)),
    }
}

fn text(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

/// To the time that it is: a clock that can be set stays right.
fn clocks() {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` lives through both calls.
    let set = unsafe {
        libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now);
        libc::clock_settime(libc::CLOCK_REALTIME, &raw const now)
    };
    say("clock_settime", check(set));
    // A zone and no time: the form of the call that changes least.
    let zone = [0_i32; 2];
    // SAFETY: the kernel reads two ints of `zone`.
    let set = unsafe { libc::syscall(libc::SYS_settimeofday, std::ptr::null::<u8>(), zone.as_ptr()) };
    say("settimeofday", check(set));
}

fn kernel() {
    let arguments = text("");
    // SAFETY: an empty image: whoever may load modules gets ENOEXEC.
    let load = unsafe { libc::syscall(libc::SYS_init_module, [0_u8; 1].as_ptr(), 0, arguments.as_ptr()) };
    say("init_module", check(load));
    // SAFETY: no fd is -1: whoever may load modules gets EBADF.
    let load = unsafe { libc::syscall(libc::SYS_finit_module, -1, arguments.as_ptr(), 0) };
    say("finit_module", check(load));
    // SAFETY: action 10 reads the size of the log and changes nothing.
    say("syslog", check(unsafe { libc::syscall(libc::SYS_syslog, 10, std::ptr::null::<u8>(), 0) }));
    // SAFETY: there is no action 1: whoever may reboot gets EINVAL.
    let reboot = unsafe {
        libc::syscall(libc::SYS_reboot, libc::LINUX_REBOOT_MAGIC1, libc::LINUX_REBOOT_MAGIC2, 1, 0)
    };
    say("reboot", check(reboot));
    // SAFETY: turning off what is not on changes nothing.
    say("swapoff", check(unsafe { libc::swapoff(text("/none").as_ptr()) }));
    // SAFETY: there are no such flags: whoever may gets EINVAL.
    let kexec = unsafe { libc::syscall(libc::SYS_kexec_load, 0, 0, std::ptr::null::<u8>(), u64::MAX) };
    say("kexec_load", check(kexec));
    // SAFETY: the file is a name that does not exist.
    say("acct", check(unsafe { libc::acct(text("/none").as_ptr()) }));
    let nothing = [0_u64; 16];
    // SAFETY: command 5 loads a program; the kernel reads `nothing`, which is none (EINVAL).
    let bpf = unsafe { libc::syscall(libc::SYS_bpf, 5, nothing.as_ptr(), size_of_val(&nothing)) };
    say("bpf", check(bpf));
    // SAFETY: asks for level 3 of port access.
    say("iopl", check(unsafe { libc::syscall(libc::SYS_iopl, 3) }));
    rename_to_the_same();
    let write = |path: &str| {
        let file = std::fs::OpenOptions::new().write(true).open(path);
        say(&format!("open for writing {path}"), file.map(|_| 0));
    };
    for path in ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/sys/power/state", "/dev/kmsg"] {
        write(path);
    }
}

fn rename_to_the_same() {
    let mut name = [0_u8; 65];
    // SAFETY: both calls stay within `name`.
    let set = unsafe {
        libc::gethostname(name.as_mut_ptr().cast(), name.len());
        let length = name.iter().position(|byte| *byte == 0).unwrap_or_default();
        libc::sethostname(name.as_ptr().cast(), length)
    };
    say("sethostname", check(set));
}

fn mounts() {
    let device = text("/payload-device");
    // 1:8 is /dev/random: harmless when it works.
    // SAFETY: the path lives through the call.
    let made = check(unsafe { libc::mknod(device.as_ptr(), libc::S_IFCHR | 0o600, libc::makedev(1, 8)) });
    if made.is_ok() {
        // It was made a line above.
        let _ = std::fs::remove_file("/payload-device");
    }
    say("mknod", made);
    // A place that every container has, where a mount hides nothing that anybody needs.
    let (place, kind) = (text("/proc/self/task"), text("tmpfs"));
    // SAFETY: the strings live through the calls.
    let (mounted, unmounted) = unsafe {
        let mounted = check(libc::mount(kind.as_ptr(), place.as_ptr(), kind.as_ptr(), 0, std::ptr::null()));
        (mounted, check(libc::umount2(place.as_ptr(), libc::MNT_DETACH)))
    };
    say("mount", mounted);
    say("umount", unmounted);
    // SAFETY: the path lives through the call.
    say("chroot", check(unsafe { libc::chroot(text("/").as_ptr()) }));
    // SAFETY: changes only this process, which is about to end.
    say("unshare user", check(unsafe { libc::unshare(libc::CLONE_NEWUSER) }));
}

/// In the two ways there are, and a third with a copy of the mount.
pub(crate) fn remount(path: &str) -> Result<(), String> {
    /// `struct mount_attr` of linux/mount.h: to set, to clear, propagation, user namespace.
    const WRITABLE: [u64; 4] = [0, libc::MOUNT_ATTR_RDONLY, 0, 0];
    let place = text(path);
    let flags = libc::MS_REMOUNT | libc::MS_BIND;
    // SAFETY: the strings live through the call, and there is no data.
    let remounted =
        unsafe { libc::mount(std::ptr::null(), place.as_ptr(), std::ptr::null(), flags, std::ptr::null()) };
    say("remount", check(remounted));
    let change = |fd: libc::c_int, place: &CString| {
        let (size, empty) = (size_of_val(&WRITABLE), libc::AT_EMPTY_PATH);
        let changes = WRITABLE.as_ptr();
        // SAFETY: the kernel reads `size` bytes, and a path that lives through the call.
        check(unsafe { libc::syscall(libc::SYS_mount_setattr, fd, place.as_ptr(), empty, changes, size) })
    };
    say("mount_setattr", change(libc::AT_FDCWD, &place));
    // OPEN_TREE_CLONE
    // SAFETY: the path lives through the call.
    let tree = check(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, place.as_ptr(), 1) });
    let copied = tree.and_then(|tree| change(libc::c_int::try_from(tree).unwrap_or(-1), &text("")));
    say("mount_setattr of a copy", copied);
    let file = format!("{path}/payload-wrote-this");
    say("write", std::fs::write(file, "x").map(|()| 0));
    Ok(())
}

fn processes() {
    // SAFETY: a niceness of this process only.
    say("nice -20", check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) }));
    // Outside of a container's range of ids.
    // SAFETY: no memory is touched.
    say("setuid 70000", check(unsafe { libc::setuid(70_000) }));
}

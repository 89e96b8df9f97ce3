//! Places to try kernel operations in without touching the machine that the tests run on.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

/// Runs `test` in a thread with a network and a mount namespace of its own, the new network's
/// /sys mounted in it. Needs root; without it the test fails, it is not skipped.
pub(crate) fn in_own_network(test: impl FnOnce() + Send) {
    let enter = || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("root, for a namespace");
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), None::<&str>).unwrap();
        test();
    };
    std::thread::scope(|scope| {
        if let Err(payload) = scope.spawn(enter).join() {
            panic::resume_unwind(payload);
        }
    });
}

/// Runs `test` with a cgroup of its own that has no controllers, in a mount namespace that shows the
/// hierarchy, which every kernel has whatever the machine uses. Needs root.
pub(crate) fn in_own_cgroup(test: impl FnOnce(BorrowedFd<'_>) + Send) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let enter = || {
        unshare(CloneFlags::CLONE_NEWNS).expect("root, for a namespace");
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        let at = tempfile::tempdir().unwrap();
        mount(Some("cgroup2"), at.path(), Some("cgroup2"), MsFlags::empty(), None::<&str>).unwrap();
        let name = format!("orlop-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = at.path().join(name);
        std::fs::create_dir(&path).unwrap();
        let outcome = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            test(OwnedFd::from(std::fs::File::open(&path).unwrap()).as_fd());
        }));
        std::fs::remove_dir(&path).unwrap();
        umount2(at.path(), MntFlags::MNT_DETACH).unwrap();
        if let Err(payload) = outcome {
            panic::resume_unwind(payload);
        }
    };
    std::thread::scope(|scope| {
        if let Err(payload) = scope.spawn(enter).join() {
            panic::resume_unwind(payload);
        }
    });
}

/// Runs `act` in a thread that is this user, with these groups, the first of them its own (setresuid(2), without the
/// C library, which would change all threads). Needs root.
pub(crate) fn as_user<T: Send>(user: u32, groups: &[u32], act: impl FnOnce() -> T + Send) -> T {
    let own = groups.first().copied().unwrap_or(user);
    let enter = || {
        // SAFETY: the kernel reads as many numbers as there are; the others are numbers.
        let done = unsafe {
            [
                libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()),
                libc::syscall(libc::SYS_setresgid, own, own, own),
                libc::syscall(libc::SYS_setresuid, user, user, user),
            ]
        };
        assert_eq!(done, [0; 3], "root, to be somebody else");
        act()
    };
    std::thread::scope(|scope| {
        scope.spawn(enter).join().unwrap_or_else(|payload| panic::resume_unwind(payload))
    })
}

//! Places to try kernel operations in without touching the machine that the tests run on.

use std::panic;

use nix::sched::{CloneFlags, unshare};

/// Runs `test` in a thread with a network and a mount namespace of its own, the new network's
/// /sys mounted in it. Needs root; without it the test fails, it is not skipped.
pub(crate) fn in_own_network(test: impl FnOnce() + Send) {
    use nix::mount::{MsFlags, mount};
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

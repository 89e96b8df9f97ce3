//! All that is mounted, written and taken away at the end of a machine: each by a child of its own, because any
//! of them may never answer. A child that does not is left behind; no signal reaches it where it sleeps.
//!
//! For a process that may wait and allocate, and whose children nobody else waits for.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::clone::in_child;
use super::mount::{self, Mounted};
use super::{Result, insist, pidfd, power, time};

/// What sync(2) alone takes care of is beyond this many file systems.
const MOST: usize = 1024;

/// Has every file system written, all at once, until `until`; where those are mounted that did not manage it.
pub fn write_all(until: Duration) -> Vec<CString> {
    let mut seen = BTreeSet::new();
    let mut mounts = mount::table();
    mounts.retain(|mounted| seen.insert(mounted.device.clone()));
    mounts.truncate(MOST);
    // What is mounted in no namespace of ours.
    let whole = insist(|| in_child(power::sync)).map(|(_, pidfd)| (pidfd, None));
    let each = mounts.into_iter().filter_map(|Mounted { point, .. }| {
        let (_, pidfd) = insist(|| in_child(|| write(&point).unwrap_or_default())).ok()?;
        Some((pidfd, Some(point)))
    });
    let children: Vec<_> = whole.into_iter().chain(each).collect();
    late(children, until).into_iter().flatten().collect()
}

/// Takes away what can be, the latest mount first. Who does not answer has half of what is left until `until`, so
/// that there is always something left for the next; where those are mounted.
pub fn take_all_away(until: Duration) -> Vec<CString> {
    let mut silent = Vec::new();
    for mounted in mount::table().into_iter().rev() {
        let now = time::since_boot();
        if now >= until {
            break;
        }
        let slice = now.saturating_add(until.saturating_sub(now) / 2);
        if let Ok((_, pidfd)) = insist(|| in_child(|| take_away(&mounted))) {
            silent.extend(late(vec![(pidfd, mounted.point)], slice));
        }
    }
    silent
}

/// syncfs(2) of what is mounted at `point`.
fn write(point: &CStr) -> Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    nix::unistd::syncfs(open(point, flags, Mode::empty())?.as_fd())
}

fn take_away(mounted: &Mounted) {
    // A disk that somebody still uses is at least found whole.
    if mount::unmount(&mounted.point).is_err() && !mounted.device.starts_with("0:") {
        let _ = mount::remount_read_only(&mounted.point);
    }
}

/// Waits for the ends of children; those that live on at `until`.
fn late<T>(children: Vec<(OwnedFd, T)>, until: Duration) -> Vec<T> {
    let is_there = |pidfd: &OwnedFd| {
        let left = || until.saturating_sub(time::since_boot());
        !insist(|| pidfd::ends_within(pidfd.as_fd(), left())).unwrap_or(false)
    };
    children.into_iter().filter(|(pidfd, _)| is_there(pidfd)).map(|(_, what)| what).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::process;

    #[test]
    fn who_does_not_end_is_told_and_holds_up_nobody() {
        let child = |sleeps: bool| {
            let work = move || {
                if sleeps {
                    process::pause()
                }
            };
            in_child(work).unwrap()
        };
        let all: Vec<_> = [false, true, false, true, false].into_iter().map(child).collect();
        let pids: Vec<i32> = all.iter().map(|child| child.0).collect();
        let until = time::since_boot() + Duration::from_millis(300);
        let named = all.into_iter().enumerate().map(|(number, (_, pidfd))| (pidfd, number)).collect();
        assert_eq!(late(named, until), [1, 3]);
        for pid in pids {
            let pid = nix::unistd::Pid::from_raw(pid);
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            nix::sys::wait::waitpid(pid, None).unwrap();
        }
    }
}

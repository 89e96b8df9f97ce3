//! `events`: what a container uses, again and again, and when it ran out of memory.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::arguments::EventsArguments;
use super::container::Container;
use super::failure::{Failure, Result, at};
use super::out::Out;
use super::stats::{Event, Stats, stats};
use super::store::Store;
use crate::linux::{Errno, cgroup as files, directory, time};

/// As much of one file as is read: memory.stat has 3 KiB.
const LIMIT: usize = 256 << 10;
const HUGE_PAGES: &str = "/sys/kernel/mm/hugepages";

/// # Errors
/// It does not run; it has no cgroup.
pub(crate) fn events(store: Option<&Store>, asked: &EventsArguments, out: &mut Out) -> Result<()> {
    let container = Container::find(store, &asked.id)?;
    let process = container.living()?;
    let directory = container.cgroup()?;
    let sizes = huge_pages();
    if asked.stats {
        return print(out, "stats", &asked.id, Some(figures(directory.as_fd(), &sizes)));
    }
    let memory = files::watch(directory.as_fd(), "memory.events").map_err(at("memory.events"))?;
    let mut killed = kills(&memory).map_err(at("memory.events"))?;
    let mut next = time::since_boot().saturating_add(asked.interval);
    loop {
        let left = next.saturating_sub(time::since_boot());
        let (ended, changed) = wait(process, &memory, left).map_err(at("poll"))?;
        if changed {
            // Gone with its cgroup.
            let Ok(now) = kills(&memory) else { return Ok(()) };
            if now > killed {
                print(out, "oom", &asked.id, None)?;
            }
            killed = now;
        }
        if ended {
            return Ok(());
        }
        if time::since_boot() >= next {
            print(out, "stats", &asked.id, Some(figures(directory.as_fd(), &sizes)))?;
            next = next.saturating_add(asked.interval).max(time::since_boot());
        }
    }
}

/// Whether the process has ended, and whether memory.events has changed.
fn wait(
    process: &OwnedFd,
    memory: &OwnedFd,
    patience: Duration,
) -> core::result::Result<(bool, bool), Errno> {
    let mut fds =
        [PollFd::new(process.as_fd(), PollFlags::POLLIN), PollFd::new(memory.as_fd(), PollFlags::POLLPRI)];
    let patience = PollTimeout::try_from(patience.as_millis().saturating_add(1)).unwrap_or(PollTimeout::MAX);
    match poll(&mut fds, patience) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok((false, false)),
        Err(errno) => return Err(errno),
    }
    let is_ready = |fd: &OwnedFd| {
        let found = fds.iter().find(|it| it.as_fd().as_raw_fd() == fd.as_raw_fd());
        found.and_then(PollFd::any).unwrap_or_default()
    };
    Ok((is_ready(process), is_ready(memory)))
}

/// How many of its processes were killed for memory. The number is good for comparing only.
fn kills(memory: &OwnedFd) -> core::result::Result<u64, Errno> {
    files::reread(memory.as_fd()).map(|text| files::keyed(&text, "oom_kill").unwrap_or_default())
}

fn figures(directory: BorrowedFd<'_>, sizes: &[String]) -> Stats {
    let read = |file: &str| {
        let bytes = directory::read(directory, file, LIMIT).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    stats(read, sizes)
}

fn print(out: &mut Out, kind: &'static str, id: &str, data: Option<Stats>) -> Result<()> {
    let event = Event { kind, id, data };
    let text = serde_json::to_string(&event).map_err(|error| Failure::new(error.to_string()))?;
    out.line(&text)
}

/// `hugepages-2048kB` is `2MB` in the names of cgroup files.
fn huge_pages() -> Vec<String> {
    let entries = crate::linux::fs::open_directory(HUGE_PAGES).and_then(|it| directory::entries(it.as_fd()));
    entries.unwrap_or_default().iter().filter_map(|(name, _)| huge_page(name)).collect()
}

fn huge_page(name: &str) -> Option<String> {
    let kilobytes: u64 = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
    Some(match kilobytes {
        it if it >= 1 << 20 => format!("{}GB", it >> 20),
        it if it >= 1 << 10 => format!("{}MB", it >> 10),
        it => format!("{it}KB"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_pages_have_the_names_of_cgroup_files() {
        for (name, expected) in
            [("hugepages-2048kB", "2MB"), ("hugepages-1048576kB", "1GB"), ("hugepages-64kB", "64KB")]
        {
            assert_eq!(huge_page(name).as_deref(), Some(expected));
        }
        assert_eq!(huge_page("other"), None);
    }
}

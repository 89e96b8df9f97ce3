//! What there is on a machine of all that could be left behind: the least of each that some looks find, since
//! what comes and goes is none of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::chaos::processes;
use crate::system;

const LOOKS: u32 = 40;
/// Longer than anything lasts that is done again and again.
const BETWEEN: Duration = Duration::from_millis(130);

/// What was there at the last look, of `new_names`.
const KNOWN: &str = "/tmp/known-names";

type Counts = BTreeMap<String, u64>;

/// What there is below these folders at each of some looks and was not when this was asked last.
pub(crate) fn new_names(tops: &str) -> std::io::Result<String> {
    let all = || tops.split(' ').flat_map(|top| below(Path::new(top))).collect::<BTreeSet<String>>();
    let mut least = all();
    for _ in 1..LOOKS {
        system::sleep(BETWEEN);
        let now = all();
        least.retain(|name| now.contains(name));
    }
    let known = fs::read_to_string(KNOWN).unwrap_or_default();
    let is_first = known.is_empty();
    let new = least.iter().filter(|name| !is_first && !known.lines().any(|known| known == *name));
    let new = new.map(String::as_str).collect::<Vec<_>>().join(" ");
    fs::write(KNOWN, least.into_iter().collect::<Vec<_>>().join("\n"))?;
    Ok(format!("new: {new}"))
}

/// Folders, and files but those that the kernel makes in each cgroup.
fn below(top: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let is_cgroup = top.starts_with("/sys/fs/cgroup");
    for entry in inside(top) {
        let folder = is_folder(&entry);
        if folder || !is_cgroup {
            names.push(entry.path().display().to_string());
        }
        if folder {
            names.extend(below(&entry.path()));
        }
    }
    names
}

/// `KEY=NUMBER …`
pub(crate) fn take() -> String {
    let mut least = look();
    for _ in 1..LOOKS {
        system::sleep(BETWEEN);
        let now = look();
        for (key, count) in &mut least {
            *count = now.get(key).copied().unwrap_or_default().min(*count);
        }
    }
    least.iter().map(|(key, count)| format!("{key}={count} ")).collect()
}

fn look() -> Counts {
    let mut counts = Counts::new();
    let own = std::process::id().cast_signed();
    let all = processes();
    for (pid, words) in all.iter().filter(|(pid, _)| *pid != own) {
        *counts.entry("processes".into()).or_default() += 1;
        let role = match words.split(' ').nth(1) {
            _ if *pid == 1 => "init",
            Some(role) if words.starts_with("orlop ") => role,
            _ => continue,
        };
        let fds = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |fds| fds.count() as u64);
        *counts.entry(format!("fds.{role}")).or_default() += fds;
        let anonymous = field(&format!("/proc/{pid}/status"), "RssAnon:").unwrap_or_default();
        *counts.entry(format!("kib.{role}")).or_default() += anonymous;
    }
    counts.insert("zombies".into(), zombies());
    counts.insert("mounts".into(), lines("/proc/1/mountinfo"));
    counts.insert("sockets".into(), lines("/proc/net/unix"));
    let dying = field("/sys/fs/cgroup/cgroup.stat", "nr_dying_descendants").unwrap_or_default();
    counts.insert("dying".into(), dying);
    let open = fs::read_to_string("/proc/sys/fs/file-nr").unwrap_or_default();
    let open = open.split_whitespace().next().and_then(|word| word.parse().ok());
    counts.insert("open".into(), open.unwrap_or_default());
    for (key, name) in
        [("kib.shared", "Shmem:"), ("kib.kernel", "SUnreclaim:"), ("kib.stacks", "KernelStack:")]
    {
        counts.insert(key.into(), field("/proc/meminfo", name).unwrap_or_default());
    }
    counts
}

fn field(path: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?.parse().ok()
}

fn lines(path: &str) -> u64 {
    fs::read_to_string(path).map_or(0, |text| text.lines().count() as u64)
}

fn zombies() -> u64 {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_zombie = |path: std::path::PathBuf| {
        let stat = fs::read_to_string(path.join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
    };
    entries.filter(|entry| is_zombie(entry.path())).count() as u64
}

fn inside(folder: &Path) -> impl Iterator<Item = fs::DirEntry> {
    fs::read_dir(folder).into_iter().flatten().flatten()
}

fn is_folder(entry: &fs::DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}

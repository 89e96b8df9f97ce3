//! What there is on the machine, to be compared with what there was: descriptors, cgroups, mounts, processes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const CGROUPS: &str = "/sys/fs/cgroup";

/// Things by their names, and how many of each.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Sight(BTreeMap<String, usize>);

impl Sight {
    /// As PID 1 sees it, in whose mount namespace we are.
    pub(super) fn now() -> Self {
        let mut sight = Self::default();
        for pid in processes() {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            if status.contains("\nState:\tZ") {
                sight.add("a zombie".into(), 1);
            }
            // A kernel thread has none; neither has a zombie.
            let name = command(pid);
            if name.is_empty() || pid == std::process::id() {
                continue;
            }
            if pid == 1 || name.starts_with("orlop ") {
                let name = if pid == 1 { "init" } else { &name };
                for file in descriptors(pid) {
                    sight.add(format!("{name} has {file}"), 1);
                }
                let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
                sight.add(format!("mounts of {name}"), mounts.lines().count());
            }
            sight.add(format!("process {name}"), 1);
        }
        sight.cgroups(Path::new(CGROUPS));
        sight
    }

    fn add(&mut self, name: String, many: usize) {
        let count = self.0.entry(name).or_default();
        *count = count.saturating_add(many);
    }

    fn cgroups(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.add(format!("cgroup {}", entry.path().display()), 1);
                self.cgroups(&entry.path());
            }
        }
    }

    /// What differs from this one, in words; nothing if all is the same.
    pub(super) fn differs(&self, before: &Self) -> String {
        let mut text = String::new();
        let none = 0;
        for name in self.0.keys().chain(before.0.keys().filter(|name| !self.0.contains_key(*name))) {
            let [was, is] = [before, self].map(|sight| sight.0.get(name).unwrap_or(&none));
            if was != is {
                text.push_str(&format!(", {name}: {is} instead of {was}"));
            }
        }
        text
    }
}

pub(super) fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Its words, with spaces.
fn command(pid: u32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ").trim_end().to_owned()
}

/// The process of ours with this role.
pub(super) fn process_of(role: &str) -> Option<u32> {
    let words = format!("orlop {role}");
    processes().into_iter().find(|pid| command(*pid) == words)
}

/// What its descriptors are of, without the numbers by which one socket or process is told from another.
fn descriptors(pid: u32) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    entries.map(|entry| {
        let file = fs::read_link(entry.path()).unwrap_or_default();
        file.to_string_lossy().chars().filter(|letter| !letter.is_ascii_digit()).collect()
    })
}

//! The spec's resources → files of cgroup v2 and what is written to them, in order.
//!
//! The specification is older than cgroup v2. What has another form there is converted by the
//! formulas that runc and crun use; what is not there at all is refused by its field, unless the
//! value means that nothing is asked for.

mod cpu;
mod io;
mod memory;
#[cfg(test)]
mod tests;
mod unified;

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::refused::Refused;
use super::spec::{HugepageLimit, Network, Pids, Rdma, Resources};

/// Which of a container's cgroups a setting is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The container's own: all its processes, ours that work for it too.
    Outer,
    /// Also the root of its cgroup namespace, if that is another: programs read it there.
    Both,
}

/// What a file that is not there means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// That the setting cannot be made.
    Refuse,
    /// That there is nothing to limit.
    Pass,
    /// That this is to be written instead.
    Instead { file: String, value: String },
}

/// One file of a cgroup and what is written to it, in one write(2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub place: Place,
    pub file: String,
    pub value: String,
    pub missing: Missing,
}

impl Setting {
    /// The controller that must be enabled for the file to be there.
    #[must_use]
    pub fn controller(&self) -> &str {
        self.file.split('.').next().unwrap_or_default()
    }

    /// Whether it counts processes. What prepares a container is one more, and so such a limit comes into
    /// force when that has done its part, before the program runs.
    #[must_use]
    pub fn counts_processes(&self) -> bool {
        self.file == "pids.max"
    }
}

/// What the files of a running container's cgroup say, which some updates depend on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Present {
    cpu_max: String,
    memory_max: String,
    memory_current: String,
}

impl Present {
    /// Reads what is needed; a file that is not there is empty.
    pub fn read(mut file: impl FnMut(&str) -> String) -> Self {
        let mut read = |name| file(name).trim_end().to_owned();
        Self {
            cpu_max: read("cpu.max"),
            memory_max: read("memory.max"),
            memory_current: read("memory.current"),
        }
    }
}

/// What the resources are for.
#[derive(Debug, Clone, Copy)]
pub enum When<'a> {
    /// A fresh cgroup, before the first process enters.
    Start,
    /// A container that runs: what is not named stays.
    Update(&'a Present),
}

/// What to write, in this order.
///
/// # Errors
/// [`Refused`], before anything was done.
pub fn settings(resources: &Resources, when: When<'_>) -> Result<Vec<Setting>, Refused> {
    let mut settings = Settings::default();
    memory::settings(&resources.memory, when, &mut settings)?;
    cpu::settings(&resources.cpu, when, &mut settings)?;
    pids(&resources.pids, &mut settings)?;
    io::settings(&resources.block_io, &mut settings)?;
    for limit in &resources.hugepage_limits {
        hugepages(limit, &mut settings)?;
    }
    network(&resources.network)?;
    for (device, limits) in &resources.rdma {
        rdma(device, *limits, &mut settings)?;
    }
    // Last, so that they have the last word.
    for (file, value) in &resources.unified {
        unified::settings(file, value, &mut settings)?;
    }
    Ok(settings.0)
}

/// The controllers that must be enabled for these.
#[must_use]
pub fn controllers(settings: &[Setting]) -> BTreeSet<&str> {
    // Files of `cgroup.` are there without one.
    settings.iter().map(Setting::controller).filter(|name| *name != "cgroup").collect()
}

#[derive(Default)]
struct Settings(Vec<Setting>);

impl Settings {
    fn add(&mut self, file: &str, value: impl ToString) {
        self.push(file, value, Missing::Refuse);
    }

    fn unless_missing(&mut self, file: &str, value: impl ToString) {
        self.push(file, value, Missing::Pass);
    }

    fn push(&mut self, file: &str, value: impl ToString, missing: Missing) {
        /// What programs look for to find out how much they may use, and what goes with it.
        const INSIDE: [&str; 7] = [
            "memory.max",
            "memory.high",
            "memory.swap.max",
            // It is asked of the group whose limit was met: the inner one.
            "memory.oom.group",
            "cpu.max",
            "cpu.max.burst",
            "pids.max",
        ];
        let place = if INSIDE.contains(&file) { Place::Both } else { Place::Outer };
        self.0.push(Setting { place, file: file.to_owned(), value: value.to_string(), missing });
    }
}

/// −1 is no limit, everything below is nonsense.
fn no_limit_or(value: i64, field: &str) -> Result<String, Refused> {
    match value {
        -1 => Ok("max".to_owned()),
        0.. => Ok(value.to_string()),
        _ => Err(Refused::new(field, format!("{value} is no limit: from 0, or -1 for none"))),
    }
}

fn pids(pids: &Pids, settings: &mut Settings) -> Result<(), Refused> {
    let Some(limit) = pids.limit else { return Ok(()) };
    // With 0 nothing could be cloned into the cgroup; and of one process 1 lets no more come.
    let limit = if limit == 0 { 1 } else { limit };
    settings.add("pids.max", no_limit_or(limit, "linux.resources.pids.limit")?);
    Ok(())
}

/// Both how much is reserved and how much is faulted in: older kernels know only the latter.
fn hugepages(limit: &HugepageLimit, settings: &mut Settings) -> Result<(), Refused> {
    let size = &limit.page_size;
    let digits = ["KB", "MB", "GB"].iter().find_map(|unit| size.strip_suffix(unit)).unwrap_or_default();
    if digits.is_empty() || digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let why = format!("`{size}` is no size of pages: like 64KB, 2MB or 1GB");
        return Err(Refused::new("linux.resources.hugepageLimits.pageSize", why));
    }
    settings.add(&format!("hugetlb.{size}.max"), limit.limit);
    settings.unless_missing(&format!("hugetlb.{size}.rsvd.max"), limit.limit);
    Ok(())
}

fn network(network: &Network) -> Result<(), Refused> {
    const WHY: &str = "cgroup v2 does not mark or rank a group's packets";
    if network.class_id.is_some_and(|id| id != 0) {
        return Err(Refused::new("linux.resources.network.classID", WHY));
    }
    if !network.priorities.is_empty() {
        return Err(Refused::new("linux.resources.network.priorities", WHY));
    }
    Ok(())
}

fn rdma(device: &str, limits: Rdma, settings: &mut Settings) -> Result<(), Refused> {
    let field = || format!("linux.resources.rdma.{device}");
    if device.is_empty() || device.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        return Err(Refused::new("linux.resources.rdma", format!("`{device}` is no name of a device")));
    }
    let counts = [("hca_handle", limits.hca_handles), ("hca_object", limits.hca_objects)];
    let counts: Vec<String> =
        counts.iter().filter_map(|(key, count)| Some(format!(" {key}={}", (*count)?))).collect();
    if counts.is_empty() {
        return Err(Refused::new(field(), "neither hcaHandles nor hcaObjects is given"));
    }
    settings.add("rdma.max", format!("{device}{}", counts.concat()));
    Ok(())
}

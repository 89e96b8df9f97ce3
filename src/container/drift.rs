//! What is declared of limits, beside what the kernel has of them.
//!
//! What the kernel writes back in other words (whole pages, a list of processors in order) is no difference.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::limits::io_limits;
use super::refused::Refused;
use super::resources::{Missing, Place, Setting};
use super::update::all_settings;
use crate::config::Limits;
use crate::ordered::Ordered;

/// One of the two cgroups of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Outer,
    Main,
}

/// Who has changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changer {
    /// `orlop update`, which holds until the next start.
    Update,
    Stranger,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// As the configuration calls it: `limits.memory`.
    pub key: String,
    /// Both as people read them.
    pub declared: String,
    pub found: String,
    /// The file of the kernel's, below the container's cgroup.
    pub file: String,
    pub by: Changer,
    /// What makes it right again.
    pub setting: Setting,
}

/// A sentence without its subject: `limits.memory is 64 MiB, the kernel has 128 MiB (cgroup memory.max)`.
impl core::fmt::Display for Difference {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { key, declared, found, file, by, .. } = self;
        write!(f, "{key} is {declared}, the kernel has {found}")?;
        match by {
            Changer::Update => f.write_str(", changed by `orlop update`")?,
            Changer::Stranger => {}
        }
        write!(f, " (cgroup {file})")
    }
}

/// What there is to compare with.
pub struct Found<'a> {
    /// A file of a cgroup; `None`: it is not there.
    pub read: &'a dyn Fn(Group, &str) -> Option<String>,
    /// What `orlop update` has written in this generation, by file.
    pub updated: &'a BTreeMap<String, String>,
    /// Of block devices that limits name: their numbers. `None`: limits on them are not compared.
    pub disks: Option<&'a BTreeMap<String, (u32, u32)>>,
    /// Bytes of a page, in which memory is limited.
    pub page: u64,
}

/// Every limit of which the kernel has another one.
///
/// # Errors
/// [`Refused`] for what cgroup v2 has not.
pub fn differences(limits: &Limits, found: &Found<'_>) -> Result<Vec<Difference>, Refused> {
    let mut differences = Vec::new();
    for setting in all_settings(limits)? {
        let groups = match setting.place {
            Place::Outer => &[Group::Outer][..],
            Place::Both => &[Group::Outer, Group::Main],
        };
        let mut told = BTreeSet::new();
        for group in groups {
            let Some(text) = (found.read)(*group, &setting.file) else { continue };
            let differs = !same(&setting.file, &setting.value, &text, found.page);
            // Both together are one change of one limit.
            if differs && told.insert(text.trim().to_owned()) {
                differences.push(difference(&setting, *group, &text, found));
            }
        }
    }
    if let Some(disks) = found.disks {
        let text = (found.read)(Group::Outer, "io.max").unwrap_or_default();
        differences.extend(of_devices(&io_limits(limits, disks), &text, disks));
    }
    Ok(differences)
}

fn difference(setting: &Setting, group: Group, text: &str, found: &Found<'_>) -> Difference {
    let Setting { file, value, .. } = setting;
    let by = match found.updated.get(file) {
        Some(updated) if same(file, updated, text, found.page) => Changer::Update,
        Some(_) | None => Changer::Stranger,
    };
    Difference {
        key: format!("limits.{}", limit_of(file)),
        declared: words(file, value),
        found: words(file, text),
        file: match group {
            Group::Outer => file.clone(),
            Group::Main => format!("main/{file}"),
        },
        by,
        setting: setting.clone(),
    }
}

/// The limit that a file of a cgroup is of, as `limits` and `orlop update` call it.
#[must_use]
pub fn limit_of(file: &str) -> String {
    match file {
        "memory.max" => "memory".to_owned(),
        "memory.swap.max" => "swap".to_owned(),
        "cpu.max" => "cpus".to_owned(),
        "cpuset.cpus" => "cpuset".to_owned(),
        "pids.max" => "pids".to_owned(),
        "io.max" => "io".to_owned(),
        "memory.oom.group" => "oom".to_owned(),
        other => other.replace('.', "_"),
    }
}

/// Whether the kernel, told `written`, could say `found`.
fn same(file: &str, written: &str, found: &str, page: u64) -> bool {
    let (written, found) = (written.trim(), found.trim());
    match file {
        "memory.max" | "memory.high" | "memory.low" | "memory.swap.max" => {
            match (written.parse::<u64>(), found.parse::<u64>()) {
                (Ok(written), Ok(found)) => {
                    written == found || written.checked_rem(page).is_some_and(|rest| written - rest == found)
                }
                _ => written == found,
            }
        }
        "cpuset.cpus" => ranges(written) == ranges(found),
        _ => written.split_whitespace().eq(found.split_whitespace()),
    }
}

/// `0,2-3,1` → 0 to 3.
fn ranges(list: &str) -> Vec<(u32, u32)> {
    let number = |text: &str| text.trim().parse::<u32>().ok();
    let mut ranges: Vec<(u32, u32)> = list
        .split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some((number(first)?, number(last)?))
        })
        .collect();
    ranges.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            Some(_) | None => merged.push((first, last)),
        }
    }
    merged
}

/// A value of a file as a person would say it.
fn words(file: &str, value: &str) -> String {
    let value = value.trim();
    match file {
        _ if value == "max" => "no limit".to_owned(),
        "memory.low" if value == "0" => "nothing".to_owned(),
        "memory.max" | "memory.high" | "memory.low" | "memory.swap.max" => {
            value.parse().map_or_else(|_| value.to_owned(), bytes)
        }
        "cpu.max" => processors(value).unwrap_or_else(|| value.to_owned()),
        "cpuset.cpus" if value.is_empty() => "any".to_owned(),
        "memory.oom.group" if value == "1" => "group".to_owned(),
        "memory.oom.group" if value == "0" => "process".to_owned(),
        _ => value.to_owned(),
    }
}

fn bytes(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let fits = units.into_iter().find(|(_, shift)| bytes > 0 && bytes.is_multiple_of(1 << shift));
    fits.map_or_else(|| format!("{bytes} bytes"), |(unit, shift)| format!("{} {unit}", bytes >> shift))
}

/// `50000 100000` → 0.5.
fn processors(value: &str) -> Option<String> {
    let (quota, period) = value.split_once(' ')?;
    if quota == "max" {
        return Some("no limit".to_owned());
    }
    let thousandths = quota.parse::<u64>().ok()?.checked_mul(1000)?.checked_div(period.parse().ok()?)?;
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

/// Of one device: key → how much, `max` where there is no limit.
type Rates = BTreeMap<String, String>;

/// Lines as io.max has them, by device; those for one device together.
fn rates<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<String, Rates> {
    let mut devices: BTreeMap<String, Rates> = BTreeMap::new();
    for line in lines {
        let Some((device, rest)) = line.trim().split_once(' ') else { continue };
        let pairs = rest.split_whitespace().filter_map(|pair| pair.split_once('='));
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        devices.entry(device.to_owned()).or_default().extend(pairs);
    }
    devices
}

fn of_devices(declared: &[Setting], text: &str, disks: &BTreeMap<String, (u32, u32)>) -> Vec<Difference> {
    let wanted = rates(declared.iter().map(|setting| setting.value.as_str()));
    let found = rates(text.lines());
    let devices: BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
    let mut differences = Vec::new();
    for device in devices {
        let of = |all: &BTreeMap<String, Rates>, key: &str| {
            all.get(device).and_then(|rates| rates.get(key)).cloned().unwrap_or_else(|| "max".to_owned())
        };
        let name = disks.iter().find(|(_, (major, minor))| format!("{major}:{minor}") == *device);
        let name = name.map_or_else(|| device.clone(), |(name, _)| name.clone());
        for key in ["rbps", "wbps", "riops", "wiops"] {
            let (declared, found) = (of(&wanted, key), of(&found, key));
            if declared == found {
                continue;
            }
            let setting = Setting {
                place: Place::Outer,
                file: "io.max".to_owned(),
                value: format!("{device} {key}={declared}"),
                missing: Missing::Refuse,
            };
            differences.push(Difference {
                key: "limits.io".to_owned(),
                declared: format!("{key}={declared} of {name}"),
                found: format!("{key}={found}"),
                file: "io.max".to_owned(),
                by: Changer::Stranger,
                setting,
            });
        }
    }
    differences
}

/// Whether a kernel parameter that was set to `declared` could read as `found`: spaces do not count, and neither does
/// the form of a number.
#[must_use]
pub fn same_sysctl(declared: &str, found: &str) -> bool {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16).ok(),
        None => text.parse::<i128>().ok(),
    };
    let same = |(one, other): (&str, &str)| {
        one == other || number(one).zip(number(other)).is_some_and(|(one, other)| one == other)
    };
    let (declared, found) = (declared.split_whitespace(), found.split_whitespace());
    declared.clone().count() == found.clone().count() && declared.zip(found).all(same)
}

/// What `orlop update` has written, on its way to where it is remembered and back: a file a line.
#[must_use]
pub fn encode_updated(updated: &BTreeMap<String, String>) -> String {
    updated.iter().map(|(file, value)| format!("{file}={}\n", value.trim())).collect()
}

#[must_use]
pub fn decode_updated(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines.map(|(file, value)| (file.to_string(), value.to_string())).ordered()
}

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;

//! Limits changed while a container runs → files of its cgroup.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::limits::resources;
use super::refused::Refused;
use super::resources::{Missing, Place, Setting, When, settings};
use crate::config::Limits;

/// Keys whose default is written at every start.
const WITH_DEFAULT: [(&str, &str); 2] = [("pids", "pids.max"), ("oom", "memory.oom.group")];

/// What to write when `limits` were read from changes to these `keys`, in order. Nothing is written for a
/// key that was not named.
///
/// # Errors
/// [`Refused`] for what cgroup v2 has not.
pub fn changed_settings<'a>(
    limits: &Limits,
    keys: impl Iterator<Item = &'a String> + Clone,
) -> Result<Vec<Setting>, Refused> {
    let is_named = |file: &str| match WITH_DEFAULT.iter().find(|(_, known)| *known == file) {
        Some((name, _)) => keys.clone().any(|key| key == name),
        None => true,
    };
    let mut settings = settings(&resources(limits, &BTreeMap::new()), When::Start)?;
    settings.retain(|setting| is_named(&setting.file));
    Ok(settings)
}

/// What to write when a container that runs is to have these `limits` and no others, in order: also where it had one,
/// and has none any more. What is limited by device is not among them.
///
/// # Errors
/// [`Refused`] for what cgroup v2 has not.
pub fn all_settings(limits: &Limits) -> Result<Vec<Setting>, Refused> {
    /// What a fresh cgroup has.
    const NONE: [(&str, &str, Place); 7] = [
        ("memory.swap.max", "max", Place::Both),
        ("memory.max", "max", Place::Both),
        ("memory.high", "max", Place::Both),
        ("memory.low", "0", Place::Outer),
        ("cpu.max", "max 100000", Place::Both),
        ("cpu.weight", "100", Place::Outer),
        // Nothing at all would not be written.
        ("cpuset.cpus", "\n", Place::Outer),
    ];
    let wanted = settings(&resources(limits, &BTreeMap::new()), When::Start)?;
    let is_wanted = |file: &str| wanted.iter().any(|setting| setting.file == file);
    let unlimited = NONE.iter().filter(|(file, ..)| !is_wanted(file)).map(|(file, value, place)| Setting {
        place: *place,
        file: (*file).into(),
        value: (*value).into(),
        missing: Missing::Pass,
    });
    // First what allows more: between two limits there is never less than both allow.
    Ok(unlimited.chain(wanted.iter().cloned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::live_limits;

    fn check(changes: &[(&str, &str)], expected: &[&str]) {
        let changes: BTreeMap<String, String> =
            changes.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let settings = changed_settings(&live_limits(&changes).unwrap(), changes.keys()).unwrap();
        let found: Vec<String> = settings.iter().map(|it| format!("{}={}", it.file, it.value)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_limit_that_is_not_declared_any_more_is_taken_away() {
        let limits =
            live_limits(&[("memory".into(), "1M".into()), ("cpus".into(), "0.5".into())].into()).unwrap();
        let found: Vec<String> =
            all_settings(&limits).unwrap().iter().map(|it| format!("{}={}", it.file, it.value)).collect();
        let expected = [
            "memory.swap.max=max",
            "memory.high=max",
            "memory.low=0",
            "cpu.weight=100",
            "cpuset.cpus=\n",
            "memory.max=1048576",
            "cpu.max=50000 100000",
            "pids.max=2048",
            "memory.oom.group=1",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn only_what_is_named_is_written() {
        check(&[], &[]);
        check(&[("memory", "1M")], &["memory.max=1048576"]);
        check(&[("swap", "2M")], &["memory.swap.max=2097152"]);
        check(&[("memory", "1M"), ("swap", "2M")], &["memory.swap.max=2097152", "memory.max=1048576"]);
        check(&[("pids", "2048")], &["pids.max=2048"]);
        check(&[("oom", "group")], &["memory.oom.group=1"]);
        check(&[("cpus", "0.5"), ("pids", "7")], &["cpu.max=50000 100000", "pids.max=7"]);
    }
}

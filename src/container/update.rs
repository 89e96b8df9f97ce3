//! Limits changed while a container runs → files of its cgroup.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::limits::resources;
use super::refused::Refused;
use super::resources::{Setting, When, settings};
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

//! Limits that are changed while a container runs: the same keys, the same checks, the same words.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::shape::Shape;
use super::{Limits, Severity, Source, keys, read};

/// A limit that cannot be set so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLimit {
    pub key: String,
    pub reason: String,
}

/// What only names a table that is made to be read.
const NAME: &str = "x";

/// Reads limits given as `key = value`, each value as it stands in `limits` of a container: text without
/// quotes. What is not named has its default.
///
/// # Errors
/// [`BadLimit`], the first: a key that there is not, or that cannot be changed, or a wrong value.
pub fn live_limits(changes: &BTreeMap<String, String>) -> Result<Limits, BadLimit> {
    let mut text = format!("[container.{NAME}]\nimage = \"dir:{NAME}\"\n[container.{NAME}.limits]\n");
    for (key, value) in changes {
        let about = keys::limits().find(|about| about.name == key);
        let value = match about.map(|about| &about.shape) {
            Some(Shape::Integer { .. } | Shape::Number { .. }) if is_number(value) => value.clone(),
            Some(Shape::List(_) | Shape::Table(_)) => {
                let reason = "it is changed in the configuration, and holds from the next start".to_owned();
                return Err(BadLimit { key: key.clone(), reason });
            }
            _ => quoted(value),
        };
        text += &format!("{} = {value}\n", quoted(key));
    }
    let mut reading = read(&[Source { path: String::from("update"), text }]);
    let mistakes = reading.diagnostics.into_iter();
    if let Some(mistake) = mistakes.into_iter().find(|found| found.severity == Severity::Error) {
        let key = mistake.key.strip_prefix(&format!("container.{NAME}.limits.")).unwrap_or("limits");
        let help = mistake.help.map(|help| format!("; {help}")).unwrap_or_default();
        return Err(BadLimit { key: key.to_owned(), reason: mistake.message + &help });
    }
    let container = reading.config.containers.remove(NAME);
    container
        .map(|container| container.limits)
        .ok_or_else(|| BadLimit { key: String::from("limits"), reason: String::from("they cannot be read") })
}

/// What TOML could take for a number; whether it is one is said by whoever reads it.
fn is_number(text: &str) -> bool {
    let is_of_a_number = |byte: u8| byte.is_ascii_digit() || b"+-.eE_".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_digit() || first == '-') && text.bytes().all(is_of_a_number)
}

/// As a basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            _ if character.is_control() => quoted += &format!("\\U{:08x}", u32::from(character)),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OomPolicy;

    fn limits(pairs: &[(&str, &str)]) -> Result<Limits, BadLimit> {
        live_limits(&pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
    }

    #[test]
    fn values_are_read_as_the_configuration_reads_them() {
        let found = limits(&[
            ("memory", "64M"),
            ("memory_high", "48M"),
            ("swap", "0"),
            ("cpus", "0.5"),
            ("cpu_weight", "300"),
            ("cpuset", "0"),
            ("pids", "77"),
            ("oom", "process"),
        ]);
        let expected = Limits {
            memory: Some(64 << 20),
            memory_high: Some(48 << 20),
            memory_low: None,
            swap: Some(0),
            cpus: Some(500),
            cpu_weight: Some(300),
            cpuset: Some("0".into()),
            pids: Some(77),
            io: Vec::new(),
            oom: OomPolicy::Process,
        };
        assert_eq!(found, Ok(expected));
    }

    #[track_caller]
    fn refused(pairs: &[(&str, &str)], key: &str, says: &str) {
        let error = limits(pairs).unwrap_err();
        assert!(error.key == key && error.reason.contains(says), "{error:?}");
    }

    #[test]
    fn what_is_wrong_has_its_key_and_reason() {
        refused(&[("memory", "64")], "memory", "unit");
        refused(&[("memory", "many")], "memory", "64M");
        refused(&[("memroy", "64M")], "memroy", "did you mean `memory`?");
        refused(&[("pids", "none")], "pids", "");
        refused(&[("pids", "0")], "pids", "");
        refused(&[("cpus", "1e999")], "cpus", "");
        refused(&[("cpuset", "0-")], "cpuset", "");
        refused(&[("memory", "64M"), ("memory_high", "96M")], "memory_high", "above");
        refused(&[("io", "/dev/vda")], "io", "configuration");
        refused(&[("cpu_shares", "7")], "cpu_shares", "cpu_weight");
    }

    #[test]
    fn nothing_that_is_typed_becomes_another_key() {
        for trick in ["64M\"\npids = 1\n#", "1\npids = 1", "\\", "\"", "\u{1}", "1 }\n[host]"] {
            for key in ["memory", "pids", "cpuset", trick] {
                let error = limits(&[(key, trick)]).unwrap_err();
                assert!(error.key != "pids" || key == "pids", "{error:?}");
            }
        }
    }
}

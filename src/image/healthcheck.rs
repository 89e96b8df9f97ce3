//! The health check of an image, as Docker writes it into the image's config: an object with times in nanoseconds.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::config::{HealthCheck, Probe, Test};

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Text {
    test: Option<Vec<String>>,
    interval: i64,
    timeout: i64,
    start_period: i64,
    start_interval: i64,
    retries: i64,
}

/// What nobody can read is none: an image is no worse for it.
pub(super) fn healthcheck(text: Value) -> Option<HealthCheck> {
    let text = Text::deserialize(text).ok()?;
    // 0 is what is not said.
    let time = |nanos: i64| u64::try_from(nanos).ok().filter(|nanos| *nanos > 0).map(Duration::from_nanos);
    Some(HealthCheck {
        test: Some(test(&text.test?)?),
        interval: time(text.interval),
        timeout: time(text.timeout),
        start_period: time(text.start_period),
        start_interval: time(text.start_interval),
        retries: u32::try_from(text.retries).ok().filter(|retries| *retries > 0),
        ..HealthCheck::default()
    })
}

fn test(words: &[String]) -> Option<Test> {
    let (first, rest) = words.split_first()?;
    match (first.as_str(), rest) {
        ("NONE", _) => Some(Test::Disabled),
        ("CMD", [_, ..]) => Some(Test::Probe(Probe::Exec(rest.to_vec()))),
        ("CMD-SHELL", [line]) => Some(Test::Probe(Probe::Shell(line.clone()))),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_what_docker_writes() {
        let check = |text: Value, expected: Option<HealthCheck>| {
            assert_eq!(healthcheck(text.clone()), expected, "{text}");
        };
        let exec = |words: &[&str]| Probe::Exec(words.iter().map(|word| String::from(*word)).collect());
        let of = |probe: Probe| HealthCheck { test: Some(Test::Probe(probe)), ..HealthCheck::default() };
        check(json!({"Test": ["CMD", "a", "b"]}), Some(of(exec(&["a", "b"]))));
        check(
            json!({"Test": ["CMD-SHELL", "a || b"], "Interval": 0}),
            Some(of(Probe::Shell("a || b".into()))),
        );
        let whole = json!({
            "Test": ["CMD", "x"], "Interval": 5_000_000_000_u64, "Timeout": 1_500_000_000, "StartPeriod": 2_000_000_000_u64,
            "StartInterval": 1_000_000, "Retries": 7, "Later": 1,
        });
        let expected = HealthCheck {
            interval: Some(Duration::from_secs(5)),
            timeout: Some(Duration::from_millis(1500)),
            start_period: Some(Duration::from_secs(2)),
            start_interval: Some(Duration::from_millis(1)),
            retries: Some(7),
            ..of(exec(&["x"]))
        };
        check(whole, Some(expected));
        check(
            json!({"Test": ["NONE"]}),
            Some(HealthCheck { test: Some(Test::Disabled), ..HealthCheck::default() }),
        );
        for nothing in
            [json!({"Test": []}), json!({"Test": ["CMD"]}), json!({}), json!(null), json!({"Test": "x"})]
        {
            check(nothing, None);
        }
    }
}

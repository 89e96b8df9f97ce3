//! What the tests declare: times, containers, failures.

use std::time::Duration;

use super::*;

pub(crate) use crate::simulation::failure;

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn s(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// Containers by name, each with what it depends on; everything else as Compose has it.
pub(crate) fn config(containers: &[(&str, &[&str])]) -> Config {
    let mut config = Config::default();
    for (name, depends_on) in containers {
        let mut container = container(name);
        for on in *depends_on {
            let dependency = Dependency { condition: Condition::Started, restart: false, required: true };
            container.depends_on.insert((*on).into(), dependency);
        }
        config.containers.insert((*name).into(), Box::new(container));
    }
    config
}

fn container(name: &str) -> Container {
    let text = format!("[container.{name}]\nimage = 'dir:rootfs'\n");
    let mut read = read(&[Source { path: "test.toml".into(), text }]);
    *read.config.containers.remove(name).unwrap()
}

/// What TOML says; an image is added to each container.
pub(crate) fn declared(text: &str) -> Config {
    let mut lines = String::new();
    for line in text.lines() {
        lines += line.trim();
        lines += if line.trim().starts_with("[container.") { "\nimage = 'dir:rootfs'\n" } else { "\n" };
    }
    let read = read(&[Source { path: "test.toml".into(), text: lines }]);
    assert!(!read.has_errors(), "{:#?}", read.diagnostics);
    read.config
}

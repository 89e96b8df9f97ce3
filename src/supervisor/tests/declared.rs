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
        for dependency in *depends_on {
            let condition = Condition::Started;
            container.depends_on.insert((*dependency).into(), Dependency { condition });
        }
        config.containers.insert((*name).into(), container);
    }
    config
}

fn container(name: &str) -> Container {
    let text = format!("[container.{name}]\nimage = 'dir:rootfs'\n");
    let mut read = read(&[Source { path: "test.toml".into(), text }]);
    read.config.containers.remove(name).unwrap()
}

//! What the tests declare: times, containers, failures.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn s(s: u64) -> Duration {
    Duration::from_secs(s)
}

pub(crate) fn failure(fault: Fault) -> StartFailure {
    StartFailure {
        step: "exec".into(),
        object: "/app".into(),
        errno: 2,
        text: "No such file or directory".into(),
        fault,
    }
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
    Container {
        name: name.into(),
        image: ImageSource::Dir { path: "rootfs".into() },
        entrypoint: None,
        command: None,
        environment: Vec::new(),
        env_file: Vec::new(),
        working_dir: None,
        user: None,
        group_add: Vec::new(),
        volumes: Vec::new(),
        tmpfs: Vec::new(),
        read_only: false,
        hostname: name.into(),
        network_mode: NetworkMode::None,
        depends_on: BTreeMap::new(),
        restart: Restart::No,
        restart_policy: RestartPolicy::default(),
        stop_signal: None,
        stop_grace_period: s(10),
        cap_add: Default::default(),
        cap_drop: Default::default(),
        seccomp: Default::default(),
        limits: Default::default(),
        ulimits: BTreeMap::new(),
        shm_size: 64 << 20,
        labels: BTreeMap::new(),
        log: ContainerLog { memory: 256 << 10, rate: None },
        declared_at: "test.toml:1".into(),
    }
}

//! The key tables: each key once, with what it takes, what it means, an example, and where its value goes.

mod container;
mod depends;
mod devices;
mod disk;
mod forward;
mod gates;
mod group;
mod health;
mod host;
mod kinds;
mod limits;
mod mounts;
mod network;
mod process;
mod refused;
mod restart;
mod rules;
mod schedule;
mod security;
pub(crate) mod sockets;

use super::model::{Config, Container, Volume};
use super::shape::{About, Key, Keys, Shape};
use super::tree::Node;
use alloc::boxed::Box;
use alloc::string::ToString;

/// The document.
pub(crate) static ROOT: Keys<Config> = Keys {
    what: "a configuration",
    keys: &[
        Key::new(
            "host",
            Shape::Table(&host::HOST),
            "[host]",
            "The machine: its name, modules, addresses.",
            |node, config: &mut Config| fill(&host::HOST, node, &mut config.host),
        ),
        Key::new(
            "container",
            Shape::Map { name: &kinds::CONTAINER, value: &Shape::Table(&container::CONTAINER) },
            "[container.db]",
            "What runs: one table a container.",
            take_containers,
        ),
        Key::new(
            "volume",
            Shape::Map { name: &kinds::NAME, value: &Shape::Table(&mounts::NAMED) },
            "[volume.data]",
            "What containers keep and share: one table a volume.",
            take_volumes,
        ),
        Key::new(
            "group",
            Shape::Map { name: &kinds::NAME, value: &Shape::Table(&group::GROUP) },
            "[group.shop]",
            "Containers that are one thing: one table a group.",
            group::take,
        ),
    ],
    refused: refused::ROOT,
    rules: &[],
};

fn take_containers(node: &Node, config: &mut Config) {
    for (name, entry) in node.map().into_iter().flat_map(|map| &map.entries) {
        let Some(map) = entry.node.map().filter(|map| !map.template) else { continue };
        let mut container = Box::new(Container::named(name));
        container::CONTAINER.fill(map, &mut container);
        config.containers.insert(name.to_string(), container);
    }
}

fn take_volumes(node: &Node, config: &mut Config) {
    for (name, entry) in node.map().into_iter().flat_map(|map| &map.entries) {
        let Some(map) = entry.node.map() else { continue };
        let mut volume = Volume { name: name.to_string(), size: None };
        mounts::NAMED.fill(map, &mut volume);
        config.volumes.insert(name.to_string(), volume);
    }
}

/// The keys of `limits`.
pub(crate) fn limits() -> impl Iterator<Item = &'static About> {
    limits::LIMITS.keys.iter().map(|key| &key.about)
}

/// A table inside a table: fills what is already there with its defaults.
fn fill<T>(keys: &Keys<T>, node: &Node, out: &mut T) {
    if let Some(map) = node.map() {
        keys.fill(map, out);
    }
}

#[cfg(test)]
mod tests {
    use super::super::shape::{Presence, Shape, Table};
    use super::super::{Config, Source, read};
    use super::*;

    /// Each table of containers and of the host that stands in no list, with its header.
    fn tables() -> Vec<(String, &'static dyn Table)> {
        let mut found: Vec<(String, &'static dyn Table)> =
            vec![("container.x".into(), &container::CONTAINER), ("host".into(), &host::HOST)];
        let mut next = 0;
        while let Some((name, table)) = found.get(next).cloned() {
            for about in table.abouts() {
                match about.shape {
                    Shape::Table(inner) => found.push((format!("{name}.{}", about.name), inner)),
                    Shape::Map { value: Shape::Table(inner), .. } => {
                        found.push((format!("{name}.{}.x", about.name), *inner));
                    }
                    _ => {}
                }
            }
            next += 1;
        }
        found
    }

    /// The least that is right around one line of the table `header`.
    fn around(header: &str, line: &str) -> (Config, String) {
        let mut text = String::from("[volume.data]\n[container.db]\nimage = 'dir:db'\n");
        if header.starts_with("container.x.") || header.starts_with("host.network.x.") {
            text += "[container.x]\nimage = 'dir:x'\n";
        }
        text += &format!("[{header}]\n");
        if header == "container.x" && !line.starts_with("image") {
            text += "image = 'dir:x'\n";
        }
        if line.starts_with("schedule_policy") {
            text += "every = '1h'\n";
        }
        if line.starts_with("restart_policy") {
            text += "restart = 'always'\n";
        }
        if line.trim_start_matches("# ").starts_with("ready_timeout") {
            text += "ready = 'notify'\n";
        }
        if header == "host.disk" && !line.starts_with("device") {
            text += "device = 'LABEL=orlop'\n";
        }
        if header == "host.network.x" {
            text += if line.starts_with("match") { "" } else { "match = { name = 'eth0' }\n" };
            let router = line.contains("192.0.2.") && !line.starts_with("addresses");
            text += if router { "addresses = ['192.0.2.7/24']\n" } else { "" };
        }
        text += line;
        let reading = read(&[Source { path: "x.toml".into(), text: text.clone() }]);
        let said: Vec<String> = reading.diagnostics.iter().map(ToString::to_string).collect();
        (reading.config, said.join("\n"))
    }

    fn is_header(about: &About) -> bool {
        about.example.starts_with('[')
    }

    #[test]
    fn every_example_of_a_key_is_right() {
        for (header, table) in tables() {
            for about in table.abouts().into_iter().filter(|about| !is_header(about)) {
                // Some examples of keys in tables show the table with them.
                let outer = about.example.split([' ', '.']).next() != Some(about.name);
                let header = if outer { header.rsplit_once('.').unwrap().0 } else { &header };
                let (_, said) = around(header, about.example);
                assert_eq!(said, "", "[{header}] {}", about.example);
            }
        }
    }

    #[test]
    fn a_default_that_is_written_out_changes_nothing() {
        let mut count = 0;
        for (header, table) in tables() {
            for about in table.abouts() {
                let Presence::Default(default) = about.presence else { continue };
                count += 1;
                let (written, _) = around(&header, &format!("{} = {default}", about.name));
                let (left_out, _) = around(&header, &format!("# {}", about.name));
                assert!(written == left_out, "[{header}] {} = {default}", about.name);
            }
        }
        assert!(count > 30, "{count}");
    }

    #[test]
    fn no_name_is_both_known_and_refused() {
        for (header, table) in tables() {
            for refused in table.refused() {
                assert!(
                    !table.abouts().iter().any(|about| about.name == refused.name),
                    "{header} {}",
                    refused.name
                );
            }
        }
    }

    /// The keys of a service in Compose's specification.
    const COMPOSE: &str = "annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command \
        configs container_name cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares \
        cpus cpuset credential_spec depends_on deploy develop device_cgroup_rules devices dns dns_opt dns_search \
        domainname entrypoint env_file environment expose extends external_links extra_hosts gpus group_add \
        healthcheck hostname image init ipc isolation label_file labels links logging mac_address mem_limit \
        mem_reservation mem_swappiness memswap_limit models network_mode networks oom_kill_disable oom_score_adj \
        pid pids_limit platform ports post_start pre_stop privileged profiles provider pull_policy \
        pull_refresh_after read_only restart runtime scale secrets security_opt shm_size stdin_open \
        stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits use_api_socket user userns_mode uts \
        volumes volumes_from working_dir";

    #[test]
    fn answers_every_key_of_compose_by_name() {
        let known = container::CONTAINER.abouts();
        for key in COMPOSE.split_whitespace() {
            let known = known.iter().any(|about| about.name == key);
            assert!(known || refused::CONTAINER.iter().any(|refused| refused.name == key), "{key}");
        }
    }
}

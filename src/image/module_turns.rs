//! Which modules the first container waits for, and which are loaded once it is up.

use alloc::vec::Vec;

use super::modules::{DEVICES, NETWORK};
use crate::config::{Config, NetworkMode};

/// Names of modules that not every kernel has. Those of `modules::NEEDED` and of `[host] modules`
/// are always loaded before any container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turns {
    pub before: Vec<&'static str>,
    pub after: Vec<&'static str>,
}

/// The network's first when the machine has one to configure, or a container that looks for it
/// itself; the others' first when a container's limits name a disk.
pub fn turns(config: &Config) -> Turns {
    let mut containers = config.containers.values();
    let network = !config.host.networks.is_empty()
        || containers.any(|container| container.network_mode == NetworkMode::Host);
    let disks = config.containers.values().any(|container| !container.limits.io.is_empty());
    let mut turns = Turns::default();
    for (names, first) in [(NETWORK, network || disks), (DEVICES, disks)] {
        let turn = if first { &mut turns.before } else { &mut turns.after };
        turn.extend(names);
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, read};

    fn check(toml: &str, before: &[&[&'static str]], after: &[&[&'static str]]) {
        let reading = read(&[Source { path: "a.toml".into(), text: toml.into() }]);
        assert!(reading.diagnostics.is_empty(), "{:?}", reading.diagnostics);
        let expected = Turns { before: before.concat(), after: after.concat() };
        assert_eq!(turns(&reading.config), expected, "{toml}");
    }

    #[test]
    fn a_container_waits_for_the_devices_that_it_may_look_for() {
        let web = "[container.web]\nimage = \"dir:web\"\n";
        let network = "[host.network.lan]\nmatch = { name = \"eth0\" }\naddresses = [\"192.0.2.7/24\"]\n";
        let disk = "limits = { io = [{ device = \"/dev/vda\", rbps = \"1M\" }] }\n";
        check(web, &[], &[NETWORK, DEVICES]);
        check(&[web, network].concat(), &[NETWORK], &[DEVICES]);
        check(&[web, "network_mode = \"host\"\n"].concat(), &[NETWORK], &[DEVICES]);
        check(&[web, disk].concat(), &[NETWORK, DEVICES], &[]);
    }
}

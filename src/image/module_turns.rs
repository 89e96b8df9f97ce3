//! Which modules the first container waits for, and which are loaded once it is up.

use alloc::string::String;
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

/// Those that the configuration adds: by name, and for the sake of its disk. None of them may be missing.
pub fn added(config: &Config) -> Vec<String> {
    let of_disk = config.host.disk.as_ref().map(|disk| match disk.kind.as_str() {
        // One driver reads all three.
        "ext2" | "ext3" => "ext4",
        kind => kind,
    });
    config.host.modules.iter().cloned().chain(of_disk.map(String::from)).collect()
}

/// What a file system asks the kernel for by a name that nobody answers to: loaded before, where the kernel has it.
pub fn asked_for_by(config: &Config) -> &'static [&'static str] {
    if config.host.disk.is_some() { DISK_SUMS } else { &[] }
}

/// Sums of ext4, XFS and Btrfs.
const DISK_SUMS: &[&str] = &["crc32c_generic", "crc32c_intel"];

/// The network's first when the machine has one to configure, or a container that looks for it
/// itself; the others' first when a container's limits name a disk, or the machine has one for its data.
pub fn turns(config: &Config) -> Turns {
    let mut containers = config.containers.values();
    let network = !config.host.networks.is_empty()
        || containers.any(|container| container.network_mode == NetworkMode::Host);
    let disks = config.containers.values().any(|container| !container.limits.io.is_empty());
    let disks = disks || config.host.disk.is_some();
    let mut turns = Turns { before: asked_for_by(config).to_vec(), after: Vec::new() };
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
        check(&[web, "[host.disk]\ndevice = \"/dev/vda\"\n"].concat(), &[DISK_SUMS, NETWORK, DEVICES], &[]);
    }

    #[test]
    fn a_disk_brings_its_file_system_along() {
        let check = |toml: &str, expected: &[&str]| {
            let reading = read(&[Source { path: "a.toml".into(), text: toml.into() }]);
            assert_eq!(added(&reading.config), expected, "{toml}");
        };
        check("[host]\nmodules = [\"nvme\"]", &["nvme"]);
        check("[host]\nmodules = [\"nvme\"]\n[host.disk]\ndevice = \"/dev/nvme0n1\"", &["nvme", "ext4"]);
        check("[host.disk]\ndevice = \"LABEL=data\"\ntype = \"ext2\"", &["ext4"]);
        check("[host.disk]\ndevice = \"/dev/vda\"\ntype = \"xfs\"", &["xfs"]);
    }
}

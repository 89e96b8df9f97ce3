//! The devices of a container: nodes in its /dev, and what may be done with them.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{DeviceKind, Facts, HostDevice};
use crate::config::Container;
use crate::container::devices::common;
use crate::container::spec::{Device, DeviceRule};

/// Of the machine's own /dev, what every container has its own of.
const OWN: [&str; 6] = ["/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/ptmx", "/dev/console", "/dev/fd"];

/// Where all devices of the machine stand.
const ALL: &str = "/dev";

/// Whether its /dev is not the one that all share.
pub(super) fn has_own(container: &Container) -> bool {
    container.privileged || container.tty || container.log.syslog || !container.devices.is_empty()
}

pub(super) fn devices(container: &Container, facts: &Facts) -> (Vec<Device>, Vec<DeviceRule>) {
    let mut nodes: Vec<Device> = Vec::new();
    let mut rules = match container.privileged {
        true => Vec::from([DeviceRule { allow: true, access: "rwm".to_owned(), ..DeviceRule::default() }]),
        false => common(),
    };
    for wanted in &container.devices {
        for device in found(facts, &wanted.source) {
            let below = device.path.strip_prefix(wanted.source.as_str()).unwrap_or_default();
            let path = format!("{}{below}", wanted.target);
            nodes.retain(|other| other.path != path);
            rules.push(rule(device, &wanted.access));
            nodes.push(node(path, device));
        }
    }
    if container.privileged {
        let is_own = |path: &str| {
            OWN.iter().any(|own| {
                path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        let all = found(facts, ALL).iter().filter(|device| !is_own(&device.path));
        let missing: Vec<Device> = all
            .filter(|device| !nodes.iter().any(|node| node.path == device.path))
            .map(|device| node(device.path.clone(), device))
            .collect();
        nodes.extend(missing);
    }
    (nodes, rules)
}

fn found<'a>(facts: &'a Facts, source: &str) -> &'a [HostDevice] {
    facts.devices.get(source).map_or(&[], Vec::as_slice)
}

fn letter(device: &HostDevice) -> &'static str {
    match device.kind {
        DeviceKind::Character => "c",
        DeviceKind::Block => "b",
    }
}

/// It belongs to the container's root.
fn node(path: String, device: &HostDevice) -> Device {
    Device {
        path,
        kind: letter(device).to_owned(),
        major: device.major.into(),
        minor: device.minor.into(),
        file_mode: Some(device.mode),
        ..Device::default()
    }
}

fn rule(device: &HostDevice, access: &str) -> DeviceRule {
    DeviceRule {
        allow: true,
        kind: letter(device).to_owned(),
        major: Some(device.major.into()),
        minor: Some(device.minor.into()),
        access: access.to_owned(),
    }
}

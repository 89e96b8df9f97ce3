//! Limits → the spec's resources → files of cgroup v2.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::spec::{BlockIo, Cpu, Memory, Pids, Resources, Throttle};
use crate::config::{IoLimit, Limits, OomPolicy};

/// Tenths of a second: what the kernel and everybody else uses.
const CPU_PERIOD_US: u64 = 100_000;
/// Enough for any service, too few for a fork bomb to hurt.
const PIDS: i64 = 2048;

/// Translates limits into the spec's words.
#[must_use]
pub(super) fn resources(limits: &Limits, devices: &BTreeMap<String, (u32, u32)>) -> Resources {
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let memory = Memory {
        limit: limits.memory.map(signed),
        swap: limits.swap.map(|swap| signed(swap.saturating_add(limits.memory.unwrap_or(0)))),
        ..Memory::default()
    };
    let quota = limits.cpus.map(|thousandths| (u64::from(thousandths) * CPU_PERIOD_US / 1000).max(1000));
    let mut unified = BTreeMap::new();
    let mut file = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            unified.insert(name.to_owned(), value);
        }
    };
    file("memory.high", limits.memory_high.map(|bytes| bytes.to_string()));
    file("memory.low", limits.memory_low.map(|bytes| bytes.to_string()));
    file("cpu.weight", limits.cpu_weight.map(|weight| weight.to_string()));
    file(
        "memory.oom.group",
        Some(match limits.oom {
            OomPolicy::Group => "1".to_owned(),
            OomPolicy::Process => "0".to_owned(),
        }),
    );
    Resources {
        memory,
        cpu: Cpu {
            quota: quota.map(signed),
            period: quota.map(|_| CPU_PERIOD_US),
            cpus: limits.cpuset.clone(),
            ..Cpu::default()
        },
        pids: Pids { limit: Some(limits.pids.map_or(PIDS, signed)) },
        block_io: block_io(&limits.io, devices),
        unified,
        ..Resources::default()
    }
}

fn block_io(limits: &[IoLimit], devices: &BTreeMap<String, (u32, u32)>) -> BlockIo {
    let throttles = |rate: fn(&IoLimit) -> Option<u64>| {
        limits
            .iter()
            .filter_map(|limit| {
                let (major, minor) = *devices.get(&limit.device)?;
                Some(Throttle { major: major.into(), minor: minor.into(), rate: rate(limit)? })
            })
            .collect()
    };
    BlockIo {
        throttle_read_bps_device: throttles(|limit| limit.rbps),
        throttle_write_bps_device: throttles(|limit| limit.wbps),
        throttle_read_iops_device: throttles(|limit| limit.riops),
        throttle_write_iops_device: throttles(|limit| limit.wiops),
        ..BlockIo::default()
    }
}

/// Which of a container's cgroups a setting is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `containers/NAME` only.
    Outer,
    /// Also `main`, the root of the container's cgroup namespace, where programs read it.
    Both,
}

/// One file of a cgroup and what is written to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub place: Place,
    pub file: String,
    pub value: String,
}

/// What to write before the first process enters, in order.
#[must_use]
pub fn settings(resources: &Resources) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut add = |place, file: &str, value: String| {
        settings.push(Setting { place, file: file.to_owned(), value });
    };
    if let Some(limit) = resources.memory.limit {
        add(Place::Both, "memory.max", limit.to_string());
    }
    if let Some(both) = resources.memory.swap {
        let swap = both.saturating_sub(resources.memory.limit.unwrap_or(0));
        add(Place::Outer, "memory.swap.max", swap.to_string());
    }
    if let (Some(quota), Some(period)) = (resources.cpu.quota, resources.cpu.period) {
        add(Place::Both, "cpu.max", format!("{quota} {period}"));
    }
    if let Some(cpus) = &resources.cpu.cpus {
        add(Place::Outer, "cpuset.cpus", cpus.clone());
    }
    if let Some(limit) = resources.pids.limit {
        add(Place::Both, "pids.max", limit.to_string());
    }
    let io = &resources.block_io;
    for (key, throttles) in [
        ("rbps", &io.throttle_read_bps_device),
        ("wbps", &io.throttle_write_bps_device),
        ("riops", &io.throttle_read_iops_device),
        ("wiops", &io.throttle_write_iops_device),
    ] {
        for Throttle { major, minor, rate } in throttles {
            add(Place::Outer, "io.max", format!("{major}:{minor} {key}={rate}"));
        }
    }
    for (file, value) in &resources.unified {
        let place = if file == "memory.high" { Place::Both } else { Place::Outer };
        add(place, file, value.clone());
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(limits: &Limits, expected: &[(&str, &str)]) {
        let devices = BTreeMap::from([("/dev/vda".to_owned(), (254, 0))]);
        let settings = settings(&resources(limits, &devices));
        let found: Vec<(&str, &str)> = settings.iter().map(|s| (s.file.as_str(), s.value.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn nothing_declared_still_bounds_processes_and_kills_as_one() {
        check(&Limits::default(), &[("pids.max", "2048"), ("memory.oom.group", "1")]);
    }

    #[test]
    fn every_limit_reaches_its_file() {
        let io =
            IoLimit { device: "/dev/vda".into(), rbps: Some(5), wbps: None, riops: None, wiops: Some(7) };
        let limits = Limits {
            memory: Some(64 << 20),
            memory_high: Some(48 << 20),
            memory_low: Some(1 << 20),
            swap: Some(1 << 20),
            cpus: Some(500),
            cpu_weight: Some(50),
            cpuset: Some("0".into()),
            pids: Some(64),
            io: vec![io],
            oom: OomPolicy::Process,
        };
        check(
            &limits,
            &[
                ("memory.max", "67108864"),
                ("memory.swap.max", "1048576"),
                ("cpu.max", "50000 100000"),
                ("cpuset.cpus", "0"),
                ("pids.max", "64"),
                ("io.max", "254:0 rbps=5"),
                ("io.max", "254:0 wiops=7"),
                ("cpu.weight", "50"),
                ("memory.high", "50331648"),
                ("memory.low", "1048576"),
                ("memory.oom.group", "0"),
            ],
        );
    }
}

//! Limits of the configuration → the spec's resources.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::resources::{Setting, When, settings};
use super::spec::{BlockIo, Cpu, Memory, Pids, Resources, Throttle};
use crate::config::{IoLimit, Limits, OomPolicy};

/// Tenths of a second: what the kernel and everybody else uses.
const CPU_PERIOD_US: u64 = 100_000;
/// Where no configuration was read.
const PIDS: i64 = crate::config::DEFAULT_PIDS as i64;

/// Translates limits into the spec's words.
#[must_use]
pub(super) fn resources(limits: &Limits, disks: &BTreeMap<String, (u32, u32)>) -> Resources {
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let memory = Memory {
        limit: limits.memory.map(signed),
        swap: limits.memory.zip(limits.swap).map(|(memory, swap)| signed(memory.saturating_add(swap))),
        ..Memory::default()
    };
    let quota = limits.cpus.map(|thousandths| (u64::from(thousandths) * CPU_PERIOD_US / 1000).max(1000));
    let mut unified = BTreeMap::new();
    let mut file = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            unified.insert(name.to_owned(), value);
        }
    };
    // Together with memory that has no limit it could not be said.
    file("memory.swap.max", limits.swap.filter(|_| limits.memory.is_none()).map(|swap| swap.to_string()));
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
        block_io: block_io(&limits.io, disks),
        unified,
        ..Resources::default()
    }
}

/// What is written for the limits on devices.
pub(super) fn io_limits(limits: &Limits, disks: &BTreeMap<String, (u32, u32)>) -> Vec<Setting> {
    let resources = Resources { block_io: block_io(&limits.io, disks), ..Resources::default() };
    settings(&resources, When::Start).unwrap_or_default()
}

fn block_io(limits: &[IoLimit], disks: &BTreeMap<String, (u32, u32)>) -> BlockIo {
    let throttles = |rate: fn(&IoLimit) -> Option<u64>| {
        limits
            .iter()
            .filter_map(|limit| {
                let (major, minor) = *disks.get(&limit.device)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(limits: &Limits, expected: &[(&str, &str)]) {
        let devices = BTreeMap::from([("/dev/vda".to_owned(), (254, 0))]);
        let settings = settings(&resources(limits, &devices), When::Start).unwrap();
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
                ("memory.swap.max", "1048576"),
                ("memory.max", "67108864"),
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

    #[test]
    fn swap_is_limited_where_memory_is_not() {
        let limits = Limits { swap: Some(0), ..Limits::default() };
        check(&limits, &[("pids.max", "2048"), ("memory.oom.group", "1"), ("memory.swap.max", "0")]);
    }
}

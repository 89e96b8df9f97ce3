//! `cpu`: shares, quota, burst, idle, and the sets of CPUs and memory nodes.

use alloc::format;
use alloc::string::ToString;

use super::super::refused::Refused;
use super::super::spec::Cpu;
use super::{Settings, When};

/// Tenths of a second: the kernel's own, cgroup-v2.rst.
const PERIOD: u64 = 100_000;
/// min_cfs_quota_period of kernel/sched/core.c, for quota and period.
const SHORTEST: u64 = 1_000;
/// max_cfs_quota_period.
const LONGEST: u64 = 1_000_000;
/// max_cfs_runtime.
const MOST: u64 = (1 << 44) - 1;

pub(super) fn settings(cpu: &Cpu, when: When<'_>, settings: &mut Settings) -> Result<(), Refused> {
    real_time(cpu)?;
    match cpu.idle {
        None => {}
        Some(0) => settings.unless_missing("cpu.idle", 0),
        Some(1) => settings.add("cpu.idle", 1),
        Some(other) => return Err(refused("idle", format!("{other} is neither 0 nor 1"))),
    }
    // Who is idle weighs least of all, whatever shares say, and the kernel refuses another weight.
    if let Some(shares) = cpu.shares.filter(|shares| *shares != 0 && cpu.idle != Some(1)) {
        settings.add("cpu.weight", weight(shares));
    }
    bandwidth(cpu, when, settings)?;
    for (field, list) in [("cpus", &cpu.cpus), ("mems", &cpu.mems)] {
        if let Some(list) = list.as_ref().filter(|list| !list.is_empty()) {
            check_list(field, list)?;
            settings.add(&format!("cpuset.{field}"), list);
        }
    }
    Ok(())
}

fn refused(field: &str, why: impl Into<alloc::string::String>) -> Refused {
    Refused::new(format!("linux.resources.cpu.{field}"), why)
}

fn real_time(cpu: &Cpu) -> Result<(), Refused> {
    const WHY: &str = "cgroup v2 does not divide real time";
    if cpu.realtime_runtime.is_some_and(|time| time != 0) {
        return Err(refused("realtimeRuntime", WHY));
    }
    if cpu.realtime_period.is_some_and(|time| time != 0) {
        return Err(refused("realtimePeriod", WHY));
    }
    Ok(())
}

/// cgroup v1's shares, 2 to 262,144, as v2's weight, 1 to 10,000. Three points are given, both ends
/// and the default (1,024 is 100), and a parabola of logarithms between: as runc 1.4 and crun 1.23.
fn weight(shares: u64) -> u64 {
    match shares {
        ..=2 => 1,
        262_144.. => 10_000,
        _ => {
            let log = libm::log2(shares as f64);
            let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
            libm::ceil(libm::pow(10.0, exponent)) as u64
        }
    }
}

/// cpu.max and cpu.max.burst. The kernel never lets the burst be more than the quota: who changes
/// both takes the burst away first.
fn bandwidth(cpu: &Cpu, when: When<'_>, settings: &mut Settings) -> Result<(), Refused> {
    let period = cpu.period.filter(|period| *period != 0);
    if let Some(period) = period.filter(|period| !(SHORTEST..=LONGEST).contains(period)) {
        let why = format!("{period} µs: the kernel takes {SHORTEST} to {LONGEST}");
        return Err(refused("period", why));
    }
    let quota = match cpu.quota.filter(|quota| *quota != 0) {
        None => None,
        Some(-1) => Some(None),
        Some(quota) => match u64::try_from(quota) {
            Ok(quota @ SHORTEST..=MOST) => Some(Some(quota)),
            _ => {
                let why = format!("{quota} µs: the kernel takes {SHORTEST} to {MOST}, and -1 for no limit");
                return Err(refused("quota", why));
            }
        },
    };
    if let (Some(burst), Some(Some(quota))) = (cpu.burst, quota)
        && burst > quota
    {
        return Err(refused("burst", format!("{burst} µs is more than the quota, {quota}")));
    }
    let text = |quota: Option<u64>| quota.map_or_else(|| "max".into(), |quota| quota.to_string());
    let max = match (quota, period, when) {
        (None, None, _) => None,
        (Some(quota), Some(period), _) => Some(format!("{} {period}", text(quota))),
        (Some(quota), None, When::Start) => Some(format!("{} {PERIOD}", text(quota))),
        (None, Some(period), When::Start) => Some(format!("max {period}")),
        // The kernel keeps a period that is not said; a quota it has to be told.
        (Some(quota), None, When::Update(_)) => Some(text(quota)),
        (None, Some(period), When::Update(present)) => {
            let quota = present.cpu_max.split(' ').next().filter(|quota| !quota.is_empty());
            Some(format!("{} {period}", quota.unwrap_or("max")))
        }
    };
    if max.is_some() && cpu.burst.is_some() && matches!(when, When::Update(_)) {
        settings.add("cpu.max.burst", 0);
    }
    if let Some(max) = max {
        settings.add("cpu.max", max);
    }
    match cpu.burst {
        None => {}
        Some(0) => settings.unless_missing("cpu.max.burst", 0),
        Some(burst) => settings.add("cpu.max.burst", burst),
    }
    Ok(())
}

/// `0-3,7`, as the specification has it.
fn check_list(field: &str, list: &str) -> Result<(), Refused> {
    let number = |text: &str| {
        let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| is_digits)
    };
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => {}
            _ => {
                let why = format!("`{list}` is no list like 0-3,7: `{range}` is no number or range");
                return Err(refused(field, why));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::weight;

    #[test]
    fn shares_become_the_weight_that_runc_and_crun_give() {
        for (shares, expected) in [(1, 1), (2, 1), (3, 2), (1_024, 100), (262_143, 10_000)] {
            assert_eq!(weight(shares), expected, "{shares}");
        }
        // And everywhere what they compute with the functions of C and Go.
        for shares in 3..262_144_u64 {
            let log = (shares as f64).log2();
            let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
            assert_eq!(weight(shares), 10_f64.powf(exponent).ceil() as u64, "{shares}");
        }
        assert_eq!((weight(262_144), weight(u64::MAX)), (10_000, 10_000));
    }
}

//! `memory`: limit, reservation, and memory and swap together.

use alloc::format;
use alloc::string::String;

use super::super::refused::Refused;
use super::super::spec::Memory;
use super::{Settings, When, no_limit_or};

pub(super) fn settings(memory: &Memory, when: When<'_>, settings: &mut Settings) -> Result<(), Refused> {
    refuse_the_first_version(memory)?;
    check_use(memory, when)?;
    // Swap first: a lower limit then finds the room that it may swap to.
    if let Some(value) = swap(memory, when)? {
        match value.as_str() {
            // Where swap is not counted none is limited, and none is wanted.
            "0" | "max" => settings.unless_missing("memory.swap.max", value),
            _ => settings.add("memory.swap.max", value),
        }
    }
    // A container without any memory cannot be: engines mean that they say nothing.
    if let Some(limit) = said(memory.limit) {
        settings.add("memory.max", no_limit_or(limit, "linux.resources.memory.limit")?);
    }
    if let Some(reservation) = memory.reservation {
        settings.add("memory.low", no_limit_or(reservation, "linux.resources.memory.reservation")?);
    }
    Ok(())
}

fn said(value: Option<i64>) -> Option<i64> {
    value.filter(|value| *value != 0)
}

/// What only cgroup v1 has, unless the value is what v2 does anyway.
fn refuse_the_first_version(memory: &Memory) -> Result<(), Refused> {
    let refused = |field: &str, why: &str| Err(Refused::new(format!("linux.resources.memory.{field}"), why));
    let limits = |value: Option<i64>| said(value).is_some_and(|value| value != -1);
    if limits(memory.kernel) {
        return refused("kernel", "cgroup v2 counts the kernel's memory with all other: lower `limit`");
    }
    if limits(memory.kernel_tcp) {
        return refused(
            "kernelTCP",
            "cgroup v2 counts buffers of sockets with all other memory: lower `limit`",
        );
    }
    if memory.swappiness.is_some() {
        return refused("swappiness", "cgroup v2 has none for a group: vm.swappiness holds for the machine");
    }
    if memory.disable_oom_killer == Some(true) {
        return refused("disableOOMKiller", "cgroup v2 always kills: leave `limit` out, or set memory.high");
    }
    if memory.use_hierarchy == Some(false) {
        return refused("useHierarchy", "in cgroup v2 limits always hold for all below");
    }
    Ok(())
}

/// Does what cgroup v1 did by itself: refuses a limit that would kill at once.
fn check_use(memory: &Memory, when: When<'_>) -> Result<(), Refused> {
    let When::Update(present) = when else { return Ok(()) };
    let Ok(used) = present.memory_current.parse::<i64>() else { return Ok(()) };
    if memory.check_before_update != Some(true) {
        return Ok(());
    }
    for (field, limits, limit) in [("swap", "memory+swap", memory.swap), ("limit", "memory", memory.limit)] {
        if let Some(limit) = limit.filter(|limit| (1..=used).contains(limit)) {
            let why = format!("rejecting {limits} limit {limit}: {used} bytes are in use");
            return Err(Refused::new(format!("linux.resources.memory.{field}"), why));
        }
    }
    Ok(())
}

/// The specification counts memory and swap together, cgroup v2 swap alone.
fn swap(memory: &Memory, when: When<'_>) -> Result<Option<String>, Refused> {
    const FIELD: &str = "linux.resources.memory.swap";
    let limit = said(memory.limit).or_else(|| match when {
        When::Start => None,
        When::Update(present) if present.memory_max == "max" => Some(-1),
        When::Update(present) => present.memory_max.parse().ok(),
    });
    match (said(memory.swap), limit) {
        // Who takes the limit on memory away means swap, too: together they were one.
        (None, Some(-1)) if memory.limit == Some(-1) => Ok(Some("max".into())),
        (None, _) => Ok(None),
        (Some(-1), _) => Ok(Some("max".into())),
        (Some(both), Some(-1)) => no_limit_or(both, FIELD).map(Some),
        (Some(both), Some(limit)) if both >= limit => {
            no_limit_or(both.saturating_sub(limit), FIELD).map(Some)
        }
        (Some(both), Some(limit)) => {
            let why = format!("{both} for memory and swap together, of which memory alone may have {limit}");
            Err(Refused::new(FIELD, why))
        }
        (Some(_), None) => Err(Refused::new(FIELD, "is memory and swap together: `limit` is missing")),
    }
}

//! Scheduling, I/O priority, memory policy and personality: the specification's names → the kernel's numbers.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::refused::Refused;
use super::spec;

/// struct sched_attr of sched_setattr(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scheduling {
    pub policy: u32,
    pub flags: u64,
    pub nice: i32,
    pub priority: u32,
    /// Nanoseconds.
    pub runtime: u64,
    pub deadline: u64,
    pub period: u64,
}

impl Scheduling {
    /// Whether a child would not inherit it: sched(7), SCHED_DEADLINE.
    #[must_use]
    pub fn is_deadline(&self) -> bool {
        self.policy == DEADLINE
    }
}

const POLICIES: [(&str, u32); 7] = [
    ("SCHED_OTHER", 0),
    ("SCHED_FIFO", 1),
    ("SCHED_RR", 2),
    ("SCHED_BATCH", 3),
    ("SCHED_ISO", 4),
    ("SCHED_IDLE", 5),
    ("SCHED_DEADLINE", DEADLINE),
];
const DEADLINE: u32 = 6;
/// linux/sched.h.
const SCHEDULER_FLAGS: [(&str, u64); 7] = [
    ("SCHED_FLAG_RESET_ON_FORK", 0x01),
    ("SCHED_FLAG_RECLAIM", 0x02),
    ("SCHED_FLAG_DL_OVERRUN", 0x04),
    ("SCHED_FLAG_KEEP_POLICY", 0x08),
    ("SCHED_FLAG_KEEP_PARAMS", 0x10),
    ("SCHED_FLAG_UTIL_CLAMP_MIN", 0x20),
    ("SCHED_FLAG_UTIL_CLAMP_MAX", 0x40),
];

/// The value of a name in a table.
fn named<T: Copy>(table: &[(&str, T)], name: &str, field: &str) -> Result<T, Refused> {
    let found = table.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value).ok_or_else(|| Refused::new(field, format!("nobody knows `{name}`")))
}

pub(super) fn scheduling(wanted: &spec::Scheduler) -> Result<Scheduling, Refused> {
    let policy = named(&POLICIES, &wanted.policy, "process.scheduler.policy")?;
    let mut flags = 0;
    for flag in &wanted.flags {
        flags |= named(&SCHEDULER_FLAGS, flag, "process.scheduler.flags")?;
    }
    if !(-20..=19).contains(&wanted.nice) {
        return Err(Refused::new("process.scheduler.nice", "it is from -20 to 19"));
    }
    let priority = u32::try_from(wanted.priority)
        .map_err(|_| Refused::new("process.scheduler.priority", "it is not negative"))?;
    let (runtime, deadline, period) = (wanted.runtime, wanted.deadline, wanted.period);
    if policy != DEADLINE && (runtime, deadline, period) != (0, 0, 0) {
        return Err(Refused::new(
            "process.scheduler",
            "runtime, deadline and period are for SCHED_DEADLINE alone",
        ));
    }
    Ok(Scheduling { policy, flags, nice: wanted.nice, priority, runtime, deadline, period })
}

/// ioprio_set(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoClass {
    RealTime = 1,
    BestEffort = 2,
    Idle = 3,
}

pub(super) fn io_priority(wanted: &spec::IoPriority) -> Result<(IoClass, u8), Refused> {
    const CLASSES: [(&str, IoClass); 3] = [
        ("IOPRIO_CLASS_RT", IoClass::RealTime),
        ("IOPRIO_CLASS_BE", IoClass::BestEffort),
        ("IOPRIO_CLASS_IDLE", IoClass::Idle),
    ];
    let class = named(&CLASSES, &wanted.class, "process.ioPriority.class")?;
    let priority = u8::try_from(wanted.priority).ok().filter(|priority| *priority <= 7);
    priority
        .map(|priority| (class, priority))
        .ok_or_else(|| Refused::new("process.ioPriority.priority", "it is from 0 to 7"))
}

/// set_mempolicy(2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryPolicy {
    /// With its flags.
    pub mode: u32,
    /// Bit N of the row is node N.
    pub nodes: Vec<u64>,
}

const MEMORY_MODES: [(&str, u32); 7] = [
    ("MPOL_DEFAULT", 0),
    ("MPOL_PREFERRED", 1),
    ("MPOL_BIND", 2),
    ("MPOL_INTERLEAVE", 3),
    ("MPOL_LOCAL", 4),
    ("MPOL_PREFERRED_MANY", 5),
    ("MPOL_WEIGHTED_INTERLEAVE", 6),
];
const MEMORY_FLAGS: [(&str, u32); 3] = [
    ("MPOL_F_NUMA_BALANCING", 1 << 13),
    ("MPOL_F_RELATIVE_NODES", 1 << 14),
    ("MPOL_F_STATIC_NODES", 1 << 15),
];
/// CONFIG_NODES_SHIFT is 10 at most.
const NODES: u32 = 1024;

pub(super) fn memory_policy(wanted: &spec::MemoryPolicy) -> Result<MemoryPolicy, Refused> {
    let mut mode = named(&MEMORY_MODES, &wanted.mode, "linux.memoryPolicy.mode")?;
    for flag in &wanted.flags {
        mode |= named(&MEMORY_FLAGS, flag, "linux.memoryPolicy.flags")?;
    }
    let nodes = bits(&wanted.nodes, NODES).map_err(|why| Refused::new("linux.memoryPolicy.nodes", why))?;
    Ok(MemoryPolicy { mode, nodes })
}

/// A list like `0-3,7` → a row of bits.
///
/// # Errors
/// What is wrong with it, for a person.
pub(super) fn bits(list: &str, limit: u32) -> Result<Vec<u64>, String> {
    let mut row = Vec::new();
    for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<u32>().ok().filter(|number| *number < limit);
        let (Some(first), Some(last)) = (number(first), number(last)) else {
            return Err(format!("`{part}` is no number or range below {limit}"));
        };
        if first > last {
            return Err(format!("`{part}` ends before it begins"));
        }
        for number in first..=last {
            let word = (number / 64) as usize;
            if row.len() <= word {
                row.resize(word + 1, 0);
            }
            if let Some(word) = row.get_mut(word) {
                *word |= 1 << (number % 64);
            }
        }
    }
    Ok(row)
}

/// As many as CONFIG_NR_CPUS may say.
const CPUS: u32 = 8192;

/// Where a process that joins a container runs: before it is in there, and after.
pub(super) fn affinity(wanted: &spec::CpuAffinity) -> Result<[Option<Vec<u64>>; 2], Refused> {
    let cpus = |name: &str, list: &Option<String>| {
        let Some(list) = list.as_deref().filter(|list| !list.is_empty()) else { return Ok(None) };
        let field = format!("process.execCPUAffinity.{name}");
        bits(list, CPUS).map(Some).map_err(|why| Refused::new(field, why))
    };
    Ok([cpus("initial", &wanted.initial)?, cpus("final", &wanted.last)?])
}

/// personality(2): PER_LINUX and PER_LINUX32.
pub(super) fn personality(wanted: &spec::Personality) -> Result<u32, Refused> {
    if let Some(flag) = wanted.flags.first() {
        return Err(Refused::new("linux.personality.flags", format!("nobody knows `{flag}`")));
    }
    named(&[("LINUX", 0), ("LINUX32", 8)], &wanted.domain, "linux.personality.domain")
}

/// Of `orlop oci features`.
pub fn scheduler_names() -> (impl Iterator<Item = &'static str>, impl Iterator<Item = &'static str>) {
    (POLICIES.into_iter().map(|(name, _)| name), SCHEDULER_FLAGS.into_iter().map(|(name, _)| name))
}

/// Of `orlop oci features`.
pub fn memory_policy_names() -> (impl Iterator<Item = &'static str>, impl Iterator<Item = &'static str>) {
    (MEMORY_MODES.into_iter().map(|(name, _)| name), MEMORY_FLAGS.into_iter().map(|(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_become_bits() {
        let check = |list: &str, expected: Result<&[u64], &str>| {
            assert_eq!(bits(list, 128), expected.map(<[u64]>::to_vec).map_err(String::from), "{list:?}");
        };
        check("", Ok(&[]));
        check("0", Ok(&[1]));
        check("0-2,65", Ok(&[7, 2]));
        check("2-1", Err("`2-1` ends before it begins"));
        check("128", Err("`128` is no number or range below 128"));
        check("a", Err("`a` is no number or range below 128"));
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        let refused = |result: Result<Scheduling, Refused>| result.unwrap_err().to_string();
        let scheduler =
            |policy: &str, nice| spec::Scheduler { policy: policy.into(), nice, ..Default::default() };
        assert_eq!(
            refused(scheduling(&scheduler("SCHED_LATER", 0))),
            "process.scheduler.policy: nobody knows `SCHED_LATER`"
        );
        assert_eq!(
            refused(scheduling(&scheduler("SCHED_OTHER", 20))),
            "process.scheduler.nice: it is from -20 to 19"
        );
        assert!(scheduling(&scheduler("SCHED_BATCH", 19)).is_ok());
    }
}

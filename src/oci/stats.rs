//! Files of a cgroup → what a container uses, with runc's names, which engines read.
//!
//! A file that is not there (a controller that is not enabled, an older kernel) leaves its figures out.

use std::collections::BTreeMap;

use orlop::ordered::Ordered;
use serde::Serialize;

/// A line of `events`.
#[derive(Debug, Serialize)]
pub(crate) struct Event<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Stats>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Stats {
    cpu: Cpu,
    cpuset: CpuSet,
    memory: Memory,
    pids: Pids,
    blkio: Blkio,
    hugetlb: BTreeMap<String, Hugetlb>,
    intel_rdt: Empty,
    network_interfaces: Option<Empty>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Empty {}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Cpu {
    usage: CpuUsage,
    throttling: Throttling,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

/// Nanoseconds.
#[derive(Debug, Default, PartialEq, Serialize)]
struct CpuUsage {
    total: u64,
    kernel: u64,
    user: u64,
}

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Throttling {
    periods: u64,
    throttled_periods: u64,
    /// Nanoseconds.
    throttled_time: u64,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct CpuSet {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cpus: Vec<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mems: Vec<u16>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Memory {
    cache: u64,
    usage: MemoryEntry,
    /// Memory and swap together, as cgroup v1 counted.
    swap: MemoryEntry,
    kernel: MemoryEntry,
    #[serde(rename = "kernelTCP")]
    kernel_tcp: MemoryEntry,
    raw: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
struct MemoryEntry {
    limit: u64,
    usage: u64,
    max: u64,
    failcnt: u64,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Pids {
    current: u64,
    limit: u64,
}

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Blkio {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_service_bytes_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_serviced_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

#[derive(Debug, PartialEq, Serialize)]
struct BlkioEntry {
    major: u64,
    minor: u64,
    op: &'static str,
    value: u64,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Hugetlb {
    usage: u64,
    max: u64,
    failcnt: u64,
}

/// Pressure Stall Information: percents of time, and microseconds.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Pressure {
    some: Stall,
    full: Stall,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Stall {
    avg10: f64,
    avg60: f64,
    avg300: f64,
    total: u64,
}

/// Reads what a container uses. `read` gives the text of a file of its cgroup, if there is one, and
/// `sizes` are the kernel's huge pages, as in `hugetlb.2MB.max`.
pub(crate) fn stats(read: impl Fn(&str) -> Option<String>, sizes: &[String]) -> Stats {
    let text = |file: &str| read(file).unwrap_or_default();
    let number = |file: &str| read(file).map_or(0, |text| limit(&text));
    let flat = flat(&text("cpu.stat"));
    let micros = |key: &str| flat.get(key).copied().unwrap_or_default().saturating_mul(1000);
    let count = |key: &str| flat.get(key).copied().unwrap_or_default();
    let hugetlb = |size: &String| {
        let file = |what: &str| format!("hugetlb.{size}.{what}");
        let failcnt = keyed(&text(&file("events")), "max");
        (size.clone(), Hugetlb { usage: number(&file("current")), max: number(&file("max")), failcnt })
    };
    Stats {
        cpu: Cpu {
            usage: CpuUsage {
                total: micros("usage_usec"),
                kernel: micros("system_usec"),
                user: micros("user_usec"),
            },
            throttling: Throttling {
                periods: count("nr_periods"),
                throttled_periods: count("nr_throttled"),
                throttled_time: micros("throttled_usec"),
            },
            psi: read("cpu.pressure").map(|text| pressure(&text)),
        },
        cpuset: CpuSet {
            cpus: ranges(&text("cpuset.cpus.effective")),
            mems: ranges(&text("cpuset.mems.effective")),
        },
        memory: memory(&read),
        pids: Pids {
            current: number("pids.current"),
            // 0 stands for none, as in runc.
            limit: Some(number("pids.max")).filter(|it| *it != u64::MAX).unwrap_or_default(),
        },
        blkio: blkio(&text("io.stat"), read("io.pressure")),
        hugetlb: sizes.iter().map(hugetlb).ordered(),
        intel_rdt: Empty {},
        network_interfaces: None,
    }
}

fn memory(read: &impl Fn(&str) -> Option<String>) -> Memory {
    let number = |file: &str| read(file).map_or(0, |text| limit(&text));
    let raw = flat(&read("memory.stat").unwrap_or_default());
    let usage = MemoryEntry {
        limit: number("memory.max"),
        usage: number("memory.current"),
        max: number("memory.peak"),
        failcnt: keyed(&read("memory.events").unwrap_or_default(), "max"),
    };
    let swap_limit = number("memory.swap.max");
    let swap = MemoryEntry {
        limit: swap_limit.saturating_add(if swap_limit == u64::MAX { 0 } else { usage.limit }),
        usage: number("memory.swap.current").saturating_add(usage.usage),
        ..MemoryEntry::default()
    };
    Memory {
        cache: raw.get("file").copied().unwrap_or_default(),
        usage,
        swap,
        kernel: MemoryEntry::default(),
        kernel_tcp: MemoryEntry::default(),
        psi: read("memory.pressure").map(|text| pressure(&text)),
        raw,
    }
}

/// A number, or `max`.
fn limit(text: &str) -> u64 {
    let text = text.trim();
    if text == "max" { u64::MAX } else { text.parse().unwrap_or_default() }
}

fn flat(text: &str) -> BTreeMap<String, u64> {
    let pair = |line: &str| {
        let (key, value) = line.split_once(' ')?;
        Some((key.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(pair).ordered()
}

fn keyed(text: &str, key: &str) -> u64 {
    crate::linux::cgroup::keyed(text, key).unwrap_or_default()
}

/// `0-2,7` → 0, 1, 2, 7.
fn ranges(text: &str) -> Vec<u16> {
    let mut found = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
            found.extend(first..=last);
        }
    }
    found
}

fn blkio(text: &str, pressed: Option<String>) -> Blkio {
    let mut found = Blkio { psi: pressed.map(|text| pressure(&text)), ..Blkio::default() };
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let device = words.next().and_then(|it| it.split_once(':'));
        let Some((Ok(major), Ok(minor))) = device.map(|(major, minor)| (major.parse(), minor.parse())) else {
            continue;
        };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let (list, op) = match key {
                "rbytes" => (&mut found.io_service_bytes_recursive, "Read"),
                "wbytes" => (&mut found.io_service_bytes_recursive, "Write"),
                "rios" => (&mut found.io_serviced_recursive, "Read"),
                "wios" => (&mut found.io_serviced_recursive, "Write"),
                _ => continue,
            };
            list.push(BlkioEntry { major, minor, op, value: value.parse().unwrap_or_default() });
        }
    }
    found
}

fn pressure(text: &str) -> Pressure {
    let stall = |word: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(word)).unwrap_or_default();
        let value =
            |key: &str| line.split_whitespace().find_map(|it| it.strip_prefix(key)?.strip_prefix('='));
        let share = |key: &str| value(key).and_then(|it| it.parse().ok()).unwrap_or_default();
        Stall {
            avg10: share("avg10"),
            avg60: share("avg60"),
            avg300: share("avg300"),
            total: value("total").and_then(|it| it.parse().ok()).unwrap_or_default(),
        }
    };
    Pressure { some: stall("some"), full: stall("full") }
}

#[path = "stats_tests.rs"]
#[cfg(test)]
mod tests;

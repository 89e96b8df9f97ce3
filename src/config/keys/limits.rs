//! `limits`, `ulimits`, `log` of a container.

use super::super::diagnostic::Mistake;
use super::super::model::{Container, ContainerLog, IoLimit, Limits, OomPolicy, Rlimit, Ulimit};
use super::super::shape::{Key, Keys, Problem, Shape, refused, word};
use super::super::tree::{Map, Node};
use super::super::value::{path, size};
use super::kinds::{self, size_from};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Less memory than this ends a static program before its first instruction.
const LEAST_MEMORY: u64 = 1 << 20;
/// cpu.max takes 1 ms of a period of 100 ms at least (kernel: min_cfs_quota_period).
const LEAST_CPUS: f64 = 0.01;
/// NR_CPUS of the largest kernels that distributions build.
const MOST_CPUS: f64 = 8192.0;
/// PID_MAX_LIMIT of linux/threads.h on 64 bits.
const MOST_PIDS: i64 = 4 << 20;
/// A line of output.
const LEAST_LOG: u64 = 4 << 10;
/// Bytes a second.
const LEAST_RATE: u64 = 1 << 10;

pub(crate) static LIMITS: Keys<Limits> = Keys {
    what: "`limits`",
    keys: &[
        Key::new(
            "memory",
            size_from(LEAST_MEMORY),
            "limits = { memory = \"128M\" }",
            "The most memory it may have; beyond it the kernel kills it (memory.max).",
            |node, limits: &mut Limits| limits.memory = node.bytes(),
        ),
        Key::new(
            "memory_high",
            size_from(LEAST_MEMORY),
            "limits = { memory_high = \"96M\" }",
            "Beyond this it is slowed down and its memory reclaimed (memory.high).",
            |node, limits: &mut Limits| limits.memory_high = node.bytes(),
        ),
        Key::new(
            "memory_low",
            size_from(0),
            "limits = { memory_low = \"32M\" }",
            "Memory that others' need does not take from it, where it can be helped (memory.low).",
            |node, limits: &mut Limits| limits.memory_low = node.bytes(),
        ),
        Key::new(
            "swap",
            size_from(0),
            "limits = { swap = \"0\" }",
            "The most swap it may have: swap alone, not memory and swap (memory.swap.max).",
            |node, limits: &mut Limits| limits.swap = node.bytes(),
        ),
        Key::new(
            "cpus",
            Shape::Number { min: LEAST_CPUS, max: MOST_CPUS },
            "limits = { cpus = 0.5 }",
            "CPU time, in CPUs: 0.5 is half of one (cpu.max).",
            |node, limits: &mut Limits| limits.cpus = node.scalar().and_then(thousandths),
        ),
        Key::new(
            "cpu_weight",
            Shape::Integer { min: 1, max: 10_000 },
            "limits = { cpu_weight = 200 }",
            "Its share when CPUs are short; the kernel's default is 100 (cpu.weight).",
            |node, limits: &mut Limits| limits.cpu_weight = node.number(),
        ),
        Key::new(
            "cpuset",
            Shape::Text(&kinds::CPUSET),
            "limits = { cpuset = \"0-1,4\" }",
            "The CPUs that it may run on (cpuset.cpus).",
            |node, limits: &mut Limits| limits.cpuset = node.text().map(ToString::to_string),
        ),
        Key::new(
            "pids",
            Shape::Integer { min: 1, max: MOST_PIDS },
            "limits = { pids = 64 }",
            "The most processes and threads (pids.max).",
            |node, limits: &mut Limits| limits.pids = node.number(),
        )
        .default("2048"),
        Key::new(
            "io",
            Shape::List(&Shape::Table(&IO)),
            "limits = { io = [{ device = \"/dev/vda\", wbps = \"10M\" }] }",
            "Limits on block devices, one table each (io.max).",
            |node, limits: &mut Limits| {
                limits.io = node.each().iter().filter_map(Node::map).map(io).collect();
            },
        )
        .default("[]"),
        Key::new(
            "oom",
            Shape::Word {
                words: &[
                    word("group", "The whole container goes at once."),
                    word("process", "Only the process that the kernel picks."),
                ],
                refused: &[],
            },
            "limits = { oom = \"process\" }",
            "What the kernel kills when the memory is used up (memory.oom.group).",
            |node, limits: &mut Limits| {
                let process = node.text() == Some("process");
                limits.oom = if process { OomPolicy::Process } else { OomPolicy::Group };
            },
        )
        .default("\"group\""),
    ],
    refused: &[
        refused("memory_max", "write memory = \"128M\""),
        refused("cpu", "write cpus = 0.5"),
        refused("cpu_shares", "write cpu_weight = 100, from 1 to 10000"),
        refused("cpu_quota", "write cpus = 0.5"),
        refused("nofile", "write ulimits = { nofile = 1024 } in the container"),
        refused("weight", "write cpu_weight = 100"),
    ],
    rules: &[high_and_low_are_below_memory],
};

static IO: Keys<IoLimit> = Keys {
    what: "an entry of `limits.io`",
    keys: &[
        Key::new(
            "device",
            Shape::Text(&kinds::DEVICE),
            "device = \"/dev/vda\"",
            "The block device.",
            |node, io: &mut IoLimit| io.device = node.read(path::absolute).unwrap_or_default(),
        )
        .required(),
        Key::new("rbps", size_from(1), "rbps = \"10M\"", "Bytes read a second.", |node, io: &mut IoLimit| {
            io.rbps = node.bytes();
        }),
        Key::new(
            "wbps",
            size_from(1),
            "wbps = \"10M\"",
            "Bytes written a second.",
            |node, io: &mut IoLimit| {
                io.wbps = node.bytes();
            },
        ),
        Key::new(
            "riops",
            Shape::Integer { min: 1, max: i64::MAX },
            "riops = 100",
            "Reads a second.",
            |node, io: &mut IoLimit| io.riops = node.number(),
        ),
        Key::new(
            "wiops",
            Shape::Integer { min: 1, max: i64::MAX },
            "wiops = 100",
            "Writes a second.",
            |node, io: &mut IoLimit| io.wiops = node.number(),
        ),
    ],
    refused: &[refused("path", "write device = \"/dev/vda\"")],
    rules: &[limits_something],
};

pub(crate) static LOG: Keys<ContainerLog> = Keys {
    what: "`log`",
    keys: &[
        Key::new(
            "memory",
            size_from(LEAST_LOG),
            "log = { memory = \"1M\" }",
            "How much of its output is kept. The oldest lines go first.",
            |node, log: &mut ContainerLog| log.memory = node.bytes().unwrap_or(log.memory),
        )
        .default("\"256K\""),
        Key::new(
            "rate",
            size_from(LEAST_RATE),
            "log = { rate = \"64K\" }",
            "Bytes a second that are kept; what is above is counted and dropped. Without it: as much as it writes.",
            |node, log: &mut ContainerLog| log.rate = node.bytes(),
        ),
        Key::new(
            "syslog",
            Shape::Flag,
            "log = { syslog = true }",
            "Whether it has /dev/log, where programs that use syslog(3) write. Their messages are kept with its output.",
            |node, log: &mut ContainerLog| log.syslog = node.flag().unwrap_or(log.syslog),
        )
        .default("false"),
    ],
    refused: &[
        refused("driver", "there is one log: memory, rate and syslog are its keys"),
        refused("options", "there is one log: memory, rate and syslog are its keys"),
        refused("max_size", "write memory = \"256K\""),
    ],
    rules: &[],
};

/// The value of one ulimit: a number for both, or a table.
pub(crate) static ULIMIT: Shape = Shape::Any(&[BOUND, Shape::Table(&SOFT_HARD)]);

const BOUND: Shape = Shape::Integer { min: -1, max: i64::MAX };

static SOFT_HARD: Keys<Ulimit> = Keys {
    what: "a ulimit",
    keys: &[
        Key::new("soft", BOUND, "soft = 1024", "What holds; -1 is unlimited.", |node, limit: &mut Ulimit| {
            limit.soft = bound(node);
        })
        .required(),
        Key::new(
            "hard",
            BOUND,
            "hard = 4096",
            "How far the program may raise it; -1 is unlimited.",
            |node, limit: &mut Ulimit| limit.hard = bound(node),
        )
        .required(),
    ],
    refused: &[],
    rules: &[soft_is_below_hard],
};

pub(crate) fn take_ulimits(node: &Node, container: &mut Container) {
    for (name, entry) in node.map().into_iter().flat_map(|map| &map.entries) {
        let both = bound(&entry.node);
        let mut limit = Ulimit { soft: both, hard: both };
        super::fill(&SOFT_HARD, &entry.node, &mut limit);
        if let Some(rlimit) = Rlimit::from_name(name) {
            container.ulimits.insert(rlimit, limit);
        }
    }
}

fn bound(node: &Node) -> u64 {
    // -1, the one value that does not fit, is "unlimited".
    node.number().unwrap_or(u64::MAX)
}

fn soft_is_below_hard(limit: &Map, problems: &mut Vec<Problem>) {
    if let (Some(soft), Some(hard)) = (limit.get("soft"), limit.get("hard"))
        && bound(soft) > bound(hard)
    {
        problems.push(Problem::error("soft", Mistake::new("the soft limit is above the hard limit")));
    }
}

fn io(map: &Map) -> IoLimit {
    let mut limit = IoLimit { device: String::new(), rbps: None, wbps: None, riops: None, wiops: None };
    IO.fill(map, &mut limit);
    limit
}

fn limits_something(io: &Map, problems: &mut Vec<Problem>) {
    if !["rbps", "wbps", "riops", "wiops"].into_iter().any(|key| io.has(key)) {
        let mistake = Mistake::new("this limits nothing");
        problems.push(Problem::error("", mistake.help("give at least one of rbps, wbps, riops, wiops")));
    }
}

fn high_and_low_are_below_memory(limits: &Map, problems: &mut Vec<Problem>) {
    let bytes = |key| limits.get(key).and_then(Node::bytes);
    for key in ["memory_high", "memory_low"] {
        if let (Some(most), Some(value)) = (bytes("memory"), bytes(key))
            && value > most
        {
            let message = format!("`{key}` is above `memory`, {}, and would never act", size::show(most));
            problems.push(Problem::error(key, Mistake::new(message)));
        }
    }
}

/// 0.5 → 500, to the nearest.
fn thousandths(cpus: &str) -> Option<u32> {
    let cpus: f64 = cpus.parse().ok()?;
    // Both bounds were checked; what is cut off here is less than a thousandth.
    (LEAST_CPUS..=MOST_CPUS).contains(&cpus).then_some((cpus * 1000.0 + 0.5) as u32)
}

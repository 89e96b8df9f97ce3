//! The figures and processes of containers, field for field as in the interface.
//!
//! A figure that the kernel does not have, or of a container that has no cgroup, is `null`.

use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Of a container's cgroup. Counters begin with its start.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    pub name: String,
    pub cpu_us: Option<u64>,
    pub cpu_user_us: Option<u64>,
    pub cpu_system_us: Option<u64>,
    pub cpu_throttled_us: Option<u64>,
    pub memory_bytes: Option<u64>,
    pub memory_peak_bytes: Option<u64>,
    pub memory_limit_bytes: Option<u64>,
    pub memory_anon_bytes: Option<u64>,
    pub memory_file_bytes: Option<u64>,
    pub memory_kernel_bytes: Option<u64>,
    pub swap_bytes: Option<u64>,
    pub oom_kills: Option<u64>,
    pub processes: Option<u64>,
    pub processes_limit: Option<u64>,
    pub io_read_bytes: Option<u64>,
    pub io_written_bytes: Option<u64>,
    pub io_reads: Option<u64>,
    pub io_writes: Option<u64>,
    pub cpu_pressure: Option<Pressure>,
    pub memory_pressure: Option<Pressure>,
    pub io_pressure: Option<Pressure>,
}

/// How much of the time something had to wait for the resource, and how much of it everything had to.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Pressure {
    pub some: Stall,
    pub full: Option<Stall>,
}

/// Percent of the last 10, 60 and 300 seconds, and microseconds in all.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Stall {
    pub avg10: f64,
    pub avg60: f64,
    pub avg300: f64,
    pub total_us: u64,
}

/// One process of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Task {
    pub pid: u32,
    pub pid_inside: Option<u32>,
    pub cgroup: String,
    pub uid: Option<u32>,
    pub user: Option<String>,
    pub state: String,
    pub threads: u64,
    pub cpu_us: u64,
    pub memory_bytes: u64,
    pub started_us: u64,
    pub command: String,
}

//! `Stats`: what the kernel counts for a container's cgroup. Runs as an errand: reading `memory.stat`
//! makes the kernel add up what all CPUs have counted.

use std::collections::BTreeSet;
use std::os::fd::AsFd;

use orlop::container::figures::{Stall, io, number, pressure};
use orlop::control::{self, Figures, Pressure, StatsReply, encode_reply};

use super::cgroups;
use super::errands::Answer;
use crate::linux::{cgroup, time};

/// The answer for these containers.
pub fn stats(names: &BTreeSet<String>) -> Answer {
    let boot_us = u64::try_from(time::since_boot().as_micros()).unwrap_or(u64::MAX);
    let containers = names.iter().map(|name| figures(name)).collect();
    Ok(encode_reply(&StatsReply { boot_us, containers }))
}

fn figures(name: &str) -> Figures {
    let mut figures = Figures { name: name.to_owned(), ..Figures::default() };
    let Ok(group) = cgroup::open_path(&cgroups::path(name)) else { return figures };
    let read = |file: &str| cgroup::read(group.as_fd(), file).ok();
    let one = |file: &str| read(file).as_deref().and_then(number);
    let keyed = |text: &Option<String>, key: &str| text.as_deref().and_then(|text| cgroup::keyed(text, key));
    let cpu = read("cpu.stat");
    figures.cpu_us = keyed(&cpu, "usage_usec");
    figures.cpu_user_us = keyed(&cpu, "user_usec");
    figures.cpu_system_us = keyed(&cpu, "system_usec");
    figures.cpu_throttled_us = keyed(&cpu, "throttled_usec");
    figures.memory_bytes = one("memory.current");
    figures.memory_peak_bytes = one("memory.peak");
    figures.memory_limit_bytes = one("memory.max");
    let memory = read("memory.stat");
    figures.memory_anon_bytes = keyed(&memory, "anon");
    figures.memory_file_bytes = keyed(&memory, "file");
    figures.memory_kernel_bytes = keyed(&memory, "kernel");
    figures.swap_bytes = one("memory.swap.current");
    figures.oom_kills = keyed(&read("memory.events"), "oom_kill");
    figures.processes = one("pids.current");
    figures.processes_limit = one("pids.max");
    if let Some(io) = read("io.stat").as_deref().map(io) {
        figures.io_read_bytes = Some(io.read_bytes);
        figures.io_written_bytes = Some(io.written_bytes);
        figures.io_reads = Some(io.reads);
        figures.io_writes = Some(io.writes);
    }
    let stalls = |file: &str| {
        let (some, full) = pressure(&read(file)?);
        Some(Pressure { some: word(some?), full: full.map(word) })
    };
    figures.cpu_pressure = stalls("cpu.pressure");
    figures.memory_pressure = stalls("memory.pressure");
    figures.io_pressure = stalls("io.pressure");
    figures
}

fn word(stall: Stall) -> control::Stall {
    let Stall { averages: [avg10, avg60, avg300], total_us } = stall;
    control::Stall { avg10, avg60, avg300, total_us }
}

//! `update`: other limits for a container that runs, from a file or from options.

use std::io::Read;
use std::os::fd::AsFd;

use clap::Args;
use orlop::container::spec::Resources;
use orlop::container::{Present, When};

use super::container::Container;
use super::create::saved_spec;
use super::failure::{Failure, Result, io_at};
use super::resources;
use super::store::Store;
use super::values::bytes;
use crate::linux::cgroup;

/// Longer than any list of limits.
const LONGEST: u64 = 1 << 20;

#[derive(Debug, Args, Default)]
pub(crate) struct UpdateArguments {
    /// The container
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// A file with limits as in config.json, `linux.resources`, or - for the standard input; other options do not count
    #[arg(short, long, value_name = "FILE")]
    resources: Option<String>,
    /// Weight of its input and output, 10 to 1000
    #[arg(long, value_name = "WEIGHT")]
    blkio_weight: Option<u16>,
    /// Microseconds after which a share of time is given again
    #[arg(long, value_name = "US")]
    cpu_period: Option<u64>,
    /// Microseconds of time in each period; -1 is no limit
    #[arg(long, value_name = "US", allow_hyphen_values = true)]
    cpu_quota: Option<i64>,
    /// Microseconds that may be saved up for later
    #[arg(long, value_name = "US")]
    cpu_burst: Option<u64>,
    /// Weight of its processes, as cgroup v1 counted: 1024 is usual
    #[arg(long, value_name = "SHARES")]
    cpu_share: Option<u64>,
    /// Refused: cgroup v2 has no such limit
    #[arg(long, value_name = "US", hide = true)]
    cpu_rt_period: Option<u64>,
    /// Refused: cgroup v2 has no such limit
    #[arg(long, value_name = "US", hide = true, allow_hyphen_values = true)]
    cpu_rt_runtime: Option<i64>,
    /// CPUs that may be used: 0-2,7
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Memory nodes that may be used: 0-2,7
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// 1: its processes run when nobody else's want to
    #[arg(long, value_name = "0|1", allow_hyphen_values = true)]
    cpu_idle: Option<i64>,
    /// Refused: cgroup v2 has no such limit
    #[arg(long, value_name = "BYTES", hide = true, value_parser = bytes, allow_hyphen_values = true)]
    kernel_memory: Option<i64>,
    /// Refused: cgroup v2 has no such limit
    #[arg(long, value_name = "BYTES", hide = true, value_parser = bytes, allow_hyphen_values = true)]
    kernel_memory_tcp: Option<i64>,
    /// The most memory: 64M; -1 is no limit
    #[arg(long, value_name = "BYTES", value_parser = bytes, allow_hyphen_values = true)]
    memory: Option<i64>,
    /// Memory that is taken back last
    #[arg(long, value_name = "BYTES", value_parser = bytes, allow_hyphen_values = true)]
    memory_reservation: Option<i64>,
    /// The most memory and swap together; -1 is no limit
    #[arg(long, value_name = "BYTES", value_parser = bytes, allow_hyphen_values = true)]
    memory_swap: Option<i64>,
    /// The most processes; -1 is no limit
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    pids_limit: Option<i64>,
    /// Refused: see `features`, intelRdt
    #[arg(long, value_name = "SCHEMA", hide = true)]
    l3_cache_schema: Option<String>,
    /// Refused: see `features`, intelRdt
    #[arg(long, value_name = "SCHEMA", hide = true)]
    mem_bw_schema: Option<String>,
}

/// # Errors
/// It does not run; it has no cgroup; what cannot be limited, before anything is changed.
pub(crate) fn update(store: Option<&Store>, asked: &UpdateArguments) -> Result<()> {
    let container = Container::lock(store, &asked.id)?;
    container.living()?;
    let directory = container.cgroup()?;
    let wanted = match asked.resources.as_deref().filter(|path| !path.is_empty()) {
        Some(path) => read(path)?,
        None => asked.resources()?,
    };
    let present = Present::read(|file| cgroup::read(directory.as_fd(), file).unwrap_or_default());
    let declared = saved_spec(&container.folder)?.linux.devices;
    resources::of_update(&wanted, &declared, When::Update(&present))?.apply(directory.as_fd())
}

fn read(path: &str) -> Result<Resources> {
    let mut text = String::new();
    let read = match path {
        "-" => std::io::stdin().take(LONGEST).read_to_string(&mut text),
        path => std::fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text)),
    };
    let name = if path == "-" { "standard input" } else { path };
    read.map_err(io_at(name))?;
    serde_json::from_slice(text.as_bytes()).map_err(|error| Failure::new(format!("{name}: {error}")))
}

impl UpdateArguments {
    fn resources(&self) -> Result<Resources> {
        if self.l3_cache_schema.is_some() || self.mem_bw_schema.is_some() {
            return Err(Failure::new("linux.intelRdt: it is not done here"));
        }
        let mut wanted = Resources::default();
        wanted.block_io.weight = self.blkio_weight.filter(|weight| *weight != 0);
        let cpu = &mut wanted.cpu;
        (cpu.shares, cpu.quota, cpu.period, cpu.burst) =
            (self.cpu_share, self.cpu_quota, self.cpu_period, self.cpu_burst);
        (cpu.realtime_period, cpu.realtime_runtime) = (self.cpu_rt_period, self.cpu_rt_runtime);
        (cpu.cpus, cpu.mems, cpu.idle) = (self.cpuset_cpus.clone(), self.cpuset_mems.clone(), self.cpu_idle);
        let memory = &mut wanted.memory;
        (memory.limit, memory.swap, memory.reservation) =
            (self.memory, self.memory_swap, self.memory_reservation);
        (memory.kernel, memory.kernel_tcp) = (self.kernel_memory, self.kernel_memory_tcp);
        wanted.pids.limit = self.pids_limit;
        Ok(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::super::arguments::Command;
    use super::super::parse::parse;
    use super::*;

    fn read_line(line: &str) -> UpdateArguments {
        let words = std::iter::once("orlop").chain(line.split(' ')).map(std::ffi::OsString::from).collect();
        match parse(words).unwrap().command {
            Some(Command::Update(asked)) => asked,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_are_limits_in_the_specifications_words() {
        let line = "update --memory 64M --memory-swap=-1 --cpu-quota -1 --cpu-period 1000 --cpu-share 512 \
                    --cpuset-cpus 0-1 --pids-limit 7 --blkio-weight 100 web";
        let wanted = read_line(line).resources().unwrap();
        assert_eq!((wanted.memory.limit, wanted.memory.swap), (Some(64 << 20), Some(-1)));
        assert_eq!(
            (wanted.cpu.quota, wanted.cpu.period, wanted.cpu.shares),
            (Some(-1), Some(1000), Some(512))
        );
        assert_eq!(wanted.cpu.cpus.as_deref(), Some("0-1"));
        assert_eq!((wanted.pids.limit, wanted.block_io.weight), (Some(7), Some(100)));
        assert_eq!(read_line("update web").resources().unwrap(), Resources::default());
        assert!(read_line("update --l3-cache-schema x web").resources().is_err());
    }
}

//! What the phases of a boot do, one function each. All of it can be done once more.

use std::os::fd::AsFd;

use orlop::config::{self, Config, Disk, Source};

use super::VOLUMES;
use crate::agent::{keep, network, records, say};
use crate::engine;
use crate::linux::kmsg::Level;
use crate::linux::mount::Attributes;
use crate::linux::{Errno, cgroup, fs, insist, mount, node, sysctl};

pub(super) fn text(errno: Errno) -> String {
    errno.desc().to_owned()
}

pub(super) fn directories() -> Result<(), String> {
    for path in [
        "/run/orlop",
        records::DIRECTORY,
        engine::LAYERS,
        engine::DEVICES,
        engine::SCRATCH,
        engine::PODS,
        VOLUMES,
    ] {
        make_directory(path)?;
    }
    Ok(())
}

fn make_directory(path: &str) -> Result<(), String> {
    insist(|| fs::make_directory(path, 0o755)).map_err(|errno| format!("{path}: {}", errno.desc()))
}

/// The last that is written in the root: where a disk comes to be, if there is to be one.
pub(super) fn close_root(disk: Option<&Disk>) -> Result<(), String> {
    if disk.is_some() {
        // Nothing is looked up below.
        ["/var", "/var/lib", keep::POINT].into_iter().try_for_each(make_directory)?;
    }
    // What runs here is nobody's to write, not even by way of /proc/PID/exe. Under another init the root
    // is not ours alone.
    if nix::unistd::getppid().as_raw() != 1 {
        return Ok(());
    }
    insist(|| mount::restrict_one(fs::open_directory("/")?.as_fd(), Attributes::READ_ONLY))
        .map_err(|errno| format!("/: {}", errno.desc()))
}

/// What these files declare; the number of errors, each of which is said.
pub fn read_config(sources: &[Source]) -> (Config, usize) {
    let mut errors = 0usize;
    let reading = config::read(sources);
    for diagnostic in &reading.diagnostics {
        errors += usize::from(diagnostic.severity == config::Severity::Error);
        let level =
            if diagnostic.severity == config::Severity::Error { Level::Error } else { Level::Warning };
        for line in diagnostic.to_string().lines() {
            say(level, line);
        }
    }
    (reading.config, errors)
}

/// The /dev that all containers see: the usual devices, links, and places to mount on.
pub(super) fn devices() -> Result<(), String> {
    let fail = |name: &str| {
        let name = name.to_owned();
        move |errno: Errno| format!("{name}: {}", errno.desc())
    };
    let make = || {
        let memory = mount::Filesystem::open(c"tmpfs")?;
        let attributes = mount::Attributes::NO_SUID.and(mount::Attributes::NO_EXEC);
        memory.set("mode", "0755")?.set("size", "64k")?.mount(attributes)
    };
    let mounted = insist(make).map_err(fail("tmpfs"))?;
    insist(|| mount::attach(mounted.as_fd(), fs::open_directory(engine::DEVICES)?.as_fd()))
        .map_err(fail(engine::DEVICES))?;
    node::fill_dev(engine::DEVICES).map_err(fail(engine::DEVICES))
}

/// Keeps memory for Orlop itself: what the containers may use together is less than there is.
pub(super) fn reserve(total: u64) -> Result<(), String> {
    /// PID 1, the supervisor, the logger with its rings, and a kernel that still has to work.
    const RESERVE: u64 = 24 << 20;
    /// Below `orlop` nothing is reclaimed until it is larger than this.
    const OURS: u64 = 12 << 20;

    let write = |path: &str, file: &str, value: u64| {
        let group =
            insist(|| cgroup::open_path(path)).map_err(|errno| format!("{path}: {}", errno.desc()))?;
        insist(|| cgroup::write(group.as_fd(), file, &value.to_string()))
            .map_err(|errno| format!("{path}/{file}: {}", errno.desc()))
    };
    write("orlop", "memory.min", OURS)?;
    write("containers", "memory.max", total.saturating_sub(RESERVE))
}

pub(super) fn configure_network(config: &Config) -> Result<(), String> {
    let configure = || -> Vec<String> {
        let outcomes = network::configure(config, &network::Places::default());
        outcomes.iter().filter(|outcome| outcome.is_failure()).map(ToString::to_string).collect()
    };
    let mut failures = configure();
    if !failures.is_empty() {
        // Only what is missing is done then: for what failed for the moment alone.
        failures = configure();
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

pub(super) fn sysctls(config: &Config) -> Result<(), String> {
    // A container in a user namespace that uses the machine's network could not bind below 1024.
    let default = ("net.ipv4.ip_unprivileged_port_start".to_owned(), "0".to_owned());
    let mut errors = Vec::new();
    for (key, value) in [(&default.0, &default.1)].into_iter().chain(&config.host.sysctls) {
        if let Err(error) = sysctl::write_sysctl(key, value) {
            errors.push(format!("{key}: {error}"));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
}

/// MemTotal of /proc/meminfo, bytes.
pub(super) fn memory_total() -> u64 {
    let text = fs::read_text("/proc/meminfo").unwrap_or_default();
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<u64>().ok());
    // A machine that does not say is taken for a small one.
    kib.unwrap_or(64 << 10) * 1024
}

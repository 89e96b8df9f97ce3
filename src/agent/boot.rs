//! What the supervisor does once, before the containers: phases with a name, a time and a result.
//!
//! A phase that fails is shown and the boot goes on.

use std::time::Duration;

use orlop::config::{self, Config, Source};
use orlop::ledger::Label;

use super::ledger::Table;
use super::{container, records, say, store};
use crate::linux::kmsg::Level;
use crate::linux::{Errno, fs, mount, sysctl, time};

pub const VOLUMES: &str = "/run/orlop/volumes";
pub const RESOLV_CONF: &str = "/run/orlop/resolv.conf";
const CONFIG: &str = "/orlop/config";
/// Told by a file, so that a restarted supervisor does not do these things again.
const DONE: &str = "/run/orlop/booted";

/// One phase of the boot.
#[derive(Debug, Clone)]
pub struct Phase {
    pub name: String,
    pub start: Duration,
    pub end: Duration,
    pub error: Option<String>,
}

pub struct Boot {
    pub phases: Vec<Phase>,
    pub config_dir: String,
    /// Bytes of RAM.
    pub memory: u64,
    pub starts: u32,
}

impl Boot {
    /// Prepares the machine, or finds it prepared, and reads the configuration.
    pub fn begin(table: &Table, now: Duration) -> (Self, Config) {
        let mut boot = Self {
            phases: table.phases.iter().map(Phase::of_pid_1).collect(),
            config_dir: CONFIG.into(),
            memory: memory_total(),
            starts: table.starts,
        };
        let start = boot.phases.last().map_or(now, |last| last.end);
        boot.phases.push(Phase { name: "supervisor".into(), start, end: now, error: None });
        boot.phase("runtime directories", directories);
        let config_dir = boot.config_dir.clone();
        let mut config = Config::default();
        boot.phase("configuration", || {
            let (read, errors) = read_config(&config_dir);
            config = read;
            if errors == 0 { Ok(()) } else { Err(format!("{errors} errors")) }
        });
        if fs::open_path(DONE).is_err() {
            boot.prepare(&config);
            if let Err(errno) = records::write_file(DONE, "") {
                say(Level::Error, &format!("{DONE}: {}", errno.desc()));
            }
        }
        (boot, config)
    }

    fn prepare(&mut self, config: &Config) {
        self.phase("hostname", || nix::unistd::sethostname(&config.host.hostname).map_err(text));
        self.phase("devices", devices);
        self.phase("sysctls", || sysctls(config));
    }

    /// Runs one phase and keeps what came of it.
    pub fn phase(&mut self, name: &str, work: impl FnOnce() -> Result<(), String>) {
        let start = time::since_boot();
        let error = work().err();
        if let Some(error) = &error {
            say(Level::Error, &format!("boot: {name}: {error}"));
        }
        self.phases.push(Phase { name: name.into(), start, end: time::since_boot(), error });
    }
}

impl Phase {
    fn of_pid_1(phase: &orlop::ledger::Phase) -> Self {
        let label: &Label = &phase.label;
        let (name, object) = label.as_str().split_once(' ').unwrap_or((label.as_str(), ""));
        let error = (phase.errno != 0).then(|| format!("{object}: {}", Errno::from_raw(phase.errno).desc()));
        Self {
            name: name.into(),
            start: Duration::from_micros(phase.start_us),
            end: Duration::from_micros(phase.end_us),
            error,
        }
    }
}

fn text(errno: Errno) -> String {
    errno.desc().to_owned()
}

fn directories() -> Result<(), String> {
    for path in
        ["/run/orlop", records::DIRECTORY, container::LAYERS, container::DEVICES, container::SCRATCH, VOLUMES]
    {
        fs::make_directory(path, 0o755).map_err(|errno| format!("{path}: {}", errno.desc()))?;
    }
    Ok(())
}

/// Reads every `*.toml` of the folder; the number of errors, each of which is said.
fn read_config(dir: &str) -> (Config, usize) {
    let mut sources = Vec::new();
    let mut errors = 0usize;
    match std::fs::read_dir(dir) {
        Err(error) => {
            say(Level::Error, &format!("{dir}: {error}"));
            errors += 1;
        }
        Ok(entries) => {
            for path in entries.flatten().map(|entry| entry.path()) {
                if path.extension().is_none_or(|extension| extension != "toml") {
                    continue;
                }
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                match std::fs::read_to_string(&path) {
                    Ok(text) => sources.push(Source { path: name, text }),
                    Err(error) => {
                        say(Level::Error, &format!("{name}: {error}"));
                        errors += 1;
                    }
                }
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    let reading = config::read(&sources);
    for diagnostic in &reading.diagnostics {
        errors += usize::from(diagnostic.is_error());
        let level = if diagnostic.is_error() { Level::Error } else { Level::Warning };
        for line in diagnostic.to_string().lines() {
            say(level, line);
        }
    }
    (reading.config, errors)
}

/// The /dev that all containers see: the usual devices, links, and places to mount on.
fn devices() -> Result<(), String> {
    let fail = |name: &str| {
        let name = name.to_owned();
        move |errno: Errno| format!("{name}: {}", errno.desc())
    };
    let memory = mount::Filesystem::open(c"tmpfs").map_err(fail("tmpfs"))?;
    memory.set("mode", "0755").map_err(fail("tmpfs"))?.set("size", "64k").map_err(fail("tmpfs"))?;
    let mounted =
        memory.mount(mount::Attributes::NO_SUID.and(mount::Attributes::NO_EXEC)).map_err(fail("tmpfs"))?;
    let target = fs::open_directory(container::DEVICES).map_err(fail(container::DEVICES))?;
    use std::os::fd::AsFd;
    mount::attach(mounted.as_fd(), target.as_fd()).map_err(fail(container::DEVICES))?;
    fs::fill_dev(container::DEVICES).map_err(fail(container::DEVICES))
}

fn sysctls(config: &Config) -> Result<(), String> {
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
fn memory_total() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<u64>().ok());
    // A machine that does not say is taken for a small one.
    kib.unwrap_or(64 << 10) * 1024
}

pub use store::DIRECTORY as STORE;

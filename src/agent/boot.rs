//! What the supervisor does once, before the containers: phases with a name, a time and a result.
//!
//! A phase that fails is shown and the boot goes on.

mod phases;

use std::time::Duration;

use orlop::config::{self, Config, KernelWords};
use orlop::control;
use orlop::ledger::Label;

use serde::{Deserialize, Serialize};

use super::blame::Blame;
use super::configuration::{self, Kept, Place};
use super::devices::Devices;
use super::ledger::Table;
use super::{apparmor, lasting, modules, records, say};
use crate::linux::kmsg::Level;
use crate::linux::{Errno, fs, time};

pub use phases::read_config;
use phases::{close_root, configure_network, devices, directories, memory_total, reserve, sysctls, text};

pub const VOLUMES: &str = "/run/orlop/volumes";
pub const RESOLV_CONF: &str = "/run/orlop/resolv.conf";
/// Told by a file, so that a restarted supervisor does not do these things again.
const DONE: &str = "/run/orlop/boot.json";
/// What was done before the containers, and is not done again by whoever comes before they are up.
const PREPARED: &str = "/run/orlop/prepared.json";
/// For containers that come up slowly, helpers and devices wait no longer: a container that takes
/// so long waits for something else than the processor.
const PATIENCE: Duration = Duration::from_millis(200);
/// Between the last container's exec and what gave way to it: else the first container's first
/// instructions wait for them where there is one processor. Nobody sees so short a pause.
const LEAD: Duration = Duration::from_millis(5);

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
    pub words: KernelWords,
    /// Bytes of RAM.
    pub memory: u64,
    pub starts: u32,
    /// Every container that can has come up once.
    pub complete: bool,
    /// As far as the configuration that is built in counts: another one may be in force.
    pub is_half_prepared: bool,
    /// The containers wait for the disk.
    is_held: bool,
    /// Begun but not over.
    containers_since: Option<Duration>,
    /// The modules that no container waits for.
    pub devices: Devices,
}

/// The configuration that a supervisor begins with.
#[derive(Default)]
pub struct Read {
    pub config: Config,
    pub current: Kept,
    /// How long the containers wait for a disk, on which there may be another one.
    pub waits_for: Option<Duration>,
    /// It has gone back to the built-in one.
    pub fell_back: bool,
}

/// What a later supervisor wants to know of the boot.
#[derive(Serialize, Deserialize)]
struct KeptPhases {
    phases: Vec<control::Phase>,
}

impl Boot {
    /// The phases before any configuration is looked at.
    pub fn begin(table: &Table, now: Duration) -> Self {
        let words = config::kernel_words(&fs::read_text("/proc/cmdline").unwrap_or_default());
        for warning in &words.warnings {
            say(Level::Warning, warning);
        }
        let mut boot = Self {
            phases: table.phases.iter().map(Phase::of_pid_1).collect(),
            config_dir: words.config.clone(),
            words,
            memory: memory_total(),
            starts: table.starts,
            complete: false,
            is_half_prepared: false,
            is_held: false,
            containers_since: None,
            devices: Devices::default(),
        };
        let start = boot.phases.last().map_or(now, |last| last.end);
        boot.phases.push(Phase { name: "supervisor".into(), start, end: now, error: None });
        boot.phase("runtime directories", directories);
        boot
    }

    /// Reads the configuration; prepares the machine by it, or finds it prepared.
    pub fn configure(&mut self, table: &Table, blamed: &Blame) -> Read {
        let folder = self.config_dir.clone();
        let mut read = Read::default();
        self.phase("configuration", || {
            let (found, unread, place) = configuration::kept_or_folder(&folder);
            let died = table.safe && blamed.culprit().is_none();
            let back = if died { lasting::after_deaths(&found, &folder) } else { None };
            read.fell_back = back.is_some();
            read.current = back.unwrap_or(found);
            let (config, errors) = read_config(&read.current.sources());
            read.config = config;
            match place {
                // Whatever took its place: the disk is that of the machine as it was built, or there is none.
                Place::Run if read.current.built_in.is_some() => {
                    let (files, _) = configuration::read_folder(&folder);
                    read.config.host.disk = config::read(&configuration::sources(&files)).config.host.disk;
                }
                Place::Run => read.config.host.disk = None,
                Place::Folder => read.waits_for = read.config.host.disk.as_ref().map(|disk| disk.timeout),
            }
            let errors = errors.saturating_add(unread);
            if errors == 0 { Ok(()) } else { Err(format!("{errors} errors")) }
        });
        self.phase("close root", || close_root(read.config.host.disk.as_ref()));
        // Nobody dies of it once more, nor waits at the end.
        let waits = !table.safe && table.power.is_none();
        read.waits_for = read.waits_for.map(|timeout| if waits { timeout } else { Duration::ZERO });
        match (kept(DONE), kept(PREPARED)) {
            (Some(phases), _) => {
                self.phases = phases;
                self.complete = true;
            }
            (None, Some(phases)) => self.phases = phases,
            (None, None) => {
                self.prepare(&read.config);
                self.is_half_prepared = read.waits_for.is_some();
                if !self.is_half_prepared {
                    self.prepare_rest(&read.config);
                }
            }
        }
        self.is_held = read.waits_for.is_some();
        read
    }

    /// What a disk takes as well.
    fn prepare(&mut self, config: &Config) {
        let self_memory = self.memory;
        self.phase("hostname", || nix::unistd::sethostname(&config.host.hostname).map_err(text));
        self.phase("modules", || modules::load_first(config));
        self.phase("devices", devices);
        self.phase("memory", || reserve(self_memory));
    }

    /// What is done by the configuration that is in force, once that is known.
    pub fn prepare_rest(&mut self, config: &Config) {
        if core::mem::take(&mut self.is_half_prepared) {
            // Another one may name more of them.
            self.phase("more modules", || modules::load_first(config));
        }
        self.phase("network", || configure_network(config));
        self.phase("sysctls", || sysctls(config));
        if !config.host.apparmor_profiles.is_empty() {
            let directory = self.config_dir.clone();
            self.phase("apparmor", || apparmor::load(&config.host.apparmor_profiles, &directory));
        }
    }

    /// The first containers have had their time: from here on this is worth a file.
    pub fn prepared(&self) {
        self.write(PREPARED);
    }

    /// For a later supervisor.
    fn write(&self, path: &str) {
        let text = serde_json::to_string(&KeptPhases { phases: self.phase_words() }).unwrap_or_default();
        if let Err(errno) = records::write_file(path, &text) {
            say(Level::Error, &format!("{path}: {}", errno.desc()));
        }
    }

    /// When helpers are started at the latest: not before the first containers, which need the
    /// processor, unless those take their time. Output waits in its pipes meanwhile.
    pub fn helpers_first(&self, now: Duration) -> Duration {
        if self.complete { Duration::ZERO } else { now.saturating_add(PATIENCE) }
    }

    /// The containers are being started.
    pub fn containers_begin(&mut self) {
        self.is_held = false;
        if !self.complete {
            let now = time::since_boot();
            self.containers_since = Some(now);
            self.devices.wait(now.saturating_add(PATIENCE));
        }
    }

    /// The last one that could has come up: when what gave way to them may begin.
    pub fn containers_end(&mut self, now: Duration) -> Duration {
        let next = now.saturating_add(LEAD);
        if let Some(start) = self.containers_since.take() {
            self.keep(Phase { name: "containers".into(), start, end: now, error: None });
            self.devices.hurry(next);
        }
        next
    }

    /// The boot is complete once both are over, and said to be.
    pub fn complete_if_done(&mut self, now: Duration) {
        if self.complete || self.is_held || self.containers_since.is_some() || self.devices.are_waited_for() {
            return;
        }
        self.complete = true;
        self.write(DONE);
        for phase in &self.phases {
            let took = phase.end.saturating_sub(phase.start).as_secs_f64() * 1000.0;
            let error = phase.error.as_deref().map_or(String::new(), |error| format!(": {error}"));
            say(Level::Info, &format!("boot: {:<20} {took:8.1} ms{error}", phase.name));
        }
        say(Level::Info, &format!("boot complete after {:.3} s", now.as_secs_f64()));
    }

    pub fn is_starting_containers(&self) -> bool {
        self.containers_since.is_some()
    }

    /// As the interface has them.
    pub fn phase_words(&self) -> Vec<control::Phase> {
        self.phases.iter().map(Phase::word).collect()
    }

    /// Runs one phase and keeps what came of it.
    pub fn phase(&mut self, name: &str, work: impl FnOnce() -> Result<(), String>) {
        let start = time::since_boot();
        let error = work().err();
        self.ended(Phase { name: name.into(), start, end: time::since_boot(), error });
    }

    /// Keeps one that is over.
    pub fn ended(&mut self, phase: Phase) {
        if let Some(error) = &phase.error {
            say(Level::Error, &format!("boot: {}: {error}", phase.name));
        }
        self.keep(phase);
    }

    /// In the order in which they began: some go on beside one another. What an earlier supervisor has
    /// ended stays as it was.
    fn keep(&mut self, phase: Phase) {
        if self.phases.iter().any(|kept| kept.name == phase.name) {
            return;
        }
        self.phases.push(phase);
        self.phases.sort_by_key(|phase| phase.start);
    }
}

fn kept(path: &str) -> Option<Vec<Phase>> {
    let kept: KeptPhases = serde_json::from_slice(&fs::read_whole(path, 64 << 10).ok()?).ok()?;
    Some(kept.phases.into_iter().map(Phase::of_word).collect())
}

impl Phase {
    fn word(&self) -> control::Phase {
        control::Phase {
            name: self.name.clone(),
            start_us: self.start.as_micros() as u64,
            duration_us: Some(self.end.saturating_sub(self.start).as_micros() as u64),
            ok: Some(self.error.is_none()),
            error: self.error.clone(),
        }
    }

    fn of_word(word: control::Phase) -> Self {
        let start = Duration::from_micros(word.start_us);
        let end = start.saturating_add(Duration::from_micros(word.duration_us.unwrap_or_default()));
        Self { name: word.name, start, end, error: word.error }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_that_an_earlier_supervisor_ended_stays_as_it_was() {
        let mut boot = Boot {
            phases: Vec::new(),
            config_dir: String::new(),
            words: config::kernel_words(""),
            memory: 0,
            starts: 2,
            complete: false,
            is_half_prepared: false,
            is_held: false,
            containers_since: None,
            devices: Devices::default(),
        };
        let seconds = Duration::from_secs;
        let mut end = |name: &str, start, end| {
            boot.ended(Phase { name: name.into(), start: seconds(start), end: seconds(end), error: None });
            boot.phases.iter().map(|phase| (phase.name.clone(), phase.end.as_secs())).collect::<Vec<_>>()
        };
        end("device modules", 5, 6);
        end("containers", 3, 7);
        let phases = end("containers", 8, 9);
        assert_eq!(phases, [("containers".to_owned(), 7), ("device modules".to_owned(), 6)]);
    }
}

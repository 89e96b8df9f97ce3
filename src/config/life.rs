//! How a container lives, as its configuration has it: what it waits for, when it is ready, how it is known to be
//! well, and what follows its end.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::value::cron::Cron;

/// What a dependency has to be before its dependent starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It was ready since boot, and since it last failed.
    Started,
    /// Its health check passes.
    Healthy,
    /// It ended well, the last time that it ended.
    Completed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    pub condition: Condition,
    /// Whether the dependent goes down whenever the dependency does, and comes back after it.
    pub restart: bool,
    /// Whether one that does not come up is waited for.
    pub required: bool,
}

/// What the machine has to be before a container starts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// An interface with a carrier has an address that others can reach.
    NetworkOnline,
    /// The kernel's clock is kept right by somebody (adjtimex(2)).
    TimeSynced,
    /// All containers that start at boot have come up, or shown that they do not.
    BootComplete,
    /// A file or folder of the machine.
    Path(String),
    /// A device's file, below /dev.
    Device(String),
}

/// What a container is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To run.
    Service,
    /// To come to an end.
    Oneshot,
    /// To come to an end when the machine does.
    Shutdown,
}

/// When a container runs that is not there to run all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timetable {
    pub when: When,
    /// By chance up to so much later.
    pub jitter: Duration,
    pub missed: Missed,
    pub overlap: Overlap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// From boot on.
    Every(Duration),
    Clock(Cron),
}

/// How long a killed container may take to be gone before it is called stuck. A killed process goes
/// in milliseconds; one that does not is waiting for a device.
pub const KILL_WAIT: Duration = Duration::from_secs(5);

/// Of the time that a shutdown has, for kills without waiting: a tenth, and not more than this.
pub const LONGEST_RESERVE: Duration = Duration::from_secs(2);

/// What becomes of a time that the clock was set over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    Skip,
    /// It runs at once.
    Run,
}

/// What becomes of a time that comes while it still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    Skip,
    /// It runs once more when it has ended.
    Queue,
}

/// Who says that a container is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Nobody: it is, once its program is executed.
    Started,
    /// It does, as sd_notify(3) has it.
    Notify,
    /// It does, by a line on descriptor 3, as s6 has it.
    Fd,
    /// Its health check.
    Healthy,
}

/// What a configuration or an image says of a health check; what it does not say is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HealthCheck {
    pub test: Option<Test>,
    pub interval: Option<Duration>,
    pub timeout: Option<Duration>,
    /// Failures in a row that make it unhealthy.
    pub retries: Option<u32>,
    /// Successes in a row that make it healthy again.
    pub successes: Option<u32>,
    /// Until then, failures do not count.
    pub start_period: Option<Duration>,
    /// Between probes until it is healthy for the first time.
    pub start_interval: Option<Duration>,
    pub on_failure: Option<OnFailure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Test {
    /// There is no health check, whatever the image says.
    Disabled,
    Probe(Probe),
}

/// One question to a container. Addresses and paths are the container's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Probe {
    /// A program that exits with 0.
    Exec(Vec<String>),
    /// As `Exec`, by /bin/sh.
    Shell(String),
    /// A status from 200 to 399, for a GET of `path`.
    Http { address: SocketAddr, host: String, path: String },
    /// A connection is taken.
    Tcp(SocketAddr),
    /// A connection is taken at this path.
    Unix(String),
    /// `grpc.health.v1.Health/Check` answers SERVING; an empty service is the server as a whole.
    Grpc { address: SocketAddr, service: String },
    /// There is a file.
    File(String),
}

/// What happens to a container that becomes unhealthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    /// It is stopped, and its restart policy decides.
    Restart,
    /// As `Restart`, without being asked to end first.
    Kill,
    /// It is shown.
    None,
}

/// How long one that says itself when it is ready may take, without a word about it.
pub const DEFAULT_READY_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    No,
    Always,
    OnFailure,
    /// As `Always`; a stop by a person lasts until the next boot either way.
    UnlessStopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Before the first restart after a healthy run.
    pub delay: Duration,
    pub max_delay: Duration,
    /// Failures within `window` that are one too many. `None`: no budget.
    pub max_attempts: Option<u32>,
    /// `None`: all failures count, up to the next healthy run.
    pub window: Option<Duration>,
    /// A run this long is healthy: what went before is forgotten.
    pub healthy_after: Duration,
    pub then: Exhausted,
}

/// The most that `max_attempts` may be with a window: the time of each failure is remembered, and a
/// container's record stays small.
pub const MOST_ATTEMPTS: u32 = 256;

/// What happens when the failure budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// Keep trying, at `max_delay`, for ever.
    Hold,
    /// `failed`, until a person starts it.
    Fail,
    /// All of its group are stopped, and started again.
    RestartGroup,
    /// The machine is rebooted.
    Reboot,
}

/// Containers that are started and stopped by one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub containers: BTreeSet<String>,
    /// `None`: each has its own, and nothing more.
    pub budget: Option<Budget>,
    /// Empty: each has namespaces of its own.
    pub share: BTreeSet<Shared>,
}

/// A namespace that the containers of a group may have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shared {
    Network,
    Ipc,
    Uts,
}

/// What a container shares with the others of its group; with it the range of ids, which owns those namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    pub group: String,
    pub share: BTreeSet<Shared>,
}

impl Pod {
    /// What its range of ids is given out to: no container has a name with a space.
    #[must_use]
    pub fn owner_of_ids(&self) -> String {
        alloc::format!("group {}", self.group)
    }
}

/// So many failures of all of them together are one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    pub max_attempts: u32,
    pub window: Duration,
    pub then: Exhausted,
}

/// What follows an end of a certain kind, whatever the restart policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartRule {
    pub on: Vec<EndPattern>,
    pub then: Sentence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndPattern {
    /// Exit codes from the first to the last.
    Codes(i32, i32),
    Signal(i32),
    Oom,
    Probe,
    Watchdog,
    /// It could not be started, or did not become ready.
    Start,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sentence {
    /// It starts again, after its pause.
    Restart,
    /// It ended well.
    Success,
    /// It stays down.
    Fail,
    /// The machine is rebooted.
    Reboot,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(30),
            max_attempts: None,
            window: Some(Duration::from_secs(60)),
            healthy_after: Duration::from_secs(60),
            then: Exhausted::Hold,
        }
    }
}

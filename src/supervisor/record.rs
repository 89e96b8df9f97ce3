//! What must outlive the supervisor, container by container.
//!
//! Flat and versioned. Within version 1 fields are only added: those that this release does not know
//! are kept and written again, so that a release may be rolled back. Times are microseconds since
//! boot; a record means nothing after the next one.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cause::Cause;
use super::event::{Exit, Shortage, StartFailure};
use super::state::{By, Phase, Remains, State, Wanted, Why};
use super::unit::{End, Unit};
use super::up::Health;
use crate::config::HealthCheck;

pub(super) const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub version: u32,
    pub name: String,
    pub generation: u64,
    /// The number of the configuration that this generation was started by.
    #[serde(default)]
    pub made: u64,
    /// It is a run of its timetable, or of a job of the shutdown.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub timed: bool,
    pub wanted: Wanted,
    /// The word of its state; one that is not known is as good as none.
    pub state: String,
    /// Since when it is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_since_us: Option<u64>,
    /// Who wants the start that it waits for; absent: the boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// How far a stop has come, and why it is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The time that the state carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pidfd_inode: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at_us: Option<u64>,
    /// It has been ready since boot, and since it last failed.
    #[serde(default)]
    pub ran: bool,
    /// It is; absent in records of a release that knew no other than ready ones.
    #[serde(default = "yes")]
    pub ready: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub well_since_us: Option<u64>,
    #[serde(default)]
    pub completed: bool,
    #[serde(default)]
    pub concluded: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_check: Option<HealthCheck>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_stop_signal: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EndRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Why it cannot be started, if that was found out while the machine ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid: Option<Cause>,
    #[serde(default)]
    pub streak: u32,
    /// Since the last healthy run.
    #[serde(default)]
    pub failures: u32,
    #[serde(default)]
    pub failures_us: Vec<u64>,
    #[serde(default)]
    pub held: bool,
    #[serde(default)]
    pub restarts: u32,
    #[serde(default)]
    pub restarts_asked: u32,
    /// Fields of a later release, and of whoever writes the record.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// How a generation ended: `exit` or `failure`; neither when nobody saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndRecord {
    pub at_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    #[serde(default)]
    pub oom: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortage: Option<Shortage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<StartFailure>,
}

/// Why a text is not a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordError {
    Unreadable { text: String },
    Version { found: u32 },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { text } => write!(f, "not a record: {text}"),
            Self::Version { found } => {
                write!(f, "a record of version {found}, this release reads version {VERSION}")
            }
        }
    }
}

impl Record {
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        let unreadable = |error: serde_json::Error| RecordError::Unreadable { text: error.to_string() };
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        // A record of another version need not have our fields.
        let Version { version } = serde_json::from_slice(text.as_bytes()).map_err(unreadable)?;
        if version != VERSION {
            return Err(RecordError::Version { found: version });
        }
        serde_json::from_slice(text.as_bytes()).map_err(unreadable)
    }

    pub fn to_json(&self) -> Result<String, RecordError> {
        serde_json::to_string(self).map_err(|error| RecordError::Unreadable { text: error.to_string() })
    }

    pub(super) fn of(unit: &Unit) -> Self {
        let (phase, why) = stop_words(&unit.state);
        Self {
            version: VERSION,
            name: unit.name.clone(),
            generation: unit.generation,
            made: unit.made,
            timed: unit.timed,
            wanted: unit.wanted,
            state: unit.state.kind().word().to_string(),
            state_since_us: Some(micros(unit.since_state)),
            by: by_word(&unit.state).map(str::to_string),
            phase: phase.map(str::to_string),
            why: why.map(|why| why.word().to_string()),
            until_us: unit.state.deadline().map(micros),
            pid: unit.process.map(|process| process.pid),
            pidfd_inode: unit.process.map(|process| process.pidfd_inode),
            started_at_us: unit.started_at.map(micros),
            ran: unit.ran,
            ready: unit.is_ready() || unit.ready_early,
            health: Some(unit.health())
                .filter(|health| *health != Health::None)
                .map(|h| h.word().to_string()),
            report: unit.report.clone(),
            well_since_us: unit.well_since.map(micros),
            completed: unit.completed,
            concluded: unit.concluded,
            image_check: unit.image_check.clone(),
            image_stop_signal: unit.image_stop_signal,
            end: unit.end.as_ref().map(EndRecord::of),
            cause: unit.cause.clone(),
            invalid: unit.invalid.clone(),
            streak: unit.streak,
            failures: unit.failures.count,
            failures_us: unit.failures.at.iter().copied().map(micros).collect(),
            held: unit.held,
            restarts: unit.restarts,
            restarts_asked: unit.restarts_asked,
            rest: unit.rest.clone(),
        }
    }

    pub(crate) fn until(&self) -> Option<Duration> {
        self.until_us.map(Duration::from_micros)
    }
}

impl EndRecord {
    fn of(end: &End) -> Self {
        let (at, exit, shortage, failure) = match end {
            End::Exited { exit, oom, at } => (at, Some(*exit), *oom, None),
            End::NotStarted { failure, at } => (at, None, None, Some(failure.clone())),
            End::Unseen { at } => (at, None, None, None),
        };
        Self { at_us: micros(*at), exit, oom: shortage.is_some(), shortage, failure }
    }

    pub(super) fn end(self) -> End {
        let at = Duration::from_micros(self.at_us);
        // Of a release that did not ask whose it was.
        let oom = self.shortage.or(self.oom.then_some(Shortage::Own { limit: None }));
        match (self.exit, self.failure) {
            (Some(exit), _) => End::Exited { exit, oom, at },
            (None, Some(failure)) => End::NotStarted { failure, at },
            (None, None) => End::Unseen { at },
        }
    }
}

impl Why {
    const ALL: [Self; 13] = [
        Self::Itself,
        Self::Stop,
        Self::Again,
        Self::Shutdown,
        Self::Unhealthy,
        Self::NotReady,
        Self::Watchdog,
        Self::Overtime,
        Self::Dependency,
        Self::Group,
        Self::GroupFailed,
        Self::Undeclared,
        Self::Reload,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Itself => "itself",
            Self::Stop => "stop",
            Self::Again => "again",
            Self::Shutdown => "shutdown",
            Self::Unhealthy => "unhealthy",
            Self::NotReady => "not-ready",
            Self::Watchdog => "watchdog",
            Self::Overtime => "overtime",
            Self::Dependency => "dependency",
            Self::Group => "group",
            Self::GroupFailed => "group-failed",
            Self::Undeclared => "undeclared",
            Self::Reload => "reload",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.word() == word)
    }
}

impl By {
    const ALL: [Self; 5] = [Self::Boot, Self::Person, Self::Policy, Self::Schedule, Self::Connection];

    fn word(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Person => "person",
            Self::Policy => "policy",
            Self::Schedule => "schedule",
            Self::Connection => "connection",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.word() == word)
    }
}

fn by_word(state: &State) -> Option<&'static str> {
    match state {
        State::Waiting { by: By::Boot, .. }
        | State::Starting { .. }
        | State::Running { .. }
        | State::Stopping { .. }
        | State::Backoff { .. }
        | State::Exited
        | State::Failed
        | State::Stuck { .. }
        | State::Invalid => None,
        State::Waiting { by, .. } => Some(by.word()),
    }
}

pub(super) const HELD: &str = "held";
pub(super) const TERM: &str = "term";
pub(super) const KILL: &str = "kill";
pub(super) const CLEAN: &str = "clean";

fn stop_words(state: &State) -> (Option<&'static str>, Option<Why>) {
    match state {
        State::Stopping { phase, why } => {
            let phase = match phase {
                Phase::Held => HELD,
                Phase::Term { .. } => TERM,
                Phase::Kill { .. } => KILL,
                Phase::Clean { .. } => CLEAN,
            };
            (Some(phase), Some(*why))
        }
        State::Stuck { on: Remains::Main, why, .. } => (Some(KILL), Some(*why)),
        State::Stuck { on: Remains::Cgroup, why, .. } => (Some(CLEAN), Some(*why)),
        State::Waiting { .. }
        | State::Starting { .. }
        | State::Running { .. }
        | State::Backoff { .. }
        | State::Exited
        | State::Failed
        | State::Invalid => (None, None),
    }
}

fn yes() -> bool {
    true
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

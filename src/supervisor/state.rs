//! The states of a container, and what each of them waits for.
//!
//! Two things are kept apart. *Wanted* is `up` or `down`: what the configuration said at boot, and
//! since then whatever a person said last. *Actual* is the [`State`]. Nothing forces the second to
//! agree with the first at once; the arrows below are all the ways in which it may get there.
//!
//! ```text
//!                    dependencies ran,
//!                    a turn is free              Started
//!   boot ──► waiting ───────────────► starting ───────────► running
//!              ▲ ▲                        │                    │
//!              │ │ start                  │ StartFailed        │ Ended, or a person or a
//!              │ └──────────────────┐     │ deadline, stop     │ shutdown wants it down
//!       until  │                    │     ▼                    ▼
//!              │                    │   stopping: held ─► term ─► kill ─► clean
//!           backoff ◄───────────┐   │                              │         │
//!                               │   │                              ▼         │ Emptied
//!                               │   │                 5 s over:  stuck ──────┤
//!                               │   │                                        ▼
//!                               └───┼─────────── what now? ──────────────────┘
//!                                   │           │    │    │
//!                                 exited ◄──────┘    ▼    └──► waiting (a person wants it again)
//!                                                 failed, invalid
//! ```
//!
//! * Between an end and the next start there is always a `clean` phase: the cgroup is empty, removed,
//!   its mounts dropped, and only `Emptied` says so. No two generations of a container ever overlap, unless a person has what is left of a
//!   stuck one set aside (`SetAside`): that ends `stuck` at once.
//! * `stopping` has four phases. *held*: it will be stopped, but containers that depend on it are being
//!   stopped too, and go first. *term*: the stop signal was sent, the grace period runs. *kill*:
//!   `cgroup.kill` was written, its main process is not reaped yet. *clean*: reaped, not yet empty.
//!   An end that nobody asked for goes straight to *clean*.
//! * `stuck` is a container that was killed and is not gone: a process sits in the kernel. It goes on
//!   waiting for the same events, and holds back nobody else.
//! * `running` carries what is known of it besides (`up.rs`): whether it is ready, its health, its watchdog, and the
//!   times of each. What becomes of these stops it, as a person does, and is a failure.
//! * Every state that is not final (`exited`, `failed`, `invalid`) waits for a time that it carries
//!   itself, or for an event that it names: `running` and *kill* for `Ended`, *clean* for `Emptied`,
//!   `waiting` for what [`Wait`] says (a connection is an end of waiting like any other), *held* for the containers in `waits_for`.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::up::Up;

/// What should be: the configuration's word at boot, then a person's last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    Up,
    Down,
}

impl Wanted {
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// What is. Times are since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Waiting { since: Duration, by: By, on: Wait },
    Starting { until: Duration },
    Running { since: Duration, up: Up },
    Stopping { phase: Phase, why: Why },
    Backoff { until: Duration },
    Exited,
    Failed,
    Stuck { on: Remains, retry: Option<Duration>, why: Why },
    Invalid,
}

/// Who wants the start that is waited for. In safe mode only a person's is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Boot,
    Person,
    /// The restart policy.
    Policy,
    /// Its timetable.
    Schedule,
    /// Somebody has connected to one of its sockets.
    Connection,
}

/// What a waiting container waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// `Booted`: running containers are still being adopted.
    Boot,
    /// `Resume`: the supervisor is in safe mode.
    Resume,
    /// The containers in `waits_for`.
    Dependencies,
    /// The containers in `waits_for`, which it is in conflict with.
    Conflict,
    /// The machine: `Gates`, for which it is looked at until then.
    Gates,
    /// The governor of starts.
    Turn,
    /// The next of its times, or of those who ask too often.
    Time(Duration),
    /// The end of the machine: a job of it until that begins, all others from then on.
    Shutdown,
    /// `Connected`: nobody has asked for it yet.
    Connection,
}

/// How far a stop has come; see the top of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Held,
    Term { until: Duration },
    Kill { until: Duration },
    Clean { until: Duration },
}

/// Why a container goes down, and with that what follows when it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It ended, or never got up: the restart policy decides.
    Itself,
    /// A person stops it: `exited`.
    Stop,
    /// A person wants it afresh: `waiting`.
    Again,
    /// `exited`.
    Shutdown,
    /// Its health check failed: as `Itself`, and a failure however it ends.
    Unhealthy,
    /// It did not say in time that it is ready: a failure too.
    NotReady,
    /// It gave no sign of life in time: a failure too.
    Watchdog,
    /// It ran longer than it may: a failure too.
    Overtime,
    /// What it depends on went down, and it follows: `waiting`.
    Dependency,
    /// Its declaration is another one: `waiting`.
    Reload,
    /// It was adopted, or is there since an earlier configuration, but no configuration declares it: `exited`.
    Undeclared,
    /// Its group is restarted: `waiting`.
    Group,
    /// Its group failed too often: `failed`.
    GroupFailed,
}

/// What is left of a stuck container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    /// The main process was killed and is not reaped.
    Main,
    /// The main process is reaped; the cgroup is not empty, or not removed.
    Cgroup,
}

/// A state without its data: the word that people see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateKind {
    Waiting,
    Starting,
    Running,
    Stopping,
    Backoff,
    Exited,
    Failed,
    Stuck,
    Invalid,
}

/// What must have been asked of the agent for a container to be in its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Start,
    Signal,
    Kill,
    Clean,
}

impl State {
    pub fn kind(&self) -> StateKind {
        match self {
            Self::Waiting { .. } => StateKind::Waiting,
            Self::Starting { .. } => StateKind::Starting,
            Self::Running { .. } => StateKind::Running,
            Self::Stopping { .. } => StateKind::Stopping,
            Self::Backoff { .. } => StateKind::Backoff,
            Self::Exited => StateKind::Exited,
            Self::Failed => StateKind::Failed,
            Self::Stuck { .. } => StateKind::Stuck,
            Self::Invalid => StateKind::Invalid,
        }
    }

    /// When this state has to be looked at again, whatever happens.
    pub fn deadline(&self) -> Option<Duration> {
        match self {
            Self::Starting { until } | Self::Backoff { until } => Some(*until),
            Self::Stopping { phase, .. } => match phase {
                Phase::Held => None,
                Phase::Term { until } | Phase::Kill { until } | Phase::Clean { until } => Some(*until),
            },
            Self::Stuck { retry, .. } => *retry,
            Self::Running { up, .. } => up.deadline(),
            Self::Waiting { on: Wait::Time(until), .. } => Some(*until),
            Self::Waiting {
                on:
                    Wait::Boot
                    | Wait::Resume
                    | Wait::Dependencies
                    | Wait::Conflict
                    | Wait::Gates
                    | Wait::Turn
                    | Wait::Shutdown
                    | Wait::Connection,
                ..
            }
            | Self::Exited
            | Self::Failed
            | Self::Invalid => None,
        }
    }

    pub(super) fn step(&self) -> Option<Step> {
        match self {
            Self::Starting { .. } => Some(Step::Start),
            Self::Stopping { phase, .. } => match phase {
                Phase::Held => None,
                Phase::Term { .. } => Some(Step::Signal),
                Phase::Kill { .. } => Some(Step::Kill),
                Phase::Clean { .. } => Some(Step::Clean),
            },
            Self::Stuck { on: Remains::Main, .. } => Some(Step::Kill),
            Self::Stuck { on: Remains::Cgroup, .. } => Some(Step::Clean),
            Self::Waiting { .. }
            | Self::Running { .. }
            | Self::Backoff { .. }
            | Self::Exited
            | Self::Failed
            | Self::Invalid => None,
        }
    }
}

impl StateKind {
    pub const ALL: [Self; 9] = [
        Self::Waiting,
        Self::Starting,
        Self::Running,
        Self::Stopping,
        Self::Backoff,
        Self::Exited,
        Self::Failed,
        Self::Stuck,
        Self::Invalid,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Backoff => "backoff",
            Self::Exited => "exited",
            Self::Failed => "failed",
            Self::Stuck => "stuck",
            Self::Invalid => "invalid",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Nothing of the container is alive, and nothing of it is left.
    pub fn is_down(self) -> bool {
        match self {
            Self::Waiting | Self::Backoff | Self::Exited | Self::Failed | Self::Invalid => true,
            Self::Starting | Self::Running | Self::Stopping | Self::Stuck => false,
        }
    }
}

//! What the deciding core is told, what it asks for, and how it answers.
//!
//! Whoever acts owes the core one thing: every [`Effect`] that names an answer is answered, once, by
//! that event or by its failure. A failed effect is the next event, never an error on the side.
//!
//! ```text
//! a start                          an end                      a stop
//!   Save, Start ─►                   ◄─ Ended                    Save, Signal ─►
//!   ◄─ Created                       Save, KillCgroup, Clean ─►  ◄─ Ended     (or, after the grace
//!   Save ─► (open the barrier)       ◄─ Emptied                  Save, ...     period, KillCgroup ─►)
//!   ◄─ Started, or StartFailed       Save ─►
//!      and then as after an end
//! ```
//!
//! `Created` may be left out by an agent whose supervisor never dies in the middle of a start.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::ending::Ending;
use super::record::Record;
use super::reload::Reload;
use super::state::StateKind;
use super::up::{Health, Notice, Probed};
use crate::config::{Gate, HealthCheck, Probe};

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Before `Booted`, once for each record that an earlier supervisor left.
    Adopted {
        record: Box<Record>,
        found: Option<Found>,
    },
    /// Adoption is over: what is wanted may start.
    Booted,
    /// Nothing starts or stops unasked until `Resume`.
    SafeMode,
    Resume,

    /// Another configuration, in the place of the one before.
    Reload(Box<Reload>),
    /// How late it was when the machine booted (time since 1970), as the clock has it; whenever it is set.
    Clock {
        at_boot: Duration,
    },

    /// Of [`awaited_gates`](super::Supervisor::awaited_gates) those that are open, at one look.
    Gates {
        open: Vec<Gate>,
    },

    // A person.
    Start {
        name: String,
    },
    Stop {
        name: String,
    },
    /// Stop, then start.
    Restart {
        name: String,
    },
    /// Send a signal, and no more: what follows is the container's own doing.
    Kill {
        name: String,
        signal: i32,
    },

    // Answers to `Effect::Start`.
    /// The main process exists and waits at its barrier; `Save` follows, then the barrier may open.
    Created {
        name: String,
        generation: u64,
        pid: i32,
        pidfd_inode: u64,
    },
    /// The program was executed. `stop_signal` is the image's.
    Started {
        name: String,
        generation: u64,
        pid: i32,
        pidfd_inode: u64,
        stop_signal: Option<i32>,
        /// The image's.
        check: Option<Box<HealthCheck>>,
    },
    StartFailed {
        name: String,
        generation: u64,
        failure: StartFailure,
    },

    /// Of a running container; one that is about to run may be as early.
    Notified {
        name: String,
        generation: u64,
        notice: Notice,
    },
    /// The answer to `Effect::Probe`.
    Probed {
        name: String,
        generation: u64,
        number: u64,
        answer: Probed,
    },
    /// The answer to `Effect::Listen`: somebody has connected to one of its sockets, and waits.
    Connected {
        name: String,
    },
    /// The other answer: one of them cannot be opened.
    ListenFailed {
        name: String,
        failure: StartFailure,
    },
    /// Its processes stand still, or move again.
    Paused {
        name: String,
        paused: bool,
    },

    /// The main process is reaped. `oom`: the kernel has killed in this generation for want of memory.
    Ended {
        name: String,
        generation: u64,
        exit: Exit,
        oom: Option<Shortage>,
        at: Duration,
    },

    // Answers to `Effect::Clean`.
    Emptied {
        name: String,
        generation: u64,
    },
    CleanFailed {
        name: String,
        generation: u64,
        text: String,
    },

    /// What was left of a stuck one is not in its cgroup any more: a person wants another one beside it.
    SetAside {
        name: String,
        generation: u64,
    },

    /// What is left of a stuck one, and where it hangs.
    Hangs {
        name: String,
        generation: u64,
        text: String,
    },

    /// `Effect::Signal` could not be done. A main process that is gone already is no failure.
    SignalFailed {
        name: String,
        generation: u64,
    },
    /// `Effect::KillCgroup` could not be done. A cgroup that is gone already is no failure.
    KillFailed {
        name: String,
        generation: u64,
        text: String,
    },

    /// The image cannot be used. Answers a `Start` in the place of `StartFailed`, or comes unasked.
    ImageInvalid {
        name: String,
        reason: String,
    },
    /// The supervisor keeps dying while it handles this container: leave it alone.
    Quarantine {
        name: String,
        reason: String,
    },

    /// Everything down, in order, by `deadline` (since boot). For good; asked again, the earlier
    /// deadline counts.
    Shutdown {
        deadline: Duration,
    },
    /// The time of [`poll_timeout`](super::Supervisor::poll_timeout) has come.
    Tick,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Answered by `Started`, `StartFailed` or `ImageInvalid`, also when it is killed meanwhile.
    /// Stands behind a `Save`; when that fails, nothing is started: `StartFailed`.
    Start { name: String, generation: u64 },
    /// To the main process. Answered only when it fails.
    Signal { name: String, generation: u64, signal: i32 },
    /// To all of the container, a start in flight as well. Answered only when it fails.
    KillCgroup { name: String, generation: u64 },
    /// Wait for the empty cgroup, remove it, drop mounts. Answered by `Emptied` or `CleanFailed`.
    Clean { name: String, generation: u64 },
    /// Wait for somebody at its sockets. Answered by `Connected` when there is, or by `ListenFailed`; not before
    /// one that it is started or stopped by other means.
    Listen { name: String },
    /// Write [`record`](super::Supervisor::record) where the next supervisor finds it.
    Save { name: String },
    /// Ask it how it is. Always answered, by `Probed`, at the timeout at the latest.
    Probe { name: String, generation: u64, number: u64, probe: Box<Probe>, timeout: Duration },
    /// Nothing declares it, and nothing is left of it: what was kept of it is of no use any more.
    Forget { name: String },
    /// Tell people.
    Changed(Change),
    /// Tell people of one that runs.
    Noted { name: String, note: Note },
    /// Nothing of this generation is left: keep how it ended, for whoever asks. Told again after a supervisor's death.
    Over { name: String, ending: Box<Ending> },
    /// What became of it is declared to be a reason to reboot. `Event::Shutdown` follows.
    Reboot { name: String },
    /// Everything is down, or the deadline has come.
    ShutdownDone,
}

/// A container is in another state; or, where it is the same one, the cause is told more exactly. All of it as it was
/// then: when it is told to people, more may have happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub name: String,
    pub generation: u64,
    pub from: StateKind,
    pub to: StateKind,
    pub cause: Option<Cause>,
    pub pid: Option<i32>,
    pub ready: bool,
}

/// News of a running container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    Ready,
    NotReady,
    /// `report`: what the last probe that failed said.
    Health {
        health: Health,
        report: Option<String>,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::NotReady => f.write_str("not ready"),
            Self::Health { health, report: None } => f.write_str(health.word()),
            Self::Health { health, report: Some(report) } => write!(f, "{}: {report}", health.word()),
        }
    }
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// It changed nothing, and should not have.
    Ignored(&'static str),
    /// A person asked for what cannot be.
    Refused(Refusal),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    Unknown {
        name: String,
    },
    Invalid {
        name: String,
        text: String,
    },
    /// Running containers are still being adopted.
    TakingOver,
    ShuttingDown,
    NotRunning {
        name: String,
        state: StateKind,
    },
    BadSignal {
        signal: i32,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => write!(f, "no container is named \"{name}\""),
            Self::Invalid { name, text } => write!(f, "{name} {text}"),
            Self::TakingOver => f.write_str("the supervisor is still taking over what runs"),
            Self::ShuttingDown => f.write_str("the machine is shutting down"),
            Self::NotRunning { name, state } => {
                write!(f, "{name} is not running, it is {}", state.word())
            }
            Self::BadSignal { signal } => write!(f, "{signal} is not a signal (1 to 64)"),
        }
    }
}

/// How a main process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

/// Whose memory ran out, when the kernel killed for want of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shortage {
    /// The container's, by a limit of its own or of a group in it; `limit`: bytes of its own, where it has one.
    Own { limit: Option<u64> },
    /// The machine's, or what all containers may have together.
    Machine,
}

/// Why a start failed: which step, on what, with which errno (0: none) and its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartFailure {
    pub step: String,
    pub object: String,
    pub errno: i32,
    pub text: String,
    pub fault: Fault,
}

/// Whose fault a failed start is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// The machine was short of something: tried again under every policy, outside the budget.
    Transient,
    /// The container's: a failure like any other.
    Permanent,
}

/// What the ledger says about a recorded container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Alive {
        pid: i32,
        pidfd_inode: u64,
    },
    Ended {
        exit: Exit,
        oom: Option<Shortage>,
        at: Duration,
    },
    /// Its process ended at the barrier: the program never ran.
    NeverRan,
}

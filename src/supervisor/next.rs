//! What happens next to a container, if nobody does anything: read off the state that it is in.

use core::time::Duration;

use super::state::{Phase, Remains, State, Wait};
use super::unit::Unit;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It goes on as it does.
    Nothing,
    /// It has ended, and stays so until a person starts it.
    Person,
    /// It cannot run as it is declared.
    Declaration,
    /// What runs is taken over first.
    Boot,
    /// The end of safe mode.
    Resume,
    /// The containers in `waits_for`.
    Dependencies,
    /// Those in `waits_for` go down: it cannot be up together with them.
    Conflict,
    /// What the machine has to have.
    Gates,
    /// The first connection to one of its sockets.
    Connection,
    /// Its turn among those that start.
    Turn,
    /// The next of its times.
    Time,
    /// The end of the machine, when it runs.
    Shutdown,
    /// Its program is executed, or that has taken too long.
    Started,
    /// The end of its pause.
    Restart,
    /// The containers in `waits_for` go down first.
    Dependents,
    /// Its own end, or it is killed.
    Kill,
    /// It was killed: its end, or it is stuck.
    Gone,
    /// It is stuck: it is tried again, or its processes go after all.
    Retry,
}

impl Next {
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Person => "person",
            Self::Declaration => "declaration",
            Self::Boot => "boot",
            Self::Resume => "resume",
            Self::Dependencies => "dependencies",
            Self::Conflict => "conflict",
            Self::Gates => "gates",
            Self::Connection => "connection",
            Self::Turn => "turn",
            Self::Time => "time",
            Self::Shutdown => "shutdown",
            Self::Started => "started",
            Self::Restart => "restart",
            Self::Dependents => "dependents",
            Self::Kill => "kill",
            Self::Gone => "gone",
            Self::Retry => "retry",
        }
    }
}

impl Unit {
    /// And by when, if there is such a time; since boot.
    pub(super) fn next_step(&self) -> (Next, Option<Duration>) {
        match self.state.next() {
            // The machine ends, and it does not come up any more.
            (Next::Shutdown, _) if !self.is_job() => (Next::Nothing, None),
            next => next,
        }
    }
}

impl State {
    fn next(&self) -> (Next, Option<Duration>) {
        match *self {
            Self::Waiting { on, .. } => match on {
                Wait::Boot => (Next::Boot, None),
                Wait::Resume => (Next::Resume, None),
                Wait::Dependencies => (Next::Dependencies, None),
                Wait::Conflict => (Next::Conflict, None),
                Wait::Gates => (Next::Gates, None),
                Wait::Connection => (Next::Connection, None),
                Wait::Turn => (Next::Turn, None),
                Wait::Time(until) => (Next::Time, Some(until)),
                Wait::Shutdown => (Next::Shutdown, None),
            },
            Self::Starting { until } => (Next::Started, Some(until)),
            Self::Running { .. } => (Next::Nothing, None),
            Self::Stopping { phase, .. } => match phase {
                Phase::Held => (Next::Dependents, None),
                Phase::Term { until } => (Next::Kill, Some(until)),
                Phase::Kill { until } | Phase::Clean { until } => (Next::Gone, Some(until)),
            },
            Self::Backoff { until } => (Next::Restart, Some(until)),
            Self::Exited | Self::Failed => (Next::Person, None),
            Self::Stuck { on: Remains::Main | Remains::Cgroup, retry, .. } => (Next::Retry, retry),
            Self::Invalid => (Next::Declaration, None),
        }
    }
}

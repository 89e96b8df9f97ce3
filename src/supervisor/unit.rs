//! One container as the supervisor knows it: what the configuration says, and all that happened.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::Value;

use crate::config::{Condition, Container, Restart, RestartPolicy};

use super::backoff::Failures;
use super::cause::{Cause, CauseKind};
use super::event::{Exit, Outcome, StartFailure};
use super::state::{By, Phase, State, StateKind, Step, Wait, Wanted, Why};

/// Compose's grace period, for a container whose declaration cannot be read.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

const SIGTERM: i32 = 15;

/// What supervision needs of a declaration.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub(super) depends_on: Vec<String>,
    pub(super) restart: Restart,
    pub(super) policy: RestartPolicy,
    pub(super) stop_signal: Option<i32>,
    pub(super) grace: Duration,
}

#[derive(Debug)]
pub(super) struct Unit {
    pub(super) name: String,
    /// Its place in the order of starts.
    pub(super) rank: usize,
    pub(super) spec: Spec,
    /// Why it cannot be started.
    pub(super) invalid: Option<Cause>,
    pub(super) wanted: Wanted,
    pub(super) state: State,
    /// The last generation that was started; 0: none yet.
    pub(super) generation: u64,
    pub(super) process: Option<Process>,
    pub(super) image_stop_signal: Option<i32>,
    pub(super) started_at: Option<Duration>,
    /// It has been running since boot, and since it was last `failed` or `invalid`: a `started`
    /// dependency on it is satisfied. It may be down again: finished, stopped by a person, about to be
    /// restarted.
    pub(super) ran: bool,
    /// How this generation ended.
    pub(super) end: Option<End>,
    /// Of the last end, or of what keeps it down.
    pub(super) cause: Option<Cause>,
    /// Ends in a row without a healthy run between them.
    pub(super) streak: u32,
    pub(super) failures: Failures,
    /// The failure budget was spent, and `hold` keeps it at the longest pause.
    pub(super) held: bool,
    pub(super) restarts: u32,
    pub(super) restarts_asked: u32,
    /// Fields of its record that are not ours: a later release's, or the agent's.
    pub(super) rest: BTreeMap<String, Value>,
    /// What the agent was last asked to do, and what people were last told.
    pub(super) acted: Option<(u64, Step)>,
    pub(super) told: (StateKind, Option<Cause>),
    /// Its record was read, or there is none: it may be written over.
    pub(super) adopted: bool,
    /// The record differs from what was saved.
    pub(super) dirty: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) pidfd_inode: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Exited {
        exit: Exit,
        oom: bool,
        at: Duration,
    },
    NotStarted {
        failure: StartFailure,
        at: Duration,
    },
    /// A record said that it ran, and nothing is known of its end.
    Unseen {
        at: Duration,
    },
}

/// When something happens, and how long a killed container may take to be gone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Duration,
    pub(super) patience: Duration,
}

impl Moment {
    pub(super) fn patience_ends(self) -> Duration {
        self.now.saturating_add(self.patience)
    }
}

impl Spec {
    pub(super) fn of(container: &Container) -> Self {
        let depends_on = container.depends_on.iter().map(|(name, dependency)| match dependency.condition {
            Condition::Started => name.clone(),
        });
        Self {
            depends_on: depends_on.collect(),
            restart: container.restart,
            policy: container.restart_policy,
            stop_signal: container.stop_signal,
            grace: container.stop_grace_period,
        }
    }

    /// Enough to stop what runs without a declaration.
    pub(super) fn unreadable() -> Self {
        Self {
            depends_on: Vec::new(),
            restart: Restart::No,
            policy: RestartPolicy::default(),
            stop_signal: None,
            grace: DEFAULT_GRACE,
        }
    }
}

impl Unit {
    /// As at boot: wanted up, whatever `restart` says, since that speaks of what follows an end.
    pub(super) fn new(name: &str, spec: Spec, invalid: Option<Cause>, now: Duration) -> Self {
        let state = match invalid {
            Some(_) => State::Invalid,
            None => State::Waiting { since: now, by: By::Boot, on: Wait::Boot },
        };
        Self {
            name: String::from(name),
            rank: 0,
            spec,
            cause: invalid.clone(),
            told: (state.kind(), invalid.clone()),
            invalid,
            wanted: Wanted::Up,
            state,
            generation: 0,
            process: None,
            image_stop_signal: None,
            started_at: None,
            ran: false,
            end: None,
            streak: 0,
            failures: Failures::default(),
            held: false,
            restarts: 0,
            restarts_asked: 0,
            rest: BTreeMap::new(),
            acted: None,
            adopted: false,
            dirty: false,
        }
    }

    /// On the way down it already has the cause that it will be down for. One that nobody will start
    /// again has to run again before it counts as started.
    pub(super) fn set(&mut self, state: State) {
        match state {
            State::Stopping { why, .. } => self.cause = Some(self.cause_of_end(why)),
            State::Failed | State::Invalid => self.ran = false,
            State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Stuck { .. } => {}
        }
        self.state = state;
        self.dirty = true;
    }

    pub(super) fn goes(&mut self, state: State) -> Outcome {
        self.set(state);
        Outcome::Done
    }

    /// Goes down by force, without being asked first.
    pub(super) fn kill(&mut self, moment: Moment, why: Why) {
        self.set(State::Stopping { phase: Phase::Kill { until: moment.patience_ends() }, why });
    }

    /// Its main process is gone: what is left is emptied.
    pub(super) fn clean(&mut self, moment: Moment, why: Why) {
        self.process = None;
        self.set(State::Stopping { phase: Phase::Clean { until: moment.patience_ends() }, why });
    }

    /// A person's word ends all history: neither pause nor budget counts what went before.
    pub(super) fn pardon(&mut self) {
        self.streak = 0;
        self.failures = Failures::default();
        self.held = false;
    }

    pub(super) fn stop_signal(&self) -> i32 {
        self.spec.stop_signal.or(self.image_stop_signal).unwrap_or(SIGTERM)
    }

    /// How the last generation ended, if it got as far as running.
    pub(super) fn exit(&self) -> Option<Exit> {
        match &self.end {
            Some(End::Exited { exit, .. }) => Some(*exit),
            Some(End::NotStarted { .. } | End::Unseen { .. }) | None => None,
        }
    }

    /// A declaration that cannot be right before the next boot, as against an image that may be.
    pub(super) fn is_misdeclared(&self) -> bool {
        self.invalid.as_ref().is_some_and(|cause| cause.kind == CauseKind::Config)
    }

    /// On its way down; a stuck one has gone as far as it will.
    pub(super) fn is_stopping(&self) -> bool {
        self.state.kind() == StateKind::Stopping
    }
}

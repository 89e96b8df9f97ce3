//! One container as the supervisor knows it: what the configuration says, and all that happened.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::Value;

use crate::config::{
    Condition, Container, DEFAULT_READY_TIMEOUT, Gate, HealthCheck, Kind, Readiness, Restart, RestartPolicy,
    RestartRule, StartBy, Timetable,
};

use super::backoff::Failures;
use super::cause::{Cause, CauseKind};
use super::ending::Ending;
use super::event::{Exit, Outcome, Shortage, StartFailure};
use super::groups::Alarm;
use super::state::{By, Phase, State, StateKind, Step, Wait, Wanted, Why};
use super::up::{Check, Health};

/// Compose's grace period, for a container whose declaration cannot be read.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

const SIGABRT: i32 = 6;
const SIGTERM: i32 = 15;

/// What supervision needs of a declaration.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub(super) depends_on: Vec<Edge>,
    pub(super) gates: BTreeSet<Gate>,
    /// Of both sides.
    pub(super) conflicts: BTreeSet<String>,
    pub(super) group: Option<Membership>,
    pub(super) kind: Kind,
    pub(super) timetable: Option<Timetable>,
    pub(super) start: StartBy,
    pub(super) run_timeout: Option<Duration>,
    pub(super) ready: Readiness,
    pub(super) ready_timeout: Duration,
    pub(super) healthcheck: HealthCheck,
    pub(super) watchdog: Option<Duration>,
    pub(super) restart: Restart,
    pub(super) policy: RestartPolicy,
    pub(super) rules: Vec<RestartRule>,
    pub(super) stop_signal: Option<i32>,
    pub(super) grace: Duration,
}

/// What has to be of another container before this one starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) name: String,
    pub(super) condition: Condition,
    /// It goes down with the other one.
    pub(super) restart: bool,
    /// Not waited for, once it has shown that it does not come up.
    pub(super) required: bool,
}

/// The group that it is in, and how far back that counts failures.
#[derive(Debug, Clone)]
pub(super) struct Membership {
    pub(super) name: String,
    pub(super) window: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Unit {
    pub(super) name: String,
    /// Its place in the order of starts.
    pub(super) rank: usize,
    pub(super) spec: Spec,
    /// What it is declared as, once it is down.
    pub(super) next: Option<Box<Spec>>,
    /// The number of the configuration that it was last started by, and of the one since which its declaration
    /// is as it is; see `reload.rs`.
    pub(super) made: u64,
    pub(super) since: u64,
    /// A run of its timetable, or of a job of the shutdown: another declaration waits for its end.
    pub(super) timed: bool,
    /// It goes down, and is forgotten.
    pub(super) undeclared: bool,
    /// Why it cannot be started.
    pub(super) invalid: Option<Cause>,
    pub(super) wanted: Wanted,
    pub(super) state: State,
    /// Since when it is in a state of this word.
    pub(super) since_state: Duration,
    /// The last generation that was started; 0: none yet.
    pub(super) generation: u64,
    pub(super) process: Option<Process>,
    pub(super) image_stop_signal: Option<i32>,
    pub(super) image_check: Option<HealthCheck>,
    /// The health check of this generation, and the last probe of it.
    pub(super) check: Option<Check>,
    pub(super) probes: u64,
    /// What the last probe that failed said, and what it says of itself.
    pub(super) report: Option<String>,
    pub(super) says: Option<String>,
    /// It said so before its start was heard of.
    pub(super) ready_early: bool,
    /// Since when it is ready and not unhealthy.
    pub(super) well_since: Option<Duration>,
    pub(super) started_at: Option<Duration>,
    /// It has been ready since boot, and since it was last `failed` or `invalid`: a `started`
    /// dependency on it is satisfied. It may be down again: finished, stopped by a person, about to be
    /// restarted.
    pub(super) ran: bool,
    /// Its last end was a good one: a `completed` dependency on it is satisfied.
    pub(super) completed: bool,
    /// It has come to an end since boot, a good or a bad one.
    pub(super) concluded: bool,
    /// It waits for what has been tried and was not what it requires; see `order::pass_over`.
    pub(super) passed_over: bool,
    /// It found its gates open, and has not started since.
    pub(super) found_open: bool,
    /// What its failure means to its group, which has not heard of it.
    pub(super) alarm: Option<Alarm>,
    /// It was one failure too many for its group, and what follows for the others is not written down.
    pub(super) last_word: bool,
    /// Whom a person started in its place.
    pub(super) made_way: Option<String>,
    /// Whom it followed down.
    pub(super) followed: Option<String>,
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
    /// How the last generation ended, until it is told.
    pub(super) over: Option<Box<Ending>>,
    /// Its end is one that the machine is rebooted for.
    pub(super) asks_reboot: bool,
    /// What the agent was last asked to do, and what people were last told.
    pub(super) acted: Option<(u64, Step)>,
    pub(super) told: (StateKind, Option<Cause>),
    /// Whether it is ready, and its health, as people were last told, and the last probe that was asked for.
    pub(super) told_up: (bool, Health),
    pub(super) probe_asked: u64,
    /// The agent waits for a connection.
    pub(super) listened: bool,
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
        oom: Option<Shortage>,
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
    /// A good end of it is followed by another run: at its times, or when the machine ends.
    pub(super) fn comes_again(&self) -> bool {
        self.timetable.is_some() || self.kind == Kind::Shutdown
    }

    pub(super) fn of(container: &Container) -> Self {
        let depends_on = container.depends_on.iter().map(|(name, dependency)| Edge {
            name: name.clone(),
            condition: dependency.condition,
            restart: dependency.restart,
            required: dependency.required,
        });
        Self {
            depends_on: depends_on.collect(),
            gates: container.gates.clone(),
            conflicts: container.conflicts.clone(),
            group: None,
            kind: container.kind,
            timetable: container.timetable,
            start: container.start,
            run_timeout: container.run_timeout,
            ready: container.ready,
            ready_timeout: container.ready_timeout,
            healthcheck: container.healthcheck.clone(),
            watchdog: container.watchdog,
            restart: container.restart,
            policy: container.restart_policy,
            rules: container.restart_rules.clone(),
            stop_signal: container.stop_signal,
            grace: container.stop_grace_period,
        }
    }

    /// Enough to stop what runs without a declaration.
    pub(super) fn unreadable() -> Self {
        Self {
            depends_on: Vec::new(),
            gates: BTreeSet::new(),
            conflicts: BTreeSet::new(),
            group: None,
            kind: Kind::Service,
            timetable: None,
            start: StartBy::Boot,
            run_timeout: None,
            ready: Readiness::Started,
            ready_timeout: DEFAULT_READY_TIMEOUT,
            healthcheck: HealthCheck::default(),
            watchdog: None,
            restart: Restart::No,
            policy: RestartPolicy::default(),
            rules: Vec::new(),
            stop_signal: None,
            grace: DEFAULT_GRACE,
        }
    }

    /// What it depends on.
    pub(super) fn dependencies(&self) -> impl Iterator<Item = &str> {
        self.depends_on.iter().map(|edge| edge.name.as_str())
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
            next: None,
            made: 0,
            since: 0,
            timed: false,
            undeclared: false,
            cause: invalid.clone(),
            told: (state.kind(), invalid.clone()),
            invalid,
            wanted: Wanted::Up,
            state,
            since_state: now,
            generation: 0,
            process: None,
            image_stop_signal: None,
            image_check: None,
            check: None,
            probes: 0,
            report: None,
            says: None,
            ready_early: false,
            well_since: None,
            started_at: None,
            ran: false,
            completed: false,
            concluded: false,
            passed_over: false,
            found_open: false,
            alarm: None,
            last_word: false,
            made_way: None,
            followed: None,
            end: None,
            streak: 0,
            failures: Failures::default(),
            held: false,
            restarts: 0,
            restarts_asked: 0,
            rest: BTreeMap::new(),
            over: None,
            asks_reboot: false,
            acted: None,
            told_up: (false, Health::None),
            probe_asked: 0,
            listened: false,
            adopted: false,
            dirty: false,
        }
    }

    /// On the way down it already has the cause that it will be down for. One that nobody will start
    /// again has to run again before it counts as started.
    pub(super) fn set(&mut self, state: State) {
        match state {
            State::Stopping { why, .. } => self.cause = Some(self.cause_of_end(why)),
            State::Failed | State::Invalid => {
                self.ran = false;
                self.completed = false;
            }
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

    /// A watchdog's is one that leaves a core, if anything does.
    pub(super) fn stop_signal(&self) -> i32 {
        if let State::Stopping { why: Why::Watchdog, .. } = self.state {
            return SIGABRT;
        }
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

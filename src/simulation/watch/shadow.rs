//! What the watch knows of one container: what it was told, and nothing of how the core keeps it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{Condition, Config, Container, Dependency, Readiness, Restart, RestartPolicy, Test};
use crate::supervisor::{Health, Record, StateKind, Status, Wanted};

#[derive(Debug)]
pub(super) struct Shadow {
    pub(super) depends_on: BTreeMap<String, Dependency>,
    pub(super) readiness: Readiness,
    /// Whether it may be stopped for what its probes say, or for giving no sign of life.
    pub(super) probed: bool,
    pub(super) watched: bool,
    /// It has rules of its own for what follows an end.
    pub(super) ruled: bool,
    pub(super) restart: Restart,
    pub(super) policy: RestartPolicy,
    /// All that depend on it, through others too.
    pub(super) dependents: BTreeSet<String>,
    pub(super) generation: u64,
    pub(super) started_at: Duration,
    /// Asked to start, and not emptied.
    pub(super) there: bool,
    /// It was ready since it last failed.
    pub(super) ran: bool,
    /// Its last end was a good one; it came to an end at all.
    pub(super) completed: bool,
    pub(super) concluded: bool,
    /// In this generation: it said that it is ready, a probe of it passed, one failed.
    pub(super) said_ready: bool,
    pub(super) passed: bool,
    pub(super) failed: bool,
    /// The core stops it, of itself.
    pub(super) own: bool,
    pub(super) wanted: Wanted,
    /// Started before its deadline.
    pub(super) up: bool,
    pub(super) signalled: bool,
    pub(super) end: Option<Ending>,
    /// No supervisor died since this generation was started.
    pub(super) certain: bool,
    pub(super) word: Option<Word>,
    /// A person wants it up, and it was not started since.
    pub(super) start_owed: bool,
    pub(super) unusable: bool,
    /// The number of the configuration that it was started by last.
    pub(super) made: u64,
    /// What it is declared as once it is down.
    pub(super) next: Option<Container>,
    pub(super) undeclared: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ending {
    Clean,
    Failure,
    NoFault,
}

/// A person's last one about what is there now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Word {
    Stop,
    Again,
}

impl Shadow {
    pub(super) fn new(config: &Config, name: &str, declared: &Container) -> Self {
        Self {
            depends_on: declared.depends_on.clone(),
            readiness: declared.ready,
            probed: matches!(declared.healthcheck.test, Some(Test::Probe(_))),
            watched: declared.watchdog.is_some(),
            ruled: !declared.restart_rules.is_empty(),
            restart: declared.restart,
            policy: declared.restart_policy,
            dependents: dependents(&edges(config), name),
            generation: 0,
            started_at: Duration::ZERO,
            there: false,
            ran: false,
            completed: false,
            concluded: false,
            said_ready: false,
            passed: false,
            failed: false,
            own: false,
            wanted: Wanted::Up,
            up: false,
            signalled: false,
            end: None,
            certain: true,
            word: None,
            start_owed: false,
            unusable: false,
            made: 0,
            next: None,
            undeclared: false,
        }
    }

    pub(super) fn declare(&mut self, declared: &Container) {
        self.depends_on.clone_from(&declared.depends_on);
        self.readiness = declared.ready;
        self.probed = matches!(declared.healthcheck.test, Some(Test::Probe(_)));
        self.watched = declared.watchdog.is_some();
        self.ruled = !declared.restart_rules.is_empty();
        (self.restart, self.policy) = (declared.restart, declared.restart_policy);
    }

    /// No configuration declares it: it is stopped.
    pub(super) fn is_unwanted(&mut self) {
        self.word = self.there.then_some(Word::Stop);
        (self.wanted, self.start_owed, self.unusable) = (Wanted::Down, false, false);
        self.next = None;
    }

    /// Whether a dependent may start; `status` is this one's.
    pub(super) fn meets(&self, edge: &Dependency, status: &Status) -> bool {
        let fulfilled = match edge.condition {
            // Who follows it down has to find it up.
            Condition::Started if edge.restart => status.ready,
            Condition::Started => self.ran,
            Condition::Healthy => status.health == Health::Healthy,
            Condition::Completed => self.completed,
        };
        fulfilled || !edge.required && (self.concluded || gave_up(status.state))
    }

    /// Whether the core may stop it without being asked to, when `lost` says that what it follows is down.
    pub(super) fn may_be_stopped(&self, lost: bool) -> bool {
        let silent = match self.readiness {
            Readiness::Notify | Readiness::Fd => !self.said_ready,
            Readiness::Started | Readiness::Healthy => false,
        };
        lost || silent || self.watched || (self.probed && self.failed)
    }

    pub(super) fn believe(&mut self, record: Option<Record>) {
        if let Some(record) = record {
            (self.completed, self.concluded) = (record.completed, record.concluded);
        }
    }

    /// Whether it may be called ready, and healthy.
    pub(super) fn has_shown(&self, status: &Status) -> bool {
        let ready = match self.readiness {
            Readiness::Started => true,
            Readiness::Notify | Readiness::Fd => self.said_ready,
            Readiness::Healthy => self.passed,
        };
        (ready || !status.ready) && (self.passed || status.health != Health::Healthy)
    }
}

/// It has shown what becomes of it: who does not require it goes on.
fn gave_up(kind: StateKind) -> bool {
    match kind {
        StateKind::Backoff
        | StateKind::Exited
        | StateKind::Failed
        | StateKind::Stuck
        | StateKind::Invalid => true,
        StateKind::Waiting | StateKind::Starting | StateKind::Running | StateKind::Stopping => false,
    }
}

/// By name, what each depends on.
pub(super) type Edges = BTreeMap<String, BTreeMap<String, Dependency>>;

fn edges(config: &Config) -> Edges {
    config.containers.iter().map(|(name, it)| (name.clone(), it.depends_on.clone())).collect()
}

pub(super) fn dependents(edges: &Edges, name: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = Vec::from([name]);
    while let Some(name) = open.pop() {
        for (dependent, depends_on) in edges {
            if depends_on.contains_key(name) && found.insert(dependent.clone()) {
                open.push(dependent);
            }
        }
    }
    found
}

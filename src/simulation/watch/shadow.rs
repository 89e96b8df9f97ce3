//! What the watch knows of one container: what it was told, and nothing of how the core keeps it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use core::time::Duration;

use super::edges::Edges;
use crate::config::{
    Condition, Container, Dependency, Exhausted, Gate, Readiness, Restart, RestartPolicy, Sentence, Test,
};
use crate::supervisor::{Health, Record, StateKind, Status, Wanted};

#[derive(Debug)]
pub(super) struct Shadow {
    pub(super) depends_on: BTreeMap<String, Dependency>,
    pub(super) gates: BTreeSet<Gate>,
    /// All of them were, at one look since its last start.
    pub(super) open: bool,
    /// Of both sides.
    pub(super) conflicts: BTreeSet<String>,
    pub(super) readiness: Readiness,
    /// Whether it may be stopped for what its probes say, or for giving no sign of life.
    pub(super) probed: bool,
    pub(super) watched: bool,
    /// It has rules of its own for what follows an end.
    pub(super) ruled: bool,
    /// One of these rules, or its spent budget, may ask for a reboot.
    pub(super) reboots: bool,
    /// It runs at its times, and the next of them as the core has told it.
    pub(super) scheduled: bool,
    pub(super) due: Option<Duration>,
    pub(super) run_timeout: Option<Duration>,
    pub(super) restart: Restart,
    pub(super) policy: RestartPolicy,
    /// All that depend on it, through others too.
    pub(super) dependents: BTreeSet<String>,
    pub(super) generation: u64,
    pub(super) started_at: Duration,
    /// Since when this generation runs, if that was heard.
    pub(super) runs_since: Option<Duration>,
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
    pub(super) fn new(declared: &Container, edges: &Edges<'_>, name: &str) -> Self {
        Self {
            depends_on: edges.of.get(name).cloned().unwrap_or_default(),
            gates: declared.gates.clone(),
            open: declared.gates.is_empty(),
            conflicts: edges.conflicts.get(name).cloned().unwrap_or_default(),
            readiness: declared.ready,
            probed: matches!(declared.healthcheck.test, Some(Test::Probe(_))),
            watched: declared.watchdog.is_some(),
            ruled: !declared.restart_rules.is_empty(),
            reboots: asks_reboot(declared),
            scheduled: declared.timetable.is_some(),
            due: None,
            run_timeout: declared.run_timeout,
            restart: declared.restart,
            policy: declared.restart_policy,
            dependents: edges.dependents(name),
            generation: 0,
            started_at: Duration::ZERO,
            runs_since: None,
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
        }
    }

    /// Whether it may be waiting for the machine; who waits for the boot, the core says.
    pub(super) fn is_gated(&self) -> bool {
        !self.open || self.gates.contains(&Gate::BootComplete)
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
    pub(super) fn may_be_stopped(&self, now: Duration, lost: bool) -> bool {
        let silent = match self.readiness {
            Readiness::Notify | Readiness::Fd => !self.said_ready,
            Readiness::Started | Readiness::Healthy => false,
        };
        lost || silent || self.watched || (self.probed && self.failed) || self.has_run_out(now)
    }

    /// It runs for longer than it may.
    pub(super) fn has_run_out(&self, now: Duration) -> bool {
        let ran = self.runs_since.map(|since| now.saturating_sub(since));
        self.run_timeout.is_some_and(|most| ran.is_some_and(|ran| ran >= most))
    }

    /// Whether it waits for a time that nobody has given up for it.
    pub(super) fn is_early(&self, now: Duration) -> bool {
        !self.start_owed && self.due.is_some_and(|due| now < due)
    }

    pub(super) fn believe(&mut self, record: Option<Record>) {
        if let Some(record) = record {
            (self.completed, self.concluded) = (record.completed, record.concluded);
        }
    }

    /// Whether it may be called ready.
    pub(super) fn has_shown_itself(&self) -> bool {
        match self.readiness {
            Readiness::Started => true,
            Readiness::Notify | Readiness::Fd => self.said_ready,
            Readiness::Healthy => self.passed,
        }
    }

    /// Whether it may be called ready, and healthy.
    pub(super) fn has_shown(&self, status: &Status) -> bool {
        (self.has_shown_itself() || !status.ready) && (self.passed || status.health != Health::Healthy)
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

fn asks_reboot(declared: &Container) -> bool {
    let policy = &declared.restart_policy;
    let spent = policy.then == Exhausted::Reboot && policy.max_attempts.is_some();
    spent || declared.restart_rules.iter().any(|rule| rule.then == Sentence::Reboot)
}

//! What the watch knows of one container: what it was told, and nothing of how the core keeps it.

use alloc::collections::BTreeSet;
use alloc::string::String;
use core::time::Duration;

use super::declared::Declared;
use crate::config::{Condition, Dependency, Gate, Readiness};
use crate::supervisor::{Health, Record, StateKind, Status, Wanted};

#[derive(Debug)]
pub(super) struct Shadow {
    pub(super) declared: Declared,
    /// What it is declared as once it is down.
    pub(super) next: Option<Declared>,
    pub(super) undeclared: bool,
    /// The number of the configuration that it was started by last.
    pub(super) made: u64,
    /// All its gates were, at one look since its last start.
    pub(super) open: bool,
    /// Of one that its first connection starts: it was asked to wait for one, and there may be a reason to start it.
    pub(super) listened: bool,
    pub(super) may_start: bool,
    /// This generation is a run of a timetable.
    pub(super) timed: bool,
    /// The next time of a timetable, as the core has told it.
    pub(super) due: Option<Duration>,
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
    /// Its group is restarted.
    pub(super) anew: bool,
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
    /// Nobody is known yet who depends on it.
    pub(super) fn new(declared: Declared) -> Self {
        Self {
            open: !declared.is_looked_at(),
            listened: false,
            may_start: !declared.by_connection,
            declared,
            next: None,
            undeclared: false,
            made: 0,
            timed: false,
            due: None,
            dependents: BTreeSet::new(),
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
            anew: false,
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

    pub(super) fn declare(&mut self, declared: Declared) {
        self.declared = declared;
        self.open = !self.declared.is_looked_at();
    }

    /// No configuration declares it: it is stopped.
    pub(super) fn is_unwanted(&mut self) {
        self.word = self.there.then_some(Word::Stop);
        (self.wanted, self.start_owed, self.unusable) = (Wanted::Down, false, false);
        self.next = None;
    }

    /// Whether `other` is there, and one of the two says that they are never there together; who goes down for another
    /// declaration, or for none, says so until it is down.
    pub(super) fn fights(&self, name: &str, (other, it): (&String, &Self)) -> bool {
        let leaves = it.undeclared || it.next.is_some();
        it.there
            && (self.declared.conflicts.contains(other) || leaves && it.declared.conflicts.contains(name))
    }

    /// Whether it may be waiting for the machine; who waits for the boot, the core says.
    pub(super) fn is_gated(&self) -> bool {
        !self.open || self.declared.gates.contains(&Gate::BootComplete)
    }

    /// Whether a dependent that requires it may start; `status` is this one's.
    pub(super) fn meets(&self, edge: &Dependency, status: &Status) -> bool {
        match edge.condition {
            // Who follows it down has to find it up.
            Condition::Started if edge.restart => status.ready,
            Condition::Started => self.ran && !self.comes_anew() || status.listens,
            Condition::Healthy => status.health == Health::Healthy,
            Condition::Completed => self.completed,
        }
    }

    /// It has shown what becomes of it.
    pub(super) fn has_concluded(&self, status: &Status) -> bool {
        self.concluded || gave_up(status.state)
    }

    /// It goes down to come up again, and who depends on it waits for that.
    fn comes_anew(&self) -> bool {
        self.word == Some(Word::Again) || self.anew
    }

    /// Whether the core may stop it without being asked to, when `lost` says that what it follows is down.
    pub(super) fn may_be_stopped(&self, now: Duration, lost: bool) -> bool {
        let silent = match self.declared.readiness {
            Readiness::Notify | Readiness::Fd => !self.said_ready,
            Readiness::Started | Readiness::Healthy => false,
        };
        lost || silent
            || self.declared.grouped
            || self.declared.watched
            || (self.declared.probed && self.failed)
            || self.has_run_out(now)
    }

    /// It runs for longer than it may.
    pub(super) fn has_run_out(&self, now: Duration) -> bool {
        let ran = self.runs_since.map(|since| now.saturating_sub(since));
        self.declared.run_timeout.is_some_and(|most| ran.is_some_and(|ran| ran >= most))
    }

    /// Whether it waits for a time that nobody has given up for it.
    pub(super) fn is_early(&self, now: Duration) -> bool {
        !self.start_owed && self.due.is_some_and(|due| now < due)
    }

    /// Somebody has connected to it.
    pub(super) fn is_wished_for(&mut self) {
        (self.listened, self.may_start) = (false, true);
    }

    /// It is tried again, as after any failure; what its rules make of that is the core's to say.
    pub(super) fn cannot_listen(&mut self, state: Option<StateKind>, record: Option<Record>) {
        self.is_wished_for();
        (self.completed, self.concluded) = (false, true);
        self.ran &= state != Some(StateKind::Failed);
        if self.declared.ruled {
            self.believe(record);
        }
    }

    pub(super) fn believe(&mut self, record: Option<Record>) {
        if let Some(record) = record {
            (self.completed, self.concluded) = (record.completed, record.concluded);
        }
    }

    /// Whether it may be called ready.
    pub(super) fn has_shown_itself(&self) -> bool {
        match self.declared.readiness {
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

/// Nothing of it is there, nor about to be.
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

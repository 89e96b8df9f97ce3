//! A supervisor takes over from the one before it: records, and what the ledger says of each.
//!
//! Where the two differ the ledger is right. What was meant goes on: a stop that was under way is asked
//! for again (its signal may have been lost with the one who should have sent it, and a second one is
//! better than none), a pause keeps its end, history is kept. An end that happened meanwhile is judged
//! like any other; one that nobody saw has the cause `unknown`.

use alloc::string::ToString;
use core::time::Duration;

use super::Supervisor;
use super::backoff::Failures;
use super::cause::{Cause, CauseKind};
use super::event::{Effect, Fault, Found, Outcome, StartFailure};
use super::record::{CLEAN, EndRecord, HELD, KILL, Record, TERM};
use super::state::{By, Phase, State, StateKind, Wait, Wanted, Why};
use super::unit::{End, Moment, Process, Spec, Unit};
use super::up::Health;

impl Supervisor {
    pub(super) fn end_adoption(&mut self, now: Duration) -> Outcome {
        self.booted = true;
        for unit in self.units.values_mut() {
            unit.adopted = true;
        }
        // What was not known yet has its time as well.
        if let Some(kill_at) = self.shutdown.as_ref().map(|shutdown| shutdown.kill_at) {
            let jobs = self.time_for_jobs(now, kill_at);
            let mend = |until| jobs.unwrap_or(until);
            self.shutdown.iter_mut().for_each(|shutdown| shutdown.jobs = shutdown.jobs.map(mend));
        }
        // Stops that were adopted have no more time than the shutdown gives.
        if self.is_stopping_all() {
            self.shorten(now);
        }
        self.begin_timetables(now);
        self.mend_times(now);
        Outcome::Done
    }

    pub(super) fn adopt(&mut self, now: Duration, record: Record, found: Option<Found>) -> Outcome {
        if self.booted {
            return Outcome::Ignored("adoption is over");
        }
        let name = record.name.clone();
        let declared = self.units.get(&name).is_some();
        if !declared {
            let was_down = StateKind::from_word(&record.state).is_some_and(StateKind::is_down);
            match found {
                Some(Found::Alive { .. }) => {}
                // Something of it may be left.
                Some(Found::Ended { .. } | Found::NeverRan) | None if !was_down => {}
                Some(Found::Ended { .. } | Found::NeverRan) | None => {
                    self.effects.push_back(Effect::Forget { name });
                    return Outcome::Ignored("it is neither declared nor alive");
                }
            }
            let mut unit = Unit::new(&name, Spec::unreadable(), Some(Cause::undeclared()), now);
            unit.rank = self.order.len();
            self.units.insert(unit);
            self.order.push(name.clone());
        }
        let moment = self.moment(now, &name);
        let (shutting_down, safe) = (self.is_stopping_all(), self.safe);
        let Some(unit) = self.units.get_mut(&name) else {
            return Outcome::Ignored("no container has this name");
        };
        if unit.adopted {
            return Outcome::Ignored("it was adopted already");
        }
        unit.adopt(moment, record, found);
        if safe {
            unit.is_not_asked_for_any_more();
        }
        if !declared {
            unit.undeclare(moment);
        }
        if shutting_down {
            unit.shut_down(moment);
        }
        Outcome::Done
    }
}

impl Unit {
    fn adopt(&mut self, moment: Moment, record: Record, found: Option<Found>) {
        let before = record.clone();
        let kind = StateKind::from_word(&record.state);
        self.resume(moment, record, found);
        self.adopted = true;
        // What was saved and said already is not saved and said again.
        self.told = (kind.unwrap_or(self.state.kind()), before.cause.clone());
        self.dirty = Record::of(self) != before;
    }

    /// What a person asked of one before all this waits with the rest until a person says that it goes on.
    fn is_not_asked_for_any_more(&mut self) {
        if let State::Waiting { by: By::Person, since, on } = self.state {
            self.state = State::Waiting { by: By::Policy, since, on };
        }
    }

    fn resume(&mut self, moment: Moment, record: Record, found: Option<Found>) {
        let kind = StateKind::from_word(&record.state);
        let until = record.until();
        let phase = record.phase.clone();
        let why = record.why.as_deref().and_then(Why::from_word).unwrap_or(Why::Itself);
        let reached_barrier = record.pid.is_some();
        let by = record.by.as_deref().and_then(By::from_word);
        let health = record.health.as_deref().and_then(Health::from_word).unwrap_or(Health::None);
        self.ready_early = record.ready;
        self.remember(record);
        if let Some(Found::Alive { pid, pidfd_inode }) = found {
            self.process = Some(Process { pid, pidfd_inode });
            if kind == Some(StateKind::Starting) && !reached_barrier {
                self.end = Some(cut_off(moment.now));
                return self.kill(moment, why);
            }
            return self.adopt_alive(moment, kind, (phase.as_deref(), until, why), health);
        }
        match kind {
            Some(StateKind::Waiting) => self.adopt_pause(moment.now, until, AdoptedPause::Waiting(by)),
            Some(StateKind::Backoff) => self.adopt_pause(moment.now, until, AdoptedPause::Backoff),
            Some(StateKind::Exited) => self.set(State::Exited),
            Some(StateKind::Failed) => self.set(State::Failed),
            Some(StateKind::Invalid) => self.adopt_pause(moment.now, None, AdoptedPause::Waiting(None)),
            Some(StateKind::Starting) if !reached_barrier => {
                self.end = Some(cut_off(moment.now));
                self.clean(moment, why);
            }
            Some(StateKind::Starting | StateKind::Running | StateKind::Stopping | StateKind::Stuck)
            | None => {
                self.adopt_end(moment.now, found);
                self.clean(moment, why);
            }
        }
        if let Some(cause) = self.invalid.clone()
            && self.state.kind().is_down()
        {
            self.cause = Some(cause);
            self.set(State::Invalid);
        }
    }

    /// All that is history. What the configuration says now about being startable, counts.
    fn remember(&mut self, record: Record) {
        self.generation = record.generation;
        self.made = record.made;
        self.timed = record.timed;
        self.wanted = record.wanted;
        self.since_state = record.state_since_us.map_or(self.since_state, Duration::from_micros);
        self.image_stop_signal = record.image_stop_signal;
        self.started_at = record.started_at_us.map(Duration::from_micros);
        self.ran = record.ran;
        self.completed = record.completed;
        self.concluded = record.concluded;
        self.image_check = record.image_check;
        self.report = record.report;
        let is_well = record.ready && record.health.as_deref() != Some(Health::Unhealthy.word());
        let well_since = record.well_since_us.or(record.started_at_us.filter(|_| is_well));
        self.well_since = well_since.map(Duration::from_micros);
        if let Some(CauseKind::Dependency { name }) = record.cause.as_ref().map(|cause| &cause.kind) {
            self.followed = Some(name.clone());
        }
        self.end = record.end.map(EndRecord::end);
        self.streak = record.streak;
        self.failures = Failures {
            count: record.failures,
            at: record.failures_us.into_iter().map(Duration::from_micros).collect(),
        };
        self.held = record.held;
        self.restarts = record.restarts;
        self.restarts_asked = record.restarts_asked;
        self.rest = record.rest;
        if self.invalid.is_none() {
            self.cause = record.cause;
            self.invalid = record.invalid.filter(|cause| cause.kind != CauseKind::Config);
        }
    }

    fn adopt_alive(
        &mut self,
        moment: Moment,
        kind: Option<StateKind>,
        (phase, until, why): (Option<&str>, Option<Duration>, Why),
        health: Health,
    ) {
        match kind {
            Some(StateKind::Stopping | StateKind::Stuck) => match (phase, until) {
                (Some(HELD), _) => self.set(State::Stopping { phase: Phase::Held, why }),
                (Some(TERM), Some(until)) => {
                    self.set(State::Stopping { phase: Phase::Term { until }, why });
                }
                (Some(TERM | KILL | CLEAN), _) | (Some(_) | None, _) => self.kill(moment, why),
            },
            Some(
                StateKind::Waiting
                | StateKind::Starting
                | StateKind::Running
                | StateKind::Backoff
                | StateKind::Exited
                | StateKind::Failed
                | StateKind::Invalid,
            )
            | None => {
                let since = *self.started_at.get_or_insert(moment.now);
                self.end = None;
                self.go_on(since, moment.now, health);
                self.ran |= self.is_ready();
                // Nobody wants it: the record of its stop came too early.
                if self.wanted == Wanted::Down {
                    self.set(State::Stopping { phase: Phase::Held, why: Why::Stop });
                }
            }
        }
    }

    /// One that waits for a time does so by its timetable. Whoever has connected is found anew.
    fn adopt_pause(&mut self, now: Duration, until: Option<Duration>, pause: AdoptedPause) {
        let (by, on) = match (self.wanted, until, pause) {
            (Wanted::Down, ..) => return self.set(State::Exited),
            (Wanted::Up, Some(until), AdoptedPause::Backoff) => return self.set(State::Backoff { until }),
            (Wanted::Up, Some(until), AdoptedPause::Waiting(_)) => (By::Schedule, Wait::Time(until)),
            (
                Wanted::Up,
                None,
                AdoptedPause::Waiting(Some(By::Connection) | None) | AdoptedPause::Backoff,
            ) => (By::Boot, Wait::Boot),
            (Wanted::Up, None, AdoptedPause::Waiting(Some(by))) => (by, Wait::Boot),
        };
        self.set(State::Waiting { since: now, by, on });
    }

    fn adopt_end(&mut self, now: Duration, found: Option<Found>) {
        let end = match found {
            Some(Found::Ended { exit, oom, at }) => End::Exited { exit, oom, at },
            Some(Found::NeverRan) => cut_off(now),
            Some(Found::Alive { .. }) | None => End::Unseen { at: now },
        };
        self.end.get_or_insert(end);
    }
}

/// What a record without a process waits in, and for whom.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AdoptedPause {
    Waiting(Option<By>),
    Backoff,
}

/// A start that the death of a supervisor interrupted: nobody's failure.
fn cut_off(at: Duration) -> End {
    let failure = StartFailure {
        step: "start".to_string(),
        object: "the container".to_string(),
        errno: 0,
        text: "the supervisor was restarted meanwhile".to_string(),
        fault: Fault::Transient,
    };
    End::NotStarted { failure, at }
}

//! What a person asks for, in every state.
//!
//! `start` and `stop` set what is wanted, until the next boot. A start is never refused because of
//! what the container did before, and its history is forgotten with it. What a person asks for while
//! a container goes down decides what follows when it is gone: the last word counts.

use core::ops::RangeInclusive;
use core::time::Duration;

use super::Supervisor;
use super::event::{Effect, Outcome, Refusal};
use super::state::{By, Phase, State, Wait, Wanted, Why};
use super::unit::{Moment, Unit};

/// The kernel's, real-time signals included.
const SIGNALS: RangeInclusive<i32> = 1..=64;

impl Supervisor {
    /// A container, or all of a group.
    pub(super) fn person_starts(
        &mut self,
        now: Duration,
        name: &str,
        react: fn(&mut Unit, Moment) -> Outcome,
    ) -> Outcome {
        let (group, ends) = (name, self.shutdown.is_some());
        self.person_asks(name, |supervisor, name| match supervisor.units.get_mut(name) {
            // Who means it now names it.
            Some(job) if job.is_job() && name != group && supervisor.booted && !ends => job.promised(now),
            Some(_) | None => supervisor.start_one(now, name, react),
        })
    }

    pub(super) fn person_stops(&mut self, now: Duration, name: &str) -> Outcome {
        self.person_asks(name, |supervisor, name| supervisor.stop_one(now, name))
    }

    fn start_one(&mut self, now: Duration, name: &str, react: fn(&mut Unit, Moment) -> Outcome) -> Outcome {
        let moment = self.moment(now, name);
        let shutting_down = self.shutdown.is_some();
        let unit = match self.known(name) {
            Err(refusal) => return Outcome::Refused(refusal),
            Ok(_) if shutting_down => return Outcome::Refused(Refusal::ShuttingDown),
            Ok(unit) => unit,
        };
        match &unit.invalid {
            Some(cause) if unit.is_misdeclared() => {
                let text = cause.text.clone();
                Outcome::Refused(Refusal::Invalid { name: name.into(), text })
            }
            Some(_) | None => {
                let outcome = react(unit, moment);
                self.stop_opponents(now, name);
                outcome
            }
        }
    }

    fn stop_one(&mut self, now: Duration, name: &str) -> Outcome {
        let moment = self.moment(now, name);
        // A job that takes its time may be stopped.
        let shutting_down = self.is_stopping_all();
        match self.known(name) {
            Err(refusal) => Outcome::Refused(refusal),
            Ok(_) if shutting_down => Outcome::Ignored("the shutdown stops it"),
            Ok(unit) => unit.asked_to_stop(moment),
        }
    }

    pub(super) fn person_signals(&mut self, name: &str, signal: i32) -> Outcome {
        let unit = match self.known(name) {
            Err(refusal) => return Outcome::Refused(refusal),
            Ok(unit) => unit,
        };
        if !SIGNALS.contains(&signal) {
            return Outcome::Refused(Refusal::BadSignal { signal });
        }
        match unit.state {
            State::Running { .. } | State::Stopping { phase: Phase::Held | Phase::Term { .. }, .. } => {
                let (name, generation) = (unit.name.clone(), unit.generation);
                self.effects.push_back(Effect::Signal { name, generation, signal });
                Outcome::Done
            }
            State::Waiting { .. }
            | State::Starting { .. }
            | State::Stopping { phase: Phase::Kill { .. } | Phase::Clean { .. }, .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Stuck { .. }
            | State::Invalid => {
                let state = unit.state.kind();
                Outcome::Refused(Refusal::NotRunning { name: name.into(), state })
            }
        }
    }
}

impl Supervisor {
    /// What was not adopted yet may be anything, and cannot be asked for anything.
    fn known(&mut self, name: &str) -> Result<&mut Unit, Refusal> {
        match self.units.get_mut(name) {
            None => Err(Refusal::Unknown { name: name.into() }),
            Some(_) if !self.booted => Err(Refusal::TakingOver),
            Some(unit) => Ok(unit),
        }
    }
}

impl Unit {
    pub(super) fn asked_to_start(&mut self, moment: Moment) -> Outcome {
        match self.state {
            State::Starting { .. } | State::Running { .. } => Outcome::Ignored("it is up already"),
            State::Waiting { .. } | State::Backoff { .. } => self.wait_for_start(moment),
            State::Exited | State::Failed | State::Invalid => self.wait_for_start(moment),
            State::Stopping { phase, why: _ } => {
                self.want_afresh();
                self.goes(State::Stopping { phase, why: Why::Again })
            }
            State::Stuck { on, retry, why: _ } => {
                self.want_afresh();
                self.goes(State::Stuck { on, retry, why: Why::Again })
            }
        }
    }

    /// A job whose group is started: it will run when the machine ends, if a person had stopped it.
    fn promised(&mut self, now: Duration) -> Outcome {
        match self.state {
            State::Exited | State::Failed if self.wanted == Wanted::Down => {
                self.want_afresh();
                self.wait_for_the_end(now);
                Outcome::Done
            }
            State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Stuck { .. }
            | State::Invalid => Outcome::Ignored("it runs when the machine ends"),
        }
    }

    pub(super) fn asked_to_restart(&mut self, moment: Moment) -> Outcome {
        self.restarts_asked = self.restarts_asked.saturating_add(1);
        match self.state {
            State::Running { .. } => {
                self.want_afresh();
                self.goes(State::Stopping { phase: Phase::Held, why: Why::Again })
            }
            State::Starting { .. } => {
                self.want_afresh();
                self.kill(moment, Why::Again);
                Outcome::Done
            }
            State::Waiting { .. }
            | State::Stopping { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Stuck { .. }
            | State::Invalid => self.asked_to_start(moment),
        }
    }

    pub(super) fn asked_to_stop(&mut self, moment: Moment) -> Outcome {
        if self.wanted == Wanted::Down {
            return Outcome::Ignored("it is not wanted already");
        }
        self.wanted = Wanted::Down;
        self.dirty = true;
        match self.state {
            State::Waiting { .. } | State::Backoff { .. } => {
                self.cause = Some(self.cause_of_stop(None));
                self.set(State::Exited);
            }
            State::Starting { .. } => self.kill(moment, Why::Stop),
            State::Running { .. } => {
                self.set(State::Stopping { phase: Phase::Held, why: Why::Stop });
            }
            State::Stopping { phase, why: _ } => {
                self.set(State::Stopping { phase, why: Why::Stop });
            }
            State::Stuck { on, retry, why: _ } => {
                self.set(State::Stuck { on, retry, why: Why::Stop });
            }
            State::Exited | State::Failed | State::Invalid => {}
        }
        Outcome::Done
    }

    fn wait_for_start(&mut self, moment: Moment) -> Outcome {
        self.want_afresh();
        self.goes(State::Waiting { since: moment.now, by: By::Person, on: Wait::Turn })
    }

    /// Wanted up, with a clean sheet; an image that was unusable is looked at again.
    pub(super) fn want_afresh(&mut self) {
        self.wanted = Wanted::Up;
        (self.invalid, self.made_way) = (None, None);
        self.pardon();
    }
}

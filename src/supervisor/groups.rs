//! Groups: containers that a person starts and stops by one name, and that fail together.
//!
//! A group has no state of its own. Its failure budget is what its containers remember of their failures, counted
//! together: a supervisor that takes over counts the same.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::Supervisor;
use super::cause::Cause;
use super::event::Outcome;
use super::judge::Court;
use super::state::{Phase, State, Wanted, Why};
use super::unit::{Membership, Moment, Unit};
use super::units::Units;
use crate::config::{Exhausted, Group};

/// What a container's failure means to its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alarm {
    /// It counts.
    Failure,
    /// Its own budget is spent, and all are to be restarted.
    Restart,
}

/// Tells each what it is in.
pub(super) fn tell_members(units: &mut Units, groups: &BTreeMap<String, Group>) {
    for (name, group) in groups {
        let window = group.budget.map(|budget| budget.window);
        for member in &group.containers {
            if let Some(unit) = units.get_mut(member) {
                unit.spec.group = Some(Membership { name: name.clone(), window });
            }
        }
    }
}

impl Supervisor {
    /// The group of this name, dependents first.
    fn group_members(&self, name: &str) -> Vec<String> {
        let Some(group) = self.groups.get(name) else { return Vec::new() };
        self.order.iter().rev().filter(|name| group.containers.contains(*name)).cloned().collect()
    }

    /// What a person asks of a group is asked of each that is in it: done, if any of them does anything.
    pub(super) fn person_asks(
        &mut self,
        name: &str,
        mut ask: impl FnMut(&mut Self, &str) -> Outcome,
    ) -> Outcome {
        let members = self.group_members(name);
        let mut all: Option<Outcome> = None;
        for member in &members {
            let outcome = ask(self, member);
            all = Some(match (all, outcome) {
                (None, outcome) => outcome,
                (Some(Outcome::Done), _) | (Some(_), Outcome::Done) => Outcome::Done,
                (Some(earlier), _) => earlier,
            });
        }
        all.unwrap_or_else(|| ask(self, name))
    }

    /// What follows for a group when one of it has failed.
    pub(super) fn judge_groups(&mut self, now: Duration) -> bool {
        // Nothing is written where there is none: each page of ours that is would be copied after every start.
        let alarmed = self.units.values_mut().filter(|unit| unit.alarm.is_some());
        let alarm = |unit: &mut Unit| unit.alarm.take().map(|alarm| (unit.name.clone(), alarm));
        let alarmed: Vec<(String, Alarm)> = alarmed.filter_map(alarm).collect();
        // While the machine ends, nothing is stopped for others, and nothing of it would come up again.
        if self.shutdown.is_some() {
            return false;
        }
        let mut judged: BTreeSet<String> = BTreeSet::new();
        for (name, alarm) in &alarmed {
            let group = self.units.get(name).and_then(|unit| unit.spec.group.clone());
            let Some(group) = group.map(|group| group.name) else { continue };
            let then = match alarm {
                Alarm::Restart => Some(Exhausted::RestartGroup),
                Alarm::Failure => self.spent_budget(&group, now),
            };
            if let Some(then) = then.filter(|_| judged.insert(group.clone())) {
                self.sentence_group(now, &group, name, then);
            }
        }
        !judged.is_empty()
    }

    fn spent_budget(&self, group: &str, now: Duration) -> Option<Exhausted> {
        let group = self.groups.get(group)?;
        let budget = group.budget?;
        let oldest = now.saturating_sub(budget.window);
        let members = group.containers.iter().filter_map(|name| self.units.get(name));
        let failures = members.flat_map(|unit| &unit.failures.at).filter(|at| **at >= oldest).count();
        (failures >= usize::try_from(budget.max_attempts).unwrap_or(usize::MAX)).then_some(budget.then)
    }

    /// `by`: whose failure was one too many.
    fn sentence_group(&mut self, now: Duration, group: &str, by: &str, then: Exhausted) {
        let court = self.court(now);
        if let Some(unit) = self.units.get_mut(by) {
            unit.last_word = true;
        }
        for name in self.group_members(group) {
            let moment = self.moment(now, &name);
            let Some(unit) = self.units.get_mut(&name).filter(|unit| unit.wanted == Wanted::Up) else {
                continue;
            };
            match then {
                Exhausted::Hold if name == by => unit.hold(court),
                Exhausted::Reboot if name == by => {
                    unit.ask_for_reboot(court);
                    unit.hold(court);
                }
                Exhausted::Hold | Exhausted::Reboot => {}
                Exhausted::Fail => unit.fails_with(moment),
                Exhausted::RestartGroup => unit.restarts_with(moment, court),
            }
        }
    }
}

impl Unit {
    /// It was one failure too many: from now on the longest pauses.
    fn hold(&mut self, court: Court) {
        self.held = true;
        if let State::Backoff { .. } = self.state {
            self.streak = self.streak.saturating_sub(1);
            self.back_off(court);
        }
    }

    fn fails_with(&mut self, moment: Moment) {
        match self.state {
            State::Running { .. } => self.set(State::Stopping { phase: Phase::Held, why: Why::GroupFailed }),
            State::Starting { .. } => self.kill(moment, Why::GroupFailed),
            State::Waiting { .. } | State::Backoff { .. } => {
                self.cause = Some(Cause::group_failed(self.group_name(), self.exit()));
                self.set(State::Failed);
            }
            State::Stopping { phase, why } if comes_back(why) => {
                self.set(State::Stopping { phase, why: Why::GroupFailed });
            }
            State::Stuck { on, retry, why } if comes_back(why) => {
                self.set(State::Stuck { on, retry, why: Why::GroupFailed });
            }
            // They have ended, or a person is about it.
            State::Stopping { .. } | State::Exited | State::Failed | State::Stuck { .. } | State::Invalid => {
            }
        }
    }

    /// Its failures are forgiven, its pauses go on: who fails at once again waits longer each time.
    fn restarts_with(&mut self, moment: Moment, court: Court) {
        self.failures = super::backoff::Failures::default();
        self.dirty = true;
        match self.state {
            State::Running { .. } => self.set(State::Stopping { phase: Phase::Held, why: Why::Group }),
            State::Starting { .. } => self.kill(moment, Why::Group),
            State::Failed => self.back_off(court),
            State::Waiting { .. }
            | State::Backoff { .. }
            | State::Stopping { .. }
            | State::Exited
            | State::Stuck { .. }
            | State::Invalid => {}
        }
    }
}

/// Whether one that goes down for this reason may be started again by itself.
fn comes_back(why: Why) -> bool {
    match why {
        Why::Itself
        | Why::Unhealthy
        | Why::NotReady
        | Why::Watchdog
        | Why::Overtime
        | Why::Dependency
        | Why::Group
        | Why::Reload => true,
        Why::Stop | Why::Again | Why::Shutdown | Why::Undeclared | Why::GroupFailed => false,
    }
}

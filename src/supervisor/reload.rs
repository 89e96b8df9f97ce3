//! Another configuration, while the containers of the one before run.
//!
//! Each configuration has a number. Of each container is known by which number's declaration it was last started
//! ([`Unit::made`](super::unit::Unit)), and since which number that declaration is another one, so that it has to be
//! started anew (`since`). One that was made before is stopped, and started; that follows from the two numbers alone,
//! whoever compares them: a supervisor that takes over in the middle goes on where the one before it was.
//!
//! What goes down is stopped as the declaration said that it was started by, and gets the new one when it is down. What
//! is not declared any more is stopped and forgotten. All else changes at once, where it runs.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::Supervisor;
use super::cause::Cause;
use super::event::{Effect, Outcome, Refusal};
use super::judge::Court;
use super::order;
use super::state::{Phase, State, StateKind, Wait, Wanted, Why};
use super::unit::{Moment, Spec, Unit};
use crate::config::{Config, Timetable};
use crate::ordered::Ordered;

/// A configuration in the place of another one.
#[derive(Debug, Clone, PartialEq)]
pub struct Reload {
    pub config: Config,
    pub numbers: Numbers,
}

/// Which configuration this is, and for each container since which one it is as it is; from the first one on, if it
/// has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Numbers {
    pub number: u64,
    pub since: BTreeMap<String, u64>,
}

impl Supervisor {
    /// As [`Supervisor::new`], with a configuration that is not the first one since boot.
    pub fn reloaded(now: Duration, config: &Config, seed: u64, numbers: &Numbers) -> Self {
        let mut supervisor = Self::new(now, config, seed);
        supervisor.number(numbers);
        supervisor
    }

    fn number(&mut self, numbers: &Numbers) {
        self.number = numbers.number;
        for unit in self.units.values_mut() {
            unit.since = numbers.since.get(&unit.name).copied().unwrap_or_default();
        }
    }

    pub(super) fn reload(&mut self, now: Duration, reload: Box<Reload>) -> Outcome {
        if self.shutdown.is_some() {
            return Outcome::Refused(Refusal::ShuttingDown);
        }
        if !self.booted {
            return Outcome::Refused(Refusal::TakingOver);
        }
        let Reload { config, numbers } = *reload;
        let fresh = Self::new(now, &config, self.seed);
        let gone = self.units.values().filter(|unit| fresh.units.get(&unit.name).is_none());
        let gone: Vec<String> = gone.map(|unit| unit.name.clone()).collect();
        for name in gone {
            let moment = self.moment(now, &name);
            if let Some(unit) = self.units.get_mut(&name) {
                unit.undeclare(moment);
            }
        }
        let court = self.court(now);
        for mut declared in fresh.units {
            let since = numbers.since.get(&declared.name).copied().unwrap_or_default();
            let moment = self.moment(now, &declared.name);
            match self.units.get_mut(&declared.name) {
                Some(unit) => unit.declare((moment, court), declared, since),
                None => {
                    // Nothing was written of it before.
                    (declared.adopted, declared.dirty) = (true, true);
                    self.units.insert(declared);
                }
            }
        }
        self.groups = fresh.groups;
        self.number(&numbers);
        self.reorder();
        self.note_leaving();
        self.look_anew();
        self.begin_timetables(now);
        Outcome::Done
    }

    /// Declarations that waited for who goes down, and containers that have to go down for theirs.
    pub(super) fn replace(&mut self, now: Duration) -> bool {
        let mut changed = false;
        let is_due = |unit: &&mut Unit| unit.next.is_some() && unit.state.kind().is_down();
        for unit in self.units.values_mut().filter(is_due) {
            if let Some(next) = unit.next.take() {
                unit.spec = *next;
                changed = true;
            }
        }
        if changed {
            self.reorder();
            self.mend_times(now);
        }
        if !self.booted || self.safe || self.shutdown.is_some() {
            return changed;
        }
        let outdated = self.units.values().filter(|unit| unit.is_outdated() && !unit.is_on_its_way());
        let outdated: Vec<String> = outdated.map(|unit| unit.name.clone()).collect();
        let court = self.court(now);
        for name in &outdated {
            let moment = self.moment(now, name);
            if let Some(unit) = self.units.get_mut(name) {
                unit.replace(moment, court);
            }
        }
        changed || !outdated.is_empty()
    }

    /// Those that nothing declares, and of which nothing is left.
    pub(super) fn forget(&mut self) {
        if !self.booted {
            return;
        }
        let is_gone = |unit: &Unit| unit.undeclared && unit.state.kind().is_down();
        let gone = self.units.values().filter(|unit| is_gone(unit));
        let gone: Vec<String> = gone.map(|unit| unit.name.clone()).collect();
        if gone.is_empty() {
            return;
        }
        self.units.retain(|unit| !is_gone(unit));
        self.order.retain(|name| !gone.contains(name));
        self.effects.extend(gone.into_iter().map(|name| Effect::Forget { name }));
    }

    /// One order for all: those that go down depend on what they were declared with, as long as that and what others
    /// are declared with now is no circle together.
    fn reorder(&mut self) {
        let (mut order, cyclic) = self.sorted();
        if !cyclic.is_empty() {
            for unit in self.units.values_mut() {
                if let Some(next) = &unit.next {
                    unit.spec.depends_on = next.depends_on.clone();
                }
            }
            let (sorted, rest) = self.sorted();
            order = sorted;
            if !rest.is_empty() {
                // What is declared is no circle: it is closed by what goes down for good, and waits for nobody then.
                for unit in self.units.values_mut().filter(|unit| unit.undeclared) {
                    unit.spec.depends_on.clear();
                }
                let (sorted, rest) = self.sorted();
                order = sorted;
                order.extend(rest);
            }
        }
        for (rank, name) in order.iter().enumerate() {
            if let Some(unit) = self.units.get_mut(name) {
                unit.rank = rank;
            }
        }
        self.order = order;
    }

    fn sorted(&self) -> (Vec<String>, Vec<String>) {
        let names = |unit: &Unit| unit.spec.dependencies().map(String::from).collect();
        order::sort(&self.units.values().map(|unit| (unit.name.clone(), names(unit))).ordered())
    }
}

impl Unit {
    /// What runs was started by a declaration that is not its own any more.
    pub(super) fn is_outdated(&self) -> bool {
        self.made < self.since && self.wanted == Wanted::Up && !self.undeclared
    }

    /// It needs no push to come up as it is declared now.
    fn is_on_its_way(&self) -> bool {
        match self.state {
            State::Waiting { .. } => true,
            State::Stopping { why, .. } | State::Stuck { why, .. } => comes_back(why) || self.ends_first(),
            State::Starting { .. } | State::Running { .. } | State::Backoff { .. } => self.ends_first(),
            State::Exited | State::Failed | State::Invalid => false,
        }
    }

    /// A run of a timetable, or of a job of the shutdown, of one that will have another: it is not cut short, and the next one is as it is declared.
    fn ends_first(&self) -> bool {
        self.timed && self.next.as_deref().unwrap_or(&self.spec).comes_again()
    }

    /// It goes down for its new declaration; one that is down is started, whatever it ended of.
    fn replace(&mut self, moment: Moment, court: Court) {
        match self.state {
            State::Running { .. } => {
                self.set(State::Stopping { phase: Phase::Held, why: Why::Reload });
            }
            State::Starting { .. } => self.kill(moment, Why::Reload),
            State::Stopping { phase, why: _ } => self.set(State::Stopping { phase, why: Why::Reload }),
            State::Stuck { on, retry, why: _ } => self.set(State::Stuck { on, retry, why: Why::Reload }),
            State::Waiting { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Invalid => {
                self.invalid = None;
                self.pardon();
                self.begin_anew(court);
            }
        }
    }

    /// What it is declared as from now on.
    fn declare(&mut self, (moment, court): (Moment, Court), declared: Unit, since: u64) {
        let (spec, misdeclared) = (declared.spec, declared.invalid);
        let outdated = self.made < since;
        if self.undeclared {
            self.undeclared = false;
            self.wanted = Wanted::Up;
        }
        // What was wrong with another declaration says nothing of this one.
        if misdeclared.is_some() || outdated || self.is_misdeclared() {
            self.invalid = misdeclared;
        }
        if self.is_misdeclared() {
            return self.misdeclare((moment, court), spec);
        }
        if self.state.kind().is_down() {
            let before = core::mem::replace(&mut self.spec, spec).timetable;
            if before != self.spec.timetable && outdated {
                self.wait_anew(before, court);
            }
            if self.state.kind() == StateKind::Invalid
                && self.invalid.is_none()
                && self.wanted == Wanted::Down
            {
                self.set(State::Exited);
            }
        } else if outdated {
            self.next = Some(Box::new(spec));
        } else {
            self.next = None;
            self.change(moment.now, spec);
        }
    }

    /// It has other times, or none any more, or has them now: what it waits for is another.
    fn wait_anew(&mut self, before: Option<Timetable>, court: Court) {
        match self.state {
            State::Waiting { on: Wait::Time(_), .. } => self.begin_anew(court),
            // Its time has come already, or a person's word has.
            State::Waiting { .. } if before.is_some() => {}
            State::Waiting { .. } => self.begin_anew(court),
            State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Stuck { .. }
            | State::Invalid => {}
        }
    }

    /// It cannot run as it is declared, and does not as it was.
    fn misdeclare(&mut self, (moment, court): (Moment, Court), spec: Spec) {
        self.next = None;
        if self.state.kind().is_down() {
            self.spec = spec;
            self.cause = self.invalid.clone();
            self.set(State::Invalid);
        } else if !self.is_on_its_way() {
            self.replace(moment, court);
        }
    }

    /// It goes on running.
    fn change(&mut self, now: Duration, spec: Spec) {
        let before = core::mem::replace(&mut self.spec, spec);
        self.time_anew(&before);
        if before.healthcheck != self.spec.healthcheck {
            self.check_anew(now);
        }
    }

    /// Nothing declares it any more.
    pub(super) fn undeclare(&mut self, moment: Moment) {
        self.undeclared = true;
        self.invalid = Some(Cause::undeclared());
        self.wanted = Wanted::Down;
        self.next = None;
        match self.state {
            State::Running { .. } => {
                self.set(State::Stopping { phase: Phase::Held, why: Why::Undeclared });
            }
            State::Starting { .. } => self.kill(moment, Why::Undeclared),
            State::Stopping { phase, why: _ } => self.set(State::Stopping { phase, why: Why::Undeclared }),
            State::Stuck { on, retry, why: _ } => self.set(State::Stuck { on, retry, why: Why::Undeclared }),
            State::Waiting { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Invalid => {
                self.cause = Some(Cause::undeclared());
                self.set(State::Exited);
            }
        }
    }
}

/// Whether one that goes down for this reason is started again whatever its policy is.
fn comes_back(why: Why) -> bool {
    match why {
        Why::Again | Why::Reload | Why::Shutdown => true,
        Why::Itself
        | Why::Stop
        | Why::Unhealthy
        | Why::NotReady
        | Why::Watchdog
        | Why::Overtime
        | Why::Dependency
        | Why::Group
        | Why::GroupFailed
        | Why::Undeclared => false,
    }
}

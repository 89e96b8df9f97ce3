//! Jobs of the shutdown: containers that run when the machine ends, before anything is stopped.
//!
//! They have what is left of the time once the stops of everything else have been taken off, by their grace periods
//! along the longest chain of dependencies: however long a job takes, nobody else has a moment less. When that is
//! over, a job that still runs is killed, and one that has not begun does not run. While jobs run, nothing else is
//! stopped and nothing else is started.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::Supervisor;
use super::order;
use super::settle::KILL_WAIT;
use super::shutdown::{demand, longest};
use super::state::{By, State, StateKind, Wait, Wanted, Why};
use super::unit::{Edge, Moment, Unit};
use crate::config::Kind;

impl Supervisor {
    /// Whether one that waits may start, now that the machine ends or does not.
    pub(super) fn has_its_hour(&self, unit: &Unit, by: By) -> bool {
        match (&self.shutdown, unit.is_job()) {
            (None, true) => by == By::Person,
            (None, false) => true,
            (Some(shutdown), is_job) => is_job && shutdown.jobs.is_some(),
        }
    }

    /// Until when jobs may run, if all has to be down at `kill_at`; none if there are none, or nothing may start unasked.
    pub(super) fn time_for_jobs(&self, now: Duration, kill_at: Duration) -> Option<Duration> {
        let mut jobs = self.units.values().filter(|unit| unit.is_job() && unit.wanted == Wanted::Up);
        jobs.next().filter(|_| !self.safe)?;
        let others = self.order.iter().filter_map(|name| self.units.get(name));
        let others: Vec<&Unit> = others.filter(|unit| !unit.is_job()).collect();
        let stops = longest(&others, |unit| match unit.state.kind() {
            StateKind::Running => unit.spec.grace.saturating_add(KILL_WAIT),
            StateKind::Starting => KILL_WAIT,
            StateKind::Waiting
            | StateKind::Stopping
            | StateKind::Backoff
            | StateKind::Exited
            | StateKind::Failed
            | StateKind::Stuck
            | StateKind::Invalid => demand(unit, now),
        });
        // A job that is killed has to be gone before what it depends on is stopped.
        Some(kill_at.saturating_sub(stops).saturating_sub(KILL_WAIT))
    }

    /// Begins the stops, once the jobs are over or have to be.
    pub(super) fn end_jobs(&mut self, now: Duration) -> bool {
        let Some(until) = self.shutdown.as_ref().and_then(|shutdown| shutdown.jobs) else { return false };
        if now < until && (!self.booted || self.units.values().any(|unit| self.goes_on(unit))) {
            return false;
        }
        let jobs = self.units.values().filter(|unit| unit.is_job() && !unit.state.kind().is_down());
        let late: Vec<String> = jobs.map(|unit| unit.name.clone()).collect();
        if let Some(shutdown) = &mut self.shutdown {
            shutdown.jobs = None;
        }
        for name in late {
            let moment = self.moment(now, &name);
            if let Some(unit) = self.units.get_mut(&name) {
                unit.cut_short(moment);
            }
        }
        self.stop_all(now);
        true
    }

    /// Whether something may still come of a job.
    fn goes_on(&self, unit: &Unit) -> bool {
        let comes = |edge: &Edge| match self.units.get(&edge.name).map(|on| on.state.kind()) {
            Some(StateKind::Starting | StateKind::Running | StateKind::Stopping) => true,
            // If that is a job which goes on, it is counted itself.
            Some(
                StateKind::Waiting
                | StateKind::Backoff
                | StateKind::Exited
                | StateKind::Failed
                | StateKind::Stuck
                | StateKind::Invalid,
            )
            | None => false,
        };
        if !unit.is_job() {
            return false;
        }
        match unit.state {
            State::Starting { .. } | State::Running { .. } | State::Stopping { .. } => true,
            // Nothing starts unasked in safe mode.
            State::Backoff { .. } => !self.safe,
            State::Waiting { by, on, .. } => match self.obstacle(unit, by, on) {
                None | Some(Wait::Boot | Wait::Gates) => true,
                Some(Wait::Dependencies) => order::unsatisfied(&self.units, unit).any(comes),
                Some(
                    Wait::Resume
                    | Wait::Turn
                    | Wait::Conflict
                    | Wait::Time(_)
                    | Wait::Shutdown
                    | Wait::Connection,
                ) => false,
            },
            State::Exited | State::Failed | State::Stuck { .. } | State::Invalid => false,
        }
    }
}

impl Unit {
    pub(super) fn is_job(&self) -> bool {
        self.spec.kind == Kind::Shutdown
    }

    /// It has had its time, and more than that is others'.
    fn cut_short(&mut self, moment: Moment) {
        self.wanted = Wanted::Down;
        match self.state.kind() {
            StateKind::Starting | StateKind::Running => self.kill(moment, Why::Shutdown),
            StateKind::Stopping if self.process.is_some() => self.kill(moment, Why::Shutdown),
            StateKind::Stopping
            | StateKind::Waiting
            | StateKind::Backoff
            | StateKind::Exited
            | StateKind::Failed
            | StateKind::Stuck
            | StateKind::Invalid => {}
        }
    }
}

//! Everything down in order, within one deadline.
//!
//! A container that stops gets its grace period, and after it the time that a kill takes, as long as
//! that leaves as much for those that come after it. When the time is too short for all, the longest
//! demands are cut first, to one common length along the chain of dependencies: one that asks for ten
//! minutes does not take a second from a database below it that asks for ten seconds.
//!
//! Jobs that run at the end of the machine come before all of this (`jobs.rs`).
//!
//! Near the end a reserve is kept in which everything that is left is killed, in order but without
//! waiting, so that ends can still be seen and recorded. At the deadline it is done, whatever is left.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::Supervisor;
use super::cause::Cause;
use super::closing::Trace;
use super::event::Outcome;
use super::order;
use super::settle::KILL_WAIT;
use super::state::{Phase, State, Wanted, Why};
use super::unit::{Moment, Unit};
use crate::config::LONGEST_RESERVE;

/// Even without any time left a kill gets this long to be seen: otherwise all would be called stuck.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// Lengths of time are found to the millisecond.
const PRECISION: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Shutdown {
    pub(super) began: Duration,
    pub(super) deadline: Duration,
    /// Everything that is left is killed.
    pub(super) kill_at: Duration,
    pub(super) done: Option<Duration>,
    /// Jobs run, until then at the latest, and the stops have not begun.
    pub(super) jobs: Option<Duration>,
    /// Of all that were up.
    pub(super) traces: BTreeMap<String, Trace>,
}

impl Supervisor {
    pub(super) fn shut_down(&mut self, now: Duration, deadline: Duration) -> Outcome {
        if self.shutdown.as_ref().is_some_and(|shutdown| shutdown.deadline <= deadline) {
            return Outcome::Ignored("the machine is shutting down already, by an earlier deadline");
        }
        let reserve = (deadline.saturating_sub(now) / 10).min(LONGEST_RESERVE);
        let kill_at = deadline.saturating_sub(reserve);
        let jobs = self.time_for_jobs(now, kill_at);
        match &mut self.shutdown {
            Some(shutdown) => {
                (shutdown.deadline, shutdown.kill_at) = (deadline, kill_at);
                shutdown.jobs = shutdown.jobs.and(jobs);
            }
            None => {
                let (done, traces) = (None, BTreeMap::new());
                self.shutdown = Some(Shutdown { began: now, deadline, kill_at, done, jobs, traces });
            }
        }
        self.trace(now);
        if self.is_stopping_all() {
            self.stop_all(now);
        }
        Outcome::Done
    }

    /// Whether all is on its way down, and no job runs before it any more.
    pub(super) fn is_stopping_all(&self) -> bool {
        self.shutdown.as_ref().is_some_and(|shutdown| shutdown.jobs.is_none())
    }

    pub(super) fn stop_all(&mut self, now: Duration) {
        for name in &self.order {
            let patience = self.units.get(name).map_or(KILL_WAIT, |unit| self.kill_wait(now, unit));
            if let Some(unit) = self.units.get_mut(name) {
                unit.shut_down(Moment { now, patience });
            }
        }
        self.shorten(now);
    }

    /// What is on its way down already has no more time than what starts to stop now.
    pub(super) fn shorten(&mut self, now: Duration) {
        let shorter = self.units.values().filter_map(|unit| match unit.state {
            State::Stopping { phase: Phase::Term { until }, why } => {
                let until = until.min(now.saturating_add(self.grace(now, unit)));
                Some((unit.name.clone(), Phase::Term { until }, why))
            }
            State::Stopping { phase: Phase::Kill { until }, why } => {
                let until = until.min(now.saturating_add(self.kill_wait(now, unit)));
                Some((unit.name.clone(), Phase::Kill { until }, why))
            }
            State::Stopping { phase: Phase::Clean { until }, why } => {
                let until = until.min(now.saturating_add(self.kill_wait(now, unit)));
                Some((unit.name.clone(), Phase::Clean { until }, why))
            }
            State::Stopping { phase: Phase::Held, .. }
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Stuck { .. }
            | State::Invalid => None,
        });
        let shorter: Vec<_> = shorter.collect();
        for (name, phase, why) in shorter {
            if let Some(unit) = self.units.get_mut(&name) {
                unit.set(State::Stopping { phase, why });
            }
        }
    }

    /// The grace period that `unit` gets if its stop signal is sent now.
    pub(super) fn grace(&self, now: Duration, unit: &Unit) -> Duration {
        let grace = unit.spec.grace;
        let whole = grace.saturating_add(KILL_WAIT);
        match self.allotted(now, unit, whole) {
            None => grace,
            Some(allotted) => share(allotted, grace, whole),
        }
    }

    /// How long `unit` may take to be gone if it is killed now.
    pub(super) fn kill_wait(&self, now: Duration, unit: &Unit) -> Duration {
        match &self.shutdown {
            None => KILL_WAIT,
            Some(shutdown) if now >= shutdown.deadline => KILL_WAIT,
            Some(shutdown) if now >= shutdown.kill_at => KILL_WAIT.min(shutdown.deadline.saturating_sub(now)),
            Some(_) => {
                let allotted = self.allotted(now, unit, KILL_WAIT).unwrap_or(KILL_WAIT);
                allotted.clamp(SHORTEST_WAIT, KILL_WAIT)
            }
        }
    }

    /// How much of the time that it `asks` for `unit` gets; `None`: it need not ask, there is no
    /// shutdown.
    fn allotted(&self, now: Duration, unit: &Unit, asks: Duration) -> Option<Duration> {
        let shutdown = self.shutdown.as_ref()?;
        let remaining = shutdown.kill_at.saturating_sub(now);
        let chain = order::below(&self.units, unit);
        let demand = |it: &Unit| {
            if it.name == unit.name { asks } else { demand(it, now) }
        };
        let fits = |cap| longest(&chain, |it| demand(it).min(cap)) <= remaining;
        if fits(Duration::MAX) {
            return Some(asks);
        }
        let (mut fitting, mut too_long) = (Duration::ZERO, asks.min(remaining));
        if fits(too_long) {
            return Some(too_long);
        }
        while too_long.saturating_sub(fitting) > PRECISION {
            let middle = fitting.saturating_add(too_long.saturating_sub(fitting) / 2);
            if fits(middle) { fitting = middle } else { too_long = middle }
        }
        Some(fitting)
    }

    /// True once: everything is down, or the deadline has come. What was not adopted yet may be up.
    pub(super) fn finishes_shutdown(&mut self, now: Duration) -> bool {
        let down = || self.booted && self.units.values().all(|unit| unit.state.kind().is_down());
        match &mut self.shutdown {
            Some(shutdown)
                if shutdown.done.is_none()
                    && (now >= shutdown.deadline || shutdown.jobs.is_none() && down()) =>
            {
                shutdown.done = Some(now);
                true
            }
            Some(_) | None => false,
        }
    }

    pub(super) fn shutdown_timeout(&self, now: Duration, shutdown: &Shutdown) -> Option<Duration> {
        if shutdown.done.is_some() {
            None
        } else if let Some(until) = shutdown.jobs {
            Some(until)
        } else if now < shutdown.kill_at {
            Some(shutdown.kill_at)
        } else {
            Some(shutdown.deadline)
        }
    }
}

impl Unit {
    pub(super) fn shut_down(&mut self, moment: Moment) {
        self.wanted = Wanted::Down;
        self.dirty = true;
        match self.state {
            State::Waiting { .. } | State::Backoff { .. } => {
                let is_late = self.is_job() && !self.concluded;
                self.cause = Some(if is_late { Cause::job_too_late() } else { Cause::shutdown(None) });
                self.set(State::Exited);
            }
            State::Starting { .. } => self.kill(moment, Why::Shutdown),
            State::Running { .. } => {
                self.set(State::Stopping { phase: Phase::Held, why: Why::Shutdown });
            }
            State::Stopping { phase, why: Why::Again | Why::Reload | Why::Dependency | Why::Group } => {
                self.set(State::Stopping { phase, why: Why::Shutdown });
            }
            State::Stuck { on, retry, why: Why::Again | Why::Reload | Why::Dependency | Why::Group } => {
                self.set(State::Stuck { on, retry, why: Why::Shutdown });
            }
            State::Stopping { .. } | State::Stuck { .. } | State::Exited | State::Failed | State::Invalid => {
            }
        }
    }
}

/// How much time a container still needs to be gone.
pub(super) fn demand(unit: &Unit, now: Duration) -> Duration {
    match unit.state {
        State::Stopping { phase: Phase::Held, .. } => unit.spec.grace.saturating_add(KILL_WAIT),
        State::Stopping { phase: Phase::Term { until }, .. } => {
            until.saturating_sub(now).saturating_add(KILL_WAIT)
        }
        State::Stopping { phase: Phase::Kill { until } | Phase::Clean { until }, .. } => {
            until.saturating_sub(now)
        }
        State::Waiting { .. }
        | State::Starting { .. }
        | State::Running { .. }
        | State::Backoff { .. }
        | State::Exited
        | State::Failed
        | State::Stuck { .. }
        | State::Invalid => Duration::ZERO,
    }
}

/// The longest way down through `chain` (dependencies first), each container taking what `time` says.
pub(super) fn longest(chain: &[&Unit], time: impl Fn(&Unit) -> Duration) -> Duration {
    let mut ways: BTreeMap<&str, Duration> = BTreeMap::new();
    for unit in chain {
        let below = unit.spec.dependencies().filter_map(|name| ways.get(name));
        let way = below.max().copied().unwrap_or_default().saturating_add(time(unit));
        ways.insert(&unit.name, way);
    }
    ways.into_values().max().unwrap_or_default()
}

/// `part` of `whole`, when only `allotted` of it is there.
fn share(allotted: Duration, part: Duration, whole: Duration) -> Duration {
    if allotted >= whole {
        return part;
    }
    let nanos = |time: Duration| time.as_nanos().min(u128::from(u64::MAX));
    let share = nanos(part).saturating_mul(nanos(allotted)) / nanos(whole).max(1);
    Duration::from_nanos(u64::try_from(share).unwrap_or(u64::MAX))
}

//! What moves by itself: times that have come, stops whose turn it is, starts that may be made.
//!
//! A time and an event in the same turn: the event was handled first, and won.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::Supervisor;
use super::cause::{Cause, seconds};
use super::event::{Fault, StartFailure};
use super::governor::MAX_IN_FLIGHT;
use super::order;
use super::state::{By, Phase, Remains, State, StateKind, Wait, Why};
use super::unit::{End, Unit};
use crate::config::StartBy;
use crate::ordered::Ordered;

pub use crate::config::KILL_WAIT;

/// How long a start may take. It is a matter of milliseconds, on a slow disk of seconds; half a minute
/// is a start that hangs, and it occupies one of the governor's places.
pub const START_DEADLINE: Duration = Duration::from_secs(30);

impl Supervisor {
    /// Each round moves containers one step further, and all these steps lead forwards: it ends.
    pub(super) fn settle(&mut self, now: Duration) {
        loop {
            self.begin_to_listen();
            let ended = self.end_jobs(now);
            let expired = self.expire(now) | self.judge_groups(now);
            let replaced = self.replace(now);
            let followed = self.follow(now);
            let moved = ended || expired || replaced || followed;
            // Who stops first is known when all that stop do.
            if !moved && !self.release(now) {
                break;
            }
        }
        self.start_waiting(now);
        if self.completes_boot() {
            self.start_waiting(now);
        }
        self.ask_probes(now);
    }

    /// Those whose dependency went down, and that go down with it.
    fn follow(&mut self, now: Duration) -> bool {
        if !self.booted || self.safe {
            return false;
        }
        let is_up = |unit: &&Unit| matches!(unit.state.kind(), StateKind::Starting | StateKind::Running);
        let lost =
            |unit: &Unit| order::lost(&self.units, unit).map(|on| (unit.name.clone(), on.name.clone()));
        let lost: Vec<(String, String)> = self.units.values().filter(is_up).filter_map(lost).collect();
        for (name, on) in &lost {
            let moment = self.moment(now, name);
            if let Some(unit) = self.units.get_mut(name) {
                unit.followed = Some(on.clone());
                if unit.state.kind() == StateKind::Running {
                    unit.set(State::Stopping { phase: Phase::Held, why: Why::Dependency });
                } else {
                    unit.kill(moment, Why::Dependency);
                }
            }
        }
        !lost.is_empty()
    }

    fn expire(&mut self, now: Duration) -> bool {
        let expired = self
            .units
            .values()
            .filter_map(|unit| self.after(unit, now).map(|state| (unit.name.clone(), state)));
        let expired: Vec<(String, State)> = expired.collect();
        for (name, state) in &expired {
            if let Some(unit) = self.units.get_mut(name) {
                unit.expire(now, *state);
            }
        }
        !expired.is_empty()
    }

    /// The state that follows when the time of this one is over.
    fn after(&self, unit: &Unit, now: Duration) -> Option<State> {
        let killed = |why| {
            let until = now.saturating_add(self.kill_wait(now, unit));
            State::Stopping { phase: Phase::Kill { until }, why }
        };
        let last_call = self.shutdown.as_ref().is_some_and(|shutdown| now >= shutdown.kill_at);
        match unit.state {
            State::Starting { until } => (now >= until).then(|| killed(Why::Itself)),
            State::Stopping { phase: Phase::Held, why } => last_call.then(|| killed(why)),
            State::Stopping { phase: Phase::Term { until }, why } => {
                (now >= until || last_call).then(|| killed(why))
            }
            State::Stopping { phase: Phase::Kill { until }, why } => {
                (now >= until).then_some(State::Stuck { on: Remains::Main, retry: None, why })
            }
            State::Stopping { phase: Phase::Clean { until }, why } => {
                (now >= until).then_some(State::Stuck { on: Remains::Cgroup, retry: None, why })
            }
            State::Backoff { until } => {
                (now >= until).then_some(State::Waiting { since: now, by: By::Policy, on: Wait::Turn })
            }
            State::Stuck { on, retry, why } => {
                let due = retry.is_some_and(|retry| now >= retry);
                due.then_some(State::Stuck { on, retry: None, why })
            }
            State::Running { since, up } => {
                let counts = !self.safe && !self.is_stopping_all();
                unit.overdue(since, up, now).filter(|_| counts)
            }
            State::Waiting { since, by, on: Wait::Time(until) } => {
                // One that connects again is not made to do so once more.
                let by = if by == By::Connection { by } else { By::Schedule };
                (now >= until).then_some(State::Waiting { since, by, on: Wait::Turn })
            }
            State::Waiting { .. } | State::Exited | State::Failed | State::Invalid => None,
        }
    }

    /// Sends the stop signal to those that need not wait for dependents any more.
    /// Nobody is, before all are adopted: a dependent may be among those to come.
    fn release(&mut self, now: Duration) -> bool {
        if !self.booted {
            return false;
        }
        let held_back = order::held_back(&self.order, &self.units);
        let free = self.units.values().filter_map(|unit| match unit.state {
            State::Stopping { phase: Phase::Held, why } if !held_back.contains(unit.name.as_str()) => {
                let until = now.saturating_add(self.grace(now, unit));
                Some((unit.name.clone(), State::Stopping { phase: Phase::Term { until }, why }))
            }
            State::Stopping { .. }
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Stuck { .. }
            | State::Invalid => None,
        });
        let free: BTreeMap<String, State> = free.ordered();
        for (name, state) in &free {
            if let Some(unit) = self.units.get_mut(name) {
                unit.set(*state);
            }
        }
        !free.is_empty()
    }

    fn start_waiting(&mut self, now: Duration) {
        order::pass_over(&mut self.units);
        while self.give_turns(now) {}
    }

    /// Gives the free turns to those that wait for nothing else; see `governor.rs` for who is first. True: somebody may
    /// have to wait for one that got one.
    fn give_turns(&mut self, now: Duration) -> bool {
        let places = MAX_IN_FLIGHT.saturating_sub(self.in_flight());
        let mut queue = Vec::new();
        let mut others = Vec::new();
        for unit in self.units.values() {
            if let State::Waiting { since, by, on } = unit.state {
                let obstacle = self.obstacle(unit, by, on);
                if obstacle.is_none() && places > 0 {
                    queue.push((unit.streak, since, unit.name.as_str()));
                }
                // Who gets a turn does not wait for it any more.
                let wait = obstacle.unwrap_or(Wait::Turn);
                if wait != on {
                    others.push((unit.name.clone(), State::Waiting { since, by, on: wait }));
                }
            }
        }
        queue.sort_unstable();
        let mut chosen: Vec<String> = Vec::new();
        for unit in queue.iter().filter_map(|(_, _, name)| self.units.get(name)) {
            if chosen.iter().any(|earlier| unit.spec.conflicts.contains(earlier)) {
                continue;
            }
            if chosen.len() >= places || !self.governor.take(now) {
                break;
            }
            chosen.push(unit.name.clone());
        }
        for (name, state) in others {
            if matches!(state, State::Waiting { on: Wait::Gates, .. }) {
                self.gate_waits = self.gate_waits.wrapping_add(1);
            }
            if let Some(unit) = self.units.get_mut(&name) {
                unit.state = state;
                // Before it waits for this again, it may be otherwise.
                unit.found_open &= matches!(state, State::Waiting { on: Wait::Turn, .. });
            }
        }
        let mut in_the_way = false;
        for name in chosen {
            if let Some(unit) = self.units.get_mut(&name) {
                unit.begin(now);
                unit.made = self.number;
                in_the_way |= !unit.spec.conflicts.is_empty();
            }
        }
        in_the_way
    }

    /// What keeps a waiting container from taking its turn.
    pub(super) fn obstacle(&self, unit: &Unit, by: By, on: Wait) -> Option<Wait> {
        match (by, on) {
            (_, Wait::Time(until)) => return Some(Wait::Time(until)),
            _ if !self.booted => return Some(Wait::Boot),
            (By::Boot | By::Policy | By::Schedule | By::Connection, _) if self.safe => {
                return Some(Wait::Resume);
            }
            _ if !self.has_its_hour(unit, by) => return Some(Wait::Shutdown),
            (By::Boot, _) if unit.spec.start == StartBy::Connection => return Some(Wait::Connection),
            (By::Boot | By::Policy | By::Schedule | By::Connection | By::Person, _) => {}
        }
        if order::unsatisfied(&self.units, unit).next().is_some() {
            return Some(Wait::Dependencies);
        }
        if self.opponents(unit).next().is_some() {
            return Some(Wait::Conflict);
        }
        self.is_gated(unit).then_some(Wait::Gates)
    }

    fn in_flight(&self) -> usize {
        self.units.values().filter(|unit| unit.state.kind() == StateKind::Starting).count()
    }

    /// When the governor has the next turn for somebody who waits for it.
    pub(super) fn turn_timeout(&self) -> Option<Duration> {
        let waits = |unit: &Unit| match unit.state {
            State::Waiting { on: Wait::Turn, .. } => true,
            State::Waiting {
                on:
                    Wait::Boot
                    | Wait::Resume
                    | Wait::Dependencies
                    | Wait::Conflict
                    | Wait::Gates
                    | Wait::Time(_)
                    | Wait::Shutdown
                    | Wait::Connection,
                ..
            }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Stuck { .. }
            | State::Invalid => false,
        };
        let wanted = || self.units.values().any(waits) && self.in_flight() < MAX_IN_FLIGHT;
        self.governor.next().filter(|_| wanted())
    }
}

impl Unit {
    /// The time of its state is over, and `next` follows.
    fn expire(&mut self, now: Duration, next: State) {
        match self.state {
            State::Starting { .. } => {
                self.end = Some(End::NotStarted { failure: start_took_too_long(), at: now });
            }
            // Once more: what it was asked to do is asked again.
            State::Stuck { .. } => self.acted = None,
            State::Stopping { .. }
            | State::Waiting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Invalid => {}
        }
        if next.kind() == StateKind::Stuck {
            self.cause = Some(Cause::stuck("its processes do not go away"));
        }
        self.set(next);
    }

    /// The next generation starts.
    fn begin(&mut self, now: Duration) {
        let again_by_itself = match self.state {
            State::Waiting { by: By::Policy, .. } => true,
            State::Waiting { by: By::Boot | By::Person | By::Schedule | By::Connection, .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Stuck { .. }
            | State::Invalid => false,
        };
        if again_by_itself {
            self.restarts = self.restarts.saturating_add(1);
        }
        self.generation = self.generation.saturating_add(1);
        self.end = None;
        self.started_at = None;
        self.process = None;
        self.ready_early = false;
        (self.followed, self.made_way) = (None, None);
        self.found_open = false;
        self.timed = self.spec.comes_again();
        self.set(State::Starting { until: now.saturating_add(START_DEADLINE) });
    }
}

fn start_took_too_long() -> StartFailure {
    StartFailure {
        step: "start".to_string(),
        object: "the container".to_string(),
        errno: 0,
        text: alloc::format!("it took longer than {}", seconds(START_DEADLINE)),
        fault: Fault::Permanent,
    }
}

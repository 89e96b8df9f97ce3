//! Of running containers: what they say of themselves, what their probes say, and what follows from both.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{HealthCheck, OnFailure, Readiness};

use super::Supervisor;
use super::backoff::jittered;
use super::event::{Effect, Note, Outcome};
use super::state::{Phase, State, StateKind, Why};
use super::unit::{Moment, Spec, Unit};
use super::up::{
    ANSWER_WAIT, Check, FIRST_PAUSE, Health, MAX_PROBES, Notice, Probed, Probing, Pulse, Ready, Up,
};

/// A container may ask for more time to be ready, in all no more than so many times what it was given.
const MOST_EXTENSIONS: u32 = 10;

const NOT_RUNNING: Outcome = Outcome::Ignored("it is not running");

impl Supervisor {
    /// Probes whose time has come, as many as may be asked at once.
    pub(super) fn ask_probes(&mut self, now: Duration) {
        let due = self.units.values().filter_map(|unit| Some((unit.next_probe()?, unit)));
        let due = due.filter(|(at, _)| *at <= now).map(|(at, unit)| (at, unit.name.clone()));
        let mut due: Vec<(Duration, String)> = due.collect();
        if due.is_empty() {
            return;
        }
        let Some(free) = self.free_probes() else { return };
        due.sort_unstable();
        for (_, name) in due.into_iter().take(free) {
            if let Some(unit) = self.units.get_mut(&name) {
                unit.ask_probe(now);
            }
        }
    }

    pub(super) fn pause(&mut self, now: Duration, name: &str, paused: bool) -> Outcome {
        match self.units.get_mut(name) {
            Some(unit) => unit.paused(now, paused),
            None => Outcome::Ignored("no container has this name"),
        }
    }

    /// When the next probe is due that may be asked then.
    pub(super) fn probe_timeout(&self) -> Option<Duration> {
        let next = self.units.values().filter_map(Unit::next_probe).min()?;
        self.free_probes().map(|_| next)
    }

    /// None when none may be asked: what follows from a probe is a start or a stop that nobody asked for.
    fn free_probes(&self) -> Option<usize> {
        let asked = self.units.values().filter(|unit| unit.pulse().asked().is_some()).count();
        MAX_PROBES.checked_sub(asked).filter(|free| *free > 0 && self.booted && !self.safe)
    }
}

impl Unit {
    pub(super) fn up(&self) -> Option<Up> {
        match self.state {
            State::Running { up, .. } => Some(up),
            State::Waiting { .. }
            | State::Starting { .. }
            | State::Stopping { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Stuck { .. }
            | State::Invalid => None,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.up().is_some_and(Up::is_ready)
    }

    pub(super) fn health(&self) -> Health {
        self.pulse().health()
    }

    fn pulse(&self) -> Pulse {
        self.up().map_or(Pulse::Unchecked, |up| up.pulse)
    }

    /// It has shown what becomes of it, or cannot for now: who does not require it goes on.
    pub(super) fn has_been_tried(&self) -> bool {
        let is_down_for_now = match self.state.kind() {
            StateKind::Backoff
            | StateKind::Exited
            | StateKind::Failed
            | StateKind::Stuck
            | StateKind::Invalid => true,
            StateKind::Waiting | StateKind::Starting | StateKind::Running | StateKind::Stopping => false,
        };
        self.concluded || is_down_for_now || self.passed_over
    }

    /// Its program runs.
    pub(super) fn rise(&mut self, since: Duration, check: Option<HealthCheck>) {
        self.image_check = check;
        self.probes = 0;
        self.probe_asked = 0;
        self.report = None;
        self.says = None;
        self.well_since = None;
        self.told_up = (self.spec.ready == Readiness::Started, Health::Starting);
        let due = since.saturating_add(FIRST_PAUSE);
        self.run(since, since, |_| Pulse::starting(due));
        self.note_readiness(since);
    }

    /// It ran before this supervisor did. What it has to say within a time has all of that time again: nobody was there
    /// to hear it.
    pub(super) fn go_on(&mut self, since: Duration, now: Duration, health: Health) {
        self.run(since, now, |_| match health {
            Health::None | Health::Starting => Pulse::starting(now),
            Health::Healthy | Health::Unhealthy => Pulse::adopted(health, now),
        });
        self.told_up = (self.is_ready(), self.health());
    }

    fn run(&mut self, since: Duration, now: Duration, pulse: impl FnOnce(&Check) -> Pulse) {
        self.check = Check::of(&self.spec.healthcheck, self.image_check.as_ref());
        let ready = match self.spec.ready {
            Readiness::Started => Ready::Yes,
            Readiness::Notify | Readiness::Fd if self.ready_early => Ready::Yes,
            Readiness::Notify | Readiness::Fd => {
                Ready::Awaited { until: now.saturating_add(self.spec.ready_timeout) }
            }
            Readiness::Healthy => Ready::ByHealth,
        };
        let pulse = self.check.as_ref().map_or(Pulse::Unchecked, pulse);
        let bites = self.spec.watchdog.map(|watchdog| now.saturating_add(watchdog));
        let ends = self.spec.run_timeout.map(|timeout| since.saturating_add(timeout));
        self.set(State::Running { since, up: Up { ready, pulse, bites, ends, paused: false } });
    }

    /// It is asked in another way from now on; what it is known for stays until it is answered.
    pub(super) fn check_anew(&mut self, now: Duration) {
        let State::Running { since, up } = self.state else { return };
        self.check = Check::of(&self.spec.healthcheck, self.image_check.as_ref());
        let pulse = match (&self.check, up.pulse.health()) {
            (None, _) => Pulse::Unchecked,
            (Some(_), Health::None | Health::Starting) => Pulse::starting(now),
            (Some(_), health) => Pulse::adopted(health, now),
        };
        self.set(State::Running { since, up: Up { pulse, ..up } });
    }

    /// It has another time to be ready, and to be over; counted from its start on.
    pub(super) fn time_anew(&mut self, before: &Spec) {
        let State::Running { since, up } = self.state else { return };
        let (Spec { ready_timeout, run_timeout, .. }, mut up) = (&self.spec, up);
        if *run_timeout != before.run_timeout {
            up.ends = run_timeout.map(|timeout| since.saturating_add(timeout));
        }
        if let Ready::Awaited { .. } = up.ready
            && *ready_timeout != before.ready_timeout
        {
            up.ready = Ready::Awaited { until: since.saturating_add(*ready_timeout) };
        }
        self.set(State::Running { since, up });
    }

    fn note_readiness(&mut self, now: Duration) {
        if self.is_ready() {
            self.ran = true;
            let is_well = self.health() != Health::Unhealthy;
            self.well_since = self.well_since.or(is_well.then_some(now));
        }
    }

    /// Changes what is known of it, not what it does: that needs no record.
    fn update(&mut self, change: impl FnOnce(&mut Up)) {
        if let State::Running { since, mut up } = self.state {
            change(&mut up);
            self.state = State::Running { since, up };
        }
    }

    pub(super) fn notified(&mut self, now: Duration, notice: Notice) -> Outcome {
        match self.state {
            State::Starting { .. } => self.notified_early(notice),
            State::Running { since, up } => self.notified_running(now, since, up, notice),
            State::Waiting { .. }
            | State::Stopping { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Stuck { .. }
            | State::Invalid => NOT_RUNNING,
        }
    }

    /// Its program may be faster than the news that it runs.
    fn notified_early(&mut self, notice: Notice) -> Outcome {
        match notice {
            Notice::Ready if self.ready_early => Outcome::Ignored("it has said so"),
            Notice::Ready => {
                self.ready_early = true;
                self.dirty = true;
                Outcome::Done
            }
            Notice::Alive | Notice::Trigger | Notice::Extend(_) | Notice::Status(_) => NOT_RUNNING,
        }
    }

    fn notified_running(&mut self, now: Duration, since: Duration, up: Up, notice: Notice) -> Outcome {
        match (notice, up.ready) {
            (Notice::Ready, Ready::Awaited { .. }) => {
                self.ready_early = true;
                self.set(State::Running { since, up: Up { ready: Ready::Yes, ..up } });
                self.note_readiness(now);
            }
            (Notice::Ready, Ready::Yes | Ready::ByHealth) => {
                return Outcome::Ignored("nobody waits for it to say so");
            }
            (Notice::Extend(time), Ready::Awaited { until }) => {
                let most = self.spec.ready_timeout.saturating_mul(MOST_EXTENSIONS);
                let extended = now.saturating_add(time).min(since.saturating_add(most)).max(until);
                self.update(|up| up.ready = Ready::Awaited { until: extended });
            }
            (Notice::Extend(_), Ready::Yes | Ready::ByHealth) => {
                return Outcome::Ignored("it has no deadline");
            }
            (Notice::Alive, _) => match self.spec.watchdog {
                Some(watchdog) => self.update(|up| up.bites = Some(now.saturating_add(watchdog))),
                None => return Outcome::Ignored("it has no watchdog"),
            },
            (Notice::Trigger, _) if self.spec.watchdog.is_some() => {
                self.set(State::Stopping { phase: Phase::Held, why: Why::Watchdog });
            }
            (Notice::Trigger, _) => return Outcome::Ignored("it has no watchdog"),
            (Notice::Status(text), _) => self.says = Some(text).filter(|text| !text.is_empty()),
        }
        Outcome::Done
    }

    pub(super) fn paused(&mut self, now: Duration, paused: bool) -> Outcome {
        let (limit, watchdog) = (self.spec.ready_timeout, self.spec.watchdog);
        match self.state {
            State::Running { up, .. } if up.paused == paused => Outcome::Ignored("it is so already"),
            State::Running { .. } => {
                self.update(|up| {
                    up.paused = paused;
                    // Its time begins anew.
                    up.bites = watchdog.map(|watchdog| now.saturating_add(watchdog));
                    if let Ready::Awaited { until } = &mut up.ready {
                        *until = now.saturating_add(limit);
                    }
                });
                Outcome::Done
            }
            State::Waiting { .. }
            | State::Starting { .. }
            | State::Stopping { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Stuck { .. }
            | State::Invalid => NOT_RUNNING,
        }
    }

    fn next_probe(&self) -> Option<Duration> {
        self.up().filter(|up| !up.paused).and_then(|up| up.pulse.due())
    }

    fn ask_probe(&mut self, now: Duration) {
        let Some(timeout) = self.check.as_ref().map(|check| check.timeout) else { return };
        self.probes = self.probes.saturating_add(1);
        let number = self.probes;
        let until = now.saturating_add(timeout).saturating_add(ANSWER_WAIT);
        self.update(|up| up.pulse = up.pulse.with_next(Probing::Asked { number, until }));
    }

    pub(super) fn probed(&mut self, moment: Moment, seed: u64, number: u64, answer: Probed) -> Outcome {
        let (State::Running { since, up }, Some(check)) = (self.state, &self.check) else {
            return NOT_RUNNING;
        };
        if up.pulse.asked() != Some(number) {
            return Outcome::Ignored("it is about another probe");
        }
        // A container that stands still cannot answer.
        let answer = match answer {
            Probed::Failed { text } if up.paused => Probed::NotMade { text },
            Probed::Passed | Probed::Failed { .. } | Probed::NotMade { .. } => answer,
        };
        let now = moment.now;
        let spread = |pause| jittered(pause, seed, &self.name, self.generation ^ number << 32);
        let pulse = up.pulse.answered(check, &answer, check.in_grace(since, now), spread, now);
        let (before, after) = (up.pulse.health(), pulse.health());
        let on_failure = check.on_failure;
        if let Probed::Failed { text } = answer {
            self.report = Some(text);
        }
        self.update(|up| up.pulse = pulse);
        if before == after {
            return Outcome::Done;
        }
        self.dirty = true;
        match (after, on_failure) {
            (Health::Unhealthy, OnFailure::Restart) => {
                self.was_well_until(now);
                self.set(State::Stopping { phase: Phase::Held, why: Why::Unhealthy });
            }
            (Health::Unhealthy, OnFailure::Kill) => {
                self.was_well_until(now);
                self.kill(moment, Why::Unhealthy);
            }
            (Health::Unhealthy, OnFailure::None) => self.was_well_until(now),
            (Health::None | Health::Starting | Health::Healthy, _) => self.note_readiness(now),
        }
        Outcome::Done
    }

    /// What follows when a time has come that its being up carries.
    pub(super) fn overdue(&self, since: Duration, up: Up, now: Duration) -> Option<State> {
        let passed = |time: Option<Duration>| time.is_some_and(|time| now >= time);
        let stop = |why| State::Stopping { phase: Phase::Held, why };
        if up.paused {
            return None;
        }
        if passed(up.ends) {
            return Some(stop(Why::Overtime));
        }
        if passed(up.bites) {
            return Some(stop(Why::Watchdog));
        }
        match (up.ready, up.pulse) {
            (Ready::Awaited { until }, _) if now >= until => Some(stop(Why::NotReady)),
            (_, Pulse::Checked { next: Probing::Asked { until, .. }, .. }) if now >= until => {
                // Nobody answered: nothing was learnt.
                let pulse = up.pulse.with_next(Probing::Due(now.saturating_add(ANSWER_WAIT)));
                Some(State::Running { since, up: Up { pulse, ..up } })
            }
            (
                Ready::Yes | Ready::Awaited { .. } | Ready::ByHealth,
                Pulse::Checked { .. } | Pulse::Unchecked,
            ) => None,
        }
    }

    /// What people are told of one that runs.
    pub(super) fn notes(&mut self) -> Vec<Effect> {
        let now = (self.is_ready(), self.health());
        if self.state.kind() != StateKind::Running || self.told_up == now {
            return Vec::new();
        }
        let (ready, health) = core::mem::replace(&mut self.told_up, now);
        let report = self.report.clone().filter(|_| now.1 == Health::Unhealthy);
        let of_health = (health != now.1).then_some(Note::Health { health: now.1, report });
        let of_ready = (ready != now.0).then_some(if now.0 { Note::Ready } else { Note::NotReady });
        // Its first health is no news.
        let of_health = of_health.filter(|_| now.1 != Health::None && now.1 != Health::Starting);
        let notes = of_health.into_iter().chain(of_ready);
        notes.map(|note| Effect::Noted { name: self.name.clone(), note }).collect()
    }

    /// The probe that is to be asked and was not yet.
    pub(super) fn probe_to_ask(&mut self) -> Option<Effect> {
        let number = self.pulse().asked().filter(|number| *number != self.probe_asked)?;
        let check = self.check.as_ref()?;
        let (probe, timeout) = (Box::new(check.probe.clone()), check.timeout);
        self.probe_asked = number;
        let (name, generation) = (self.name.clone(), self.generation);
        Some(Effect::Probe { name, generation, number, probe, timeout })
    }

    pub(super) fn has_notes(&self) -> bool {
        self.up().is_some_and(|up| {
            self.told_up != (up.is_ready(), up.pulse.health())
                || up.pulse.asked().is_some_and(|number| number != self.probe_asked)
        })
    }
}

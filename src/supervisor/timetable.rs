//! Containers that run at their times: when the next one is.
//!
//! Intervals count from boot. Times of a clock need one: how late it is when the machine boots is told
//! ([`Event::Clock`](super::Event)), and told again when the clock is set; times that are waited for are then found
//! anew. A clock that is set forward over a time has missed it.

use core::time::Duration;

use crate::config::{Kind, Missed, Overlap, Timetable, When};

use super::Supervisor;
use super::backoff::up_to;
use super::event::Outcome;
use super::judge::Court;
use super::state::{By, State, Wait, Wanted};
use super::unit::Unit;

/// A clock that is set further than this was wrong before, and not late.
const LATE: Duration = Duration::from_secs(86_400);

/// What a clock that was never right says is not looked for for ever.
const NEVER: Duration = Duration::from_secs(365 * 86_400);

impl Supervisor {
    /// `at_boot`: the time since 1970 when the machine booted, as the clock has it now.
    pub(super) fn clock(&mut self, now: Duration, at_boot: Duration) -> Outcome {
        let before = core::mem::replace(&mut self.at_boot, at_boot);
        if before == at_boot {
            return Outcome::Ignored("the clock was not set");
        }
        // Times that were adopted were found by the clock as it is: told for the first time, it was not set.
        if !self.booted {
            return Outcome::Done;
        }
        let seed = self.seed;
        for unit in self.units.values_mut() {
            let (State::Waiting { since, by, on: Wait::Time(until) }, Some(table)) =
                (unit.state, unit.spec.timetable)
            else {
                continue;
            };
            let When::Clock(_) = table.when else { continue };
            let moved = at_boot.saturating_sub(before);
            let is_missed = !moved.is_zero() && moved <= LATE && now.saturating_add(moved) >= until;
            let next = match table.missed {
                Missed::Run if is_missed => now,
                Missed::Run | Missed::Skip => table.next(now, at_boot, seed, &unit.name),
            };
            unit.set(State::Waiting { since, by, on: Wait::Time(next) });
        }
        Outcome::Done
    }

    /// Those that have times wait for them, and not for the boot.
    pub(super) fn begin_timetables(&mut self, now: Duration) {
        let begins = |unit: &&mut Unit| {
            let waits_for_boot = matches!(unit.state, State::Waiting { by: By::Boot, on: Wait::Boot, .. });
            waits_for_boot && unit.wanted == Wanted::Up && unit.spec.timetable.is_some()
        };
        let court = self.court(now);
        for unit in self.units.values_mut().filter(begins) {
            unit.begin_anew(court);
        }
    }

    /// Those that wait for a time which an earlier declaration had, or as jobs that they are no more; one that has come is theirs all the same.
    pub(super) fn mend_times(&mut self, now: Duration) {
        let court = self.court(now);
        for unit in self.units.values_mut().filter(|unit| unit.is_outdated()) {
            match unit.state {
                State::Waiting { on: Wait::Time(until), .. } if until > now => unit.begin_anew(court),
                State::Waiting { on: Wait::Shutdown, .. } if !unit.is_job() => unit.begin_anew(court),
                State::Waiting { .. }
                | State::Starting { .. }
                | State::Running { .. }
                | State::Stopping { .. }
                | State::Backoff { .. }
                | State::Exited
                | State::Failed
                | State::Stuck { .. }
                | State::Invalid => {}
            }
        }
    }

    /// Whether any runs at times of the clock.
    pub fn wants_clock(&self) -> bool {
        let by_clock =
            |unit: &Unit| matches!(unit.spec.timetable, Some(Timetable { when: When::Clock(_), .. }));
        self.units.values().any(by_clock)
    }
}

impl Unit {
    /// As it is declared now, or will be in a moment: at its next time, or as soon as it may.
    pub(super) fn begin_anew(&mut self, court: Court) {
        let Court { now, seed, at_boot, .. } = court;
        let declared = self.next.as_deref().unwrap_or(&self.spec);
        if declared.kind == Kind::Shutdown {
            return self.wait_for_the_end(now);
        }
        let next = declared.timetable.map(|table| table.next(now, at_boot, seed, &self.name));
        self.set(match next {
            Some(next) => State::Waiting { since: now, by: By::Schedule, on: Wait::Time(next) },
            None => State::Waiting { since: now, by: By::Person, on: Wait::Turn },
        });
    }

    /// Its run is over: it waits for the next one.
    pub(super) fn wait_for_time(&mut self, table: &Timetable, now: Duration, at_boot: Duration, seed: u64) {
        let began = self.started_at.unwrap_or(now);
        let next = match table.overlap {
            Overlap::Skip => table.next(now, at_boot, seed, &self.name),
            // One that came while it ran is not lost.
            Overlap::Queue => table.next(began, at_boot, seed, &self.name).max(now),
        };
        self.set(State::Waiting { since: now, by: By::Schedule, on: Wait::Time(next) });
    }
}

impl Timetable {
    /// The next time after `now`, since boot.
    fn next(&self, now: Duration, at_boot: Duration, seed: u64, name: &str) -> Duration {
        let next = match self.when {
            When::Every(interval) => {
                let nanos = interval.as_nanos().max(1);
                let count = now.as_nanos() / nanos + 1;
                interval.checked_mul(u32::try_from(count).unwrap_or(u32::MAX)).unwrap_or(NEVER)
            }
            When::Clock(cron) => {
                let wall = now.saturating_add(at_boot).as_secs();
                let due = cron.next_after(wall).map(Duration::from_secs);
                // To the whole second: the boot was at a part of one.
                due.map_or(now.saturating_add(NEVER), |due| due.saturating_sub(at_boot)).max(now)
            }
        };
        next.saturating_add(up_to(self.jitter, seed, name, next.as_secs()))
    }
}

//! Containers that wait for a connection: their sockets are open, and nothing of them runs.
//!
//! The agent is asked to look at the sockets (`Effect::Listen`), and says when somebody waits there. Whoever that
//! is stays in the socket's queue until the program takes him from it, so that no word of his need be remembered: a
//! supervisor that takes over asks anew, and finds him there. A good end is followed by waiting for the next one.
//! A program that ends well without having taken anybody would be started at once, for ever: two starts are at least
//! the policy's `delay` apart, or a quarter of a second.

use core::time::Duration;

use super::Supervisor;
use super::event::{Effect, Outcome, StartFailure};
use super::state::{By, State, Wait, Why};
use super::unit::{End, Unit};
use crate::config::StartBy;

/// Between two starts by connections, also where a policy has no `delay`: a program that takes nobody costs four starts a
/// second then, and nobody who is taken waits for longer than he would notice.
const LEAST_PAUSE: Duration = Duration::from_millis(250);

/// What is told of one that waits for something else, or for nothing.
const NOT_AWAITED: Outcome = Outcome::Ignored("it does not wait for a connection");

impl Supervisor {
    /// Before any start is looked at: who depends on them need not wait for more than that they listen.
    pub(super) fn begin_to_listen(&mut self) {
        if !self.booted || self.safe {
            return;
        }
        // Once the machine ends, nobody who connects has anything started.
        let on = if self.shutdown.is_some() { Wait::Shutdown } else { Wait::Connection };
        for unit in self.units.values_mut().filter(|unit| unit.spec.start == StartBy::Connection) {
            match unit.state {
                State::Waiting { on: Wait::Time(_), .. } => {}
                State::Waiting { since, by: By::Boot, on: _ } => {
                    unit.state = State::Waiting { since, by: By::Boot, on };
                }
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

    pub(super) fn connected(&mut self, now: Duration, name: &str) -> Outcome {
        match self.units.get_mut(name) {
            Some(unit) => unit.connected(now),
            None => Outcome::Ignored("no container has this name"),
        }
    }

    pub(super) fn listen_failed(&mut self, now: Duration, name: &str, failure: StartFailure) -> Outcome {
        let court = self.court(now);
        let Some(unit) = self.units.get_mut(name).filter(|unit| unit.listens()) else { return NOT_AWAITED };
        unit.end = Some(End::NotStarted { failure, at: now });
        unit.conclude(Why::Itself, court);
        Outcome::Done
    }
}

impl Unit {
    /// Whether its next start is whoever connects first.
    pub(super) fn listens(&self) -> bool {
        matches!(self.state, State::Waiting { on: Wait::Connection, .. })
    }

    /// It listens from when that is looked at next; in safe mode it does not.
    pub(super) fn wait_for_connection(&mut self, now: Duration) {
        self.set(State::Waiting { since: now, by: By::Boot, on: Wait::Turn });
    }

    fn connected(&mut self, now: Duration) -> Outcome {
        if !self.listens() {
            return NOT_AWAITED;
        }
        let earliest =
            self.started_at.map(|began| began.saturating_add(self.spec.policy.delay.max(LEAST_PAUSE)));
        let on = earliest.filter(|at| *at > now).map_or(Wait::Turn, Wait::Time);
        self.goes(State::Waiting { since: now, by: By::Connection, on })
    }

    pub(super) fn listen_to_ask(&mut self) -> Option<Effect> {
        let listens = self.listens();
        let before = core::mem::replace(&mut self.listened, listens);
        (self.listened && !before).then(|| Effect::Listen { name: self.name.clone() })
    }
}

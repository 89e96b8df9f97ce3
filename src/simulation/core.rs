//! What the simulator needs of the core: the one that runs on machines has it, and so have the wrong ones
//! that tests put in its place to see a promise break.

use alloc::collections::BTreeSet;
use alloc::format;
use core::time::Duration;

use crate::config::{Config, Gate};
use crate::supervisor::{Effect, Event, Numbers, Outcome, Record, State, Status, Supervisor};

pub trait Core {
    fn new(now: Duration, config: &Config, seed: u64) -> Self;
    /// With a configuration that is not the first since boot.
    fn reloaded(now: Duration, config: &Config, seed: u64, numbers: &Numbers) -> Self;
    fn handle(&mut self, now: Duration, event: Event) -> Outcome;
    fn poll_effect(&mut self) -> Option<Effect>;
    fn poll_timeout(&self) -> Option<Duration>;
    fn record(&self, name: &str) -> Option<Record>;
    fn state(&self, name: &str) -> Option<State>;
    fn status(&self, name: &str) -> Option<Status>;
    fn awaited_gates(&self) -> BTreeSet<Gate>;
    fn gate_waits(&self) -> u64;
    /// How much it holds: the letters of all of it, written out.
    fn size(&self) -> usize;
}

impl Core for Supervisor {
    fn new(now: Duration, config: &Config, seed: u64) -> Self {
        Self::new(now, config, seed)
    }

    fn reloaded(now: Duration, config: &Config, seed: u64, numbers: &Numbers) -> Self {
        Self::reloaded(now, config, seed, numbers)
    }

    fn handle(&mut self, now: Duration, event: Event) -> Outcome {
        self.handle(now, event)
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.poll_effect()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.poll_timeout()
    }

    fn record(&self, name: &str) -> Option<Record> {
        self.record(name)
    }

    fn state(&self, name: &str) -> Option<State> {
        self.state(name)
    }

    fn status(&self, name: &str) -> Option<Status> {
        self.status(name)
    }

    fn awaited_gates(&self) -> BTreeSet<Gate> {
        self.awaited_gates()
    }

    fn gate_waits(&self) -> u64 {
        self.gate_waits()
    }

    fn size(&self) -> usize {
        format!("{self:?}").len()
    }
}

//! A configuration, played: what would happen to it if such and such went wrong.
//!
//! Everything starts within tens of milliseconds, gets ready, is well, and runs for ever or comes to a good end, as
//! its declaration says, but for what the failures say; gates are open and nobody connects, but for what is said. It is the
//! machine's own core that decides, with the seed of its jitter; the watch looks on here too.

mod fail;
mod given;
mod plays;
mod tale;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::promise::Breach;
use crate::config::{Config, Gate};
use crate::supervisor::{Cause, StateKind, Status};

use tale::Tale;

pub use fail::{Fail, Unplayable, What, When};
pub use given::{Connect, Is, Turn};

/// More news than anybody reads: a simulation that has so many ends there.
pub const MOST_NEWS: usize = 100_000;

#[derive(Debug, Clone)]
pub struct Scenario<'a> {
    pub config: &'a Config,
    pub fails: &'a [Fail],
    pub connects: &'a [Connect],
    /// Of gates: one that is not named is open.
    pub turns: &'a [Turn],
    pub seed: u64,
    /// From the boot on, and how late it is then, since 1970.
    pub time: Duration,
    pub at_boot: Duration,
    /// When the machine is asked to power off.
    pub shutdown: Option<Duration>,
}

/// What happened.
#[derive(Debug, Clone)]
pub struct Run {
    pub news: Vec<News>,
    pub fates: Vec<Fate>,
    /// Earlier than asked for, if there was too much to tell, or the machine has ended.
    pub end: Duration,
    pub cut: bool,
    /// Orlop itself did what it must not.
    pub breach: Option<Breach>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct News {
    pub at: Duration,
    pub what: Happening,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    Changed {
        name: String,
        from: StateKind,
        to: StateKind,
        cause: Option<Cause>,
    },
    /// Of one that runs: `ready`, `not ready`, or its health, with what the last probe said.
    Noted {
        name: String,
        note: &'static str,
        report: Option<String>,
    },
    /// It should have been hit, and nothing of it ran.
    Missed {
        name: String,
        fail: String,
    },
    Gate {
        gate: Gate,
        is: Is,
    },
    /// Somebody connects to this socket of it: he is taken at once, or waits there.
    Connected {
        name: String,
        socket: String,
        taken: bool,
    },
    /// It takes those who wait at its sockets, so many.
    Took {
        name: String,
        people: usize,
    },
    /// By a person, or for what became of a container.
    ShutdownAsked {
        by: Option<String>,
        deadline: Duration,
    },
    ShutdownDone,
}

/// How a container stands at the end.
#[derive(Debug, Clone)]
pub struct Fate {
    pub status: Status,
    /// When it was running for the first time.
    pub came_up: Option<Duration>,
    /// Those who have connected, and whom it has not taken.
    pub queue: usize,
}

impl Fate {
    /// It runs at times, and the first is still to come.
    pub fn is_for_later(&self) -> bool {
        let waits = self.status.state == StateKind::Waiting && self.status.next_start.is_some();
        waits && self.came_up.is_none()
    }

    /// The first who connects is still to come.
    pub fn is_for_who_connects(&self) -> bool {
        self.status.listens && self.came_up.is_none()
    }
}

/// Plays it from the boot on.
pub fn simulate(scenario: &Scenario<'_>) -> Run {
    let mut tale = Tale::begin(scenario);
    let mut shutdown = scenario.shutdown;
    for (at, blow) in tale::blows(scenario) {
        if let Some(when) = shutdown.take_if(|when| *when <= at) {
            tale.shut_down(when);
        }
        tale.hit(at, &blow);
    }
    if let Some(when) = shutdown {
        tale.shut_down(when);
    }
    tale.pass(scenario.time);
    tale.run()
}

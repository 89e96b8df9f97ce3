//! What is known of a container that runs: whether it is ready, whether it is well, and by when it has to give a
//! sign of life.
//!
//! ```text
//!   ready:   awaited ──READY=1, a line, healthy──► yes        awaited, too long ──► stopped, a failure
//!
//!   health:  starting ──successes──► healthy ──failures──► unhealthy ──► stopped, killed, or shown
//!               │                       ▲                      │
//!               └──────failures─────────┼──────────────────────┘
//!                after the start period └──successes── (if it is only shown)
//! ```
//!
//! Probes are asked one at a time, spread by chance, and not by the container's own fault left out: one that
//! could not be made says nothing. Who is on the way down is not asked any more, who is paused neither; a paused
//! container need not give signs of life.

use core::time::Duration;

use crate::config::{HealthCheck, OnFailure, Probe, Test};

/// As Docker has them.
const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
const START_INTERVAL: Duration = Duration::from_secs(5);
const RETRIES: u32 = 3;

/// The second probe of one that starts comes so long after the first; the pauses double, up to its
/// `start_interval`. Most are up within a second, and something waits for them.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Probes of all containers together that are asked at once. Each is a process or two, and a hundred containers
/// that come up together should not be starved by what asks them.
pub const MAX_PROBES: usize = 8;

/// An answer comes at the timeout at the latest. Who owes it may be slow, and is not waited for for ever.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Up {
    pub ready: Ready,
    pub pulse: Pulse,
    /// Without a sign of life until then it counts as dead.
    pub bites: Option<Duration>,
    /// It has to have ended by then.
    pub ends: Option<Duration>,
    pub paused: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    Yes,
    /// It says so itself.
    Awaited {
        until: Duration,
    },
    /// While it is healthy.
    ByHealth,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// There is no health check.
    Unchecked,
    Checked {
        health: Health,
        /// In a row. Of failures, those that count.
        successes: u32,
        failures: u32,
        /// Probes that were answered before it was healthy.
        tries: u32,
        next: Probing,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probing {
    Due(Duration),
    Asked { number: u64, until: Duration },
}

/// What the health check says; without one, nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    None,
    Starting,
    Healthy,
    Unhealthy,
}

/// What became of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    Passed,
    Failed {
        text: alloc::string::String,
    },
    /// Nothing was learnt of the container.
    NotMade {
        text: alloc::string::String,
    },
}

/// What a running container says of itself, by sd_notify(3) or by s6's descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    Ready,
    Alive,
    /// It wants to be treated as if it had given no sign of life.
    Trigger,
    /// It needs so much more time to be ready, from now on.
    Extend(Duration),
    Status(alloc::string::String),
}

/// A health check with nothing left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) probe: Probe,
    pub(super) timeout: Duration,
    pub(super) on_failure: OnFailure,
    interval: Duration,
    retries: u32,
    successes: u32,
    start_period: Duration,
    start_interval: Duration,
}

impl Health {
    pub const ALL: [Self; 4] = [Self::None, Self::Starting, Self::Healthy, Self::Unhealthy];

    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|health| health.word() == word)
    }
}

impl Check {
    /// What the configuration says counts before what the image says.
    pub(super) fn of(declared: &HealthCheck, image: Option<&HealthCheck>) -> Option<Self> {
        let nothing = HealthCheck::default();
        let image = image.unwrap_or(&nothing);
        let own = if declared.test.is_some() { OnFailure::Restart } else { OnFailure::None };
        let probe = match declared.test.as_ref().or(image.test.as_ref())? {
            Test::Disabled => return None,
            Test::Probe(probe) => probe.clone(),
        };
        let interval = declared.interval.or(image.interval).unwrap_or(INTERVAL);
        let retries = declared.retries.or(image.retries).unwrap_or(RETRIES);
        let start_period = declared.start_period.or(image.start_period);
        let start_interval = declared.start_interval.or(image.start_interval).unwrap_or(START_INTERVAL);
        Some(Self {
            probe,
            timeout: declared.timeout.or(image.timeout).unwrap_or(TIMEOUT),
            on_failure: declared.on_failure.unwrap_or(own),
            interval,
            retries,
            successes: declared.successes.unwrap_or(1),
            start_period: start_period.unwrap_or(interval.saturating_mul(retries)),
            start_interval: start_interval.min(interval),
        })
    }

    /// From an answer to the next probe.
    fn pause(&self, health: Health, tries: u32) -> Duration {
        match health {
            Health::Starting => {
                let doubled = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(tries.min(16)).unwrap_or(1));
                doubled.min(self.start_interval)
            }
            Health::None | Health::Healthy | Health::Unhealthy => self.interval,
        }
    }
}

impl Pulse {
    /// Of one that has just been started.
    pub(super) fn starting(now: Duration) -> Self {
        let (successes, failures, tries) = (0, 0, 0);
        Self::Checked { health: Health::Starting, successes, failures, tries, next: Probing::Due(now) }
    }

    /// Of one that runs already, and was so when it was last heard of.
    pub(super) fn adopted(health: Health, due: Duration) -> Self {
        let (successes, failures, tries) = (0, 0, 0);
        Self::Checked { health, successes, failures, tries, next: Probing::Due(due) }
    }

    pub(super) fn health(self) -> Health {
        match self {
            Self::Unchecked => Health::None,
            Self::Checked { health, .. } => health,
        }
    }

    /// The probe that an answer is awaited for.
    pub(super) fn asked(self) -> Option<u64> {
        match self {
            Self::Checked { next: Probing::Asked { number, .. }, .. } => Some(number),
            Self::Checked { next: Probing::Due(_), .. } | Self::Unchecked => None,
        }
    }

    pub(super) fn due(self) -> Option<Duration> {
        match self {
            Self::Checked { next: Probing::Due(at), .. } => Some(at),
            Self::Checked { next: Probing::Asked { .. }, .. } | Self::Unchecked => None,
        }
    }

    pub(super) fn with_next(self, next: Probing) -> Self {
        match self {
            Self::Checked { health, successes, failures, tries, next: _ } => {
                Self::Checked { health, successes, failures, tries, next }
            }
            Self::Unchecked => Self::Unchecked,
        }
    }

    /// After an answer. `in_grace`: the start period is not over; `spread` varies the pause that follows.
    pub(super) fn answered(
        self,
        check: &Check,
        answer: &Probed,
        in_grace: bool,
        spread: impl FnOnce(Duration) -> Duration,
        now: Duration,
    ) -> Self {
        let Self::Checked { health, successes, failures, tries, next: _ } = self else { return self };
        let tries = tries.saturating_add(1);
        let (successes, failures) = match answer {
            Probed::Passed => (successes.saturating_add(1), 0),
            Probed::Failed { .. } if health == Health::Starting && in_grace => (0, 0),
            Probed::Failed { .. } => (0, failures.saturating_add(1)),
            Probed::NotMade { .. } => (successes, failures),
        };
        let health = if successes >= check.successes {
            Health::Healthy
        } else if failures >= check.retries {
            Health::Unhealthy
        } else {
            health
        };
        let next = Probing::Due(now.saturating_add(spread(check.pause(health, tries))));
        Self::Checked { health, successes, failures, tries, next }
    }
}

impl Check {
    pub(super) fn in_grace(&self, since: Duration, now: Duration) -> bool {
        now < since.saturating_add(self.start_period)
    }
}

impl Up {
    pub(super) fn is_ready(self) -> bool {
        match self.ready {
            Ready::Yes => true,
            Ready::Awaited { .. } => false,
            Ready::ByHealth => self.pulse.health() == Health::Healthy,
        }
    }

    /// When it has to be looked at again, whatever happens, but for probes that are due.
    pub(super) fn deadline(self) -> Option<Duration> {
        if self.paused {
            return None;
        }
        let ready = match self.ready {
            Ready::Awaited { until } => Some(until),
            Ready::Yes | Ready::ByHealth => None,
        };
        let answer = match self.pulse {
            Pulse::Checked { next: Probing::Asked { until, .. }, .. } => Some(until),
            Pulse::Checked { next: Probing::Due(_), .. } | Pulse::Unchecked => None,
        };
        ready.into_iter().chain(answer).chain(self.bites).chain(self.ends).min()
    }
}

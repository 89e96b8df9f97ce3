//! Keeping a supervisor alive: which one runs, when the next one starts, and whether a newer
//! executable has proved itself.

use core::time::Duration;

use super::{Life, Mode, Respawn};

/// A new executable has this long to adopt everything and serve.
const PROOF: Duration = Duration::from_secs(10);
/// One that is killed is gone sooner, unless it waits for a device.
const GOING: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running { pid: i32, since: Duration, served: bool },
    Pausing { until: Duration },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trial {
    None,
    /// The old supervisor has yet to make way.
    Waiting,
    /// The new one has until then.
    Proving {
        until: Duration,
    },
}

/// What follows from a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    Next,
    /// The new executable failed: the one before comes back.
    TakeBack,
}

#[derive(Debug)]
pub struct Keeper {
    state: State,
    trial: Trial,
    respawn: Respawn,
    /// Supervisors started so far.
    pub starts: u32,
}

impl Default for Keeper {
    fn default() -> Self {
        let state = State::Pausing { until: Duration::ZERO };
        Self { state, trial: Trial::None, respawn: Respawn::default(), starts: 0 }
    }
}

impl Keeper {
    #[must_use]
    pub fn is_supervisor(&self, of: i32) -> bool {
        matches!(self.state, State::Running { pid, .. } if pid == of)
    }

    /// There is one, and it has served.
    #[must_use]
    pub fn has_served(&self) -> bool {
        matches!(self.state, State::Running { served: true, .. })
    }

    #[must_use]
    pub fn mode(&self) -> Mode {
        self.respawn.mode()
    }

    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let pause = match self.state {
            State::Running { .. } => None,
            State::Pausing { until } => Some(until),
        };
        let proof = match self.trial {
            Trial::Proving { until } => Some(until),
            Trial::None | Trial::Waiting => None,
        };
        [pause, proof].into_iter().flatten().min()
    }

    /// A supervisor is to be started now.
    #[must_use]
    pub fn wants_start(&self, now: Duration) -> bool {
        matches!(self.state, State::Pausing { until } if until <= now)
    }

    /// The one that runs has not proved itself in time, and is to be killed: said again when it has
    /// not gone by then, and not before.
    #[must_use]
    pub fn is_late(&mut self, now: Duration) -> bool {
        match &mut self.trial {
            Trial::Proving { until } if *until <= now => {
                *until = now.saturating_add(GOING);
                true
            }
            Trial::Proving { .. } | Trial::None | Trial::Waiting => false,
        }
    }

    pub fn started(&mut self, pid: i32, now: Duration) {
        self.state = State::Running { pid, since: now, served: false };
        self.starts = self.starts.saturating_add(1);
        if self.trial == Trial::Waiting {
            self.trial = Trial::Proving { until: now.saturating_add(PROOF) };
        }
    }

    /// None could be started.
    pub fn not_started(&mut self, now: Duration) {
        let pause = self.respawn.died(Life::Unserved);
        self.state = State::Pausing { until: now.saturating_add(pause) };
    }

    pub fn died(&mut self, now: Duration) -> After {
        let State::Running { served, since, .. } = self.state else { return After::Next };
        let life = if served { Life::Served { lasted: now.saturating_sub(since) } } else { Life::Unserved };
        let (pause, after) = match self.trial {
            Trial::None => (self.respawn.died(life), After::Next),
            // It made way, as it was told.
            Trial::Waiting => (Duration::ZERO, After::Next),
            Trial::Proving { .. } => {
                self.trial = Trial::None;
                (Duration::ZERO, After::TakeBack)
            }
        };
        self.state = State::Pausing { until: now.saturating_add(pause) };
        after
    }

    /// It serves. `true`: a new executable has thereby proved itself.
    pub fn serves(&mut self) -> bool {
        if let State::Running { served, .. } = &mut self.state {
            *served = true;
        }
        self.respawn.served();
        let proved = matches!(self.trial, Trial::Proving { .. });
        if proved {
            self.trial = Trial::None;
        }
        proved
    }

    /// Another executable is to be tried. `false`: one is being tried already.
    pub fn try_another(&mut self) -> bool {
        let free = self.trial == Trial::None;
        if free {
            self.trial = Trial::Waiting;
        }
        free
    }

    pub fn resume(&mut self) {
        self.respawn.resume();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn serving() -> Keeper {
        let mut keeper = Keeper::default();
        keeper.started(7, NOW);
        keeper.serves();
        keeper
    }

    #[test]
    fn one_that_served_is_replaced_at_once() {
        let mut keeper = serving();
        let later = NOW + Duration::from_secs(1);
        assert_eq!(keeper.died(later), After::Next);
        assert!(keeper.wants_start(later));
    }

    #[test]
    fn one_that_served_and_died_young_is_replaced_after_a_breath() {
        let mut keeper = serving();
        assert_eq!(keeper.died(NOW), After::Next);
        assert!(!keeper.wants_start(NOW));
        assert!(keeper.wants_start(NOW + Duration::from_millis(10)));
    }

    #[test]
    fn a_new_executable_that_serves_stays() {
        let mut keeper = serving();
        assert!(keeper.try_another());
        assert!(!keeper.try_another(), "one at a time");
        assert_eq!(keeper.died(NOW), After::Next, "the old one made way");
        keeper.started(8, NOW);
        assert!(keeper.serves());
        assert!(!keeper.is_late(NOW + PROOF));
        assert_eq!(keeper.died(NOW), After::Next);
    }

    #[test]
    fn a_new_executable_that_dies_or_hangs_is_taken_back() {
        for hangs in [false, true] {
            let mut keeper = serving();
            keeper.try_another();
            keeper.died(NOW);
            keeper.started(8, NOW);
            assert!(keeper.is_late(NOW + PROOF));
            assert!(!keeper.is_late(NOW + PROOF), "it takes a moment to die");
            let later = if hangs { NOW + PROOF } else { NOW };
            assert_eq!(keeper.died(later), After::TakeBack);
            assert!(keeper.wants_start(later), "the old one comes back at once");
            assert_eq!(keeper.mode(), Mode::Normal, "a failed upgrade is no reason for safe mode");
        }
    }

    #[test]
    fn one_that_never_serves_is_tried_for_ever_and_safely() {
        let mut keeper = Keeper::default();
        let mut now = NOW;
        for _ in 0..10 {
            assert!(keeper.wants_start(now));
            keeper.started(7, now);
            assert_eq!(keeper.died(now), After::Next);
            now = keeper.deadline().unwrap();
        }
        assert_eq!(keeper.mode(), Mode::Safe);
    }
}

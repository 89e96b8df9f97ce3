//! When the next supervisor starts, and whether it starts safe.
//!
//! A supervisor that served for a while is replaced at once, one that served and died young after a
//! short pause. One that died before it served is tried again with a growing pause, for ever; after
//! three such in a row the next starts safe.

use core::time::Duration;

/// Three in a row is no accident: the same state or configuration killed them.
const UNSERVED_BEFORE_SAFE: u32 = 3;
/// The first pause; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A person at the console sees a new try at least this often.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Who dies sooner might as well not have started: its successors would do nothing but start.
const SHORT_LIFE: Duration = Duration::from_secs(1);
/// After a short life that served; it doubles, too, with each that follows.
const FIRST_BREATH: Duration = Duration::from_millis(10);
/// Whoever waits for an answer has one within a second, and a loop of deaths leaves the CPU to others.
const LONGEST_BREATH: Duration = Duration::from_millis(100);

/// How a supervisor lived, as far as its successor's start depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Unserved,
    Served { lasted: Duration },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Normal,
    /// Adopts and serves control, starts and stops nothing unasked.
    Safe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Respawn {
    /// Deaths in a row before control was served.
    unserved: u32,
    /// Deaths in a row soon after the start, of those that served.
    short: u32,
    safe: bool,
}

impl Respawn {
    /// The supervisor serves control.
    pub fn served(&mut self) {
        self.unserved = 0;
    }

    /// A person left safe mode, or the configuration changed.
    pub fn resume(&mut self) {
        *self = Self::default();
    }

    /// A supervisor died: how long to wait before the next.
    pub fn died(&mut self, life: Life) -> Duration {
        match life {
            Life::Unserved => {
                self.unserved = self.unserved.saturating_add(1);
                self.safe |= self.unserved >= UNSERVED_BEFORE_SAFE;
                grown(FIRST_PAUSE, self.unserved, LONGEST_PAUSE)
            }
            Life::Served { lasted } if lasted < SHORT_LIFE => {
                self.short = self.short.saturating_add(1);
                grown(FIRST_BREATH, self.short, LONGEST_BREATH)
            }
            Life::Served { .. } => {
                self.short = 0;
                Duration::ZERO
            }
        }
    }

    #[must_use]
    pub fn mode(&self) -> Mode {
        if self.safe { Mode::Safe } else { Mode::Normal }
    }
}

/// Doubled with each in a row after the first.
fn grown(first: Duration, in_a_row: u32, longest: Duration) -> Duration {
    first.saturating_mul(1 << in_a_row.saturating_sub(1).min(16)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fourth_starts_safe_and_pauses_grow_to_a_bound() {
        let mut respawn = Respawn::default();
        let pauses: Vec<u64> = (0..12).map(|_| respawn.died(Life::Unserved).as_millis() as u64).collect();
        assert_eq!(pauses[..4], [100, 200, 400, 800]);
        assert_eq!(pauses[11], 30_000);
        assert_eq!(respawn.mode(), Mode::Safe);
    }

    #[test]
    fn safe_mode_ends_when_a_person_says_so_not_by_serving() {
        let mut respawn = Respawn::default();
        for _ in 0..3 {
            respawn.died(Life::Unserved);
        }
        respawn.served();
        assert_eq!(respawn.mode(), Mode::Safe);
        respawn.resume();
        assert_eq!(respawn.mode(), Mode::Normal);
    }

    #[test]
    fn one_that_served_is_replaced_at_once_and_is_not_counted() {
        let mut respawn = Respawn::default();
        for _ in 0..100 {
            respawn.served();
            assert_eq!(respawn.died(Life::Served { lasted: SHORT_LIFE }), Duration::ZERO);
        }
        assert_eq!(respawn.mode(), Mode::Normal);
    }

    #[test]
    fn short_lives_that_served_are_followed_by_pauses_that_grow_to_a_small_bound() {
        let mut respawn = Respawn::default();
        let mut pause = |millis| {
            respawn.served();
            respawn.died(Life::Served { lasted: Duration::from_millis(millis) }).as_millis()
        };
        assert_eq!([1, 999, 0, 0, 0, 0, 0].map(&mut pause), [10, 20, 40, 80, 100, 100, 100]);
        assert_eq!([1000, 999].map(&mut pause), [0, 10], "a longer life ends the row");
        assert_eq!(respawn.mode(), Mode::Normal);
    }
}

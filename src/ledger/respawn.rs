//! When the next supervisor starts, and whether it starts safe.
//!
//! A supervisor that served is replaced at once. One that died before it served is tried again
//! with a growing pause, for ever; after three such in a row the next starts safe.

use core::time::Duration;

/// Three in a row is no accident: the same state or configuration killed them.
const UNSERVED_BEFORE_SAFE: u32 = 3;
/// The first pause; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A person at the console sees a new try at least this often.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

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
    pub fn died(&mut self, had_served: bool) -> Duration {
        if had_served {
            return Duration::ZERO;
        }
        self.unserved = self.unserved.saturating_add(1);
        self.safe |= self.unserved >= UNSERVED_BEFORE_SAFE;
        let doubled = self.unserved.saturating_sub(1).min(16);
        FIRST_PAUSE.saturating_mul(1 << doubled).min(LONGEST_PAUSE)
    }

    #[must_use]
    pub fn mode(&self) -> Mode {
        if self.safe { Mode::Safe } else { Mode::Normal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fourth_starts_safe_and_pauses_grow_to_a_bound() {
        let mut respawn = Respawn::default();
        let pauses: Vec<u64> = (0..12).map(|_| respawn.died(false).as_millis() as u64).collect();
        assert_eq!(pauses[..4], [100, 200, 400, 800]);
        assert_eq!(pauses[11], 30_000);
        assert_eq!(respawn.mode(), Mode::Safe);
    }

    #[test]
    fn safe_mode_ends_when_a_person_says_so_not_by_serving() {
        let mut respawn = Respawn::default();
        for _ in 0..3 {
            respawn.died(false);
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
            assert_eq!(respawn.died(true), Duration::ZERO);
        }
        assert_eq!(respawn.mode(), Mode::Normal);
    }
}

//! Wall time for people: one moment reads the same however often it is asked for, and after a
//! restart of the supervisor too, unless somebody has set the clock in between.

use std::time::Duration;

use orlop::control::rfc3339;

use crate::linux::time;

/// Two measurements may differ by this much and the clock still be the same: what reading it twice
/// takes when something else runs in between.
const NOISE: Duration = Duration::from_millis(1);

/// Measurements of which the tightest counts.
const READS: usize = 3;

/// How the wall's clock lies to the one that runs since boot.
#[derive(Debug, Clone, Copy)]
pub struct WallClock {
    /// Wall time of the boot.
    boot: Duration,
}

impl WallClock {
    /// Measures, and goes on with what an earlier supervisor had found while that is as good.
    pub fn new(kept: Option<Duration>) -> Self {
        let (low, high) = measure();
        let mut clock = Self { boot: kept.unwrap_or(low.saturating_add(high.saturating_sub(low) / 2)) };
        clock.correct(low, high);
        clock
    }

    /// Wall time of the boot.
    pub fn boot(self) -> Duration {
        self.boot
    }

    /// Before times are shown: somebody may have set the clock.
    pub fn look(&mut self) {
        let (low, high) = measure();
        self.correct(low, high);
    }

    /// A time since boot in RFC 3339.
    pub fn show(self, when: Duration) -> String {
        let wall = self.boot.saturating_add(when);
        rfc3339(i64::try_from(wall.as_secs()).unwrap_or(i64::MAX), wall.subsec_nanos())
    }

    fn correct(&mut self, low: Duration, high: Duration) {
        if !(low.saturating_sub(NOISE)..=high.saturating_add(NOISE)).contains(&self.boot) {
            self.boot = low.saturating_add(high.saturating_sub(low) / 2);
        }
    }
}

/// The earliest and the latest that the wall time of the boot can be.
fn measure() -> (Duration, Duration) {
    let read = || {
        let (before, wall, after) = (time::since_boot(), time::wall(), time::since_boot());
        (wall.saturating_sub(after), wall.saturating_sub(before))
    };
    let mut tightest = read();
    for _ in 1..READS {
        let (low, high) = read();
        if high.saturating_sub(low) < tightest.1.saturating_sub(tightest.0) {
            tightest = (low, high);
        }
    }
    tightest
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: Duration = Duration::from_secs(1_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    /// What is known, a measurement → what is known then.
    #[track_caller]
    fn check(measured: (Duration, Duration), expected: Duration) {
        let mut clock = WallClock { boot: BOOT };
        clock.correct(measured.0, measured.1);
        assert_eq!(clock.boot(), expected);
    }

    #[test]
    fn a_measurement_that_agrees_changes_nothing() {
        check((BOOT, BOOT), BOOT);
        check((BOOT + NOISE / 2, BOOT + NOISE), BOOT);
        check((BOOT - SECOND, BOOT + SECOND), BOOT);
    }

    #[test]
    fn a_clock_that_was_set_is_followed() {
        check((BOOT + SECOND, BOOT + SECOND), BOOT + SECOND);
        check((BOOT - SECOND * 3, BOOT - SECOND), BOOT - SECOND * 2);
    }

    #[test]
    fn a_moment_reads_the_same_each_time() {
        let mut clock = WallClock::new(None);
        let first = clock.show(SECOND);
        clock.look();
        assert_eq!(
            (clock.show(SECOND), WallClock::new(Some(clock.boot())).show(SECOND)),
            (first.clone(), first)
        );
    }
}

//! How many starts the machine makes at once, and how many a second.
//!
//! Turns are given to the containers with the fewest ends in a row first, among equals to the one
//! that waits longest: one that loops never comes before one that is well, and takes at most one
//! place at a time.

use core::time::Duration;

/// Starts in flight. A start is mostly the kernel's work on one CPU; a few more than there are CPUs
/// keep it busy while some wait for a disk, and sixteen set-up processes fit into a machine of 96 MiB.
pub const MAX_IN_FLIGHT: usize = 16;

/// Starts that may be made without a pause: a boot with a few hundred containers is not slowed.
pub const BURST: u32 = 256;

/// One more start every 20 ms: at about 5 ms of CPU each, a machine full of containers that loop
/// spends at most a quarter of a CPU on them.
pub const REFILL: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Governor {
    tokens: u32,
    filled_at: Duration,
}

impl Governor {
    pub(super) fn new(now: Duration) -> Self {
        Self { tokens: BURST, filled_at: now }
    }

    /// One start, if there is one to give.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        self.refill(now);
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }

    /// When the next start can be given, if none can be now.
    pub(super) fn next(&self) -> Option<Duration> {
        (self.tokens == 0).then(|| self.filled_at.saturating_add(REFILL))
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.filled_at).as_nanos();
        let new = u32::try_from(passed / REFILL.as_nanos()).unwrap_or(BURST);
        if self.tokens.saturating_add(new) >= BURST {
            (self.tokens, self.filled_at) = (BURST, now);
        } else {
            self.tokens += new;
            self.filled_at = self.filled_at.saturating_add(REFILL.saturating_mul(new));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_a_burst_and_then_one_start_each_interval() {
        let start = Duration::from_secs(1);
        let mut governor = Governor::new(start);
        assert_eq!((0..1000).filter(|_| governor.take(start)).count(), 256);
        assert_eq!(governor.next(), Some(Duration::from_millis(1020)));
        assert!(!governor.take(Duration::from_millis(1019)));
        assert!(governor.take(Duration::from_millis(1025)));
        assert!(!governor.take(Duration::from_millis(1039)));
        assert!(governor.take(Duration::from_millis(1040)), "a late turn costs nobody the next one");
        let late = Duration::from_secs(100);
        assert_eq!((0..1000).filter(|_| governor.take(late)).count(), 256);
    }
}

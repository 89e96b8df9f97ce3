//! The rate of a container's output: a token bucket that holds a second's worth.

/// Tokens are counted in millionths of a byte, so that microseconds times bytes a second need no
/// division and nothing is rounded away.
const MICRO: u128 = 1_000_000;

/// Once spent, so much of a second's worth has to come back first. Otherwise a flood would be kept as
/// shreds: as many bytes as came back since the last read, torn from the middle of lines.
const REOPENS_AT: u128 = MICRO / 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Bytes a second.
    rate: u64,
    tokens: u128,
    filled_us: u64,
    gate: Gate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Open,
    Closed,
}

impl Bucket {
    /// Full.
    #[must_use]
    pub fn new(rate: u64, now_us: u64) -> Self {
        Self { rate, tokens: u128::from(rate) * MICRO, filled_us: now_us, gate: Gate::Open }
    }

    /// How many of `wanted` bytes may be kept now; the rest is above the rate.
    pub fn take(&mut self, now_us: u64, wanted: u64) -> u64 {
        let rate = u128::from(self.rate);
        let since = u128::from(now_us.saturating_sub(self.filled_us));
        self.filled_us = self.filled_us.max(now_us);
        self.tokens = self.tokens.saturating_add(since.saturating_mul(rate)).min(rate * MICRO);
        if self.gate == Gate::Closed && self.tokens >= rate * REOPENS_AT {
            self.gate = Gate::Open;
        }
        if self.gate == Gate::Closed {
            return 0;
        }
        let whole = u64::try_from(self.tokens / MICRO).unwrap_or(u64::MAX);
        if whole < wanted {
            self.gate = Gate::Closed;
        }
        let taken = wanted.min(whole);
        self.tokens -= u128::from(taken) * MICRO;
        taken
    }

    /// Gives back what was taken and then not used.
    pub fn put_back(&mut self, bytes: u64) {
        let full = u128::from(self.rate) * MICRO;
        self.tokens = self.tokens.saturating_add(u128::from(bytes) * MICRO).min(full);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept of reads of `size` bytes, one every `every_us`, over `seconds`.
    fn check(rate: u64, size: u64, every_us: u64, seconds: u64, kept: core::ops::RangeInclusive<u64>) {
        let mut bucket = Bucket::new(rate, 0);
        let reads = seconds * 1_000_000 / every_us;
        let sum: u64 = (0..reads).map(|read| bucket.take(read * every_us, size)).sum();
        assert!(kept.contains(&sum), "{sum} not in {kept:?}");
    }

    #[test]
    fn keeps_all_below_the_rate() {
        check(1000, 100, 100_000, 60, 60_000..=60_000);
        check(1000, 1000, 1_000_000, 60, 60_000..=60_000);
    }

    #[test]
    fn keeps_the_rate_of_a_flood_after_a_burst_of_a_second() {
        check(1000, 65_536, 50, 10, 10_000..=11_000);
        check(1_000_000, 65_536, 50, 10, 10_000_000..=11_000_000);
    }

    #[test]
    fn a_flood_is_not_kept_as_shreds() {
        let mut bucket = Bucket::new(1000, 0);
        let pieces: Vec<u64> = (0..100_000).map(|read| bucket.take(read * 100, 4096)).collect();
        let kept: Vec<u64> = pieces.into_iter().filter(|piece| *piece > 0).collect();
        assert!(kept.iter().all(|piece| *piece >= 250), "{kept:?}");
    }

    #[test]
    fn a_clock_that_stands_or_goes_back_gives_nothing() {
        let mut bucket = Bucket::new(1000, 5_000_000);
        assert_eq!(bucket.take(5_000_000, 1000), 1000);
        assert_eq!(bucket.take(4_000_000, 1000), 0);
        assert_eq!(bucket.take(5_000_000, 1000), 0);
    }

    #[test]
    fn what_was_not_used_can_be_put_back() {
        let mut bucket = Bucket::new(1000, 0);
        assert_eq!(bucket.take(0, 600), 600);
        bucket.put_back(100);
        assert_eq!(bucket.take(0, 500), 500);
    }
}

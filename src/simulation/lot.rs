//! What is drawn by lot: always the same for one seed.

use core::time::Duration;

/// SplitMix64: one number of state, and as even as a simulation needs.
#[derive(Debug, Clone)]
pub struct Lot(u64);

impl Lot {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// Less than `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number().checked_rem(bound).unwrap_or(0)
    }

    /// As an index into what has `count` items.
    pub fn place(&mut self, count: usize) -> usize {
        let bound = u64::try_from(count).unwrap_or(u64::MAX);
        usize::try_from(self.below(bound)).unwrap_or(0)
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of these, each as likely as the others.
    pub fn one_of<T: Copy>(&mut self, first: T, others: &[T]) -> T {
        let at = self.place(others.len().saturating_add(1));
        others.get(at).copied().unwrap_or(first)
    }

    /// From `least` to less than `most`.
    pub fn time(&mut self, least: Duration, most: Duration) -> Duration {
        let spread = most.saturating_sub(least).as_micros();
        least.saturating_add(Duration::from_micros(self.below(u64::try_from(spread).unwrap_or(u64::MAX))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn draws_all_there_is_and_the_same_again_for_one_seed() {
        let drawn = |seed| {
            let mut lot = Lot::new(seed);
            (0..200).map(|_| lot.one_of('a', &['b', 'c'])).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        assert_eq!(drawn(3).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(['a', 'b', 'c']));
        let mut lot = Lot::new(1);
        assert_eq!((lot.below(0), lot.place(0)), (0, 0));
        let (least, most) = (Duration::from_millis(2), Duration::from_millis(3));
        assert!((0..200).all(|_| (least..most).contains(&lot.time(least, most))));
    }
}

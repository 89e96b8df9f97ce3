//! When a disk that is not there is looked for: at once, then seldom and ever more seldom, and whenever the kernel tells of one.

use core::time::Duration;

/// After the first look that finds nothing; twice as long after each one more. What was wrong with a disk may be mended
/// without a word of the kernel's.
const FIRST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(10 * 60);
/// Between two looks: each reads something of every disk, and a disk with many parts is told of part by part.
const LEAST: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search {
    at: Duration,
    wait: Duration,
    last: Option<Duration>,
}

impl Search {
    /// One that begins now.
    #[must_use]
    pub fn new(now: Duration) -> Self {
        Self { at: now, wait: FIRST, last: None }
    }

    /// When to look.
    #[must_use]
    pub fn at(&self) -> Duration {
        self.at
    }

    /// It was looked for, and is not there.
    pub fn missed(&mut self, now: Duration) {
        self.last = Some(now);
        self.at = now.saturating_add(self.wait);
        self.wait = self.wait.saturating_mul(2).min(LONGEST);
    }

    /// A disk came, or another one.
    pub fn news(&mut self, now: Duration) {
        let soonest = self.last.map_or(now, |last| last.saturating_add(LEAST).max(now));
        self.at = self.at.min(soonest);
        self.wait = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn it_is_looked_for_ever_more_seldom() {
        let mut search = Search::new(ms(7));
        assert_eq!(search.at(), ms(7));
        let waits: Vec<u64> = (0..9)
            .map(|_| {
                let now = search.at();
                search.missed(now);
                (search.at() - now).as_secs()
            })
            .collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
    }

    #[test]
    fn news_are_followed_twice_a_second_at_most_and_begin_anew() {
        let mut search = Search::new(ms(0));
        (0..7).for_each(|_| search.missed(ms(1000)));
        search.news(ms(1100));
        assert_eq!(search.at(), ms(1500));
        // Told again before: nothing is put off.
        search.news(ms(1400));
        assert_eq!(search.at(), ms(1500));
        search.missed(ms(1500));
        assert_eq!(search.at(), ms(11_500));
        search.news(ms(9000));
        assert_eq!(search.at(), ms(9000));
    }
}

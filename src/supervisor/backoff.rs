//! How long to pause before a restart, and when the failure budget is spent.

use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{MOST_ATTEMPTS, RestartPolicy};

/// What doubling starts from when `delay` is shorter: from zero it would never grow, and a container
/// that ends at once would take every turn that the governor gives.
const SMALLEST_STEP: Duration = Duration::from_millis(100);

/// Jitter, in thousandths of the pause, to either side: containers that fell together (their
/// dependency went away) do not come back together for ever.
const JITTER: u32 = 100;

/// The pause before the next start after `streak` ends in a row, `streak` ≥ 1.
pub(super) fn pause(policy: &RestartPolicy, streak: u32, held: bool) -> Duration {
    if held {
        return policy.max_delay;
    }
    let pause = match streak.checked_sub(2) {
        None => policy.delay,
        Some(doublings) => {
            // 2^31 steps of any length are longer than every pause that makes sense.
            let factor = 1_u32.checked_shl(doublings.saturating_add(1).min(31)).unwrap_or(1);
            policy.delay.max(SMALLEST_STEP).saturating_mul(factor)
        }
    };
    pause.min(policy.max_delay)
}

/// `pause` ± 10 %: always the same for one seed, name and generation.
pub(super) fn jittered(pause: Duration, seed: u64, name: &str, generation: u64) -> Duration {
    let random = mix(seed ^ hash(name) ^ mix(generation));
    let spread = u64::from(2 * JITTER + 1);
    let thousandths = 1000 - JITTER + u32::try_from(random % spread).unwrap_or(JITTER);
    match pause.checked_mul(thousandths) {
        Some(product) => product / 1000,
        None => pause,
    }
}

/// Some of `most`: always the same for one seed, name and number.
pub(super) fn up_to(most: Duration, seed: u64, name: &str, number: u64) -> Duration {
    let random = mix(seed ^ hash(name) ^ mix(number));
    // Whole ones, as records have them.
    let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(random.checked_rem(micros).unwrap_or_default())
}

/// Failures without a healthy run between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Failures {
    /// How many there were, however long ago.
    pub(super) count: u32,
    /// When, oldest first; no more of them than a window asks about.
    pub(super) at: Vec<Duration>,
}

impl Failures {
    /// Keeps this failure. `group`: how far back others ask, too.
    pub(super) fn note(&mut self, policy: &RestartPolicy, group: Option<Duration>, at: Duration) {
        self.count = self.count.saturating_add(1);
        self.at.push(at);
        match policy.max_attempts.and(policy.window).max(group) {
            Some(longest) => self.at.retain(|failure| *failure >= at.saturating_sub(longest)),
            None => self.at.clear(),
        }
        let most = usize::try_from(MOST_ATTEMPTS).unwrap_or(usize::MAX);
        self.at.drain(..self.at.len().saturating_sub(most));
    }

    /// Whether the budget is spent.
    pub(super) fn are_too_many(&self, policy: &RestartPolicy, now: Duration) -> bool {
        match (policy.max_attempts, policy.window) {
            (None, _) => false,
            (Some(attempts), None) => self.count >= attempts,
            (Some(attempts), Some(window)) => {
                let oldest = now.saturating_sub(window);
                let recent = self.at.iter().filter(|failure| **failure >= oldest).count();
                recent >= usize::try_from(attempts.clamp(1, MOST_ATTEMPTS)).unwrap_or(usize::MAX)
            }
        }
    }

    #[cfg(test)]
    fn spend_budget(&mut self, policy: &RestartPolicy, at: Duration) -> bool {
        self.note(policy, None, at);
        self.are_too_many(policy, at)
    }
}

/// FNV-1a: enough to tell names apart, the same on every machine.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The finaliser of SplitMix64.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(delay: u64, max_delay: u64) -> RestartPolicy {
        RestartPolicy {
            delay: Duration::from_millis(delay),
            max_delay: Duration::from_millis(max_delay),
            ..RestartPolicy::default()
        }
    }

    #[test]
    fn doubles_up_to_the_longest_pause() {
        let check = |(delay, max), expected: [u64; 8]| {
            let pauses = [1, 2, 3, 4, 5, 6, 7, u32::MAX]
                .map(|streak| pause(&policy(delay, max), streak, false).as_millis() as u64);
            assert_eq!(pauses, expected, "delay {delay}, max_delay {max}");
        };
        check((500, 30_000), [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        check((0, 30_000), [0, 200, 400, 800, 1600, 3200, 6400, 30_000]);
        check((10, 1_000), [10, 200, 400, 800, 1000, 1000, 1000, 1000]);
        check((9_000, 5_000), [5_000; 8]);
        check((0, 0), [0; 8]);
    }

    #[test]
    fn holds_at_the_longest_pause() {
        assert_eq!(pause(&policy(500, 30_000), 1, true), Duration::from_secs(30));
    }

    #[test]
    fn jitter_stays_within_a_tenth_and_depends_on_all_that_it_is_told() {
        let pause = Duration::from_secs(10);
        let at = |seed, name, generation| jittered(pause, seed, name, generation);
        let all: Vec<_> = (0..1000).map(|generation| at(7, "web", generation)).collect();
        assert!(all.iter().all(|it| (9000..=11_000).contains(&it.as_millis())));
        assert!(all.iter().any(|it| it.as_millis() < 9100));
        assert!(all.iter().any(|it| it.as_millis() > 10_900));
        assert_eq!(at(7, "web", 3), at(7, "web", 3));
        assert_ne!(at(7, "web", 3), at(8, "web", 3));
        assert_ne!(at(7, "web", 3), at(7, "db", 3));
        assert_ne!(at(7, "web", 3), at(7, "web", 4));
        assert_eq!(jittered(Duration::MAX, 1, "web", 1), Duration::MAX);
    }

    #[test]
    fn counts_the_failures_inside_the_window_only() {
        let check = |attempts, times: &[u64], expected: &[bool]| {
            let policy = RestartPolicy {
                max_attempts: attempts,
                window: Some(Duration::from_secs(10)),
                ..RestartPolicy::default()
            };
            let mut failures = Failures::default();
            let spent: Vec<_> =
                times.iter().map(|at| failures.spend_budget(&policy, Duration::from_secs(*at))).collect();
            assert_eq!(spent, expected, "{attempts:?} {times:?}");
        };
        check(Some(3), &[20, 21, 22], &[false, false, true]);
        check(Some(3), &[20, 21, 32, 33, 34], &[false, false, false, false, true]);
        check(Some(1), &[20], &[true]);
        check(Some(0), &[20], &[true]);
        check(None, &[20, 20, 20, 20], &[false; 4]);
    }

    #[test]
    fn without_a_window_every_failure_counts_and_none_is_kept() {
        for attempts in [1, 2, MOST_ATTEMPTS, 100_000] {
            let policy =
                RestartPolicy { max_attempts: Some(attempts), window: None, ..RestartPolicy::default() };
            let mut failures = Failures::default();
            let mut at = Duration::ZERO;
            while !failures.spend_budget(&policy, at) {
                at += Duration::from_secs(86_400);
            }
            assert_eq!((failures.count, failures.at.len()), (attempts, 0));
        }
    }
}

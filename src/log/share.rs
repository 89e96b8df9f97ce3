//! The memory for all logs, shared out: nobody gets more than wanted, and who wants less than an
//! equal share leaves the rest to the others.

use alloc::vec::Vec;

use super::layout::{Layout, MIN_MEMORY};

/// The size of each ring, in the order of `wanted`, so that all together stay within `total`. Below
/// the smallest ring none goes: with very many containers the sum is that of so many smallest rings.
#[must_use]
pub fn share(total: u64, wanted: &[u64]) -> Vec<u64> {
    let mut sorted = wanted.to_vec();
    sorted.sort_unstable();
    let mut left = total;
    let mut takers = wanted.len() as u64;
    // The greatest size that nobody exceeds: each in turn, least first, takes what it wants or an
    // equal share of what is left.
    let mut most = 0;
    for want in sorted {
        let equal = left.checked_div(takers).unwrap_or(0);
        most = want.min(equal).max(most);
        left = left.saturating_sub(want.min(equal));
        takers = takers.saturating_sub(1);
    }
    wanted.iter().map(|want| Layout::file_size((*want).min(most).max(MIN_MEMORY))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: u64 = 1 << 10;

    fn check(total: u64, wanted: &[u64], expected: &[u64]) {
        assert_eq!(share(total, wanted), expected);
    }

    #[test]
    fn all_get_what_they_want_when_there_is_enough() {
        check(8192 * K, &[256 * K, 1024 * K], &[256 * K, 1024 * K]);
        check(8192 * K, &[], &[]);
    }

    #[test]
    fn the_modest_get_what_they_want_and_the_others_equal_parts() {
        check(1024 * K, &[800 * K, 64 * K, 8192 * K], &[480 * K, 64 * K, 480 * K]);
    }

    #[test]
    fn nobody_goes_below_the_smallest_ring() {
        check(64 * K, &[256 * K; 4], &[32 * K; 4]);
        check(8192 * K, &[1], &[32 * K]);
    }

    proptest::proptest! {
        #[test]
        fn the_sum_stays_within_the_total(
            total in 1_u64..1 << 30,
            wanted in proptest::collection::vec(1_u64..1 << 26, 0..50),
        ) {
            let shares = share(total, &wanted);
            let floor = MIN_MEMORY * wanted.len() as u64;
            assert!(shares.iter().sum::<u64>() <= total.max(floor) + floor);
            for (share, want) in shares.iter().zip(&wanted) {
                assert!(*share <= (*want).max(MIN_MEMORY));
            }
        }
    }
}

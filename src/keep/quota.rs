//! What goes when there is too much: always the oldest of who has most. Who has no more than an equal share loses
//! nothing, whatever others write.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use crate::ordered::Ordered;

/// Boots that logs are kept of: more would be more files than anybody looks through.
const BOOTS: usize = 100;
/// What a file takes, whatever is in it.
const PAGE: u64 = 4096;

/// A file of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub boot: u32,
    /// Its turn within the boot.
    pub number: u64,
    pub log: String,
    pub bytes: u64,
}

impl Kept {
    /// What it takes of the disk.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.bytes.max(1).checked_next_multiple_of(PAGE).unwrap_or(u64::MAX)
    }
}

/// How large a segment may get: small enough that the oldest can go in small pieces, of each of so many logs.
#[must_use]
pub fn segment_max(quota: u64, logs: u64) -> u64 {
    let share = quota / logs.saturating_add(2);
    (quota / 16).min(4 << 20).min(share / 2).max(super::FRAME_MAX as u64)
}

/// Which of these go, by their places in the list, so that all together take no more than `quota`.
#[must_use]
pub fn surplus(kept: &[Kept], quota: u64) -> Vec<usize> {
    let boots: BTreeSet<u32> = kept.iter().map(|it| it.boot).ordered();
    let first = boots.iter().rev().nth(BOOTS.saturating_sub(1)).copied().unwrap_or(0);
    let (mut stay, go): (Vec<usize>, Vec<usize>) =
        (0..kept.len()).partition(|at| kept.get(*at).is_some_and(|it| it.boot >= first));
    let mut go = go;
    // The newest first, so that the oldest is taken from the end.
    let age = |at: &usize| kept.get(*at).map(|it| (it.boot, it.number));
    stay.sort_by_key(|at| core::cmp::Reverse(age(at)));
    let mut logs: BTreeMap<&str, (u64, Vec<usize>)> = BTreeMap::new();
    let mut total = 0u64;
    for at in stay {
        let Some(it) = kept.get(at) else { continue };
        total = total.saturating_add(it.size());
        let (bytes, files) = logs.entry(it.log.as_str()).or_default();
        *bytes = bytes.saturating_add(it.size());
        files.push(at);
    }
    // Who has most is the last.
    let mut logs: BTreeSet<(u64, &str, Vec<usize>)> =
        logs.into_iter().map(|(log, (bytes, files))| (bytes, log, files)).ordered();
    while total > quota {
        let Some((bytes, log, mut files)) = logs.pop_last() else { break };
        let Some(oldest) = files.pop() else { break };
        let size = kept.get(oldest).map_or(0, Kept::size);
        total = total.saturating_sub(size);
        go.push(oldest);
        logs.insert((bytes.saturating_sub(size), log, files));
    }
    go
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    fn kept(boot: u32, number: u64, log: &str, pages: u64) -> Kept {
        Kept { boot, number, log: log.into(), bytes: pages * PAGE - 7 }
    }

    #[test]
    fn the_oldest_of_who_has_most_goes() {
        let all = [
            kept(1, 0, "web", 3),
            kept(1, 1, "db", 3),
            kept(2, 5, "web", 3),
            kept(2, 4, "web", 3),
            kept(2, 9, "@kernel", 1),
        ];
        let go = |pages: u64| surplus(&all, pages * PAGE);
        assert!(go(13).is_empty());
        assert_eq!(go(12), [0]);
        assert_eq!(go(9), [0, 3]);
        // Both have the same, and one of them goes.
        assert_eq!(go(4).len(), 3);
        assert!(!go(4).contains(&4));
        assert_eq!(go(0).len(), all.len());
    }

    #[test]
    fn of_very_many_boots_the_newest_stay() {
        let all: Vec<Kept> = (0..=BOOTS as u32).map(|boot| kept(boot, 0, "web", 1)).collect();
        assert_eq!(surplus(&all, u64::MAX), [0]);
        assert!(surplus(&all[1..], u64::MAX).is_empty());
    }

    #[test]
    fn segments_are_a_sixteenth_and_half_a_share_at_most_and_hold_a_block() {
        assert_eq!(segment_max(256 << 20, 4), 4 << 20);
        assert_eq!(segment_max(16 << 20, 4), 1 << 20);
        assert_eq!(segment_max(256 << 20, 510), 256 << 10);
        assert_eq!(segment_max(1 << 20, 500), crate::keep::FRAME_MAX as u64);
    }

    proptest! {
        #[test]
        fn nobody_loses_a_share_and_the_rest_fits(
            files in proptest::collection::vec((0u32..5, 0usize..6, 1u64..40), 0..60),
            pages in 0u64..400,
        ) {
            let names = ["a", "b", "c", "d", "e", "f"];
            let all: Vec<Kept> =
                (0..).zip(&files).map(|(number, (boot, log, pages))| kept(*boot, number, names[*log], *pages)).collect();
            let quota = pages * PAGE;
            let go = surplus(&all, quota);
            let left = |log: Option<&str>| -> u64 {
                let stays = |(at, it): &(usize, &Kept)| !go.contains(at) && log.is_none_or(|log| it.log == log);
                all.iter().enumerate().filter(stays).map(|(_, it)| it.size()).sum()
            };
            prop_assert!(left(None) <= quota);
            let logs: BTreeSet<&str> = all.iter().map(|it| it.log.as_str()).collect();
            let share = quota / (logs.len() as u64 + 2);
            for log in logs {
                let had: u64 = all.iter().filter(|it| it.log == log).map(Kept::size).sum();
                if had <= share {
                    prop_assert_eq!(left(Some(log)), had);
                }
                // What stays of a log is its newest.
                let age = |at: &usize| (all[*at].boot, all[*at].number);
                let of = |at: &usize| all[*at].log == log;
                let newest_gone = go.iter().copied().filter(of).max_by_key(age);
                let oldest_left = (0..all.len()).filter(|at| !go.contains(at)).filter(of).min_by_key(age);
                if let (Some(gone), Some(stays)) = (newest_gone, oldest_left) {
                    prop_assert!(age(&gone) < age(&stays));
                }
            }
            let mut once = vec![false; all.len()];
            go.iter().for_each(|at| assert!(!core::mem::replace(&mut once[*at], true)));
        }
    }
}

//! Rules → the fewest that decide the same, those with the last word first.

use alloc::vec::Vec;
use core::cmp::Reverse;

use super::{Access, Rule};

impl Rule {
    /// Whether this one speaks of every device that the other speaks of.
    fn covers(&self, other: &Self) -> bool {
        fn each<T: PartialEq>(all: Option<T>, one: Option<T>) -> bool {
            all.is_none() || all == one
        }
        each(self.kind, other.kind) && each(self.major, other.major) && each(self.minor, other.minor)
    }

    /// Whether there is a device that both speak of.
    fn meets(&self, other: &Self) -> bool {
        fn both<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
            one.is_none() || other.is_none() || one == other
        }
        both(self.kind, other.kind) && both(self.major, other.major) && both(self.minor, other.minor)
    }

    fn same_devices(&self, other: &Self) -> bool {
        (self.kind, self.major, self.minor) == (other.kind, other.major, other.minor)
    }
}

/// Turns the order around, leaves out what never decides, and sorts what may be sorted: neighbours
/// that all allow, or all deny, say the same in any order.
pub(super) fn minimal(rules: &[Rule]) -> Vec<Rule> {
    let mut kept: Vec<Rule> = Vec::new();
    for rule in rules.iter().rev() {
        let is_decided = |letters: Access, before: &Rule| {
            if before.covers(rule) { letters.without(before.access) } else { letters }
        };
        if kept.iter().fold(rule.access, is_decided) != Access::NONE {
            kept.push(*rule);
        }
    }
    // What is denied in the end anyway need not be denied before.
    let mut at = kept.len();
    while let Some(before) = at.checked_sub(1) {
        at = before;
        let (_, later) = kept.split_at(at);
        let [rule, after @ ..] = later else { break };
        let is_needed = rule.allow
            || after.iter().any(|it| it.allow && it.meets(rule) && it.access.overlaps(rule.access));
        if !is_needed {
            kept.remove(at);
        }
    }
    kept.chunk_by(|a, b| a.allow == b.allow).flat_map(united).collect()
}

/// Of neighbours with one verdict: each device once, and none that another covers with all its letters.
fn united(run: &[Rule]) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for rule in run {
        match rules.iter_mut().find(|it| it.same_devices(rule)) {
            Some(same) => same.access = same.access.and(rule.access),
            None => rules.push(*rule),
        }
    }
    let covered = |rule: &Rule| {
        let others = rules.iter().filter(|it| !it.same_devices(rule) && it.covers(rule));
        others.fold(rule.access, |left, it| left.without(it.access)) == Access::NONE
    };
    let mut kept: Vec<Rule> = rules.iter().filter(|rule| !covered(rule)).copied().collect();
    // By kind, and by major, so that a number is compared once; what is for all comes last.
    kept.sort_unstable_by_key(|rule| {
        (
            rule.kind.is_none(),
            Reverse(rule.kind),
            rule.major.is_none(),
            rule.major,
            rule.minor.is_none(),
            rule.minor,
        )
    });
    kept
}

//! The nearest known name to what somebody typed.

use alloc::vec::Vec;

/// Longer words than this are no typing errors of ours.
const MAX_WORD: usize = 64;

/// The one of `known` that `typed` was probably meant to be: at most a third of its letters differ.
pub fn nearest<'k>(typed: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if typed.chars().count() > MAX_WORD {
        return None;
    }
    let far = (typed.chars().count() / 3).max(1);
    let near = known.into_iter().map(|name| (distance(typed, name), name));
    near.filter(|(distance, _)| *distance <= far).min().map(|(_, name)| name)
}

/// How many letters must be added, removed, changed or swapped with their neighbour (Damerau–Levenshtein,
/// optimal string alignment); capitals and the choice between `-` and `_` count nothing.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (letters(a), letters(b));
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX);
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(last.len());
        row.push(i.saturating_add(1));
        for (j, y) in b.iter().enumerate() {
            let changed = at(&last, j).saturating_add(usize::from(x != y));
            let added = at(&row, j).saturating_add(1);
            let removed = at(&last, j.saturating_add(1)).saturating_add(1);
            let mut best = changed.min(added).min(removed);
            let (i1, j1) = (i.wrapping_sub(1), j.wrapping_sub(1));
            if i > 0 && j > 0 && a.get(i1) == Some(y) && b.get(j1) == Some(x) {
                best = best.min(at(&before_last, j1).saturating_add(1));
            }
            row.push(best);
        }
        before_last = core::mem::replace(&mut last, row);
    }
    at(&last, b.len())
}

fn letters(word: &str) -> Vec<char> {
    word.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_a_swap_as_one_change() {
        let check = |a, b, wanted| assert_eq!(distance(a, b), wanted, "{a} {b}");
        check("memory", "memory", 0);
        check("memroy", "memory", 1);
        check("memry", "memory", 1);
        check("Working-Dir", "working_dir", 0);
        check("", "abc", 3);
        check("comand", "command", 1);
    }

    #[test]
    fn suggests_only_what_is_near() {
        let known = ["command", "environment", "image"];
        assert_eq!(nearest("enviroment", known), Some("environment"));
        assert_eq!(nearest("imgae", known), Some("image"));
        assert_eq!(nearest("ports", known), None);
        assert_eq!(nearest(&"x".repeat(10_000), known), None);
    }
}

//! Circles in a graph of names.

use super::super::tree::Place;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

/// Who → on whom → where it says so.
pub(crate) type Edges<'t> = BTreeMap<&'t str, BTreeMap<&'t str, Place>>;

/// The sets of names from each of which a way leads to each other one (Kosaraju's two passes); a name
/// alone is one when it leads to itself.
pub(crate) fn components<'t>(edges: &Edges<'t>) -> Vec<BTreeSet<&'t str>> {
    let mut against: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, on) in edges.iter().flat_map(|(from, on)| on.keys().map(move |on| (*from, *on))) {
        against.entry(on).or_default().push(from);
    }
    let mut components = Vec::new();
    let mut placed: BTreeSet<&str> = BTreeSet::new();
    for root in finished(edges).into_iter().rev() {
        let mut component: BTreeSet<&str> = BTreeSet::new();
        let mut waiting = Vec::from([root]);
        while let Some(name) = waiting.pop() {
            if placed.insert(name) {
                component.insert(name);
                waiting.extend(against.get(name).into_iter().flatten());
            }
        }
        let to_itself = edges.get(root).is_some_and(|on| on.contains_key(root));
        if component.len() > 1 || component.len() == 1 && to_itself {
            components.push(component);
        }
    }
    components
}

/// Every name, each after those that can be reached from it.
fn finished<'t>(edges: &Edges<'t>) -> Vec<&'t str> {
    let next = |name: &str| -> Vec<&'t str> {
        edges.get(name).into_iter().flat_map(|on| on.keys().copied()).collect()
    };
    let mut order = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for root in edges.keys() {
        let mut stack = Vec::new();
        if seen.insert(root) {
            stack.push((*root, next(root)));
        }
        while let Some((name, waiting)) = stack.last_mut() {
            match waiting.pop() {
                Some(on) if seen.insert(on) => stack.push((on, next(on))),
                Some(_) => {}
                None => {
                    order.push(*name);
                    stack.pop();
                }
            }
        }
    }
    order
}

/// The shortest way from `from` to `to`, both included.
pub(crate) fn shortest<'t>(edges: &Edges<'t>, from: &'t str, to: &str) -> Option<Vec<&'t str>> {
    let mut came_from: BTreeMap<&str, Option<&str>> = [(from, None)].into();
    let mut queue: VecDeque<&str> = [from].into();
    while let Some(name) = queue.pop_front() {
        if name == to {
            let back = core::iter::successors(Some(name), |name| came_from.get(name).copied().flatten());
            let mut way: Vec<&str> = back.collect();
            way.reverse();
            return Some(way);
        }
        for next in edges.get(name).into_iter().flat_map(|on| on.keys().copied()) {
            if !came_from.contains_key(next) {
                came_from.insert(next, Some(name));
                queue.push_back(next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(text: &'static str) -> Edges<'static> {
        let at = Place { file: 0, start: 0, end: 0 };
        let mut edges = Edges::new();
        for (from, on) in text.split_whitespace().map(|edge| edge.split_once('>').unwrap()) {
            edges.entry(from).or_default().insert(on, at);
        }
        edges
    }

    #[test]
    fn finds_every_circle_and_nothing_else() {
        let check = |text, wanted: &[&[&str]]| {
            let mut found: Vec<Vec<&str>> =
                components(&edges(text)).into_iter().map(|set| set.into_iter().collect()).collect();
            found.sort_unstable();
            assert_eq!(found, wanted, "{text}");
        };
        check("", &[]);
        check("a>b b>c a>c", &[]);
        check("a>a", &[&["a"]]);
        check("a>b b>a", &[&["a", "b"]]);
        check("x>a a>b b>c c>a c>y", &[&["a", "b", "c"]]);
        check("a>b b>a b>c c>d d>c", &[&["a", "b"], &["c", "d"]]);
        check("a>b b>c c>b c>d", &[&["b", "c"]]);
    }

    #[test]
    fn finds_the_shortest_way() {
        assert_eq!(shortest(&edges("a>b b>c c>d a>d"), "a", "d"), Some(vec!["a", "d"]));
        assert_eq!(shortest(&edges("a>b b>c"), "a", "c"), Some(vec!["a", "b", "c"]));
        assert_eq!(shortest(&edges("a>b"), "b", "a"), None);
        assert_eq!(shortest(&edges("a>a"), "a", "a"), Some(vec!["a"]));
    }
}

//! Where the nodes of a graph stand: in layers, each left of those that depend on it, and in an order that
//! crosses few edges.
//!
//! An edge over several layers gets a place in each of those between, so that it goes past nodes and not
//! through them. A circle has no layers: one of its edges is taken out, and drawn backwards.

use crate::ordered::Ordered;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

/// Passing places; more than that nobody can follow with the eye, and edges are drawn straight.
const MOST_PLACES: usize = 5_000;

/// Times that the order of each layer is improved by its neighbours', there and back.
const SWEEPS: usize = 6;

/// Nodes are numbers; an edge goes from a dependent to what it depends on.
#[derive(Debug)]
pub(super) struct Layers {
    /// For each layer what stands in it, from top to bottom.
    pub(super) columns: Vec<Vec<Place>>,
    /// For each edge all places that it goes through, from the dependent on.
    pub(super) ways: Vec<Vec<At>>,
    /// The edges that were taken out of circles.
    pub(super) backwards: Vec<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Node(usize),
    /// Of an edge on its way past.
    Passing(usize),
}

/// Column, and row in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    pub(super) column: usize,
    pub(super) row: usize,
}

pub(super) fn layers(nodes: usize, edges: &[(usize, usize)]) -> Layers {
    let (ranks, backwards) = ranks(nodes, edges);
    let rank = |node: usize| ranks.get(node).copied().unwrap_or(0);
    let between = |from: usize, to: usize| rank(to).saturating_add(1)..rank(from);
    let passing: usize = edges.iter().map(|(from, to)| between(*from, *to).len()).sum();
    let pass = passing <= MOST_PLACES;
    let count = ranks.iter().max().map_or(0, |most| most.saturating_add(1));
    let mut columns: Vec<Vec<Place>> = vec![Vec::new(); count];
    let mut put = |column: usize, place| columns.get_mut(column).into_iter().for_each(|it| it.push(place));
    (0..nodes).for_each(|node| put(rank(node), Place::Node(node)));
    for (edge, (from, to)) in edges.iter().enumerate().filter(|_| pass) {
        between(*from, *to).for_each(|column| put(column, Place::Passing(edge)));
    }
    let chains = |edge: usize| -> Vec<(usize, Place)> {
        let Some((from, to)) = edges.get(edge).copied() else { return Vec::new() };
        let past = between(from, to).rev().filter(|_| pass).map(|column| (column, Place::Passing(edge)));
        let first = (rank(from), Place::Node(from));
        core::iter::once(first).chain(past).chain([(rank(to), Place::Node(to))]).collect()
    };
    let chains: Vec<Vec<(usize, Place)>> = (0..edges.len()).map(chains).collect();
    untangle(&mut columns, &chains);
    let rows = rows(&columns);
    let at = |(column, place): &(usize, Place)| {
        let row = rows.get(&(*column, *place)).copied().unwrap_or(0);
        At { column: *column, row }
    };
    let ways = chains.iter().map(|chain| chain.iter().map(at).collect()).collect();
    Layers { columns, ways, backwards }
}

/// One more than the highest of what it depends on; and which edges did not count.
fn ranks(nodes: usize, edges: &[(usize, usize)]) -> (Vec<usize>, Vec<bool>) {
    let mut ranks: Vec<Option<usize>> = vec![None; nodes];
    let mut backwards = vec![false; edges.len()];
    let mut below: Vec<Vec<(usize, usize)>> = vec![Vec::new(); nodes];
    for (edge, (from, to)) in edges.iter().enumerate() {
        below.get_mut(*from).into_iter().for_each(|it| it.push((edge, *to)));
    }
    loop {
        let open: Vec<usize> = (0..nodes).filter(|node| ranks.get(*node) == Some(&None)).collect();
        let Some(first) = open.first() else { break };
        let known = |to: usize, ranks: &[Option<usize>]| ranks.get(to).copied().flatten();
        let of = |node: usize, ranks: &[Option<usize>], backwards: &[bool]| -> Option<usize> {
            let mut rank = 0;
            for (edge, to) in below.get(node)? {
                if backwards.get(*edge) != Some(&true) {
                    rank = rank.max(known(*to, ranks)?.saturating_add(1));
                }
            }
            Some(rank)
        };
        let found: Vec<(usize, usize)> =
            open.iter().filter_map(|node| Some((*node, of(*node, &ranks, &backwards)?))).collect();
        if found.is_empty() {
            let circular = below.get(*first).into_iter().flatten();
            for (edge, _) in circular.filter(|(_, to)| known(*to, &ranks).is_none()) {
                backwards.get_mut(*edge).into_iter().for_each(|it| *it = true);
            }
        }
        for (node, rank) in found {
            ranks.get_mut(node).into_iter().for_each(|it| *it = Some(rank));
        }
    }
    (ranks.into_iter().map(Option::unwrap_or_default).collect(), backwards)
}

/// Each layer in the order of the middle of its neighbours, from left to right and back, several times.
fn untangle(columns: &mut [Vec<Place>], chains: &[Vec<(usize, Place)>]) {
    let mut left: BTreeMap<(usize, Place), Vec<(usize, Place)>> = BTreeMap::new();
    let mut right: BTreeMap<(usize, Place), Vec<(usize, Place)>> = BTreeMap::new();
    for pair in chains.iter().flat_map(|chain| chain.windows(2)) {
        if let [far, near] = pair {
            left.entry(*far).or_default().push(*near);
            right.entry(*near).or_default().push(*far);
        }
    }
    let count = columns.len();
    for sweep in 0..SWEEPS {
        let forwards = sweep % 2 == 0;
        for step in 0..count {
            let column = if forwards { step } else { count.saturating_sub(step).saturating_sub(1) };
            let rows = rows(columns);
            let neighbours = if forwards { &left } else { &right };
            let middle = |place: &Place| {
                let near = neighbours.get(&(column, *place)).map_or(&[][..], Vec::as_slice);
                let sum: usize = near.iter().filter_map(|it| rows.get(it)).sum();
                // In thousandths of a row; without neighbours where it is.
                let own = rows.get(&(column, *place)).copied().unwrap_or(0);
                sum.saturating_mul(1000).checked_div(near.len()).unwrap_or(own.saturating_mul(1000))
            };
            if let Some(places) = columns.get_mut(column) {
                places.sort_by_cached_key(middle);
            }
        }
    }
}

fn rows(columns: &[Vec<Place>]) -> BTreeMap<(usize, Place), usize> {
    let places = columns.iter().enumerate();
    places.flat_map(|(column, it)| it.iter().enumerate().map(move |(row, at)| ((column, *at), row))).ordered()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(nodes: usize, edges: &[(usize, usize)]) -> Vec<Vec<Place>> {
        layers(nodes, edges).columns
    }

    #[test]
    fn each_stands_right_of_all_that_it_depends_on() {
        use Place::{Node, Passing};
        assert_eq!(columns(0, &[]), Vec::<Vec<Place>>::new());
        assert_eq!(columns(2, &[]), [[Node(0), Node(1)]]);
        let found = columns(3, &[(0, 1), (1, 2), (0, 2)]);
        assert_eq!(found, [vec![Node(2)], vec![Node(1), Passing(2)], vec![Node(0)]]);
    }

    #[test]
    fn edges_that_need_not_cross_do_not() {
        use Place::Node;
        // 0 depends on 3, 1 on 2: in the order of numbers they cross.
        assert_eq!(columns(4, &[(0, 3), (1, 2)]), [[Node(2), Node(3)], [Node(1), Node(0)]]);
    }

    #[test]
    fn a_circle_is_opened_and_the_rest_keeps_its_order() {
        let found = layers(4, &[(0, 1), (1, 0), (2, 0), (3, 3)]);
        assert_eq!(found.backwards, [true, false, false, true]);
        assert_eq!(found.columns.len(), 2);
        assert_eq!(found.columns.iter().map(Vec::len).sum::<usize>(), 4);
    }

    #[test]
    fn what_nobody_could_follow_is_still_drawn() {
        let edges: Vec<(usize, usize)> =
            (0..300).flat_map(|from| (0..from).map(move |to| (from, to))).collect();
        let found = layers(300, &edges);
        assert!(found.columns.iter().all(|column| column.len() == 1), "no passing places");
        assert!(found.ways.iter().all(|way| way.len() == 2));
    }
}

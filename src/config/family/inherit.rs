//! What an instance has of its template.
//!
//! Key by key: a table goes into a table of the same name, at every depth, and what the instance says itself
//! counts. Everything else, lists too, is the instance's or, where it says nothing, the template's: nobody could
//! take an item out of a list that was put together.

use super::super::tree::{Entry, Map, Node, Value};
use alloc::collections::btree_map;

pub(super) fn from(own: Entry, template: &Map) -> Entry {
    let Entry { at, node: Node { at: place, value } } = own;
    let value = match value {
        Value::Table(mut map) => {
            beneath(&mut map, template);
            Value::Table(map)
        }
        other => other,
    };
    Entry { at, node: Node { at: place, value } }
}

/// Puts what `own` lacks into it.
fn beneath(own: &mut Map, template: &Map) {
    for (key, inherited) in &template.entries {
        match own.entries.entry(key.clone()) {
            btree_map::Entry::Vacant(free) => {
                free.insert(inherited.clone());
            }
            btree_map::Entry::Occupied(mut taken) => {
                if let (Value::Table(own), Value::Table(template)) =
                    (&mut taken.get_mut().node.value, &inherited.node.value)
                {
                    beneath(own, template);
                }
            }
        }
    }
}

/// How many values a table has.
pub(super) fn weight(map: &Map) -> usize {
    map.entries.values().map(|entry| of(&entry.node)).sum()
}

fn of(node: &Node) -> usize {
    let inner = match &node.value {
        Value::Table(map) => weight(map),
        Value::List(items) => items.iter().map(of).sum(),
        Value::Text(_)
        | Value::Integer { .. }
        | Value::Float { .. }
        | Value::Flag(_)
        | Value::Moment
        | Value::Wrong => 0,
    };
    inner.saturating_add(1)
}

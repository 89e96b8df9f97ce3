//! The trees of all files → one. The same thing declared in two files is an error that names both places.

use super::diagnostic::Mistake;
use super::report::Report;
use super::tree::{Entry, Map, Path, Step, Value};
use alloc::collections::btree_map;
use alloc::format;

/// Puts `from` into `into`; of what both declare, the earlier stays.
pub(crate) fn merge(report: &mut Report<'_>, into: &mut Map, from: Map) {
    merge_at(report, &Path::default(), into, from, Doubles::Reported);
}

/// Inside a table that was declared twice the keys are not reported once more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doubles {
    Reported,
    Known,
}

fn merge_at(report: &mut Report<'_>, path: &Path<'_>, into: &mut Map, from: Map, doubles: Doubles) {
    for (key, second) in from.entries {
        let path = path.and(Step::Key(&key));
        let first = match into.entries.entry(key.clone()) {
            btree_map::Entry::Vacant(free) => {
                free.insert(second);
                continue;
            }
            btree_map::Entry::Occupied(taken) => taken.into_mut(),
        };
        let apart = matches!((&first.node.value, &second.node.value),
            (Value::Table(a), Value::Table(b)) if !(a.declared && b.declared));
        if !apart && doubles == Doubles::Reported {
            let notes = [format!("first declared at {}", report.short(first.at))].into();
            report.error_with(second.at, &path, Mistake::new(format!("`{path}` is declared twice")), notes);
        }
        let doubles = if apart { doubles } else { Doubles::Known };
        merge_tables(report, &path, first, second, doubles);
    }
}

fn merge_tables(
    report: &mut Report<'_>,
    path: &Path<'_>,
    first: &mut Entry,
    second: Entry,
    doubles: Doubles,
) {
    let (Value::Table(into), Value::Table(from)) = (&mut first.node.value, second.node.value) else { return };
    if from.declared && !into.declared {
        into.declared = true;
        first.at = second.at;
        first.node.at = second.node.at;
    }
    merge_at(report, path, into, from, doubles);
}

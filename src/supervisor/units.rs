//! All containers, by name.
//!
//! They are gone through several times after every event and looked up now and then, and hardly ever become
//! more: in a row, sorted, the first costs a third of what a tree takes.

use alloc::vec::Vec;

use super::unit::Unit;

#[derive(Debug, Default)]
pub(super) struct Units(Vec<Unit>);

impl Units {
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|unit| unit.name.as_str().cmp(name))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Unit> {
        self.place(name).ok().and_then(|at| self.0.get(at))
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Unit> {
        self.place(name).ok().and_then(|at| self.0.get_mut(at))
    }

    /// In place of the one of its name, if there is one.
    pub(super) fn insert(&mut self, unit: Unit) {
        match self.place(&unit.name) {
            Ok(at) => {
                if let Some(old) = self.0.get_mut(at) {
                    *old = unit;
                }
            }
            Err(at) => self.0.insert(at, unit),
        }
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&Unit) -> bool) {
        self.0.retain(keep);
    }

    pub(super) fn values(&self) -> core::slice::Iter<'_, Unit> {
        self.0.iter()
    }

    pub(super) fn values_mut(&mut self) -> core::slice::IterMut<'_, Unit> {
        self.0.iter_mut()
    }
}

impl IntoIterator for Units {
    type Item = Unit;
    type IntoIter = alloc::vec::IntoIter<Unit>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::unit::Spec;
    use core::time::Duration;

    #[test]
    fn each_is_found_by_its_name_and_replaced_by_another_of_it() {
        let mut units = Units::default();
        for (rank, name) in ["web", "db", "log", "db"].into_iter().enumerate() {
            let mut unit = Unit::new(name, Spec::unreadable(), None, Duration::ZERO);
            unit.rank = rank;
            units.insert(unit);
        }
        let all: Vec<_> = units.values().map(|unit| (unit.name.as_str(), unit.rank)).collect();
        assert_eq!(all, [("db", 3), ("log", 2), ("web", 0)]);
        for (name, rank) in [("web", Some(0)), ("db", Some(3)), ("a", None), ("zzz", None)] {
            assert_eq!(units.get(name).map(|unit| unit.rank), rank, "{name}");
            assert_eq!(units.get_mut(name).map(|unit| unit.rank), rank, "{name}");
        }
    }
}

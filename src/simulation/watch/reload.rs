//! What the watch makes of another configuration: who has to be started anew, who has to go, who is nobody's business.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use super::Watch;
use super::declared::Declared;
use super::shadow::{Shadow, Word};
use super::{edges, groups};
use crate::supervisor::{Reload, Wanted};

impl Watch {
    pub(super) fn reloaded(&mut self, reload: &Reload) {
        let config = &reload.config;
        self.numbers = reload.numbers.clone();
        self.groups = groups::of(config);
        for (name, shadow) in &mut self.shadows {
            if !config.containers.contains_key(name) {
                shadow.undeclared = true;
                shadow.is_unwanted();
            }
        }
        for (name, declared) in Declared::all(config) {
            let since = self.numbers.since.get(&name).copied().unwrap_or_default();
            match self.shadows.get_mut(&name) {
                None => drop(self.shadows.insert(name, Shadow::new(declared))),
                Some(shadow) => shadow.declared_since(since, declared),
            }
        }
        self.relate();
        self.replace();
    }

    /// Whoever was started by an earlier declaration is owed a start by the present one.
    pub(super) fn replace(&mut self) {
        if !self.booted || self.safe || self.shutdown.is_some() {
            return;
        }
        for (name, shadow) in &mut self.shadows {
            let since = self.numbers.since.get(name).copied().unwrap_or_default();
            if shadow.made < since && shadow.wanted == Wanted::Up && !shadow.undeclared {
                shadow.has_to_be_made_anew();
            }
        }
    }

    /// It is down: what it was declared as holds no more.
    pub(super) fn declared_anew(&mut self, name: &str) {
        if let Some(shadow) = self.shadows.get_mut(name)
            && let Some(next) = shadow.next.take()
        {
            shadow.declare(next);
            self.relate();
        }
    }

    pub(super) fn forgotten(&mut self, name: &str) {
        if self.shadows.get(name).is_some_and(|shadow| shadow.undeclared) {
            self.shadows.remove(name);
            self.relate();
        }
    }

    /// Who depends on whom: those that go down as they were declared before, unless that and what others are declared
    /// as now is a circle.
    pub(super) fn relate(&mut self) {
        let mut dependents = self.dependents();
        if dependents.iter().any(|(name, all)| all.contains(name)) {
            for shadow in self.shadows.values_mut() {
                if let Some(next) = &shadow.next {
                    shadow.declared.depends_on.clone_from(&next.depends_on);
                }
            }
            dependents = self.dependents();
        }
        for (name, shadow) in &mut self.shadows {
            shadow.dependents = dependents.remove(name).unwrap_or_default();
        }
    }

    fn dependents(&self) -> BTreeMap<String, BTreeSet<String>> {
        let edges = self.shadows.iter();
        edges::dependents(edges.map(|(name, shadow)| (name.as_str(), &shadow.declared.depends_on)))
    }
}

impl Shadow {
    fn declared_since(&mut self, since: u64, declared: Declared) {
        if core::mem::take(&mut self.undeclared) {
            self.wanted = Wanted::Up;
        }
        let outdated = self.made < since;
        self.unusable &= !outdated;
        // Times and gates are looked at anew.
        self.due = None;
        self.open = !self.declared.is_looked_at();
        self.next = None;
        if self.there && outdated {
            self.next = Some(declared);
        } else {
            self.declare(declared);
        }
    }

    /// It was started by an earlier declaration.
    fn has_to_be_made_anew(&mut self) {
        self.unusable = false;
        let comes_again = self.next.as_ref().unwrap_or(&self.declared).comes_again();
        // A run of a timetable, or of a job, is not cut short for the next one, and the next one has its time.
        let ends_first = self.timed && comes_again && self.word.is_none();
        if self.there && !ends_first {
            self.word = Some(Word::Again);
        }
        self.start_owed |= !comes_again;
    }
}

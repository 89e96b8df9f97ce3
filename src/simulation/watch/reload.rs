//! What the watch makes of another configuration: who has to be started anew, who has to go, who is nobody's business.

use alloc::collections::BTreeMap;
use alloc::string::String;

use super::Watch;
use super::shadow::{Shadow, Word};
use crate::supervisor::{Reload, Wanted};

impl Watch {
    pub(super) fn reloaded(&mut self, reload: &Reload) {
        let config = &reload.config;
        self.numbers = reload.numbers.clone();
        for (name, shadow) in &mut self.shadows {
            if !config.containers.contains_key(name) {
                shadow.undeclared = true;
                shadow.is_unwanted();
            }
        }
        for (name, container) in &config.containers {
            let since = self.numbers.since.get(name).copied().unwrap_or_default();
            match self.shadows.get_mut(name) {
                None => {
                    self.shadows.insert(name.clone(), Shadow::new(config, name, container));
                }
                Some(shadow) => {
                    if core::mem::take(&mut shadow.undeclared) {
                        shadow.wanted = Wanted::Up;
                    }
                    let outdated = shadow.made < since;
                    shadow.unusable &= !outdated;
                    shadow.next = (shadow.there && outdated).then(|| container.clone());
                    if shadow.next.is_none() {
                        shadow.declare(container);
                    }
                }
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
                shadow.word = shadow.there.then_some(Word::Again);
                (shadow.start_owed, shadow.unusable) = (true, false);
            }
        }
    }

    /// It is down: what it was declared as holds no more.
    pub(super) fn declared_anew(&mut self, name: &str) {
        if let Some(shadow) = self.shadows.get_mut(name)
            && let Some(next) = shadow.next.take()
        {
            shadow.declare(&next);
            self.relate();
        }
    }

    pub(super) fn forgotten(&mut self, name: &str) {
        if self.shadows.get(name).is_some_and(|shadow| shadow.undeclared) {
            self.shadows.remove(name);
            self.relate();
        }
    }

    /// Who depends on whom, as they are declared by now.
    pub(super) fn relate(&mut self) {
        let edges: BTreeMap<String, _> =
            self.shadows.iter().map(|(name, shadow)| (name.clone(), shadow.depends_on.clone())).collect();
        for (name, shadow) in &mut self.shadows {
            shadow.dependents = super::shadow::dependents(&edges, name);
        }
    }
}

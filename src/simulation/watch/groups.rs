//! What the watch makes of groups: one name for several, which fail together.
//!
//! When a group has failed too often it leaves to the core, and believes what it says of the members: that nothing
//! else breaks of it is what it looks for.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use super::{View, Watch};
use crate::config::Config;
use crate::ordered::Ordered;
use crate::simulation::core::Core;
use crate::supervisor::{Event, State, StateKind, Why};

/// Who is in each.
pub(super) fn of(config: &Config) -> BTreeMap<String, BTreeSet<String>> {
    config.groups.iter().map(|(name, group)| (name.clone(), group.containers.clone())).ordered()
}

impl Watch {
    /// After each word to the core: who goes down with its group, and who failed with it.
    pub(super) fn look_at_groups<C: Core>(&mut self, view: &View<'_, C>) {
        for (name, shadow) in self.shadows.iter_mut().filter(|(_, shadow)| shadow.declared.grouped) {
            let state = view.core.state(name);
            let why = state.and_then(why);
            shadow.anew = why == Some(Why::Group);
            let Some(record) = view.core.record(name) else { continue };
            shadow.ran &= record.ran;
            shadow.completed &= record.completed;
            shadow.start_owed &= state.is_none_or(|state| state.kind() != StateKind::Failed);
        }
    }

    /// What a person asks of a group is asked of all that are in it. True, if it was.
    pub(super) fn asked_of_group<C: Core>(&mut self, view: &View<'_, C>, event: &Event) -> bool {
        let (Event::Start { name } | Event::Stop { name } | Event::Restart { name }) = event else {
            return false;
        };
        let Some(members) = self.groups.get(name).cloned() else { return false };
        for member in &members {
            let there = self.shadows.get(member).is_some_and(|shadow| shadow.there);
            let goes_down = view.core.state(member).and_then(why) == Some(Why::Again);
            let is_job = self.shadows.get(member).is_some_and(|shadow| shadow.declared.job);
            match event {
                Event::Stop { .. } => self.stopped(member),
                // It keeps its hour; whether it will run then, the core says.
                _ if is_job => {
                    let wanted = view.core.status(member).map(|status| status.wanted);
                    self.of(member, |shadow| shadow.wanted = wanted.unwrap_or(shadow.wanted));
                }
                // It was up already.
                Event::Start { .. } if there && !goes_down => self.opponents_stopped(member),
                _ => self.wanted_up(member),
            }
        }
        true
    }
}

fn why(state: State) -> Option<Why> {
    match state {
        State::Stopping { why, .. } | State::Stuck { why, .. } => Some(why),
        _ => None,
    }
}

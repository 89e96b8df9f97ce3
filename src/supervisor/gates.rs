//! Gates and conflicts: what keeps a container down besides what it depends on.
//!
//! The machine is looked at only while somebody waits for it: the agent asks [`Supervisor::awaited_gates`] and tells
//! what is open. Who found all its gates open at one look has passed them for this start; the next one looks anew.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::Supervisor;
use super::cause::Cause;
use super::event::Outcome;
use super::state::{State, Wait, Wanted};
use super::unit::Unit;
use super::units::Units;
use crate::config::Gate;
use crate::ordered::Ordered;

/// Says to each what the other one says.
pub(super) fn make_mutual(units: &mut Units) {
    let said: Vec<(String, String)> = units
        .values()
        .flat_map(|unit| unit.spec.conflicts.iter().map(|other| (other.clone(), unit.name.clone())))
        .collect();
    for (name, other) in said {
        if let Some(unit) = units.get_mut(&name) {
            unit.spec.conflicts.insert(other);
        }
    }
}

impl Supervisor {
    /// What has to be looked at, and told as [`Event::Gates`](super::Event::Gates), since somebody waits for it.
    pub fn awaited_gates(&self) -> BTreeSet<Gate> {
        let waits = |unit: &&Unit| matches!(unit.state, State::Waiting { on: Wait::Gates, .. });
        let gates = self.units.values().filter(waits).flat_map(|unit| &unit.spec.gates);
        gates.filter(|gate| **gate != Gate::BootComplete).cloned().ordered()
    }

    /// Another number whenever somebody began to wait, who wants to be told at once.
    pub fn gate_waits(&self) -> u64 {
        self.gate_waits
    }

    pub(super) fn gates_are_open(&mut self, open: Vec<Gate>) -> Outcome {
        self.open_gates = open.into_iter().ordered();
        for unit in self.units.values_mut() {
            if let State::Waiting { on: Wait::Gates, .. } = unit.state {
                let mut gates = unit.spec.gates.iter().filter(|gate| **gate != Gate::BootComplete);
                unit.found_open = gates.all(|gate| self.open_gates.contains(gate));
            }
        }
        Outcome::Done
    }

    /// Who waits may wait for other gates now.
    pub(super) fn look_anew(&mut self) {
        self.units.values_mut().for_each(|unit| unit.found_open = false);
        self.gate_waits = self.gate_waits.wrapping_add(1);
    }

    /// True when it just became so; for good.
    pub(super) fn completes_boot(&mut self) -> bool {
        let completes = self.booted && !self.safe && !self.boot_complete && self.have_come_up();
        self.boot_complete |= completes;
        completes
    }

    pub(super) fn is_gated(&self, unit: &Unit) -> bool {
        unit.spec.gates.iter().any(|gate| match gate {
            Gate::BootComplete => !self.boot_complete,
            Gate::NetworkOnline | Gate::TimeSynced | Gate::Path(_) | Gate::Device(_) => !unit.found_open,
        })
    }

    /// Those that `unit` cannot be up together with, and that are not down. One that goes down for another declaration
    /// has its conflicts until it is down, whatever is declared now.
    pub(super) fn opponents<'a>(&'a self, unit: &'a Unit) -> impl Iterator<Item = &'a Unit> {
        let said = unit.spec.conflicts.iter().filter_map(|name| self.units.get(name));
        let heard = self.leaving.iter().filter_map(|name| self.units.get(name)).filter(|other| {
            let leaves = other.undeclared || other.next.is_some();
            leaves && other.spec.conflicts.contains(&unit.name) && !unit.spec.conflicts.contains(&other.name)
        });
        said.chain(heard).filter(|other| !other.state.kind().is_down())
    }

    /// After a reload: who may have conflicts that are not declared any more.
    pub(super) fn note_leaving(&mut self) {
        let leaves =
            |unit: &&Unit| (unit.undeclared || unit.next.is_some()) && !unit.spec.conflicts.is_empty();
        self.leaving = self.units.values().filter(leaves).map(|unit| unit.name.clone()).collect();
    }

    /// A person wants `name`, and with it none that it is in conflict with.
    pub(super) fn stop_opponents(&mut self, now: Duration, name: &str) {
        let Some(unit) = self.units.get(name) else { return };
        for other in unit.spec.conflicts.clone() {
            let moment = self.moment(now, &other);
            if let Some(other) = self.units.get_mut(&other).filter(|it| it.wanted == Wanted::Up) {
                other.made_way = Some(name.into());
                other.asked_to_stop(moment);
            }
        }
    }

    pub(super) fn gate_cause(&self, unit: &Unit) -> Cause {
        let is_shut = |gate: &&Gate| match gate {
            Gate::BootComplete => !self.boot_complete,
            Gate::NetworkOnline | Gate::TimeSynced | Gate::Path(_) | Gate::Device(_) => {
                !self.open_gates.contains(*gate)
            }
        };
        let shut: Vec<String> = unit.spec.gates.iter().filter(is_shut).map(ToString::to_string).collect();
        Cause::gate(&shut.join(", "))
    }

    pub(super) fn conflict_cause(&self, unit: &Unit) -> Option<Cause> {
        let other = self.opponents(unit).next()?;
        let text = format!("waits until {} is down, which it is in conflict with", other.name);
        Some(Cause::conflict(&other.name, text))
    }
}

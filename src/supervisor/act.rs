//! What the agent has to do and what people are told: read off the states that were reached.
//!
//! Nothing is asked twice for one generation. The record is saved first, so that a supervisor that dies
//! between the two knows at least what was meant. Dependents come before their dependencies.

use super::Supervisor;
use super::event::Effect;
use super::state::{StateKind, Step};
use super::unit::Unit;

impl Supervisor {
    pub(super) fn act(&mut self) {
        for name in self.order.iter().rev() {
            let Some(unit) = self.units.get(name) else {
                continue;
            };
            let kind = unit.state.kind();
            // Only the cause of a waiting one can change while it stays as it is.
            if !unit.dirty && kind != StateKind::Waiting {
                continue;
            }
            let shown = self.cause_of(unit);
            let Some(unit) = self.units.get_mut(name) else {
                continue;
            };
            if unit.told != (kind, shown.clone()) {
                let from = unit.told.0;
                let cause = shown.clone();
                unit.told = (kind, shown);
                let name = name.clone();
                self.effects.push_back(Effect::Changed { name, from, to: kind, cause });
            }
            if unit.dirty {
                unit.dirty = false;
                self.effects.push_back(Effect::Save { name: name.clone() });
            }
            if let Some(step) = unit.state.step()
                && unit.acted != Some((unit.generation, step))
            {
                self.effects.extend(unit.effects_of(step));
                unit.acted = Some((unit.generation, step));
            }
        }
    }
}

impl Unit {
    fn effects_of(&self, step: Step) -> impl Iterator<Item = Effect> + use<> {
        let (name, generation) = (self.name.clone(), self.generation);
        let killed = self.acted == Some((generation, Step::Kill));
        let kill = Effect::KillCgroup { name: name.clone(), generation };
        let (first, then) = match step {
            Step::Start => (None, Effect::Start { name, generation }),
            Step::Signal => {
                let signal = self.stop_signal();
                (None, Effect::Signal { name, generation, signal })
            }
            Step::Kill => (None, kill),
            // The main process is gone; what it left behind would keep the cgroup from being empty.
            Step::Clean if !killed => (Some(kill), Effect::Clean { name, generation }),
            Step::Clean => (None, Effect::Clean { name, generation }),
        };
        first.into_iter().chain([then])
    }
}

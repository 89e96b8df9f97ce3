//! What the agent has to do and what people are told: read off the states that were reached.
//!
//! Nothing is asked twice for one generation. The record is saved first, so that a supervisor that dies
//! between the two knows at least what was meant. Dependents come before their dependencies. Whoever failed once too
//! often for its group comes last: until all that follows is written down, the next supervisor judges it once more.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

use super::Supervisor;
use super::cause::Cause;
use super::event::{Change, Effect};
use super::state::{StateKind, Step};
use super::unit::Unit;

impl Supervisor {
    pub(super) fn act(&mut self) {
        let now = self.now;
        let busy = self.units.values().filter(|unit| unit.has_something_to_say());
        let place = |unit: &Unit| (unit.last_word, Reverse(unit.rank), unit.name.clone());
        let mut busy: Vec<(bool, Reverse<usize>, String)> = busy.map(place).collect();
        busy.sort_unstable();
        for (.., name) in &busy {
            let cause = self.units.get(name).and_then(|unit| self.cause_of(unit));
            if let Some(unit) = self.units.get_mut(name) {
                unit.last_word = false;
                self.effects.extend(unit.news(now, cause));
                self.effects.extend(unit.notes());
                self.effects.extend(unit.over_to_keep());
                self.effects.extend(unit.save());
                self.effects.extend(unit.ask());
                self.effects.extend(unit.probe_to_ask());
                self.effects.extend(unit.listen_to_ask());
                self.effects.extend(unit.reboot_to_ask());
            }
        }
    }
}

impl Unit {
    /// Nothing, before its record was read: that would be written over. Later, only the cause of one
    /// that waits for dependencies can change while it stays as it is.
    fn has_something_to_say(&self) -> bool {
        let (_, told_cause) = &self.told;
        let may_tell = !self.spec.depends_on.is_empty() || told_cause.is_some();
        let waits = self.state.kind() == StateKind::Waiting && may_tell;
        let listens = self.listens() != self.listened;
        self.adopted && (self.dirty || waits || listens || self.is_due().is_some() || self.has_notes())
    }

    fn news(&mut self, now: Duration, cause: Option<Cause>) -> Option<Effect> {
        let news = (self.state.kind(), cause);
        if self.told == news {
            return None;
        }
        let (to, cause) = news.clone();
        let (from, _) = core::mem::replace(&mut self.told, news);
        if from != to {
            self.since_state = now;
        }
        // Why it was down says nothing about one on its way up.
        let is_up = matches!(to, StateKind::Starting | StateKind::Running);
        let cause = cause.filter(|_| !is_up);
        Some(Effect::Changed(Change {
            name: self.name.clone(),
            generation: self.generation,
            from,
            to,
            cause,
            pid: self.process.map(|process| process.pid),
            ready: self.is_ready(),
        }))
    }

    /// Before the record says that it is over: whoever reads that one has been told.
    fn over_to_keep(&mut self) -> Option<Effect> {
        let ending = self.over.take()?;
        Some(Effect::Over { name: self.name.clone(), ending })
    }

    fn reboot_to_ask(&mut self) -> Option<Effect> {
        core::mem::take(&mut self.asks_reboot).then(|| Effect::Reboot { name: self.name.clone() })
    }

    fn save(&mut self) -> Option<Effect> {
        core::mem::take(&mut self.dirty).then(|| Effect::Save { name: self.name.clone() })
    }

    fn is_due(&self) -> Option<Step> {
        self.state.step().filter(|step| self.acted != Some((self.generation, *step)))
    }

    fn ask(&mut self) -> impl Iterator<Item = Effect> + use<> {
        let step = self.is_due();
        let effects = step.map(|step| self.effects_of(step));
        if let Some(step) = step {
            self.acted = Some((self.generation, step));
        }
        effects.into_iter().flatten()
    }

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

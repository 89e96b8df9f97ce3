//! What is told at a time of its own: answers of probes, what containers say of themselves, and who connects.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::Machine;
use crate::config::Gate;
use crate::simulation::core::Core;
use crate::simulation::play::{NEVER, failure};
use crate::simulation::scenario::Is;
use crate::supervisor::{Event, Fault};

impl<C: Core> Machine<C> {
    /// What comes over sockets comes before what is reaped.
    pub(super) fn hear(&mut self, at: Duration) {
        let due: Vec<(Duration, Event)> = self.later.extract_if(.., |(when, _)| *when <= at).collect();
        for (when, event) in due {
            let name = match &event {
                Event::Connected { .. } => {
                    self.events.push_back(event);
                    continue;
                }
                Event::Notified { name, .. } | Event::Probed { name, .. } => name,
                _ => continue,
            };
            let live = self.live.get(name);
            let (heard, next) = live.map_or((false, None), |live| live.says(when, self.now, &event));
            self.later.extend(next);
            self.events.extend(heard.then_some(event));
        }
    }

    /// Somebody connects in a while, or nobody ever does; whose sockets are taken cannot listen.
    pub(super) fn listen(&mut self, name: String) {
        let generation = self.core.status(&name).map_or(0, |status| status.generation);
        let play = self.play_of(&name, generation.saturating_add(1));
        if play.deaf {
            let failure = failure(Fault::Permanent);
            return self.events.push_back(Event::ListenFailed { name, failure });
        }
        self.later
            .extend(play.connects.map(|after| (self.now.saturating_add(after), Event::Connected { name })));
    }

    /// Whether its program takes who connects now: it runs, does not stand still, and does not end at once.
    pub fn takes_who_connects(&self, name: &str) -> bool {
        self.live.get(name).is_some_and(|live| live.is_well(self.now))
    }

    /// From now on it is so; who waits for one that opens is looked at anew.
    pub fn turn_gate(&mut self, gate: &Gate, is: Is) {
        let opens = match is {
            Is::Open => self.now,
            Is::Shut => NEVER,
        };
        self.gates.insert(gate.clone(), opens);
        if is == Is::Open {
            self.looks.look_at(&self.core, self.now);
        }
    }

    /// What containers would say until then is not said.
    pub fn later_is_lost_until(&mut self, end: Duration) {
        self.later.retain(|(at, _)| *at > end);
    }
}

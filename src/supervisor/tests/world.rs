//! The simulator as the table tests speak of it: what they ask about is there, or the test has failed.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use super::declared::s;
use super::*;
use crate::simulation::Machine;

pub(crate) use crate::simulation::{Entry, Play, Safe};

pub(crate) struct World(Machine);

const SEED: u64 = 7;

impl Deref for World {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.0
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Machine {
        &mut self.0
    }
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        Self(Machine::new(s(1), config, SEED))
    }

    pub(crate) fn play(mut self, name: &str, plays: &[Play]) -> Self {
        self.plays.insert(name.into(), plays.to_vec());
        self
    }

    pub(crate) fn booted(mut self) -> Self {
        self.tell(Event::Booted);
        self
    }

    pub(crate) fn tell(&mut self, event: Event) -> Outcome {
        self.0.tell(event)
    }

    /// The supervisor dies, and the next one is there at once.
    pub(crate) fn crash(&mut self) {
        self.crash_into(Safe::No);
    }

    /// The next one takes so long to come.
    pub(crate) fn crash_for(&mut self, time: Duration) {
        self.0.crash(time, Safe::No);
    }

    pub(crate) fn crash_into(&mut self, safe: Safe) {
        self.0.crash(Duration::ZERO, safe);
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        self.run_until(end);
    }

    pub(crate) fn state(&self, name: &str) -> StateKind {
        self.status(name).state
    }

    pub(crate) fn status(&self, name: &str) -> Status {
        self.core.status(name).unwrap()
    }

    pub(crate) fn cause(&self, name: &str) -> String {
        self.status(name).cause.map(|cause| cause.text).unwrap_or_default()
    }

    pub(crate) fn asked(&self) -> impl Iterator<Item = (Duration, &Effect)> {
        self.log.iter().filter_map(|(at, entry)| match entry {
            Entry::Asked(effect) => Some((*at, effect)),
            Entry::Told(..) | Entry::Crashed => None,
        })
    }

    /// When `name` was started.
    pub(crate) fn starts(&self, name: &str) -> Vec<Duration> {
        let starts = self
            .asked()
            .filter(|(_, effect)| matches!(effect, Effect::Start { name: started, .. } if started == name));
        starts.map(|(at, _)| at).collect()
    }

    /// What was done, a line each: seconds, deed, container.
    pub(crate) fn story(&self) -> Vec<String> {
        let deeds = self.asked().filter_map(|(at, effect)| {
            let deed = match effect {
                Effect::Start { name, .. } => format!("start {name}"),
                Effect::Signal { name, signal, .. } => format!("signal {signal} {name}"),
                Effect::KillCgroup { name, .. } => format!("kill {name}"),
                Effect::Clean { name, .. } => format!("clean {name}"),
                Effect::ShutdownDone => "done".into(),
                Effect::Reboot { name } => format!("reboot for {name}"),
                Effect::Probe { name, .. } => format!("probe {name}"),
                Effect::Forget { name } => format!("forget {name}"),
                Effect::Listen { .. }
                | Effect::Save { .. }
                | Effect::Changed(_)
                | Effect::Noted { .. }
                | Effect::Over { .. } => {
                    return None;
                }
            };
            Some(format!("{:.1} {deed}", at.as_secs_f64()))
        });
        deeds.collect()
    }

    /// What people were told about `name`.
    pub(crate) fn news(&self, name: &str) -> Vec<String> {
        let news = self.asked().filter_map(|(_, effect)| match effect {
            Effect::Changed(Change { name: about, from, to, cause, .. }) if about == name => {
                let cause = cause.as_ref().map_or("", |cause| &cause.text);
                Some(format!("{} -> {}: {cause}", from.word(), to.word()))
            }
            Effect::Noted { name: about, note } if about == name => Some(match note {
                Note::Ready => "ready".into(),
                Note::NotReady => "not ready".into(),
                Note::Health { health, report } => {
                    format!("{}: {}", health.word(), report.as_deref().unwrap_or_default())
                }
            }),
            _ => None,
        });
        news.collect()
    }
}

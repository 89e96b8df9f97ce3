//! A machine made of nothing: plays the agent, the ledger and the containers, and jumps time.
//!
//! Also included by `tests/supervisor.rs`, which brings the same names into scope.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::declared::s;
use super::live::{Live, Play};
use super::*;

#[derive(Debug, Clone)]
pub(crate) enum Entry {
    Told(Event, Outcome),
    Asked(Effect),
    Crashed,
}

pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) config: Config,
    pub(crate) sup: Supervisor,
    /// By name; generation n takes the nth, the last one repeats.
    pub(crate) plays: BTreeMap<String, Vec<Play>>,
    pub(crate) log: Vec<(Duration, Entry)>,
    pub(crate) disk: BTreeMap<String, Record>,
    live: BTreeMap<String, Live>,
    waiting: VecDeque<Event>,
    /// What will be told at a time: answers of probes, and what containers say.
    later: Vec<(Duration, Event)>,
    /// What PID 1 latched: it asks every new supervisor again.
    shutdown: Option<Duration>,
    /// What is kept of the configuration beside it.
    numbers: Numbers,
}

/// Whether the next supervisor starts in safe mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Safe {
    Yes,
    No,
}

const SEED: u64 = 7;

impl World {
    pub(crate) fn new(config: Config) -> Self {
        let now = s(1);
        let sup = Supervisor::new(now, &config, SEED);
        let (plays, disk, live) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self {
            now,
            config,
            sup,
            plays,
            log: Vec::new(),
            disk,
            live,
            waiting: VecDeque::new(),
            later: Vec::new(),
            shutdown: None,
            numbers: Numbers::default(),
        }
    }

    pub(crate) fn play(mut self, name: &str, plays: &[Play]) -> Self {
        self.plays.insert(name.into(), plays.to_vec());
        self
    }

    pub(crate) fn booted(mut self) -> Self {
        self.tell(Event::Booted);
        self
    }

    /// Tells the core, and does all that it asks for.
    pub(crate) fn tell(&mut self, event: Event) -> Outcome {
        self.tell_and_do(event, usize::MAX)
    }

    /// As an agent does it: what is decided is kept before anything is done. Whether anything was planned.
    pub(crate) fn reload(&mut self, config: Config, effects: usize) -> bool {
        let planned = plan(&self.config, &config);
        if planned.is_empty() {
            return false;
        }
        self.numbers.number += 1;
        let number = self.numbers.number;
        self.numbers.since.retain(|name, _| config.containers.contains_key(name));
        self.numbers.since.extend(planned.replaced().map(|name| (name.to_owned(), number)));
        self.config = config.clone();
        let reload = Reload { config, numbers: self.numbers.clone() };
        self.tell_and_do(Event::Reload(Box::new(reload)), effects);
        true
    }

    /// Does no more than `effects` things; the rest is lost.
    pub(crate) fn tell_and_do(&mut self, event: Event, effects: usize) -> Outcome {
        if let Event::Shutdown { deadline } = event {
            self.shutdown = Some(self.shutdown.map_or(deadline, |earlier| earlier.min(deadline)));
        }
        let outcome = self.sup.handle(self.now, event.clone());
        self.log.push((self.now, Entry::Told(event, outcome.clone())));
        let mut done = 0;
        while let Some(effect) = self.sup.poll_effect() {
            if done < effects {
                self.log.push((self.now, Entry::Asked(effect.clone())));
                self.perform(effect);
            }
            done += 1;
        }
        outcome
    }

    /// The next thing that happens by itself, not after `end`. False: there is none.
    pub(crate) fn step(&mut self, end: Duration) -> bool {
        if let Some(event) = self.waiting.pop_front() {
            self.tell(event);
            return true;
        }
        let lives = self.live.values().filter_map(|live| live.next());
        let happens = lives.chain(self.later.iter().map(|(at, _)| *at)).min();
        let due = self.sup.poll_timeout();
        match (happens, due) {
            (Some(at), due) if at <= end && due.is_none_or(|due| at <= due) => {
                self.now = self.now.max(at);
                self.happen(at);
                true
            }
            (_, Some(due)) if due <= end => {
                assert!(due > self.now, "a time in the past: {due:?} at {:?}", self.now);
                self.now = due;
                self.tell(Event::Tick);
                true
            }
            _ => {
                self.now = self.now.max(end);
                false
            }
        }
    }

    pub(crate) fn run_until(&mut self, end: Duration) {
        while self.step(end) {}
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// What containers would say until then is not said.
    pub(crate) fn later_is_lost_until(&mut self, end: Duration) {
        self.later.retain(|(at, _)| *at > end);
    }

    pub(crate) fn state(&self, name: &str) -> StateKind {
        self.status(name).state
    }

    pub(crate) fn status(&self, name: &str) -> Status {
        self.sup.status(name).unwrap()
    }

    pub(crate) fn cause(&self, name: &str) -> String {
        self.status(name).cause.map(|cause| cause.text).unwrap_or_default()
    }

    /// Whether any process or mount of the container is there.
    pub(crate) fn exists(&self, name: &str) -> bool {
        self.live.contains_key(name)
    }

    /// The supervisor dies; the next one adopts what the ledger and the disk have.
    pub(crate) fn crash(&mut self) {
        self.crash_into(Safe::No);
    }

    pub(crate) fn crash_into(&mut self, safe: Safe) {
        self.log.push((self.now, Entry::Crashed));
        self.waiting.clear();
        // Probes end with who asked for them.
        self.later.retain(|(_, event)| !matches!(event, Event::Probed { .. }));
        self.sup = Supervisor::reloaded(self.now, &self.config, SEED, &self.numbers);
        if safe == Safe::Yes {
            self.tell(Event::SafeMode);
        }
        if let Some(deadline) = self.shutdown {
            self.tell(Event::Shutdown { deadline });
        }
        for written in self.disk.clone().into_values() {
            let text = written.to_json().unwrap();
            let record = Record::parse(&text).unwrap();
            assert_eq!(record, written, "{text}");
            let found = self.live.get_mut(&record.name).and_then(Live::found);
            self.tell(Event::Adopted { record: Box::new(record), found });
        }
        self.tell(Event::Booted);
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
                Effect::Probe { name, .. } => format!("probe {name}"),
                Effect::Forget { name } => format!("forget {name}"),
                Effect::Save { .. } | Effect::Changed { .. } | Effect::Noted { .. } => return None,
            };
            Some(format!("{:.1} {deed}", at.as_secs_f64()))
        });
        deeds.collect()
    }

    /// What people were told about `name`.
    pub(crate) fn news(&self, name: &str) -> Vec<String> {
        let news = self.asked().filter_map(|(_, effect)| match effect {
            Effect::Changed { name: about, from, to, cause } if about == name => {
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

    fn play_of(&self, name: &str, generation: u64) -> Play {
        let plays = self.plays.get(name).map_or(&[][..], Vec::as_slice);
        let nth = usize::try_from(generation.saturating_sub(1)).unwrap();
        plays.get(nth).or(plays.last()).cloned().unwrap_or_default()
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Start { name, generation } => {
                let live = Live::new(self.now, generation, &self.play_of(&name, generation));
                let before = self.live.insert(name, live);
                assert!(before.is_none(), "started on top of {before:?}");
            }
            Effect::Signal { name, generation, signal } => {
                let play = self.play_of(&name, generation);
                if let Some(live) = self.live.get_mut(&name) {
                    live.signal(self.now, &play, signal);
                }
            }
            Effect::KillCgroup { name, generation } => {
                let play = self.play_of(&name, generation);
                if let Some(live) = self.live.get_mut(&name) {
                    live.kill(self.now, &play);
                }
            }
            Effect::Clean { name, generation } => self.clean(name, generation),
            Effect::Save { name } => {
                if let Some(live) = self.live.get_mut(&name) {
                    live.recorded();
                }
                // One that is forgotten has no record any more.
                if let Some(record) = self.sup.record(&name) {
                    self.disk.insert(name, record);
                }
            }
            Effect::Probe { name, generation, number, .. } => self.probe(name, generation, number),
            Effect::Forget { name } => drop(self.disk.remove(&name)),
            Effect::Changed { .. } | Effect::Noted { .. } | Effect::ShutdownDone => {}
        }
    }

    fn clean(&mut self, name: String, generation: u64) {
        let play = self.play_of(&name, generation);
        match self.live.get_mut(&name) {
            // Nothing was ever made, or all is gone: that is empty as well.
            None => self.waiting.push_back(Event::Emptied { name, generation }),
            Some(live) => live.clean(self.now, &play),
        }
    }

    fn probe(&mut self, name: String, generation: u64, number: u64) {
        let play = self.play_of(&name, generation);
        let nth = usize::try_from(number.saturating_sub(1)).unwrap();
        let answer = play.probes.get(nth).or(play.probes.last()).cloned().flatten();
        if let Some(answer) = answer {
            let at = self.now + play.answers_in;
            self.later.push((at, Event::Probed { name, generation, number, answer }));
        }
    }

    /// Lets the one thing happen that is due at `at`.
    fn happen(&mut self, at: Duration) {
        if let Some(index) = self.later.iter().position(|(time, _)| *time == at) {
            let (_, event) = self.later.remove(index);
            self.tell(event);
            return;
        }
        let due = self.live.iter().find(|(_, live)| live.next() == Some(at));
        let name = due.map(|(name, _)| name.clone()).unwrap();
        let play = self.play_of(&name, self.live[&name].generation);
        let live = self.live.get_mut(&name).unwrap();
        let event = live.happen(&name, at, &play);
        if live.is_gone() {
            self.live.remove(&name);
        }
        if let Event::Started { name, generation, .. } = &event {
            for (after, notice) in &play.says {
                let (name, notice) = (name.clone(), notice.clone());
                self.later.push((at + *after, Event::Notified { name, generation: *generation, notice }));
            }
        }
        self.tell(event);
    }
}

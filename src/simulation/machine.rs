//! A machine made of nothing: plays the agent, the ledger, the disk and the containers around the core,
//! and jumps from one thing that happens to the next.
//!
//! A turn is the agent's: what happened is told, and everything that is asked for is done, events first, as
//! `src/agent/mod.rs` does it. A new effect of the core is one arm of [`Machine::perform`], and what may go
//! wrong with it a field of [`Play`].

mod crash;
mod hearing;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::core::Core;
use super::disk::Disk;
use super::live::Live;
use super::looks::Looks;
use super::lot::Lot;
use super::play::Play;
use super::promise::Breach;
use super::watch::{View, Watch};
use crate::config::{Config, Gate};
use crate::supervisor::{
    Effect, Event, Exit, Found, Numbers, Outcome, Remains, State, StateKind, Supervisor,
};

#[derive(Debug, Clone)]
pub enum Entry {
    Told(Event, Outcome),
    Asked(Effect),
    Crashed,
}

/// Whether the next supervisor starts in safe mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safe {
    Yes,
    No,
}

#[derive(Debug)]
pub struct Machine<C = Supervisor> {
    pub now: Duration,
    pub config: Config,
    /// That of the boot.
    pub first: Config,
    /// What is kept of the configuration beside it.
    pub numbers: Numbers,
    pub core: C,
    /// By name; generation n takes the nth, the last one repeats.
    pub plays: BTreeMap<String, Vec<Play>>,
    /// When each opens; one that is not named is open.
    pub gates: BTreeMap<Gate, Duration>,
    pub log: Vec<(Duration, Entry)>,
    pub disk: Disk,
    /// The time of a shutdown that follows at once when a reboot is asked for; `None`: whoever plays sees to it.
    pub reboots_in: Option<Duration>,
    /// What happens at the same moment does so in the order of names, or by lot.
    pub lot: Option<Lot>,
    seed: u64,
    /// The time of this turn, read once.
    turn: Duration,
    live: BTreeMap<String, Live>,
    /// Of what is gone: ends that no record has yet.
    ended: BTreeMap<String, Found>,
    events: VecDeque<Event>,
    /// What will be told at a time: answers of probes, and what containers say of themselves.
    later: Vec<(Duration, Event)>,
    /// Asked for, and still to be done.
    effects: VecDeque<Effect>,
    /// What PID 1 latched: it asks every new supervisor again.
    pub(super) shutdown: Option<Duration>,
    /// What every new supervisor is told, once anybody was.
    clock: Option<Duration>,
    looks: Looks,
    watch: Option<Watch>,
}

impl<C: Core> Machine<C> {
    /// `seed` is the core's own: of the jitter of its pauses.
    pub fn new(now: Duration, config: Config, seed: u64) -> Self {
        Self {
            now,
            core: C::new(now, &config, seed),
            first: config.clone(),
            config,
            numbers: Numbers::default(),
            plays: BTreeMap::new(),
            gates: BTreeMap::new(),
            log: Vec::new(),
            disk: Disk::default(),
            reboots_in: None,
            lot: None,
            seed,
            turn: now,
            live: BTreeMap::new(),
            ended: BTreeMap::new(),
            events: VecDeque::new(),
            later: Vec::new(),
            effects: VecDeque::new(),
            shutdown: None,
            clock: None,
            looks: Looks::default(),
            watch: None,
        }
    }

    /// Holds the core to its promises from here on.
    pub fn watch(&mut self) {
        self.watch = Some(Watch::new(&self.config));
    }

    /// The first promise that was broken.
    pub fn breach(&self) -> Option<&Breach> {
        self.watch.as_ref().and_then(Watch::breach)
    }

    /// Tells the core, and does all that it asks for.
    pub fn tell(&mut self, event: Event) -> Outcome {
        let outcome = self.tell_and_do(event, usize::MAX);
        self.check();
        outcome
    }

    /// Does no more than `effects` things; the rest is lost.
    pub fn tell_and_do(&mut self, event: Event, effects: usize) -> Outcome {
        self.turn = self.now;
        let outcome = self.hand_over(event);
        self.settle(effects);
        self.looks.see_who_waits(&self.core, self.now);
        outcome
    }

    fn settle(&mut self, mut effects: usize) {
        loop {
            if let Some(event) = self.events.pop_front() {
                self.hand_over(event);
            } else if let Some(effect) = self.effects.pop_front() {
                if let Some(left) = effects.checked_sub(1) {
                    effects = left;
                    self.perform(effect);
                }
            } else {
                return;
            }
        }
    }

    fn hand_over(&mut self, event: Event) -> Outcome {
        if let Event::Shutdown { deadline } = event {
            self.shutdown = Some(self.shutdown.map_or(deadline, |earlier| earlier.min(deadline)));
        }
        if let Event::Clock { at_boot } = event {
            self.clock = Some(at_boot);
        }
        let outcome = self.core.handle(self.turn, event.clone());
        let asked = self.effects.len();
        while let Some(effect) = self.core.poll_effect() {
            self.effects.push_back(effect);
        }
        let view = View { now: self.turn, core: &self.core, live: &self.live, look: self.looks.next };
        if let Some(watch) = &mut self.watch {
            watch.told(&view, &event, &outcome);
            // It is asked for what is right now, and may be done when more has happened.
            self.effects.iter().skip(asked).for_each(|effect| watch.asked(&view, effect));
        }
        self.log.push((self.now, Entry::Told(event, outcome.clone())));
        outcome
    }

    fn check(&mut self) {
        let view = View { now: self.turn, core: &self.core, live: &self.live, look: self.looks.next };
        if let Some(watch) = &mut self.watch {
            watch.check(&view);
        }
    }

    /// After a long time in which nobody asked for anything.
    pub fn check_end(&mut self) {
        let view = View { now: self.turn, core: &self.core, live: &self.live, look: self.looks.next };
        if let Some(watch) = &mut self.watch {
            watch.check_end(&view);
        }
    }

    /// The next thing that happens by itself, not after `end`. False: there is none.
    pub fn step(&mut self, end: Duration) -> bool {
        let later = self.later.iter().map(|(at, _)| *at);
        let happens = self.live.values().filter_map(Live::next).chain(self.disk.retry_at).chain(later);
        let happens = happens.chain(self.looks.next).min();
        let next = happens.into_iter().chain(self.core.poll_timeout()).min();
        let Some(next) = next.filter(|next| *next <= end) else {
            self.now = self.now.max(end);
            return false;
        };
        self.now = self.now.max(next);
        self.turn = self.now;
        if self.looks.next.is_some_and(|at| at <= self.turn) {
            let told = self.looks.look(&self.core, &self.gates, self.turn);
            self.events.extend(told);
        }
        if let Some(at) = happens.filter(|at| *at == next) {
            self.happen(at);
        }
        if self.core.poll_timeout().is_some_and(|due| due <= self.turn) {
            self.events.push_back(Event::Tick);
        }
        self.settle(usize::MAX);
        self.looks.see_who_waits(&self.core, self.now);
        self.check();
        // A core that has its time in the past would be asked for ever.
        self.core.poll_timeout().is_none_or(|due| due > self.turn)
    }

    pub fn run_until(&mut self, end: Duration) {
        while self.step(end) {}
    }

    /// Lets what is due at `at` happen: one thing, or by lot several before the core hears of any.
    fn happen(&mut self, at: Duration) {
        self.hear(at);
        loop {
            let due: Vec<&String> =
                self.live.iter().filter(|(_, live)| live.next() == Some(at)).map(|(name, _)| name).collect();
            let place = self.lot.as_mut().map_or(0, |lot| lot.place(due.len()));
            match due.get(place) {
                Some(name) => {
                    let name = String::clone(name);
                    self.happen_to(&name, at);
                }
                None => return self.save_again(at),
            }
            if self.lot.as_mut().is_none_or(|lot| lot.once_in(2)) {
                return;
            }
        }
    }

    fn happen_to(&mut self, name: &str, at: Duration) {
        let Some(live) = self.live.get_mut(name) else { return };
        let event = live.happen(at);
        if let Some(Event::Started { .. }) = event {
            self.later.extend(live.notices(at));
        }
        self.events.extend(event);
        if live.is_gone() {
            let unrecorded = live.ledger.map(|found| (String::from(name), found));
            self.ended.extend(unrecorded);
            self.live.remove(name);
        }
    }

    fn save_again(&mut self, at: Duration) {
        if self.disk.retry_at.is_some_and(|due| due <= at) {
            self.disk.retry_at = None;
            for name in self.disk.lost() {
                self.save(&name);
            }
        }
    }

    /// Its program ends so, now. False: none runs.
    pub fn strike(&mut self, name: &str, exit: Exit, oom: bool) -> bool {
        let now = self.now;
        self.live.get_mut(name).is_some_and(|live| live.strike(now, exit, oom))
    }

    /// Its program stands still from now on. False: none runs.
    pub fn hang(&mut self, name: &str) -> bool {
        let now = self.now;
        self.live.get_mut(name).is_some_and(|live| live.hang(now))
    }

    /// Whether any process or mount of the container is there.
    pub fn exists(&self, name: &str) -> bool {
        self.live.contains_key(name)
    }

    /// Does what the core asks for.
    fn perform(&mut self, effect: Effect) {
        self.log.push((self.now, Entry::Asked(effect.clone())));
        match effect {
            Effect::Start { name, generation } => self.start(name, generation),
            Effect::Signal { name, generation, signal } => {
                let event = self.found(&name, generation).and_then(|(live, now)| live.signal(now, signal));
                self.events.extend(event);
            }
            Effect::KillCgroup { name, generation } => {
                let event = self.found(&name, generation).and_then(|(live, now)| live.kill(now));
                self.events.extend(event);
            }
            Effect::Clean { name, generation } => match self.found(&name, generation) {
                Some((live, now)) => live.clean(now),
                // Nothing was ever made, or all is gone: that is empty as well.
                None => self.events.push_back(Event::Emptied { name, generation }),
            },
            Effect::Listen { name } => self.listen(name),
            Effect::Save { name } => self.save(&name),
            Effect::Probe { name, generation, number, .. } => {
                let answer =
                    self.found(&name, generation).and_then(|(live, now)| live.answer_to(now, number));
                self.later.extend(answer);
            }
            Effect::Forget { name } => drop(self.disk.records.remove(&name)),
            Effect::Reboot { .. } => {
                let deadline = self.reboots_in.map(|time| self.now.saturating_add(time));
                self.events.extend(deadline.map(|deadline| Event::Shutdown { deadline }));
            }
            Effect::Changed(_) | Effect::Noted { .. } | Effect::Over { .. } | Effect::ShutdownDone => {}
        }
    }

    /// A person has what is left of a stuck one set aside.
    pub fn set_aside(&mut self, name: &str) {
        let stuck = self.core.status(name).filter(|status| status.state == StateKind::Stuck);
        if let Some(generation) = stuck.map(|status| status.generation) {
            self.live.remove(name);
            // What watches an empty cgroup is quicker than who emptied it.
            if let Some(State::Stuck { on: Remains::Cgroup, .. }) = self.core.state(name) {
                self.tell(Event::Emptied { name: name.to_string(), generation });
            }
            self.tell(Event::SetAside { name: name.to_string(), generation });
        }
    }

    fn found(&mut self, name: &str, generation: u64) -> Option<(&mut Live, Duration)> {
        let live = self.live.get_mut(name).filter(|live| live.generation == generation);
        live.map(|live| (live, self.now))
    }

    fn start(&mut self, name: String, generation: u64) {
        if let Some(failure) = self.disk.trouble(&name) {
            return self.events.push_back(Event::StartFailed { name, generation, failure });
        }
        let play = self.play_of(&name, generation);
        if play.unusable {
            let reason = "its manifest is torn".to_string();
            return self.events.push_back(Event::ImageInvalid { name, reason });
        }
        let live = Live::new(self.now, &name, generation, play);
        self.live.insert(name, live);
    }

    fn play_of(&self, name: &str, generation: u64) -> Play {
        let plays = self.plays.get(name).map_or(&[][..], Vec::as_slice);
        let nth = usize::try_from(generation.saturating_sub(1)).unwrap_or(usize::MAX);
        plays.get(nth).or(plays.last()).cloned().unwrap_or_default()
    }

    fn save(&mut self, name: &str) {
        self.now = self.now.saturating_add(self.disk.slow);
        let Some(record) = self.core.record(name) else { return };
        if self.disk.write(self.now, record) {
            self.ended.remove(name);
            if let Some(live) = self.live.get_mut(name) {
                live.ledger = None;
            }
        }
    }
}

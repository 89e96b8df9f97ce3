//! A scenario while it is played: what is said happens at its time, and what people would be told is taken down.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::plays::plays;
use super::{Connect, Fail, Fate, Happening, Is, MOST_NEWS, News, Run, Scenario, given};
use crate::config::Gate;
use crate::simulation::lot::Lot;
use crate::simulation::machine::{Entry, Machine};
use crate::supervisor::{Change, Effect, Event, Note, StateKind};

pub(super) struct Tale {
    machine: Machine,
    news: Vec<News>,
    /// Nothing is played after it.
    end: Duration,
    /// A shutdown was asked for: as on a machine another one changes nothing.
    is_ending: bool,
    /// By container, how many have connected whom it has not taken.
    queues: BTreeMap<String, usize>,
}

/// What is told of at a time, whatever the machine does.
pub(super) enum Blow<'a> {
    Fail(&'a Fail),
    Turn(&'a Gate, Is),
    Connect(&'a Connect),
}

/// In the order of time. At one moment gates turn first, and who connects comes last.
pub(super) fn blows<'a>(scenario: &Scenario<'a>) -> Vec<(Duration, Blow<'a>)> {
    let turns = scenario.turns.iter().map(|turn| (turn.at, Blow::Turn(&turn.gate, turn.is)));
    let fails = scenario.fails.iter().filter_map(|fail| Some((fail.at()?, Blow::Fail(fail))));
    let connects = scenario.connects.iter().map(|connect| (connect.at, Blow::Connect(connect)));
    let mut blows: Vec<(Duration, Blow<'_>)> = turns.chain(fails).chain(connects).collect();
    blows.sort_by_key(|(at, _)| *at);
    blows
}

impl Tale {
    /// The machine has booted.
    pub(super) fn begin(scenario: &Scenario<'_>) -> Self {
        let mut machine: Machine = Machine::new(Duration::ZERO, scenario.config.clone(), scenario.seed);
        machine.lot = Some(Lot::new(scenario.seed));
        machine.plays = plays(scenario);
        machine.watch();
        let mut tale =
            Self { machine, news: Vec::new(), end: scenario.time, is_ending: false, queues: BTreeMap::new() };
        for (gate, is) in given::at_boot(scenario.turns) {
            tale.turn(Duration::ZERO, gate, is);
        }
        tale.machine.tell_and_do(Event::Clock { at_boot: scenario.at_boot }, usize::MAX);
        tale.machine.tell(Event::Booted);
        tale
    }

    pub(super) fn pass(&mut self, until: Duration) {
        self.note();
        let until = until.min(self.end);
        while self.news.len() < MOST_NEWS && self.machine.breach().is_none() {
            if !self.machine.step(until.min(self.end)) {
                break;
            }
            self.note();
        }
    }

    pub(super) fn hit(&mut self, at: Duration, blow: &Blow<'_>) {
        self.pass(at);
        if at > self.end || self.machine.now < at {
            return;
        }
        match blow {
            Blow::Fail(fail) => self.strike(at, fail),
            Blow::Turn(gate, is) => self.turn(at, gate, *is),
            Blow::Connect(connect) => self.connect(at, connect),
        }
    }

    fn strike(&mut self, at: Duration, fail: &Fail) {
        let hit = match fail.what.exit() {
            Some((exit, oom)) => self.machine.strike(&fail.name, exit, oom),
            None => self.machine.hang(&fail.name),
        };
        if !hit {
            let (name, fail) = (fail.name.clone(), fail.text.clone());
            self.news.push(News { at, what: Happening::Missed { name, fail } });
        }
    }

    fn turn(&mut self, at: Duration, gate: &Gate, is: Is) {
        self.machine.turn_gate(gate, is);
        self.news.push(News { at, what: Happening::Gate { gate: gate.clone(), is } });
    }

    fn connect(&mut self, at: Duration, connect: &Connect) {
        let name = &connect.name;
        let taken = self.machine.takes_who_connects(name);
        let socket = connect.socket.to_string();
        self.news.push(News { at, what: Happening::Connected { name: name.clone(), socket, taken } });
        if !taken {
            *self.queues.entry(name.clone()).or_default() += 1;
            self.knock(name);
            self.note();
        }
    }

    /// Somebody waits: whoever looks at its sockets is told.
    fn knock(&mut self, name: &str) {
        if self.machine.core.status(name).is_some_and(|status| status.listens) {
            self.machine.tell(Event::Connected { name: name.to_string() });
        }
    }

    pub(super) fn shut_down(&mut self, at: Duration) {
        self.pass(at);
        if at > self.end || self.machine.now < at {
            return;
        }
        self.end_machine(at, None);
    }

    fn end_machine(&mut self, at: Duration, by: Option<String>) {
        if core::mem::replace(&mut self.is_ending, true) {
            return;
        }
        let deadline = at.saturating_add(self.machine.config.host.poweroff_timeout);
        self.news.push(News { at, what: Happening::ShutdownAsked { by, deadline } });
        self.machine.tell(Event::Shutdown { deadline });
        self.note();
    }

    /// Takes over what was told to people since.
    fn note(&mut self) {
        let mut reboot = None;
        let mut listening = Vec::new();
        let mut took = Vec::new();
        for (at, entry) in core::mem::take(&mut self.machine.log) {
            let what = match entry {
                // A cause that is told more exactly later changes nothing for who watches.
                Entry::Asked(Effect::Changed(Change { name, from, to, cause, .. })) if from != to => {
                    Happening::Changed { name, from, to, cause }
                }
                Entry::Asked(Effect::Noted { name, note }) => {
                    let (note, report) = match note {
                        Note::Ready => ("ready", None),
                        Note::NotReady => ("not ready", None),
                        Note::Health { health, report } => (health.word(), report),
                    };
                    Happening::Noted { name, note, report }
                }
                Entry::Asked(Effect::Reboot { name }) => {
                    reboot = reboot.or(Some((at, name)));
                    continue;
                }
                Entry::Asked(Effect::ShutdownDone) => {
                    self.end = self.end.min(at);
                    Happening::ShutdownDone
                }
                Entry::Asked(Effect::Listen { name }) => {
                    listening.push(name);
                    continue;
                }
                Entry::Told(Event::Started { name, .. }, _) if self.machine.takes_who_connects(&name) => {
                    let people = self.queues.remove(&name);
                    took.extend(people.map(|people| News { at, what: Happening::Took { name, people } }));
                    continue;
                }
                Entry::Asked(_) | Entry::Told(..) | Entry::Crashed => continue,
            };
            self.news.push(News { at, what });
        }
        self.news.append(&mut took);
        if let Some((at, name)) = reboot {
            self.end_machine(at, Some(name));
        }
        for name in listening.iter().filter(|name| self.queues.contains_key(*name)).collect::<Vec<_>>() {
            self.knock(name);
        }
    }

    pub(super) fn run(self) -> Run {
        let Self { machine, news, end, queues, .. } = self;
        let mut came_up: BTreeMap<&str, Duration> = BTreeMap::new();
        for told in &news {
            if let Happening::Changed { name, to: StateKind::Running, .. } = &told.what {
                came_up.entry(name).or_insert(told.at);
            }
        }
        let fates = machine.core.statuses().map(|status| {
            let came_up = came_up.get(status.name.as_str()).copied();
            let queue = queues.get(&status.name).copied().unwrap_or_default();
            Fate { status, came_up, queue }
        });
        let fates = fates.collect();
        let cut = news.len() >= MOST_NEWS;
        let end = if cut { machine.now } else { end };
        Run { fates, end, cut, breach: machine.breach().cloned(), news }
    }
}

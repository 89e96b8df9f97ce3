//! A configuration, played: what would happen to it if such and such went wrong.
//!
//! Everything starts within tens of milliseconds, gets ready, is well, and runs for ever or comes to a good end, as
//! its declaration says, but for what the failures say. It is the
//! machine's own core that decides, with the seed of its jitter; the watch looks on here too.

mod fail;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::lot::Lot;
use super::machine::{Entry, Machine};
use super::play::{NEVER, Play};
use super::promise::Breach;
use crate::config::{Condition, Config, Container, Dependency, Kind, Readiness};
use crate::supervisor::{Cause, Change, Effect, Event, Exit, Fault, Note, Notice, StateKind, Status};

pub use fail::{BadFail, Fail, What, When};

/// How long starts take: what they do on a small machine.
const START: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(40));

/// From the first instruction to ready, of who says so; and how long what comes to an end takes.
const READY: Duration = Duration::from_millis(100);
const JOB: Duration = Duration::from_secs(1);

/// More news than anybody reads: a simulation that has so many ends there.
pub const MOST_NEWS: usize = 100_000;

#[derive(Debug, Clone)]
pub struct Scenario<'a> {
    pub config: &'a Config,
    pub fails: &'a [Fail],
    pub seed: u64,
    /// From the boot on, and how late it is then, since 1970.
    pub time: Duration,
    pub at_boot: Duration,
    /// When the machine is asked to power off.
    pub shutdown: Option<Duration>,
}

/// What happened.
#[derive(Debug, Clone)]
pub struct Run {
    pub news: Vec<News>,
    pub fates: Vec<Fate>,
    /// Earlier than asked for, if there was too much to tell, or the machine has ended.
    pub end: Duration,
    pub cut: bool,
    /// Orlop itself did what it must not.
    pub breach: Option<Breach>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct News {
    pub at: Duration,
    pub what: Happening,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    Changed {
        name: String,
        from: StateKind,
        to: StateKind,
        cause: Option<Cause>,
    },
    /// Of one that runs: `ready`, `not ready`, or its health, with what the last probe said.
    Noted {
        name: String,
        note: &'static str,
        report: Option<String>,
    },
    /// It should have been hit, and nothing of it ran.
    Missed {
        name: String,
        fail: String,
    },
    /// By a person, or for what became of a container.
    ShutdownAsked {
        by: Option<String>,
        deadline: Duration,
    },
    ShutdownDone,
}

/// How a container stands at the end.
#[derive(Debug, Clone)]
pub struct Fate {
    pub status: Status,
    /// When it was running for the first time.
    pub came_up: Option<Duration>,
}

impl Fate {
    /// It runs at times, and the first is still to come.
    pub fn is_for_later(&self) -> bool {
        let waits = self.status.state == StateKind::Waiting && self.status.next_start.is_some();
        waits && self.came_up.is_none()
    }
}

/// Plays it from the boot on.
pub fn simulate(scenario: &Scenario<'_>) -> Run {
    let mut machine: Machine = Machine::new(Duration::ZERO, scenario.config.clone(), scenario.seed);
    machine.lot = Some(Lot::new(scenario.seed));
    machine.plays = plays(scenario);
    machine.watch();
    let mut tale = Tale { machine, news: Vec::new(), end: scenario.time, is_ending: false };
    tale.machine.tell_and_do(Event::Clock { at_boot: scenario.at_boot }, usize::MAX);
    tale.machine.tell(Event::Booted);
    let mut blows: Vec<(Duration, &Fail)> =
        scenario.fails.iter().filter_map(|fail| Some((fail.at()?, fail))).collect();
    blows.sort_by_key(|(at, _)| *at);
    let mut shutdown = scenario.shutdown;
    for (at, fail) in blows {
        if let Some(when) = shutdown.take_if(|when| *when <= at) {
            tale.shut_down(when);
        }
        tale.strike(at, fail);
    }
    if let Some(when) = shutdown {
        tale.shut_down(when);
    }
    tale.pass(scenario.time);
    tale.run()
}

struct Tale {
    machine: Machine,
    news: Vec<News>,
    /// Nothing is played after it.
    end: Duration,
    /// A shutdown was asked for: as on a machine another one changes nothing.
    is_ending: bool,
}

impl Tale {
    fn pass(&mut self, until: Duration) {
        self.note();
        let until = until.min(self.end);
        while self.news.len() < MOST_NEWS && self.machine.breach().is_none() {
            if !self.machine.step(until.min(self.end)) {
                break;
            }
            self.note();
        }
    }

    fn strike(&mut self, at: Duration, fail: &Fail) {
        self.pass(at);
        if at > self.end || self.machine.now < at {
            return;
        }
        let hit = match fail.what.exit() {
            Some((exit, oom)) => self.machine.strike(&fail.name, exit, oom),
            None => self.machine.hang(&fail.name),
        };
        if !hit {
            let (name, fail) = (fail.name.clone(), fail.text.clone());
            self.news.push(News { at, what: Happening::Missed { name, fail } });
        }
    }

    fn shut_down(&mut self, at: Duration) {
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
                Entry::Asked(_) | Entry::Told(..) | Entry::Crashed => continue,
            };
            self.news.push(News { at, what });
        }
        if let Some((at, name)) = reboot {
            self.end_machine(at, Some(name));
        }
    }

    fn run(self) -> Run {
        let Self { machine, news, end, .. } = self;
        let mut came_up: BTreeMap<&str, Duration> = BTreeMap::new();
        for told in &news {
            if let Happening::Changed { name, to: StateKind::Running, .. } = &told.what {
                came_up.entry(name).or_insert(told.at);
            }
        }
        let fates = machine.core.statuses().map(|status| {
            let came_up = came_up.get(status.name.as_str()).copied();
            Fate { status, came_up }
        });
        let fates = fates.collect();
        let cut = news.len() >= MOST_NEWS;
        let end = if cut { machine.now } else { end };
        Run { fates, end, cut, breach: machine.breach().cloned(), news }
    }
}

/// How each behaves: its first generation, and all others.
fn plays(scenario: &Scenario<'_>) -> BTreeMap<String, Vec<Play>> {
    let mut lot = Lot::new(scenario.seed);
    let mut plays = BTreeMap::new();
    let completes = |name: &str| {
        let waits = |edge: &Dependency| edge.condition == Condition::Completed;
        let mut dependents = scenario.config.containers.values();
        dependents.any(|container| container.depends_on.get(name).is_some_and(waits))
    };
    for (name, container) in &scenario.config.containers {
        let start = lot.time(START.0, START.1);
        let usual = Play { start, ..usual(container, completes(name)) };
        let (mut first, mut others) = (usual.clone(), usual);
        for fail in scenario.fails.iter().filter(|fail| fail.name == *name) {
            fail.spoil(&mut first, start);
            if fail.when != When::Boot {
                fail.spoil(&mut others, start);
            }
        }
        plays.insert(name.to_string(), Vec::from([first, others]));
    }
    plays
}

/// As one behaves that does what its declaration says: gets ready, gives its signs of life, comes to an end if
/// somebody waits for that.
fn usual(container: &Container, completes: bool) -> Play {
    let says = match container.ready {
        Readiness::Notify | Readiness::Fd => Vec::from([(READY, Notice::Ready)]),
        Readiness::Started | Readiness::Healthy => Vec::new(),
    };
    let ends = (completes || container.kind != Kind::Service).then_some((JOB, Exit::Code(0)));
    Play { says, ends, beats: container.watchdog.map(|watchdog| watchdog / 2), ..Play::default() }
}

impl Fail {
    /// Of what contradicts what was said before, this counts: one that cannot be started does not end, and one that
    /// ends was started. `start`: how long that takes if nothing is said of it.
    fn spoil(&self, play: &mut Play, start: Duration) {
        let after = match self.when {
            When::Boot | When::Start => Duration::ZERO,
            When::Run(time) => time,
            When::Stop => return self.spoil_stop(play),
            When::At(_) => return,
        };
        // A slow start may fail as well.
        if !matches!(self.what, What::Slow(_)) {
            play.fails = None;
        }
        play.unusable = false;
        if play.start == NEVER {
            play.start = start;
        }
        match self.what {
            What::Exit(_) | What::Signal(_) | What::Oom => {
                let exit = self.what.exit();
                play.ends = exit.map(|(exit, _)| (after, exit));
                play.oom = exit.is_some_and(|(_, oom)| oom);
            }
            What::Fail => play.fails = Some(Fault::Permanent),
            What::Image => play.unusable = true,
            What::Hang if self.when == When::Run(after) => play.hangs = Some(after),
            What::Hang => play.start = NEVER,
            What::Unready => play.says.retain(|(_, notice)| *notice != Notice::Ready),
            What::Slow(time) => play.start = time,
            What::Unkillable => {}
        }
    }

    fn spoil_stop(&self, play: &mut Play) {
        let usual = Play::default();
        (play.obeys, play.dies) = match self.what {
            What::Hang => (None, usual.dies),
            What::Slow(time) => (Some(time), usual.dies),
            What::Unkillable => (None, None),
            What::Exit(_) | What::Signal(_) | What::Oom | What::Fail | What::Image | What::Unready => return,
        };
    }
}

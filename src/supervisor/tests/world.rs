//! A machine made of nothing: plays the agent, the ledger and the containers, and jumps time.
//!
//! Also included by `tests/supervisor.rs`, which brings the same names into scope.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::*;

/// How one generation of a container behaves.
#[derive(Debug, Clone)]
pub(crate) struct Play {
    /// How long the start takes, and whether it works.
    pub(crate) start: Duration,
    pub(crate) fails: Option<Fault>,
    /// When and how it ends by itself.
    pub(crate) ends: Option<(Duration, Exit)>,
    pub(crate) oom: bool,
    /// How long it takes to end after its stop signal; `None`: it ignores it.
    pub(crate) obeys: Option<Duration>,
    /// How long it takes to be gone after a kill, and after that to be emptied; `None`: for ever.
    pub(crate) dies: Option<Duration>,
    pub(crate) empties: Option<Duration>,
    /// How often emptying it fails before it works.
    pub(crate) clean_failures: u32,
}

#[derive(Debug, Clone)]
enum Stage {
    Setup { created_at: Duration, created: bool, answer_at: Duration, killed: bool },
    Alive { ends_at: Option<Duration>, exit: Exit },
    Dead { exit: Exit, oom: bool, at: Duration, recorded: bool },
    Cleaning { until: Option<Duration>, fails: bool },
}

#[derive(Debug, Clone)]
struct Live {
    generation: u64,
    stage: Stage,
    clean_failures: u32,
}

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
    /// What PID 1 latched: it asks every new supervisor again.
    shutdown: Option<Duration>,
}

/// Whether the next supervisor starts in safe mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Safe {
    Yes,
    No,
}

const SIGKILL: i32 = 9;
const SEED: u64 = 7;

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn s(s: u64) -> Duration {
    Duration::from_secs(s)
}

impl Default for Play {
    /// Starts in 10 ms, runs for ever, obeys in 100 ms.
    fn default() -> Self {
        Self {
            start: ms(10),
            fails: None,
            ends: None,
            oom: false,
            obeys: Some(ms(100)),
            dies: Some(ms(1)),
            empties: Some(ms(1)),
            clean_failures: 0,
        }
    }
}

impl Play {
    pub(crate) fn exits(after: Duration, code: i32) -> Self {
        Self { ends: Some((after, Exit::Code(code))), ..Self::default() }
    }
}

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
            shutdown: None,
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
        let happens = self.live.values().filter_map(|live| live.stage.next()).min();
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
        self.sup = Supervisor::new(self.now, &self.config, SEED);
        if safe == Safe::Yes {
            self.tell(Event::SafeMode);
        }
        if let Some(deadline) = self.shutdown {
            self.tell(Event::Shutdown { deadline });
        }
        for record in self.disk.clone().into_values() {
            let found = self.live.get_mut(&record.name).and_then(|live| live.found(&record));
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
                Effect::Save { .. } | Effect::Changed { .. } => return None,
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
                let play = self.play_of(&name, generation);
                let stage = Stage::Setup {
                    created_at: self.now + play.start / 2,
                    created: false,
                    answer_at: self.now + play.start,
                    killed: false,
                };
                let clean_failures = play.clean_failures;
                let before = self.live.insert(name, Live { generation, stage, clean_failures });
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
                let record = self.sup.record(&name).unwrap();
                let text = record.to_json().unwrap();
                assert_eq!(Record::parse(&text).as_ref(), Ok(&record), "{text}");
                if let Some(live) = self.live.get_mut(&name)
                    && let Stage::Dead { recorded, .. } = &mut live.stage
                {
                    *recorded = true;
                }
                self.disk.insert(name, record);
            }
            Effect::Changed { .. } | Effect::ShutdownDone => {}
        }
    }

    fn clean(&mut self, name: String, generation: u64) {
        let play = self.play_of(&name, generation);
        match self.live.get_mut(&name) {
            // Nothing was ever made, or all is gone: that is empty as well.
            None => self.waiting.push_back(Event::Emptied { name, generation }),
            Some(live) => {
                let fails = live.clean_failures > 0;
                live.clean_failures = live.clean_failures.saturating_sub(1);
                let until = play.empties.map(|time| self.now + time);
                live.stage = Stage::Cleaning { until, fails };
            }
        }
    }

    /// Lets the one thing happen that is due at `at`.
    fn happen(&mut self, at: Duration) {
        let due = self.live.iter().find(|(_, live)| live.stage.next() == Some(at));
        let (name, live) = due.map(|(name, live)| (name.clone(), live.clone())).unwrap();
        let play = self.play_of(&name, live.generation);
        let generation = live.generation;
        let pid = i32::try_from(1000 + generation).unwrap();
        let (stage, event) = match live.stage {
            Stage::Setup { created_at, created: false, answer_at, killed } if !killed => {
                let stage = Stage::Setup { created_at, created: true, answer_at, killed };
                (Some(stage), Event::Created { name: name.clone(), generation, pid, pidfd_inode: 5 })
            }
            Stage::Setup { killed, .. } if killed || play.fails.is_some() => {
                let failure = failure(if killed { Fault::Transient } else { play.fails.unwrap() });
                let stage = Stage::Dead { exit: Exit::Signal(SIGKILL), oom: false, at, recorded: true };
                (Some(stage), Event::StartFailed { name: name.clone(), generation, failure })
            }
            Stage::Setup { .. } => {
                let exit = play.ends.map_or(Exit::Code(0), |(_, exit)| exit);
                let stage = Stage::Alive { ends_at: play.ends.map(|(time, _)| at + time), exit };
                let (name, stop_signal) = (name.clone(), None);
                let event = Event::Started { name, generation, pid, pidfd_inode: 5, stop_signal };
                (Some(stage), event)
            }
            Stage::Alive { exit, .. } => {
                let oom = play.oom;
                let stage = Stage::Dead { exit, oom, at, recorded: false };
                (Some(stage), Event::Ended { name: name.clone(), generation, exit, oom, at })
            }
            Stage::Cleaning { fails: true, .. } => {
                let stage = Stage::Cleaning { until: None, fails: false };
                let text = "the mount is busy".into();
                (Some(stage), Event::CleanFailed { name: name.clone(), generation, text })
            }
            Stage::Cleaning { .. } => (None, Event::Emptied { name: name.clone(), generation }),
            Stage::Dead { .. } => unreachable!("a dead one waits for Clean"),
        };
        match stage {
            Some(stage) => self.live.get_mut(&name).unwrap().stage = stage,
            None => drop(self.live.remove(&name)),
        }
        self.tell(event);
    }
}

impl Stage {
    fn next(&self) -> Option<Duration> {
        match self {
            Self::Setup { created: false, killed: false, created_at, .. } => Some(*created_at),
            Self::Setup { answer_at, .. } => Some(*answer_at),
            Self::Alive { ends_at, .. } => *ends_at,
            Self::Dead { .. } => None,
            Self::Cleaning { until, .. } => *until,
        }
    }
}

impl Live {
    fn signal(&mut self, now: Duration, play: &Play, signal: i32) {
        if signal == SIGKILL {
            return self.kill(now, play);
        }
        if let (Stage::Alive { ends_at, exit }, Some(time)) = (&mut self.stage, play.obeys)
            && ends_at.is_none_or(|at| at > now + time)
        {
            (*ends_at, *exit) = (Some(now + time), Exit::Signal(signal));
        }
    }

    fn kill(&mut self, now: Duration, play: &Play) {
        let Some(time) = play.dies else { return };
        match &mut self.stage {
            Stage::Setup { answer_at, killed, .. } => {
                (*answer_at, *killed) = ((*answer_at).min(now + time), true);
            }
            Stage::Alive { ends_at, exit } => {
                if ends_at.is_none_or(|at| at > now + time) {
                    (*ends_at, *exit) = (Some(now + time), Exit::Signal(SIGKILL));
                }
            }
            Stage::Dead { .. } | Stage::Cleaning { .. } => {}
        }
    }

    /// What the ledger shows to the next supervisor. A process at its barrier ends with the one that
    /// should have opened it.
    fn found(&mut self, record: &Record) -> Option<Found> {
        match self.stage {
            Stage::Setup { created, .. } => {
                let at = Duration::ZERO;
                let exit = Exit::Code(1);
                self.stage = Stage::Dead { exit, oom: false, at, recorded: true };
                created.then_some(Found::NeverRan)
            }
            Stage::Alive { .. } => Some(Found::Alive { pid: record.pid.unwrap_or(1), pidfd_inode: 5 }),
            Stage::Dead { exit, oom, at, recorded: false } => Some(Found::Ended { exit, oom, at }),
            Stage::Dead { recorded: true, .. } => None,
            Stage::Cleaning { .. } => {
                let (exit, at) = (Exit::Code(0), Duration::ZERO);
                self.stage = Stage::Dead { exit, oom: false, at, recorded: true };
                None
            }
        }
    }
}

pub(crate) fn failure(fault: Fault) -> StartFailure {
    StartFailure {
        step: "exec".into(),
        object: "/app".into(),
        errno: 2,
        text: "No such file or directory".into(),
        fault,
    }
}

/// Containers by name, each with what it depends on; everything else as Compose has it.
pub(crate) fn config(containers: &[(&str, &[&str])]) -> Config {
    let mut config = Config::default();
    for (name, depends_on) in containers {
        let mut container = container(name);
        for dependency in *depends_on {
            let condition = Condition::Started;
            container.depends_on.insert((*dependency).into(), Dependency { condition });
        }
        config.containers.insert((*name).into(), container);
    }
    config
}

fn container(name: &str) -> Container {
    Container {
        name: name.into(),
        image: ImageSource::Dir { path: "rootfs".into() },
        entrypoint: None,
        command: None,
        environment: Vec::new(),
        env_file: Vec::new(),
        working_dir: None,
        user: None,
        group_add: Vec::new(),
        volumes: Vec::new(),
        tmpfs: Vec::new(),
        read_only: false,
        hostname: name.into(),
        network_mode: NetworkMode::None,
        depends_on: BTreeMap::new(),
        restart: Restart::No,
        restart_policy: RestartPolicy::default(),
        stop_signal: None,
        stop_grace_period: s(10),
        cap_add: Default::default(),
        cap_drop: Default::default(),
        limits: Default::default(),
        ulimits: BTreeMap::new(),
        shm_size: 64 << 20,
        labels: BTreeMap::new(),
        log: ContainerLog { memory: 256 << 10, rate: None },
        declared_at: "test.toml:1".into(),
    }
}

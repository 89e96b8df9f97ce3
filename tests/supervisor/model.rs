//! What must hold in every history, said without looking at how it is done.
//!
//! The model follows what the core was told and what it asked for. It knows for each container what is
//! there, what a person said last, and how it ended; from that it knows what may come next. The core's
//! own words are looked at only where people would look: in its status.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::declared::s;
use super::world::{Entry, World};
use super::*;

const SIGTERM: i32 = 15;

pub(crate) struct Model {
    containers: BTreeMap<String, Shadow>,
    seen: usize,
    safe: bool,
    shutdown: Option<Closing>,
}

#[derive(Debug, Clone, Copy)]
struct Closing {
    told_at: Duration,
    deadline: Duration,
    /// From when on everything may be killed regardless of order.
    kill_at: Duration,
    done: bool,
}

#[derive(Debug)]
struct Shadow {
    depends_on: Vec<String>,
    restart: Restart,
    policy: RestartPolicy,
    /// All that depend on it, through others too.
    dependents: BTreeSet<String>,
    generation: u64,
    started_at: Duration,
    /// Asked to start, and not emptied.
    there: bool,
    ran: bool,
    wanted: Wanted,
    /// Started before its deadline.
    up: bool,
    signalled: bool,
    end: Option<Ending>,
    /// No supervisor died since this generation was started.
    certain: bool,
    word: Option<Word>,
    /// A person wants it up, and it was not started since.
    start_owed: bool,
    unusable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    Clean,
    Failure,
    NoFault,
}

/// A person's last one about what is there now.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Word {
    Stop,
    Again,
}

impl Model {
    pub(crate) fn new(config: &Config) -> Self {
        let containers = config.containers.iter().map(|(name, declared)| {
            let shadow = Shadow {
                depends_on: declared.depends_on.keys().cloned().collect(),
                restart: declared.restart,
                policy: declared.restart_policy,
                dependents: dependents(config, name),
                generation: 0,
                started_at: Duration::ZERO,
                there: false,
                ran: false,
                wanted: Wanted::Up,
                up: false,
                signalled: false,
                end: None,
                certain: true,
                word: None,
                start_owed: false,
                unusable: false,
            };
            (name.clone(), shadow)
        });
        Self { containers: containers.collect(), seen: 0, safe: false, shutdown: None }
    }

    /// After everything that is told or passes.
    pub(crate) fn check(&mut self, world: &World) {
        self.follow(world);
        for (name, shadow) in &self.containers {
            self.check_wait(world, name, shadow);
        }
        self.check_shutdown(world);
        let due = world.sup.poll_timeout();
        assert!(due.is_none_or(|due| due > world.now), "a time in the past: {due:?}");
    }

    /// Takes in what was told and asked since the last time.
    pub(crate) fn follow(&mut self, world: &World) {
        for (at, entry) in &world.log[self.seen..] {
            match entry {
                Entry::Told(event, Outcome::Done) => self.told(world, *at, event),
                Entry::Told(_, Outcome::Ignored(_) | Outcome::Refused(_)) => {}
                Entry::Asked(effect) => self.asked(world, *at, effect),
                Entry::Crashed => self.crashed(),
            }
        }
        self.seen = world.log.len();
    }

    /// After a long time in which nothing was asked for.
    pub(crate) fn check_end(&self, world: &World) {
        for (name, shadow) in &self.containers {
            let status = world.status(name);
            let given_up = status.state == StateKind::Stuck || !status.waits_for.is_empty();
            // One on its way down has a time of its own, which was checked.
            let going = status.state == StateKind::Stopping;
            let stopped = status.state.is_down() || given_up || going;
            assert!(status.wanted == Wanted::Up || stopped, "a lost stop: {status:?}");
            let owed = shadow.start_owed && !shadow.unusable;
            assert!(!owed || given_up, "a lost start: {status:?} {shadow:?}");
        }
    }

    fn told(&mut self, world: &World, at: Duration, event: &Event) {
        match event {
            Event::SafeMode => self.safe = true,
            Event::Resume => self.safe = false,
            Event::Shutdown { deadline } => self.shut_down(at, *deadline),
            Event::Adopted { record, found } => self.adopted(record, *found),
            Event::Start { name } | Event::Restart { name } => {
                let shadow = self.of(name);
                shadow.word = shadow.there.then_some(Word::Again);
                (shadow.unusable, shadow.start_owed) = (false, true);
                shadow.wanted = Wanted::Up;
            }
            Event::Stop { name } => {
                let shadow = self.of(name);
                shadow.word = shadow.there.then_some(Word::Stop);
                (shadow.wanted, shadow.start_owed) = (Wanted::Down, false);
            }
            Event::ImageInvalid { name, .. } | Event::Quarantine { name, .. } => {
                let shadow = self.of(name);
                shadow.unusable = true;
                shadow.ran &= shadow.there;
                // It may be the answer to a start, in the place of an end.
                shadow.certain = false;
            }
            Event::Started { name, .. } => {
                let shutting_down = self.shutdown.is_some();
                let shadow = self.of(name);
                let in_time = at - shadow.started_at < START_DEADLINE;
                // Otherwise it is being killed already.
                let welcome = shadow.word.is_none() && shadow.certain && !shutting_down;
                shadow.up = in_time && welcome;
                shadow.ran |= shadow.up;
            }
            Event::StartFailed { name, failure, .. } => {
                let ending = match failure.fault {
                    Fault::Transient => Ending::NoFault,
                    Fault::Permanent => Ending::Failure,
                };
                self.of(name).ends(at, ending);
            }
            Event::Ended { name, exit, .. } => {
                let clean = *exit == Exit::Code(0);
                self.of(name).ends(at, if clean { Ending::Clean } else { Ending::Failure });
            }
            Event::Emptied { name, .. } => self.emptied(world, name),
            Event::Booted
            | Event::Created { .. }
            | Event::CleanFailed { .. }
            | Event::SignalFailed { .. }
            | Event::KillFailed { .. }
            | Event::Notified { .. }
            | Event::Probed { .. }
            | Event::Paused { .. }
            | Event::Kill { .. }
            // What follows from one has its own histories, beside the core.
            | Event::Reload(_)
            | Event::Tick => {}
        }
    }

    fn asked(&mut self, world: &World, at: Duration, effect: &Effect) {
        match effect {
            Effect::Start { name, generation } => self.check_start(at, name, *generation),
            Effect::Signal { name, generation, signal } => {
                if *signal == SIGTERM {
                    self.check_order(world, at, name);
                }
                let shadow = self.of(name);
                assert!(shadow.there && shadow.generation == *generation, "{name} {shadow:?}");
                shadow.signalled |= *signal == SIGTERM;
            }
            Effect::KillCgroup { name, generation } => {
                let shadow = self.of(name);
                assert!(shadow.there && shadow.generation == *generation, "{name} {shadow:?}");
            }
            Effect::Clean { name, generation } => {
                let shadow = self.of(name);
                assert!(shadow.there && shadow.generation == *generation, "{name} {shadow:?}");
                let over = shadow.end.is_some() || shadow.unusable || !shadow.certain;
                assert!(over, "emptied while it is alive: {name} {shadow:?}");
            }
            Effect::Save { .. } | Effect::Changed { .. } | Effect::Noted { .. } | Effect::Probe { .. } => {}
            Effect::Forget { name } => panic!("{name} is declared"),
            Effect::ShutdownDone => {
                let shutdown = self.shutdown.as_mut().expect("a shutdown that nobody asked for");
                assert!(!shutdown.done, "done twice");
                assert!(at <= shutdown.deadline.max(shutdown.told_at), "too late: {shutdown:?}");
                shutdown.done = true;
            }
        }
    }

    fn check_start(&mut self, at: Duration, name: &str, generation: u64) {
        assert!(self.shutdown.is_none(), "{name} started in a shutdown");
        let shadow = &self.containers[name];
        assert!(!self.safe || shadow.start_owed, "{name} started unasked");
        assert!(!shadow.there, "{name} started on top of what is there");
        assert!(!shadow.unusable, "{name} started, which cannot be");
        assert!(generation > shadow.generation, "{name}: generation {generation} again");
        for dependency in &shadow.depends_on {
            assert!(self.containers[dependency].ran, "{name} before {dependency}");
        }
        let shadow = self.of(name);
        (shadow.generation, shadow.started_at) = (generation, at);
        (shadow.there, shadow.certain, shadow.signalled) = (true, true, false);
        (shadow.end, shadow.word, shadow.start_owed) = (None, None, false);
        shadow.up = false;
    }

    /// Nothing is told to stop before what depends on it and stops as well.
    fn check_order(&self, world: &World, at: Duration, name: &str) {
        let shadow = &self.containers[name];
        let last_call = self.shutdown.is_some_and(|shutdown| at >= shutdown.kill_at);
        if shadow.signalled || last_call {
            return;
        }
        for dependent in &shadow.dependents {
            let other = &self.containers[dependent];
            let stops = self.shutdown.is_some() || other.word.is_some();
            let stuck = world.state(dependent) == StateKind::Stuck;
            assert!(!(other.there && stops) || stuck, "{name} before {dependent}: {other:?}");
        }
    }

    fn emptied(&mut self, world: &World, name: &str) {
        use StateKind::{Backoff, Exited, Failed, Invalid, Starting, Waiting};
        let shutting_down = self.shutdown.is_some();
        let state = world.state(name);
        let shadow = self.of(name);
        shadow.there = false;
        shadow.ran &= !matches!(state, Failed | Invalid);
        let (word, end) = (shadow.word.take(), shadow.end.take());
        let policy = &shadow.policy;
        let may_fail = policy.then == Exhausted::Fail && policy.max_attempts.is_some();
        let allowed: &[StateKind] = match (word, end, shadow.restart) {
            _ if shadow.unusable => &[Invalid],
            _ if shutting_down => &[Exited, Failed],
            (Some(Word::Stop), ..) => &[Exited],
            (Some(Word::Again), ..) => &[Waiting, Starting],
            (None, None, _) => return,
            _ if !shadow.certain => return,
            (None, Some(Ending::Clean), Restart::No | Restart::OnFailure) => &[Exited],
            (None, Some(Ending::Failure), Restart::No) => &[Failed],
            (None, Some(Ending::Failure), _) if may_fail => &[Backoff, Waiting, Starting, Failed],
            (None, Some(_), _) => &[Backoff, Waiting, Starting],
        };
        assert!(allowed.contains(&state), "{name} is {state:?} after {end:?}, {word:?}");
    }

    fn check_wait(&self, world: &World, name: &str, shadow: &Shadow) {
        let status = world.status(name);
        let state = world.sup.state(name).unwrap();
        let due = world.sup.poll_timeout();
        match state {
            State::Waiting { .. } => {
                let named = !status.waits_for.is_empty() || self.safe || due.is_some();
                assert!(named, "{name} waits for nothing");
                for other in &status.waits_for {
                    assert!(!self.containers[other].ran, "{name} waits for {other}, which ran");
                }
            }
            State::Stopping { phase: Phase::Held, .. } => {
                assert!(!status.waits_for.is_empty(), "{name} is held by nobody");
            }
            State::Starting { .. } | State::Backoff { .. } | State::Stopping { .. } => {
                let until = state.deadline().expect("a state without an end");
                assert!(until > world.now && due.is_some_and(|due| due <= until), "{status:?}");
            }
            State::Running { .. } => assert!(world.exists(name) && status.ready),
            State::Stuck { .. } => assert!(world.exists(name), "{name} is stuck, and gone"),
            State::Exited | State::Failed | State::Invalid => {}
        }
        assert_eq!(status.wanted, shadow.wanted, "{name}");
        if status.state.is_down() {
            assert!(!world.exists(name), "{name} is {}, and there", status.state.word());
        }
        if status.wanted == Wanted::Down {
            let up = matches!(status.state, StateKind::Starting | StateKind::Running);
            let soon = matches!(status.state, StateKind::Waiting | StateKind::Backoff);
            assert!(!up && !soon, "nobody wants it: {status:?}");
        }
        if let Some(next) = status.next_start {
            let longest = shadow.policy.max_delay * 11 / 10;
            assert!(next <= world.now + longest, "{name} pauses too long: {next:?}");
        }
    }

    fn check_shutdown(&self, world: &World) {
        if let Some(shutdown) = self.shutdown {
            let down = world.sup.statuses().all(|status| status.state.is_down());
            let over = down || world.now >= shutdown.deadline;
            assert_eq!(shutdown.done, over || shutdown.done, "{shutdown:?} at {:?}", world.now);
        }
    }

    fn shut_down(&mut self, told_at: Duration, deadline: Duration) {
        let reserve = (deadline.saturating_sub(told_at) / 10).min(s(2));
        let done = self.shutdown.is_some_and(|earlier| earlier.done);
        let kill_at = deadline.saturating_sub(reserve);
        self.shutdown = Some(Closing { told_at, deadline, kill_at, done });
        for shadow in self.containers.values_mut() {
            (shadow.wanted, shadow.start_owed) = (Wanted::Down, false);
        }
    }

    /// What was not written down, nobody knows any more.
    fn crashed(&mut self) {
        (self.safe, self.shutdown) = (false, None);
        for shadow in self.containers.values_mut() {
            (shadow.there, shadow.ran, shadow.certain) = (false, false, false);
            shadow.wanted = Wanted::Up;
            (shadow.word, shadow.start_owed, shadow.unusable) = (None, false, false);
        }
    }

    fn adopted(&mut self, record: &Record, found: Option<Found>) {
        let shutting_down = self.shutdown.is_some();
        let shadow = self.of(&record.name);
        shadow.generation = record.generation;
        if !shutting_down {
            shadow.wanted = record.wanted;
        }
        shadow.word = match record.why.as_deref() {
            Some("stop") => Some(Word::Stop),
            Some("again") => Some(Word::Again),
            _ => None,
        };
        let alive = matches!(found, Some(Found::Alive { .. }));
        let kind = StateKind::from_word(&record.state).expect("one of ours");
        shadow.start_owed = shadow.word == Some(Word::Again) && !shutting_down;
        shadow.unusable = record.invalid.is_some();
        shadow.there = alive || !kind.is_down();
        let goes_down = matches!(kind, StateKind::Stopping | StateKind::Stuck);
        let at_barrier = kind == StateKind::Starting && record.pid.is_none();
        shadow.ran = record.ran || (alive && !goes_down && !at_barrier);
        shadow.signalled |= record.phase.as_deref() == Some("term");
    }

    fn of(&mut self, name: &str) -> &mut Shadow {
        self.containers.get_mut(name).unwrap()
    }
}

impl Shadow {
    /// A start that takes too long is a failure, however it ends.
    fn ends(&mut self, at: Duration, ending: Ending) {
        let too_long = !self.up && at - self.started_at >= START_DEADLINE;
        self.end.get_or_insert(if too_long { Ending::Failure } else { ending });
    }
}

fn dependents(config: &Config, name: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (dependent, container) in &config.containers {
        if container.depends_on.contains_key(name) && found.insert(dependent.clone()) {
            found.extend(dependents(config, dependent));
        }
    }
    found
}

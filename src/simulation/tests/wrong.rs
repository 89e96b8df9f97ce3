//! Every promise can be broken: for each there is a core that does so, and histories find it out.

use std::collections::{BTreeSet, VecDeque};

use super::*;
use crate::config::{Gate, Restart, StartBy};

/// What is wrong with a core: what it hears, asks for and is built of is not what it should be.
trait Flaw {
    const BREAKS: Promise;

    fn declares(_: &mut Container) {}

    fn hears(_: &Supervisor, event: Event) -> Vec<Event> {
        vec![event]
    }

    fn asks(effect: Effect) -> Vec<Effect> {
        vec![effect]
    }

    fn wakes(due: Option<Duration>) -> Option<Duration> {
        due
    }

    /// What it keeps of each event for ever.
    const KEEPS: usize = 0;
}

struct Wrong<F> {
    core: Supervisor,
    asked: VecDeque<Effect>,
    kept: usize,
    flaw: std::marker::PhantomData<F>,
}

impl<F: Flaw> Core for Wrong<F> {
    fn new(now: Duration, config: &Config, seed: u64) -> Self {
        let mut config = config.clone();
        config.containers.values_mut().for_each(|container| F::declares(container));
        let core = Supervisor::new(now, &config, seed);
        Self { core, asked: VecDeque::new(), kept: 0, flaw: std::marker::PhantomData }
    }

    fn reloaded(now: Duration, config: &Config, seed: u64, numbers: &Numbers) -> Self {
        let mut config = config.clone();
        config.containers.values_mut().for_each(|container| F::declares(container));
        let core = Supervisor::reloaded(now, &config, seed, numbers);
        Self { core, asked: VecDeque::new(), kept: 0, flaw: std::marker::PhantomData }
    }

    fn handle(&mut self, now: Duration, event: Event) -> Outcome {
        let mut outcome = Outcome::Done;
        self.kept += F::KEEPS;
        for event in F::hears(&self.core, event) {
            outcome = self.core.handle(now, event);
            while let Some(effect) = self.core.poll_effect() {
                self.asked.extend(F::asks(effect));
            }
        }
        outcome
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.asked.pop_front()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        F::wakes(self.core.poll_timeout())
    }

    fn record(&self, name: &str) -> Option<Record> {
        self.core.record(name)
    }

    fn state(&self, name: &str) -> Option<State> {
        self.core.state(name)
    }

    fn status(&self, name: &str) -> Option<Status> {
        self.core.status(name)
    }

    fn awaited_gates(&self) -> BTreeSet<Gate> {
        self.core.awaited_gates()
    }

    fn gate_waits(&self) -> u64 {
        self.core.gate_waits()
    }

    fn size(&self) -> usize {
        self.core.size() + self.kept
    }
}

/// More than any of these takes.
const HISTORIES: u64 = 5000;

fn is_found_out<F: Flaw>() {
    let blank = blank();
    let breaks = |seed: &u64| {
        let broken = History::draw(*seed).live::<Wrong<F>>(&blank);
        broken.err().is_some_and(|breach| breach.promise == F::BREAKS)
    };
    let seed = (1..HISTORIES).find(breaks);
    let seed = seed.unwrap_or_else(|| panic!("nobody noticed: {}", F::BREAKS.text()));
    assert_eq!(History::draw(seed).live::<Supervisor>(&blank), Ok(()), "the right one keeps it");
    let broken = first_broken::<Wrong<F>>(&blank, [seed].into_iter()).unwrap();
    assert_eq!(broken.breach.promise, F::BREAKS);
    let lines = broken.history.to_string().lines().filter(|line| !line.starts_with(' ')).count();
    assert!(lines <= 9, "{lines} lines are long for what is wrong with it\n{broken}");
}

macro_rules! flaws {
    ($($test:ident: $promise:ident { $($body:tt)* })*) => {
        $(#[test]
        fn $test() {
            struct Flawed;
            impl Flaw for Flawed {
                const BREAKS: Promise = Promise::$promise;
                $($body)*
            }
            is_found_out::<Flawed>();
        })*

        #[test]
        fn every_promise_can_be_broken() {
            let broken = [$(Promise::$promise),*];
            let kept: Vec<_> = Promise::ALL.into_iter().filter(|it| !broken.contains(it)).collect();
            assert_eq!(kept, []);
        }
    };
}

flaws! {
    a_core_that_does_not_wait_for_connections: NothingUnasked {
        fn declares(container: &mut Container) {
            container.start = StartBy::Boot;
        }
    }
    a_core_that_does_not_ask_for_connections: Awaited {
        fn asks(effect: Effect) -> Vec<Effect> {
            if matches!(effect, Effect::Listen { .. }) { Vec::new() } else { vec![effect] }
        }
    }
    a_core_that_does_not_hear_stops: StopsAreKept {
        fn hears(_: &Supervisor, event: Event) -> Vec<Event> {
            if matches!(event, Event::Stop { .. }) { vec![] } else { vec![event] }
        }
    }

    a_core_that_does_not_hear_starts: StartsAreKept {
        fn hears(_: &Supervisor, event: Event) -> Vec<Event> {
            if matches!(event, Event::Start { .. }) { vec![] } else { vec![event] }
        }
    }

    a_core_that_does_not_hear_reloads: StartsAreKept {
        fn hears(_: &Supervisor, event: Event) -> Vec<Event> {
            if matches!(event, Event::Reload(_)) { vec![] } else { vec![event] }
        }
    }

    a_core_that_goes_on_as_it_was_declared_at_boot: EndsAreJudged {
        fn hears(_: &Supervisor, event: Event) -> Vec<Event> {
            let Event::Reload(mut reload) = event else { return vec![event] };
            reload.config.containers.values_mut().for_each(|it| it.restart = Restart::No);
            vec![Event::Reload(reload)]
        }
    }

    a_core_that_starts_once_too_often: OneGeneration {
        fn asks(effect: Effect) -> Vec<Effect> {
            if matches!(effect, Effect::Start { .. }) { vec![effect.clone(), effect] } else { vec![effect] }
        }
    }

    a_core_that_forgets_its_times: Awaited {
        fn wakes(due: Option<Duration>) -> Option<Duration> {
            due.map(|due| due + Duration::from_secs(1))
        }
    }

    a_core_that_wakes_for_nothing: Awaited {
        fn wakes(due: Option<Duration>) -> Option<Duration> {
            due.map(|_| Duration::ZERO)
        }
    }

    a_core_that_knows_no_times_to_run_at: EndsAreJudged {
        fn declares(container: &mut Container) {
            container.timetable = None;
        }
    }

    a_core_that_runs_before_the_time: NothingUnasked {
        fn hears(core: &Supervisor, event: Event) -> Vec<Event> {
            let waits = |name: &str| matches!(core.state(name), Some(State::Waiting { on: Wait::Time(_), .. }));
            match event {
                Event::Tick if waits("a") => vec![Event::Start { name: "a".into() }, event],
                event => vec![event],
            }
        }
    }

    a_core_that_lets_run_for_too_long: Awaited {
        fn declares(container: &mut Container) {
            container.run_timeout = None;
        }
    }

    a_core_that_lets_run_for_too_short_a_time: NothingUnasked {
        fn declares(container: &mut Container) {
            container.run_timeout = container.run_timeout.map(|time| time / 2);
        }
    }

    a_core_that_knows_no_oneshots: DependenciesFirst {
        fn declares(container: &mut Container) {
            container.kind = crate::config::Kind::Service;
        }
    }

    a_core_that_reboots_unasked: NothingUnasked {
        fn asks(effect: Effect) -> Vec<Effect> {
            match effect {
                Effect::Clean { ref name, .. } => vec![Effect::Reboot { name: name.clone() }, effect],
                effect => vec![effect],
            }
        }
    }

    a_core_that_starts_without_dependencies: DependenciesFirst {
        fn declares(container: &mut Container) {
            container.depends_on.clear();
        }
    }

    a_core_that_stops_all_at_once: DependentsFirst {
        fn hears(core: &Supervisor, event: Event) -> Vec<Event> {
            let running = core.statuses().filter(|status| status.state == StateKind::Running);
            let signal = |status: Status| Event::Kill { name: status.name, signal: 15 };
            let is_shutdown = matches!(event, Event::Shutdown { .. });
            std::iter::once(event).chain(running.map(signal).filter(|_| is_shutdown)).collect()
        }
    }

    a_core_that_never_is_done: ShutdownInTime {
        fn asks(effect: Effect) -> Vec<Effect> {
            if effect == Effect::ShutdownDone { vec![] } else { vec![effect] }
        }
    }

    a_core_that_gives_itself_more_time_to_shut_down: ShutdownInTime {
        fn hears(_: &Supervisor, event: Event) -> Vec<Event> {
            match event {
                Event::Shutdown { deadline } => {
                    vec![Event::Shutdown { deadline: deadline + Duration::from_secs(1) }]
                }
                event => vec![event],
            }
        }
    }

    a_core_that_does_not_hear_of_ends: RunsInItsCgroup {
        fn hears(_: &Supervisor, event: Event) -> Vec<Event> {
            if matches!(event, Event::Ended { .. }) { vec![] } else { vec![event] }
        }
    }

    a_core_that_restarts_what_should_rest: EndsAreJudged {
        fn declares(container: &mut Container) {
            container.restart = Restart::Always;
        }
    }

    a_core_that_pauses_too_long: PausesAreBounded {
        fn declares(container: &mut Container) {
            container.restart_policy.max_delay *= 10;
            container.restart_policy.delay *= 100;
        }
    }

    a_core_that_does_not_wait_for_the_empty_cgroup: DownIsGone {
        fn hears(_: &Supervisor, event: Event) -> Vec<Event> {
            match &event {
                Event::Ended { name, generation, .. } => {
                    let (name, generation) = (name.clone(), *generation);
                    vec![event, Event::Emptied { name, generation }]
                }
                _ => vec![event],
            }
        }
    }

    a_core_that_mixes_generations_up: EffectsAreAddressed {
        fn asks(effect: Effect) -> Vec<Effect> {
            match effect {
                Effect::Signal { name, generation, signal } => {
                    vec![Effect::Signal { name, generation: generation + 1, signal }]
                }
                effect => vec![effect],
            }
        }
    }

    a_core_that_does_not_know_safe_mode: NothingUnasked {
        fn hears(_: &Supervisor, event: Event) -> Vec<Event> {
            if event == Event::SafeMode { vec![] } else { vec![event] }
        }
    }

    a_core_that_lets_jobs_take_the_time_of_others: JobsLeaveTime {
        fn declares(container: &mut Container) {
            container.stop_grace_period = Duration::ZERO;
        }
    }

    a_core_that_calls_ready_what_only_runs: ReadyIsTrue {
        fn declares(container: &mut Container) {
            container.ready = crate::config::Readiness::Started;
        }
    }

    a_core_that_takes_every_gate_for_open: GatesFirst {
        fn declares(container: &mut Container) {
            container.gates.clear();
        }
    }

    a_core_that_knows_no_conflict: NeverTogether {
        fn declares(container: &mut Container) {
            container.conflicts.clear();
        }
    }

    a_core_that_forgets_nothing: StaysSmall {
        const KEEPS: usize = 1000;
    }

    a_core_that_takes_every_report_for_its_own: StaleReportsAreIgnored {
        fn hears(core: &Supervisor, event: Event) -> Vec<Event> {
            match event {
                Event::Ended { name, exit, oom, at, .. } => {
                    let generation = core.status(&name).map_or(0, |status| status.generation);
                    vec![Event::Ended { name, generation, exit, oom, at }]
                }
                event => vec![event],
            }
        }
    }
}

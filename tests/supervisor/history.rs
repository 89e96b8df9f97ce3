//! Random histories: a machine's containers, and what happens to them.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::declared::{config, failure, ms, s};
use super::live::Play;
use super::model::Model;
use super::world::{Safe, World};
use super::*;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Long enough for the longest chain of grace periods, and for a few of the longest pauses.
const QUIET: Duration = Duration::from_secs(150);

#[derive(Debug, Clone)]
pub(crate) struct History {
    units: Vec<UnitPlan>,
    acts: Vec<Act>,
    last: Act,
}

#[derive(Debug, Clone)]
struct UnitPlan {
    /// One bit for each earlier container.
    depends_on: u8,
    restart: Restart,
    policy: RestartPolicy,
    grace: Duration,
    plays: Vec<Play>,
}

#[derive(Debug, Clone)]
enum Act {
    Pass(Duration),
    Ask(Ask, usize),
    /// The supervisor dies after so many of the effects of this.
    AskAndDie(Ask, usize, usize),
    Stale {
        unit: usize,
        what: u8,
        ahead: bool,
    },
    Crash(Safe),
    Resume,
    /// The supervisor dies after so many of its effects.
    Shutdown(Duration, usize),
}

#[derive(Debug, Clone, Copy)]
enum Ask {
    Start,
    Stop,
    Restart,
    Kill(i32),
    ImageInvalid,
    Quarantine,
}

pub(crate) fn histories() -> impl Strategy<Value = History> {
    let units = vec(unit(), 1..=NAMES.len());
    let last = prop_oneof![3 => shutdown(), 2 => Just(Act::Pass(s(0)))];
    (units, vec(act(), 0..16), last).prop_map(|(units, acts, last)| History { units, acts, last })
}

fn unit() -> impl Strategy<Value = UnitPlan> {
    let restart = select(vec![Restart::No, Restart::Always, Restart::OnFailure, Restart::UnlessStopped]);
    let grace = select(vec![s(0), s(1), s(20)]);
    let depends_on = prop_oneof![any::<u8>(), Just(0)];
    (depends_on, restart, policy(), grace, vec(play(), 1..4)).prop_map(
        |(depends_on, restart, policy, grace, plays)| UnitPlan { depends_on, restart, policy, grace, plays },
    )
}

fn policy() -> impl Strategy<Value = RestartPolicy> {
    (
        select(vec![ms(0), ms(100), ms(500)]),
        select(vec![s(10), s(30)]),
        option::of(1..5_u32),
        select(vec![Some(s(5)), Some(s(60)), None]),
        select(vec![s(2), s(60)]),
        select(vec![Exhausted::Hold, Exhausted::Fail]),
    )
        .prop_map(|(delay, max_delay, max_attempts, window, healthy_after, then)| RestartPolicy {
            delay,
            max_delay,
            max_attempts,
            window,
            healthy_after,
            then,
        })
}

fn play() -> impl Strategy<Value = Play> {
    let exit = prop_oneof![
        Just(Exit::Code(0)),
        Just(Exit::Code(1)),
        Just(Exit::Signal(15)),
        Just(Exit::Signal(11)),
    ];
    let ends = option::of((select(vec![ms(0), ms(50), s(3), s(70)]), exit));
    let fails = prop_oneof![
        8 => Just(None),
        1 => Just(Some(Fault::Transient)),
        1 => Just(Some(Fault::Permanent)),
    ];
    let mostly = |often: Duration, rarely: Vec<Option<Duration>>| prop_oneof![4 => Just(Some(often)), 1 => select(rarely)];
    (
        prop_oneof![9 => select(vec![ms(0), ms(10), s(2)]), 1 => Just(s(100))],
        fails,
        ends,
        any::<bool>(),
        mostly(ms(100), vec![None, Some(s(5))]),
        mostly(ms(1), vec![None, Some(s(7))]),
        mostly(ms(1), vec![None, Some(s(2)), Some(s(9))]),
        prop_oneof![9 => Just(0), 1 => Just(2_u32)],
    )
        .prop_map(|(start, fails, ends, oom, obeys, dies, empties, clean_failures)| Play {
            start,
            fails,
            ends,
            oom,
            obeys,
            dies,
            empties,
            clean_failures,
            ..Play::default()
        })
}

fn act() -> impl Strategy<Value = Act> {
    let unit = || 0..NAMES.len();
    let time = || select(vec![ms(0), ms(1), ms(5), ms(60), s(1), s(4), s(25)]);
    let passes =
        prop_oneof![time().prop_map(Act::Pass), (0..30_000_u64).prop_map(|time| Act::Pass(ms(time))),];
    prop_oneof![
        8 => passes,
        8 => (ask(), unit()).prop_map(|(ask, unit)| Act::Ask(ask, unit)),
        2 => (ask(), unit(), 0..4_usize).prop_map(|(ask, unit, n)| Act::AskAndDie(ask, unit, n)),
        2 => (unit(), 0..7_u8, any::<bool>())
            .prop_map(|(unit, what, ahead)| Act::Stale { unit, what, ahead }),
        2 => select(vec![Safe::No, Safe::No, Safe::Yes]).prop_map(Act::Crash),
        1 => Just(Act::Resume),
        1 => shutdown(),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        4 => Just(Ask::Start),
        4 => Just(Ask::Stop),
        2 => Just(Ask::Restart),
        1 => Just(Ask::Kill(9)),
        1 => Just(Ask::Kill(10)),
        1 => Just(Ask::ImageInvalid),
        1 => Just(Ask::Quarantine),
    ]
}

fn shutdown() -> impl Strategy<Value = Act> {
    let time = select(vec![s(0), ms(300), s(5), s(30), s(60)]);
    let effects = prop_oneof![4 => Just(usize::MAX), 1 => 0..6_usize];
    (time, effects).prop_map(|(time, effects)| Act::Shutdown(time, effects))
}

impl History {
    pub(crate) fn live(&self) {
        let mut world = self.world();
        let mut model = Model::new(&world.config);
        world.tell(Event::Booted);
        model.check(&world);
        for act in &self.acts {
            self.play(act, &mut world, &mut model);
        }
        self.play(&self.last, &mut world, &mut model);
        pass(&mut world, &mut model, QUIET);
        model.check_end(&world);
    }

    fn world(&self) -> World {
        let mut world = World::new(self.config());
        for (unit, name) in self.units.iter().zip(NAMES) {
            world.plays.insert(name.into(), unit.plays.clone());
        }
        world
    }

    fn config(&self) -> Config {
        let names: Vec<(&str, &[&str])> =
            self.units.iter().zip(NAMES).map(|(_, name)| (name, &[][..])).collect();
        let mut config = config(&names);
        for (n, (unit, name)) in self.units.iter().zip(NAMES).enumerate() {
            let container = config.containers.get_mut(name).unwrap();
            container.restart = unit.restart;
            container.restart_policy = unit.policy;
            container.stop_grace_period = unit.grace;
            for (earlier, dependency) in NAMES.iter().enumerate().take(n) {
                if unit.depends_on & (1 << earlier) != 0 {
                    let condition = Condition::Started;
                    container.depends_on.insert(
                        (*dependency).into(),
                        Dependency { condition, restart: false, required: true },
                    );
                }
            }
        }
        config
    }

    fn play(&self, act: &Act, world: &mut World, model: &mut Model) {
        let name = |unit: usize| String::from(NAMES[unit % self.units.len()]);
        match *act {
            Act::Pass(time) => pass(world, model, time),
            Act::Ask(ask, unit) => drop(world.tell(ask.event(name(unit)))),
            Act::AskAndDie(ask, unit, effects) => {
                world.tell_and_do(ask.event(name(unit)), effects);
                model.follow(world);
                world.crash();
            }
            Act::Stale { unit, what, ahead } => stale(world, name(unit), what, ahead),
            Act::Crash(safe) => world.crash_into(safe),
            Act::Resume => drop(world.tell(Event::Resume)),
            Act::Shutdown(time, effects) => {
                let deadline = world.now + time;
                world.tell_and_do(Event::Shutdown { deadline }, effects);
                if effects < usize::MAX {
                    model.follow(world);
                    world.crash();
                }
            }
        }
        model.check(world);
    }
}

fn pass(world: &mut World, model: &mut Model, time: Duration) {
    let end = world.now + time;
    while world.step(end) {
        model.check(world);
    }
}

impl Ask {
    fn event(self, name: String) -> Event {
        match self {
            Self::Start => Event::Start { name },
            Self::Stop => Event::Stop { name },
            Self::Restart => Event::Restart { name },
            Self::Kill(signal) => Event::Kill { name, signal },
            Self::ImageInvalid => Event::ImageInvalid { name, reason: "torn".into() },
            Self::Quarantine => Event::Quarantine { name, reason: "cursed".into() },
        }
    }
}

/// A report about a generation that is not there changes nothing.
fn stale(world: &mut World, name: String, what: u8, ahead: bool) {
    let now = world.status(&name).generation;
    let generation = if ahead { now + 1 } else { now.wrapping_sub(1) };
    let before = world.sup.record(&name);
    let text = String::from("no");
    let event = match what {
        0 => Event::Started { name, generation, pid: 1, pidfd_inode: 1, stop_signal: None, check: None },
        1 => Event::StartFailed { name, generation, failure: failure(Fault::Permanent) },
        2 => {
            let (exit, at) = (Exit::Code(1), world.now);
            Event::Ended { name, generation, exit, oom: false, at }
        }
        3 => Event::Emptied { name, generation },
        4 => Event::CleanFailed { name, generation, text },
        5 => Event::KillFailed { name, generation, text },
        _ => Event::SignalFailed { name, generation },
    };
    let told = world.log.len();
    let outcome = world.tell(event);
    assert!(matches!(outcome, Outcome::Ignored(_)), "{outcome:?}");
    assert_eq!(world.log.len(), told + 1, "a stale report asked for something");
    assert_eq!(before.as_ref(), before.as_ref().and_then(|it| world.sup.record(&it.name)).as_ref());
}

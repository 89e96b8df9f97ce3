//! A history out of a seed: which containers, how they behave, what happens to them.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Act, Ask, Change, GroupPlan, History, NAMES, UnitPlan};
use crate::config::{
    Budget, Condition, Dependency, EndPattern, Exhausted, HealthCheck, Kind, Missed, OnFailure, Overlap,
    Probe, Readiness, Restart, RestartPolicy, RestartRule, Sentence, StartBy, Test, Timetable, When, cron,
};
use crate::simulation::disk::Saves;
use crate::simulation::lot::Lot;
use crate::simulation::machine::Safe;
use crate::simulation::play::{Delivery, NEVER, Play};
use crate::supervisor::{Exit, Fault, Notice, Probed};

const MOST_ACTS: usize = 16;
const MOST_PLAYS: usize = 3;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const fn s(s: u64) -> Duration {
    Duration::from_secs(s)
}

impl History {
    pub fn draw(seed: u64) -> Self {
        // Seeds come in a row: one step apart their numbers would be the same, one place further.
        let mut lot = Lot::new(Lot::new(seed).number());
        let begin = if lot.once_in(4) { s(700) } else { s(1) };
        let at_boot = clock(&mut lot);
        let units: Vec<UnitPlan> = (0..=lot.place(NAMES.len())).map(|_| unit(&mut lot)).collect();
        let group = lot.once_in(3).then(|| group(&mut lot));
        let acts = (0..lot.place(MOST_ACTS)).map(|_| act(&mut lot)).collect();
        let last = if lot.below(5) < 3 { shutdown(&mut lot) } else { Act::Pass(s(0)) };
        Self { seed: lot.number(), begin, at_boot, units, group, acts, last }
    }
}

fn unit(lot: &mut Lot) -> UnitPlan {
    let timetable = if lot.once_in(5) { timetable(lot) } else { None };
    let oneshot = timetable.is_some() || lot.once_in(8);
    let kind = if oneshot {
        Kind::Oneshot
    } else {
        lot.one_of(Kind::Service, &[Kind::Service, Kind::Service, Kind::Service, Kind::Shutdown])
    };
    UnitPlan {
        depends_on: if lot.once_in(2) { 0 } else { u8::try_from(lot.below(256)).unwrap_or(0) },
        edge: edge(lot),
        conflicts: if lot.once_in(4) { u8::try_from(lot.below(256)).unwrap_or(0) } else { 0 },
        gate: lot.once_in(6).then(|| lot.one_of(s(0), &[s(2), s(30), NEVER])),
        ready: lot.one_of(Readiness::Started, &[Readiness::Started, Readiness::Notify, Readiness::Healthy]),
        check: lot.once_in(3).then(|| check(lot)),
        watchdog: lot.once_in(8).then_some(s(15)),
        // Who runs at its times, or once at boot or at the end, does not wait for anybody.
        start: if kind == Kind::Service && lot.once_in(5) { StartBy::Connection } else { StartBy::Boot },
        kind,
        timetable,
        run_timeout: lot.once_in(8).then(|| lot.one_of(s(1), &[s(30)])),
        restart: lot.one_of(Restart::No, &[Restart::Always, Restart::OnFailure, Restart::UnlessStopped]),
        rules: if lot.once_in(5) { (0..=lot.place(2)).map(|_| rule(lot)).collect() } else { Vec::new() },
        policy: policy(lot),
        grace: lot.one_of(s(0), &[s(1), s(20)]),
        plays: (0..=lot.place(MOST_PLAYS)).map(|_| play(lot)).collect(),
    }
}

fn group(lot: &mut Lot) -> GroupPlan {
    let others = [Exhausted::Fail, Exhausted::Reboot, Exhausted::RestartGroup, Exhausted::RestartGroup];
    let budget = Budget {
        max_attempts: lot.one_of(1, &[2, 4]),
        window: lot.one_of(s(5), &[s(60)]),
        then: lot.one_of(Exhausted::Hold, &others),
    };
    let members = u8::try_from(lot.below(256)).unwrap_or(0);
    GroupPlan { members, budget: if lot.once_in(3) { None } else { Some(budget) } }
}

/// A time of day at boot, at most a minute before one that somebody may wait for; or what a clock says that was never
/// set.
fn clock(lot: &mut Lot) -> Duration {
    const DAY: Duration = s(1_795_305_600);
    let late = lot.time(s(0), s(600));
    if lot.once_in(8) { late } else { DAY.saturating_add(late) }
}

fn timetable(lot: &mut Lot) -> Option<Timetable> {
    let when = match lot.below(4) {
        0 => When::Clock(cron("* * * * *").ok()?),
        1 => When::Clock(cron("*/5 * * * *").ok()?),
        2 => When::Every(s(60)),
        _ => When::Every(s(7)),
    };
    let (missed, overlap) =
        (lot.one_of(Missed::Skip, &[Missed::Run]), lot.one_of(Overlap::Skip, &[Overlap::Queue]));
    Some(Timetable { when, jitter: lot.one_of(s(0), &[s(0), s(20)]), missed, overlap })
}

fn rule(lot: &mut Lot) -> RestartRule {
    let others =
        [EndPattern::Signal(15), EndPattern::Oom, EndPattern::Probe, EndPattern::Watchdog, EndPattern::Start];
    let on = lot.one_of(EndPattern::Codes(0, 1), &others);
    let then = lot.one_of(Sentence::Restart, &[Sentence::Success, Sentence::Fail, Sentence::Reboot]);
    RestartRule { on: Vec::from([on]), then }
}

/// As a configuration may have it: who follows another one down needs it, and needs it up.
fn edge(lot: &mut Lot) -> Dependency {
    let others = [Condition::Started, Condition::Healthy, Condition::Completed];
    let condition = lot.one_of(Condition::Started, &others);
    let restart = condition != Condition::Completed && lot.once_in(3);
    Dependency { condition, restart, required: restart || !lot.once_in(3) }
}

fn check(lot: &mut Lot) -> HealthCheck {
    let on_failure = lot.one_of(OnFailure::Restart, &[OnFailure::Kill, OnFailure::None]);
    HealthCheck {
        test: Some(Test::Probe(Probe::File("/well".to_string()))),
        interval: Some(lot.one_of(s(3), &[s(20)])),
        timeout: Some(s(2)),
        retries: Some(lot.one_of(1, &[3])),
        successes: Some(lot.one_of(1, &[2])),
        start_period: Some(lot.one_of(s(0), &[s(10)])),
        start_interval: None,
        on_failure: Some(on_failure),
    }
}

fn probed(lot: &mut Lot) -> Option<Probed> {
    match lot.below(8) {
        0..=4 => Some(Probed::Passed),
        5 => Some(Probed::Failed { text: "no".to_string() }),
        6 => Some(Probed::NotMade { text: "no memory".to_string() }),
        _ => None,
    }
}

fn says(lot: &mut Lot) -> Vec<(Duration, Notice)> {
    let notice = |lot: &mut Lot| match lot.below(9) {
        0..=3 => Notice::Ready,
        4..=6 => Notice::Alive,
        7 => Notice::Extend(s(20)),
        _ => Notice::Trigger,
    };
    let times = [ms(20), s(2), s(12), s(14)];
    (0..lot.place(4)).map(|_| (lot.one_of(ms(0), &times), notice(lot))).collect()
}

fn policy(lot: &mut Lot) -> RestartPolicy {
    RestartPolicy {
        delay: lot.one_of(ms(0), &[ms(100), ms(500)]),
        max_delay: lot.one_of(s(10), &[s(30)]),
        max_attempts: lot.one_of(None, &[None, None, None, Some(1), Some(2), Some(3), Some(4)]),
        window: lot.one_of(None, &[Some(s(5)), Some(s(60))]),
        healthy_after: lot.one_of(s(2), &[s(60)]),
        then: lot.one_of(Exhausted::Hold, &[Exhausted::Fail, Exhausted::Reboot]),
    }
}

fn play(lot: &mut Lot) -> Play {
    let exits = [Exit::Code(1), Exit::Signal(15), Exit::Signal(11)];
    let ends = (lot.one_of(ms(0), &[ms(50), s(3), s(70)]), lot.one_of(Exit::Code(0), &exits));
    let start = lot.one_of(ms(10), &[ms(0), s(2)]);
    Play {
        connects: lot.one_of(Some(ms(0)), &[Some(ms(70)), Some(s(4)), Some(s(40)), None]),
        deaf: lot.once_in(20),
        start: if lot.once_in(10) { lot.one_of(NEVER, &[s(100)]) } else { start },
        fails: lot.once_in(5).then(|| lot.one_of(Fault::Transient, &[Fault::Permanent])),
        reaches_barrier: !lot.once_in(3),
        unusable: lot.once_in(40),
        ends: lot.once_in(2).then_some(ends),
        oom: lot.once_in(2),
        obeys: if lot.once_in(5) { lot.one_of(None, &[Some(s(5))]) } else { Some(ms(100)) },
        dies: if lot.once_in(5) { lot.one_of(None, &[Some(s(7))]) } else { Some(ms(1)) },
        empties: if lot.once_in(5) { lot.one_of(None, &[Some(s(2)), Some(s(9))]) } else { Some(ms(1)) },
        clean_failures: if lot.once_in(10) { 2 } else { 0 },
        says: says(lot),
        beats: lot.once_in(3).then_some(s(7)),
        hangs: lot.once_in(8).then_some(s(20)),
        probes: (0..=lot.place(4)).map(|_| probed(lot)).collect(),
        answers_in: lot.one_of(ms(5), &[s(1)]),
        check: None,
        signal: delivery(lot),
        kill: delivery(lot),
    }
}

fn delivery(lot: &mut Lot) -> Delivery {
    if !lot.once_in(8) {
        return Delivery::AtOnce;
    }
    let late = [Delivery::Late(ms(30)), Delivery::Late(s(6)), Delivery::Fails(1), Delivery::Fails(3)];
    lot.one_of(Delivery::Lost, &late)
}

pub(super) fn act(lot: &mut Lot) -> Act {
    let unit = |lot: &mut Lot| lot.place(NAMES.len());
    let gone = |lot: &mut Lot| lot.one_of(ms(0), &[ms(0), ms(3), ms(200), s(8)]);
    match lot.below(36) {
        0..=4 => Act::Pass(lot.one_of(ms(0), &[ms(1), ms(5), ms(60), s(1), s(4), s(25)])),
        5..=8 => Act::Pass(lot.time(s(0), s(30))),
        9..=16 => Act::Ask(ask(lot), unit(lot)),
        17..=18 => Act::AskAndDie(ask(lot), unit(lot), lot.place(4), gone(lot)),
        19..=20 => Act::Stale { unit: unit(lot), what: lot.below(11), ahead: lot.once_in(2) },
        21..=22 => Act::Crash(gone(lot), lot.one_of(Safe::No, &[Safe::No, Safe::Yes])),
        23 => Act::Resume,
        24 => Act::SlowDisk(lot.one_of(ms(0), &[ms(0), ms(2), ms(300), s(3)])),
        25..=26 => Act::Disk(lot.one_of(Saves::Work, &[Saves::Work, Saves::InPlace, Saves::Lost])),
        27..=30 => reload(lot, unit),
        31 => Act::Clock { at_boot: clock(lot) },
        34 => Act::SetAside(unit(lot)),
        32..=33 => Act::AskGroup(lot.one_of(Ask::Start, &[Ask::Stop, Ask::Restart, Ask::Restart])),
        _ => shutdown(lot),
    }
}

fn reload(lot: &mut Lot, unit: impl FnOnce(&mut Lot) -> usize) -> Act {
    let others = [Change::Program, Change::Restart, Change::Grace, Change::Edges, Change::Declared];
    let change = lot.one_of(Change::Program, &others);
    Act::Reload(change, unit(lot), lot.once_in(3).then(|| lot.place(6)))
}

fn ask(lot: &mut Lot) -> Ask {
    match lot.below(16) {
        0..=3 => Ask::Start,
        4..=7 => Ask::Stop,
        8..=9 => Ask::Restart,
        10 => Ask::Kill(9),
        11 => Ask::Kill(10),
        12 => Ask::ImageInvalid,
        13 => Ask::Pause(true),
        14 => Ask::Pause(false),
        _ => Ask::Quarantine,
    }
}

fn shutdown(lot: &mut Lot) -> Act {
    let effects = if lot.once_in(5) { lot.place(6) } else { usize::MAX };
    Act::Shutdown(lot.one_of(s(0), &[ms(300), s(5), s(30), s(60)]), effects)
}

/// Shorter forms of one history, the shortest first.
pub(super) fn simpler(history: &History) -> Vec<History> {
    let mut found = Vec::new();
    let with = |change: &dyn Fn(&mut History)| {
        let mut next = history.clone();
        change(&mut next);
        next
    };
    let count = history.acts.len();
    let mut chunk = count;
    while chunk > 0 {
        for at in (0..count).step_by(chunk) {
            found.push(with(&|it| drop(it.acts.drain(at..at.saturating_add(chunk).min(count)))));
        }
        chunk /= 2;
    }
    found.push(with(&|it| it.last = Act::Pass(s(0))));
    found.push(with(&|it| it.group = None));
    found.push(with(&|it| it.group.iter_mut().for_each(|group| group.budget = None)));
    if history.units.len() > 1 {
        found.push(with(&|it| drop(it.units.pop())));
        found.push(with(&|it| drop(it.units.remove(0))));
    }
    for at in 0..history.units.len() {
        let unit = |change: fn(&mut UnitPlan)| with(&|it| it.units.get_mut(at).into_iter().for_each(change));
        found.push(unit(|it| it.plays.truncate(1)));
        found.push(unit(|it| it.plays.clear()));
        found.push(unit(|it| it.policy = RestartPolicy::default()));
        found.push(unit(|it| it.depends_on = 0));
        found.push(unit(|it| it.conflicts = 0));
        found.push(unit(|it| it.gate = None));
        found.push(unit(|it| it.check = None));
        found.push(unit(|it| it.ready = Readiness::Started));
        found.push(unit(|it| it.watchdog = None));
        found.push(unit(|it| it.start = StartBy::Boot));
        found.push(unit(|it| (it.kind, it.timetable) = (Kind::Service, None)));
        found.push(unit(|it| it.run_timeout = None));
        found.push(unit(|it| it.rules.clear()));
        found.push(unit(|it| it.edge.restart = false));
        found.push(unit(|it| it.restart = Restart::No));
        found.push(unit(|it| it.plays.iter_mut().for_each(plainer)));
    }
    for at in 0..count {
        found.push(with(&|it| it.acts.get_mut(at).into_iter().for_each(shorter)));
    }
    found.retain(|it| {
        it.acts != history.acts
            || it.units != history.units
            || it.last != history.last
            || it.group != history.group
    });
    found
}

/// One thing less that is out of the ordinary.
fn plainer(play: &mut Play) {
    let usual = Play::default();
    if play.deaf {
        play.deaf = false;
    } else if play.signal != usual.signal {
        play.signal = usual.signal;
    } else if play.kill != usual.kill {
        play.kill = usual.kill;
    } else if play.clean_failures > 0 {
        play.clean_failures = 0;
    } else if play.empties != usual.empties {
        play.empties = usual.empties;
    } else if play.dies != usual.dies {
        play.dies = usual.dies;
    } else if play.oom {
        play.oom = false;
    } else if play.beats.is_some() || play.hangs.is_some() {
        (play.beats, play.hangs) = (None, None);
    } else if play.says.pop().is_some() {
    } else if play.probes.len() > 1 {
        play.probes.truncate(1);
    } else {
        play.start = usual.start;
    }
}

fn shorter(act: &mut Act) {
    match act {
        Act::Pass(time) if *time < ms(1) => *time = ms(0),
        Act::Pass(time) => *time /= 2,
        Act::AskAndDie(_, _, _, gone) | Act::Crash(gone, _) => *gone = ms(0),
        Act::Ask(..)
        | Act::AskGroup(_)
        | Act::SetAside(_)
        | Act::Stale { .. }
        | Act::Resume
        | Act::Shutdown(..)
        | Act::Disk(_)
        | Act::Clock { .. } => {}
        Act::Reload(_, _, dies) => *dies = None,
        Act::SlowDisk(time) => *time = (*time).min(ms(2)),
    }
}

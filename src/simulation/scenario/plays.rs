//! How each container behaves in a scenario: as its declaration says, and as the failures spoil that.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::{Fail, Scenario, What, When};
use crate::config::{Condition, Container, Dependency, Kind, Readiness};
use crate::simulation::lot::Lot;
use crate::simulation::play::{NEVER, Play};
use crate::supervisor::{Exit, Fault, Notice};

/// How long starts take: what they do on a small machine.
const START: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(40));

/// From the first instruction to ready, of who says so; and how long what comes to an end takes.
const READY: Duration = Duration::from_millis(100);
const JOB: Duration = Duration::from_secs(1);

/// How each behaves: its first generation, and all others.
pub(super) fn plays(scenario: &Scenario<'_>) -> BTreeMap<String, Vec<Play>> {
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

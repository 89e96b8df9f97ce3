//! What a configuration says of a container, as far as the watch looks at it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use core::time::Duration;

use super::edges;
use crate::config::{
    Config, Container, Dependency, Exhausted, Gate, Kind, Readiness, Restart, RestartPolicy, Sentence,
    StartBy, Test,
};
use crate::ordered::Ordered;

#[derive(Debug)]
pub(super) struct Declared {
    /// Oneshots that come first among them.
    pub(super) depends_on: BTreeMap<String, Dependency>,
    pub(super) gates: BTreeSet<Gate>,
    /// Of both sides.
    pub(super) conflicts: BTreeSet<String>,
    pub(super) readiness: Readiness,
    /// Whether it may be stopped for what its probes say, or for giving no sign of life.
    pub(super) probed: bool,
    pub(super) watched: bool,
    /// It has rules of its own for what follows an end.
    pub(super) ruled: bool,
    /// One of these rules, or its spent budget, may ask for a reboot.
    pub(super) reboots: bool,
    /// It is in a group that may be judged, and goes down, fails and comes up with the others then.
    pub(super) grouped: bool,
    /// Its first connection is what starts it.
    pub(super) by_connection: bool,
    /// It runs at its times.
    pub(super) scheduled: bool,
    /// It runs when the machine ends.
    pub(super) job: bool,
    pub(super) grace: Duration,
    pub(super) run_timeout: Option<Duration>,
    pub(super) restart: Restart,
    pub(super) policy: RestartPolicy,
}

impl Declared {
    /// What the machine is looked at for; the end of the boot is the core's own to know.
    pub(super) fn gates_of_the_machine(&self) -> impl Iterator<Item = &Gate> {
        self.gates.iter().filter(|gate| **gate != Gate::BootComplete)
    }

    pub(super) fn is_looked_at(&self) -> bool {
        self.gates_of_the_machine().next().is_some()
    }

    /// All of a configuration, by name.
    pub(super) fn all(config: &Config) -> BTreeMap<String, Self> {
        let (mut depends_on, mut conflicts) = (edges::of(config), edges::conflicts(config));
        let mut declared = |name: &String, container| {
            let depends_on = depends_on.remove(name).unwrap_or_default();
            Self::new(container, depends_on, conflicts.remove(name).unwrap_or_default())
        };
        let all = config.containers.iter().map(|(name, container)| (name.clone(), declared(name, container)));
        let mut all: BTreeMap<String, Self> = all.ordered();
        for group in config.groups.values() {
            let restarts = |name: &String| {
                all.get(name).is_some_and(|declared| declared.policy.then == Exhausted::RestartGroup)
            };
            let judged = group.budget.is_some() || group.containers.iter().any(restarts);
            for (_, declared) in all.iter_mut().filter(|(name, _)| group.containers.contains(*name)) {
                declared.grouped |= judged;
                declared.reboots |= group.budget.is_some_and(|budget| budget.then == Exhausted::Reboot);
            }
        }
        all
    }

    fn new(
        container: &Container,
        depends_on: BTreeMap<String, Dependency>,
        conflicts: BTreeSet<String>,
    ) -> Self {
        Self {
            depends_on,
            gates: container.gates.clone(),
            conflicts,
            readiness: container.ready,
            probed: matches!(container.healthcheck.test, Some(Test::Probe(_))),
            watched: container.watchdog.is_some(),
            ruled: !container.restart_rules.is_empty(),
            reboots: asks_reboot(container),
            grouped: false,
            by_connection: container.start == StartBy::Connection,
            scheduled: container.timetable.is_some(),
            job: container.kind == Kind::Shutdown,
            grace: container.stop_grace_period,
            run_timeout: container.run_timeout,
            restart: container.restart,
            policy: container.restart_policy,
        }
    }

    /// A good end of it is followed by another run, at its time.
    pub(super) fn comes_again(&self) -> bool {
        self.scheduled || self.job
    }

    /// Whoever takes over does not know any more what it was tied to.
    pub(super) fn loses_ties(&mut self) {
        self.depends_on.clear();
        self.conflicts.clear();
    }
}

fn asks_reboot(container: &Container) -> bool {
    let policy = &container.restart_policy;
    let spent = policy.then == Exhausted::Reboot && policy.max_attempts.is_some();
    spent || container.restart_rules.iter().any(|rule| rule.then == Sentence::Reboot)
}

//! When each container came up for the first time since boot: what boot charts and blame are made of.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::time::Duration;

use orlop::config::{Condition, Config};
use orlop::control::{Edge, Rise};
use orlop::supervisor::{Change, Note, StateKind, Status};
use serde::{Deserialize, Serialize};

use super::answer::state_word;
use super::{Agent, records, say};
use crate::linux::fs;
use crate::linux::kmsg::Level;

/// For a later supervisor.
const PATH: &str = "/run/orlop/rises.json";

/// A thousand containers, each with a long name and three times.
const MOST_BYTES: usize = 1 << 20;

/// All of them are written each time: not for each of many that start one after the other.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Default, Serialize, Deserialize)]
pub struct Rises {
    wanted_us: Option<u64>,
    times: BTreeMap<String, Times>,
    #[serde(skip)]
    dirty: bool,
    /// Not written before.
    #[serde(skip)]
    next: Duration,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Times {
    /// If that was not at boot.
    wanted_us: Option<u64>,
    starting_us: Option<u64>,
    running_us: Option<u64>,
    ready_us: Option<u64>,
}

impl Rises {
    /// As an earlier supervisor left them; without one, all are wanted from now on.
    pub fn begin(now: Duration) -> Self {
        let read = || {
            let fd = fs::open_regular(PATH).ok()?;
            serde_json::from_slice(&fs::read_regular(fd.as_fd(), MOST_BYTES).ok()?).ok()
        };
        let mut rises: Self = read().unwrap_or_default();
        rises.wanted_us.get_or_insert(micros(now));
        rises
    }

    /// One that is started although it was down, and never ran, is wanted from then on.
    pub fn changed(&mut self, change: &Change, now: Duration) {
        let was_down = matches!(change.from, StateKind::Exited | StateKind::Failed | StateKind::Invalid);
        let now = micros(now);
        match change.to {
            StateKind::Waiting | StateKind::Starting | StateKind::Running => {}
            StateKind::Stopping
            | StateKind::Backoff
            | StateKind::Exited
            | StateKind::Failed
            | StateKind::Stuck
            | StateKind::Invalid => return,
        }
        let times = self.times.entry(change.name.clone()).or_default();
        let before = *times;
        if was_down && times.running_us.is_none() {
            *times = Times { wanted_us: Some(now), ..Times::default() };
        }
        match change.to {
            StateKind::Starting => _ = times.starting_us.get_or_insert(now),
            StateKind::Running => _ = times.running_us.get_or_insert(now),
            _ => {}
        }
        if change.to == StateKind::Running && change.ready {
            times.ready_us.get_or_insert(now);
        }
        self.dirty |= *times != before;
    }

    /// It was not there at boot.
    pub fn declared(&mut self, name: &str, now: Duration) {
        self.times.insert(name.to_owned(), Times { wanted_us: Some(micros(now)), ..Times::default() });
        self.dirty = true;
    }

    pub fn forget(&mut self, name: &str) {
        self.dirty |= self.times.remove(name).is_some();
    }

    pub fn noted(&mut self, name: &str, note: &Note, now: Duration) {
        if *note == Note::Ready
            && let Some(times) = self.times.get_mut(name)
            && times.ready_us.is_none()
        {
            times.ready_us = Some(micros(now));
            self.dirty = true;
        }
    }

    /// Not while the boot goes on: that has no time for it.
    pub fn keep(&mut self, booted: bool, now: Duration) {
        if self.take_due(booted, now) {
            let text = serde_json::to_string(self).unwrap_or_default();
            if let Err(errno) = records::write_file(PATH, &text) {
                say(Level::Error, &format!("{PATH}: {}", errno.desc()));
            }
        }
    }

    fn take_due(&mut self, booted: bool, now: Duration) -> bool {
        let is_due = self.deadline(booted).is_some_and(|at| at <= now);
        if is_due {
            (self.dirty, self.next) = (false, now.saturating_add(PAUSE));
        }
        is_due
    }

    pub fn deadline(&self, booted: bool) -> Option<Duration> {
        (booted && self.dirty).then_some(self.next)
    }

    /// From when on it was wanted: since the boot, since somebody asked for it, or since its time had come.
    fn wanted_us(&self, times: &Times, is_scheduled: bool) -> u64 {
        let by_time = times.starting_us.filter(|_| is_scheduled);
        by_time.or(times.wanted_us).or(self.wanted_us).unwrap_or_default()
    }
}

impl Agent {
    /// As the interface has them, by name.
    pub fn rises(&self) -> Vec<Rise> {
        self.core.statuses().map(|status| self.rise(&status)).collect()
    }

    fn rise(&self, status: &Status) -> Rise {
        let times = self.rises.times.get(&status.name).copied().unwrap_or_default();
        // Known of one that was never started again, even if who saw it is gone.
        let first = status.restarts == 0 && status.restarts_asked == 0;
        let started_us = status.started_at.filter(|_| first).map(micros);
        let timetable = self.config.containers.get(&status.name).and_then(|container| container.timetable);
        let waits = timetable.is_some() && status.state == StateKind::Waiting;
        Rise {
            name: status.name.clone(),
            state: state_word(status.state),
            cause: status.cause.as_ref().map(|cause| cause.text.clone()),
            wanted_us: self.rises.wanted_us(&times, timetable.is_some()),
            starting_us: times.starting_us,
            running_us: times.running_us.or(started_us),
            ready_us: times.ready_us,
            next_us: status.next_start.filter(|_| waits).map(micros),
            depends_on: edges(&self.config, &status.name),
        }
    }
}

fn edges(config: &Config, name: &str) -> Vec<Edge> {
    let edges = config.containers.get(name).into_iter().flat_map(|container| &container.depends_on);
    edges
        .map(|(name, edge)| Edge {
            name: name.clone(),
            condition: match edge.condition {
                Condition::Started => "started",
                Condition::Healthy => "healthy",
                Condition::Completed => "completed",
            }
            .to_owned(),
            restart: edge.restart,
            required: edge.required,
        })
        .collect()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, from: StateKind, to: StateKind, ready: bool) -> Change {
        Change { name: name.into(), generation: 1, from, to, cause: None, pid: None, ready }
    }

    fn at(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    #[test]
    fn keeps_the_first_time_of_each() {
        use StateKind::{Backoff, Running, Starting, Waiting};
        let mut rises = Rises::default();
        let changed = |rises: &mut Rises, name, from, to, ready, us| {
            rises.changed(&change(name, from, to, ready), at(us));
        };
        changed(&mut rises, "web", Waiting, Waiting, true, 1);
        changed(&mut rises, "web", Waiting, Starting, true, 2);
        changed(&mut rises, "web", Starting, Running, false, 3);
        rises.noted("web", &Note::NotReady, at(4));
        rises.noted("web", &Note::Ready, at(5));
        rises.noted("db", &Note::Ready, at(5));
        for again in [Starting, Running] {
            changed(&mut rises, "web", Backoff, again, true, 9);
        }
        let found: Vec<_> = rises
            .times
            .iter()
            .map(|(name, it)| (name.as_str(), it.starting_us, it.running_us, it.ready_us))
            .collect();
        assert_eq!(found, [("web", Some(2), Some(3), Some(5))]);
        changed(&mut rises, "db", Starting, Running, true, 6);
        assert_eq!(rises.times["db"].ready_us, Some(6), "ready as soon as it runs");
    }

    #[test]
    fn who_comes_late_was_not_wanted_all_the_time() {
        use StateKind::{Exited, Failed, Running, Starting, Waiting};
        let mut rises = Rises { wanted_us: Some(7), ..Rises::default() };
        for (from, to, us) in [(Waiting, Starting, 8), (Failed, Waiting, 100), (Waiting, Starting, 101)] {
            rises.changed(&change("late", from, to, false), at(us));
        }
        rises.changed(&change("late", Starting, Running, true), at(102));
        let late = rises.times["late"];
        assert_eq!(
            (rises.wanted_us(&late, false), late.starting_us, late.running_us),
            (100, Some(101), Some(102))
        );
        rises.changed(&change("late", Exited, Waiting, true), at(500));
        assert_eq!(rises.times["late"], late, "it is about the first time");
        rises.declared("new", at(600));
        rises.changed(&change("new", Waiting, Starting, false), at(601));
        assert_eq!(rises.wanted_us(&rises.times["new"], false), 600);
        rises.forget("new");
        assert!(!rises.times.contains_key("new"));
        let job = Times { starting_us: Some(3600), ..Times::default() };
        assert_eq!((rises.wanted_us(&job, true), rises.wanted_us(&Times::default(), true)), (3600, 7));
    }

    #[test]
    fn is_written_seldom_however_many_start() {
        let mut rises = Rises::default();
        let mut written = 0;
        for name in 0..1000 {
            let now = Duration::from_millis(name);
            rises.changed(&change(&name.to_string(), StateKind::Waiting, StateKind::Starting, false), now);
            written += usize::from(rises.take_due(true, now));
        }
        assert_eq!((written, rises.deadline(true), rises.deadline(false)), (1, Some(PAUSE), None));
    }
}

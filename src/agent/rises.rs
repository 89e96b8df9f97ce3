//! When each container came up for the first time since boot: what boot charts and blame are made of.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::time::Duration;

use orlop::config::{Condition, Config};
use orlop::control::{Edge, Rise};
use orlop::supervisor::{Note, StateKind, Status};
use serde::{Deserialize, Serialize};

use super::answer::state_word;
use super::{Agent, records, say};
use crate::linux::fs;
use crate::linux::kmsg::Level;

/// For a later supervisor.
const PATH: &str = "/run/orlop/rises.json";

/// A thousand containers, each with a long name and three times.
const MOST_BYTES: usize = 1 << 20;

#[derive(Default, Serialize, Deserialize)]
pub struct Rises {
    wanted_us: Option<u64>,
    times: BTreeMap<String, Times>,
    #[serde(skip)]
    dirty: bool,
}

#[derive(Default, Clone, Copy, Serialize, Deserialize)]
struct Times {
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

    /// `ready`: it is, as soon as it runs.
    pub fn changed(&mut self, name: &str, to: StateKind, ready: bool, now: Duration) {
        let times = match to {
            StateKind::Starting | StateKind::Running => self.times.entry(name.to_owned()).or_default(),
            StateKind::Waiting
            | StateKind::Stopping
            | StateKind::Backoff
            | StateKind::Exited
            | StateKind::Failed
            | StateKind::Stuck
            | StateKind::Invalid => return,
        };
        let first = match to {
            StateKind::Starting => &mut times.starting_us,
            _ => &mut times.running_us,
        };
        if first.is_none() {
            *first = Some(micros(now));
            self.dirty = true;
        }
        if to == StateKind::Running && times.ready_us.is_none() && ready {
            times.ready_us = Some(micros(now));
        }
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
    pub fn keep(&mut self, booted: bool) {
        if booted && core::mem::take(&mut self.dirty) {
            let text = serde_json::to_string(self).unwrap_or_default();
            if let Err(errno) = records::write_file(PATH, &text) {
                say(Level::Error, &format!("{PATH}: {}", errno.desc()));
            }
        }
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
        Rise {
            name: status.name.clone(),
            state: state_word(status.state),
            cause: status.cause.as_ref().map(|cause| cause.text.clone()),
            wanted_us: self.rises.wanted_us.unwrap_or_default(),
            starting_us: times.starting_us,
            running_us: times.running_us.or(started_us),
            ready_us: times.ready_us,
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

    #[test]
    fn keeps_the_first_time_of_each() {
        let at = Duration::from_micros;
        let mut rises = Rises::default();
        rises.changed("web", StateKind::Waiting, true, at(1));
        rises.changed("web", StateKind::Starting, true, at(2));
        rises.changed("web", StateKind::Running, false, at(3));
        rises.noted("web", &Note::NotReady, at(4));
        rises.noted("web", &Note::Ready, at(5));
        rises.noted("db", &Note::Ready, at(5));
        for again in [StateKind::Starting, StateKind::Running] {
            rises.changed("web", again, true, at(9));
        }
        let found: Vec<_> = rises
            .times
            .iter()
            .map(|(name, it)| (name.as_str(), it.starting_us, it.running_us, it.ready_us))
            .collect();
        assert_eq!(found, [("web", Some(2), Some(3), Some(5))]);
        rises.changed("db", StateKind::Running, true, at(6));
        assert_eq!(rises.times["db"].ready_us, Some(6), "ready as soon as it runs");
    }
}

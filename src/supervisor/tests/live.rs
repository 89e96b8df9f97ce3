//! One generation of a container, as the kernel would run it.

use std::time::Duration;

use super::declared::{failure, ms};
use super::*;

const SIGKILL: i32 = 9;

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
    /// What it says of itself, so long after its first instruction.
    pub(crate) says: Vec<(Duration, Notice)>,
    /// The nth probe of a generation gets the nth answer, the last one repeats; `None`: none at all.
    pub(crate) probes: Vec<Option<Probed>>,
    /// How long an answer takes.
    pub(crate) answers_in: Duration,
    /// Its image has a health check.
    pub(crate) check: Option<HealthCheck>,
}

#[derive(Debug, Clone)]
enum Stage {
    /// Not at its barrier yet; then at it.
    Setup {
        created_at: Duration,
        answer_at: Duration,
    },
    Created {
        answer_at: Duration,
    },
    /// A start that was killed, and will say so.
    Killed {
        answer_at: Duration,
    },
    Alive {
        ends_at: Option<Duration>,
        exit: Exit,
    },
    /// Its end stays in the ledger until it is recorded.
    Dead {
        ledger: Option<Found>,
    },
    Cleaning {
        until: Option<Duration>,
        fails: bool,
    },
    Gone,
}

/// What there is of a container.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) generation: u64,
    stage: Stage,
    clean_failures: u32,
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
            says: Vec::new(),
            probes: vec![Some(Probed::Passed)],
            answers_in: ms(5),
            check: None,
        }
    }
}

impl Play {
    pub(crate) fn exits(after: Duration, code: i32) -> Self {
        Self { ends: Some((after, Exit::Code(code))), ..Self::default() }
    }
}

impl Live {
    pub(crate) fn new(now: Duration, generation: u64, play: &Play) -> Self {
        let (created_at, answer_at) = (now + play.start / 2, now + play.start);
        let stage = Stage::Setup { created_at, answer_at };
        Self { generation, stage, clean_failures: play.clean_failures }
    }

    /// When something happens to it by itself.
    pub(crate) fn next(&self) -> Option<Duration> {
        match self.stage {
            Stage::Setup { created_at, .. } => Some(created_at),
            Stage::Created { answer_at } | Stage::Killed { answer_at } => Some(answer_at),
            Stage::Alive { ends_at, .. } => ends_at,
            Stage::Cleaning { until, .. } => until,
            Stage::Dead { .. } | Stage::Gone => None,
        }
    }

    fn pid(&self) -> i32 {
        1000 + i32::try_from(self.generation).unwrap()
    }

    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone)
    }

    /// Lets that happen, and tells what it was.
    pub(crate) fn happen(&mut self, name: &str, at: Duration, play: &Play) -> Event {
        let (name, generation, pidfd_inode) = (String::from(name), self.generation, 5);
        let pid = self.pid();
        let (stage, event) = match (&self.stage, play.fails) {
            (Stage::Setup { answer_at, .. }, _) => {
                let stage = Stage::Created { answer_at: *answer_at };
                (stage, Event::Created { name, generation, pid, pidfd_inode })
            }
            (Stage::Created { .. }, None) => {
                let exit = play.ends.map_or(Exit::Code(0), |(_, exit)| exit);
                let stage = Stage::Alive { ends_at: play.ends.map(|(time, _)| at + time), exit };
                let stop_signal = None;
                let check = play.check.clone().map(Box::new);
                (stage, Event::Started { name, generation, pid, pidfd_inode, stop_signal, check })
            }
            (Stage::Created { .. }, Some(fault)) => {
                let failure = failure(fault);
                (Stage::Dead { ledger: None }, Event::StartFailed { name, generation, failure })
            }
            (Stage::Killed { .. }, _) => {
                let failure = failure(Fault::Transient);
                (Stage::Dead { ledger: None }, Event::StartFailed { name, generation, failure })
            }
            (Stage::Alive { exit, .. }, _) => {
                let (exit, oom) = (*exit, play.oom);
                let ledger = Some(Found::Ended { exit, oom, at });
                (Stage::Dead { ledger }, Event::Ended { name, generation, exit, oom, at })
            }
            (Stage::Cleaning { fails: true, .. }, _) => {
                let text = "the mount is busy".into();
                let stage = Stage::Cleaning { until: None, fails: false };
                (stage, Event::CleanFailed { name, generation, text })
            }
            (Stage::Cleaning { fails: false, .. }, _) => (Stage::Gone, Event::Emptied { name, generation }),
            (Stage::Dead { .. } | Stage::Gone, _) => unreachable!("nothing happens to it"),
        };
        self.stage = stage;
        event
    }

    pub(crate) fn signal(&mut self, now: Duration, play: &Play, signal: i32) {
        if signal == SIGKILL {
            return self.kill(now, play);
        }
        if let Some(time) = play.obeys {
            self.end_by(now + time, Exit::Signal(signal));
        }
    }

    pub(crate) fn kill(&mut self, now: Duration, play: &Play) {
        let Some(time) = play.dies else { return };
        self.end_by(now + time, Exit::Signal(SIGKILL));
        if let Stage::Setup { answer_at, .. } | Stage::Created { answer_at } = self.stage {
            self.stage = Stage::Killed { answer_at: answer_at.min(now + time) };
        }
    }

    fn end_by(&mut self, time: Duration, how: Exit) {
        if let Stage::Alive { ends_at, exit } = &mut self.stage
            && ends_at.is_none_or(|at| at > time)
        {
            (*ends_at, *exit) = (Some(time), how);
        }
    }

    pub(crate) fn clean(&mut self, now: Duration, play: &Play) {
        let fails = self.clean_failures > 0;
        self.clean_failures = self.clean_failures.saturating_sub(1);
        self.stage = Stage::Cleaning { until: play.empties.map(|time| now + time), fails };
    }

    pub(crate) fn recorded(&mut self) {
        if let Stage::Dead { ledger } = &mut self.stage {
            *ledger = None;
        }
    }

    /// What the ledger shows to the next supervisor. A start that was under way ends with the one that
    /// made it, and what is being emptied has to be emptied by the next one.
    pub(crate) fn found(&mut self) -> Option<Found> {
        let found = match self.stage {
            Stage::Alive { .. } => {
                return Some(Found::Alive { pid: self.pid(), pidfd_inode: 5 });
            }
            Stage::Dead { ledger } => ledger,
            Stage::Created { .. } => Some(Found::NeverRan),
            Stage::Setup { .. } | Stage::Killed { .. } => None,
            Stage::Cleaning { .. } | Stage::Gone => None,
        };
        self.stage = Stage::Dead { ledger: found };
        found
    }
}

//! One generation of a container, as the kernel and the ledger would have it.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::play::{Delivery, NEVER, Play, failure};
use crate::supervisor::{Event, Exit, Fault, Found, Notice, Probed, Shortage};

const SIGKILL: i32 = 9;

/// Every pidfd's inode: nothing here tells them apart by it.
const INODE: u64 = 5;

/// Pids count from here, one for each generation.
const FIRST_PID: i32 = 1000;

/// When the process of a start that will hang is at its barrier.
const AT_BARRIER: Duration = Duration::from_millis(5);

#[derive(Debug, Clone)]
enum Stage {
    /// Not at its barrier yet; then at it.
    Setup {
        created_at: Option<Duration>,
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
        oom: bool,
    },
    Dead,
    Cleaning {
        until: Option<Duration>,
        fails: bool,
    },
    Gone,
}

/// What is on its way to a container.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Signal(i32),
    Kill,
}

/// What there is of a container.
#[derive(Debug, Clone)]
pub struct Live {
    pub generation: u64,
    name: String,
    play: Play,
    stage: Stage,
    late: Vec<(Duration, Blow)>,
    hung_at: Option<Duration>,
    /// How it ended, until that is recorded.
    pub(super) ledger: Option<Found>,
}

impl Live {
    pub(super) fn new(now: Duration, name: &str, generation: u64, play: Play) -> Self {
        let answer_at = now.saturating_add(play.start);
        let barrier = if play.start == NEVER { AT_BARRIER } else { play.start / 2 };
        let created_at = play.reaches_barrier.then(|| now.saturating_add(barrier));
        let stage = Stage::Setup { created_at, answer_at };
        Self {
            generation,
            name: name.to_string(),
            play,
            stage,
            late: Vec::new(),
            hung_at: None,
            ledger: None,
        }
    }

    /// When something happens to it by itself.
    pub(super) fn next(&self) -> Option<Duration> {
        let late = self.late.iter().map(|(at, _)| *at).min();
        self.due().into_iter().chain(late).min()
    }

    fn due(&self) -> Option<Duration> {
        match self.stage {
            Stage::Setup { created_at, answer_at } => Some(created_at.unwrap_or(answer_at)),
            Stage::Created { answer_at } | Stage::Killed { answer_at } => Some(answer_at),
            Stage::Alive { ends_at, .. } => ends_at,
            Stage::Cleaning { until, .. } => until,
            Stage::Dead | Stage::Gone => None,
        }
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.generation).unwrap_or(0).saturating_add(FIRST_PID)
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone)
    }

    /// Its program runs.
    pub fn is_alive(&self) -> bool {
        matches!(self.stage, Stage::Alive { .. })
    }

    /// Its program runs, does not stand still, and does not end at this moment.
    pub(super) fn is_well(&self, now: Duration) -> bool {
        let goes_on = match self.stage {
            Stage::Alive { ends_at, .. } => ends_at.is_none_or(|at| at > now),
            Stage::Setup { .. }
            | Stage::Created { .. }
            | Stage::Killed { .. }
            | Stage::Dead
            | Stage::Cleaning { .. }
            | Stage::Gone => false,
        };
        goes_on && self.hung_at.is_none_or(|hung| hung > now)
    }

    /// Lets the next thing happen, and tells what it was, if anybody hears of it.
    pub(super) fn happen(&mut self, at: Duration) -> Option<Event> {
        if let Some(place) = self.late.iter().position(|(when, _)| *when == at) {
            match self.late.remove(place).1 {
                Blow::Signal(signal) => self.hit_by_signal(at, signal),
                Blow::Kill => self.hit_by_kill(at),
            }
            return None;
        }
        let (name, generation, pidfd_inode) = (self.name.clone(), self.generation, INODE);
        let pid = self.pid();
        let (stage, event) = match self.stage {
            Stage::Setup { created_at: Some(_), answer_at } => {
                (Stage::Created { answer_at }, Event::Created { name, generation, pid, pidfd_inode })
            }
            Stage::Setup { created_at: None, .. } | Stage::Created { .. } => self.answer(at),
            Stage::Killed { .. } => {
                let failure = failure(Fault::Transient);
                (Stage::Dead, Event::StartFailed { name, generation, failure })
            }
            Stage::Alive { exit, oom, .. } => {
                let oom = oom.then_some(Shortage::Own { limit: None });
                self.ledger = Some(Found::Ended { exit, oom, at });
                (Stage::Dead, Event::Ended { name, generation, exit, oom, at })
            }
            Stage::Cleaning { fails: true, .. } => {
                let text = "the mount is busy".to_string();
                let stage = Stage::Cleaning { until: None, fails: false };
                (stage, Event::CleanFailed { name, generation, text })
            }
            Stage::Cleaning { fails: false, .. } => (Stage::Gone, Event::Emptied { name, generation }),
            Stage::Dead | Stage::Gone => return None,
        };
        self.stage = stage;
        Some(event)
    }

    /// How its start ends.
    fn answer(&self, at: Duration) -> (Stage, Event) {
        let (name, generation, pidfd_inode) = (self.name.clone(), self.generation, INODE);
        match self.play.fails {
            Some(fault) => {
                let failure = failure(fault);
                (Stage::Dead, Event::StartFailed { name, generation, failure })
            }
            None => {
                let exit = self.play.ends.map_or(Exit::Code(0), |(_, exit)| exit);
                let ends_at = self.play.ends.map(|(time, _)| at.saturating_add(time));
                let (pid, stop_signal) = (self.pid(), None);
                let check = self.play.check.clone().map(Box::new);
                let event = Event::Started { name, generation, pid, pidfd_inode, stop_signal, check };
                (Stage::Alive { ends_at, exit, oom: self.play.oom }, event)
            }
        }
    }

    /// What it will say of itself, when its program begins now.
    pub(super) fn notices(&mut self, now: Duration) -> Vec<(Duration, Event)> {
        self.hung_at = self.play.hangs.map(|after| now.saturating_add(after));
        let beat = self.play.beats.map(|beat| (beat, Notice::Alive));
        let says = self.play.says.iter().cloned().chain(beat);
        says.map(|(after, notice)| (now.saturating_add(after), self.notified(notice))).collect()
    }

    fn notified(&self, notice: Notice) -> Event {
        Event::Notified { name: self.name.clone(), generation: self.generation, notice }
    }

    /// Whether it gets to say this, which was due at `at`; and when it gives its next sign of life: those of a time
    /// in which nobody listened are one.
    pub(super) fn says(
        &self,
        at: Duration,
        now: Duration,
        event: &Event,
    ) -> (bool, Option<(Duration, Event)>) {
        let Event::Notified { generation, notice, .. } = event else { return (true, None) };
        if *generation != self.generation || !self.is_alive() || self.hung_at.is_some_and(|hung| hung <= at) {
            return (false, None);
        }
        let beat = self.play.beats.filter(|_| *notice == Notice::Alive);
        (true, beat.map(|beat| (now.saturating_add(beat), self.notified(Notice::Alive))))
    }

    /// The answer to a probe, and when it comes, if it does.
    pub(super) fn answer_to(&self, now: Duration, number: u64) -> Option<(Duration, Event)> {
        let nth = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let answer = self.play.probes.get(nth).or(self.play.probes.last()).cloned().flatten()?;
        let hangs = self.hung_at.is_some_and(|hung| hung <= now);
        let answer = if hangs { Probed::Failed { text: "it does not answer".to_string() } } else { answer };
        let (name, generation) = (self.name.clone(), self.generation);
        let at = now.saturating_add(self.play.answers_in);
        Some((at, Event::Probed { name, generation, number, answer }))
    }

    /// It stands still from now on. False: its program does not run.
    pub(super) fn hang(&mut self, now: Duration) -> bool {
        self.hung_at = Some(now);
        self.is_alive()
    }

    pub(super) fn signal(&mut self, now: Duration, signal: i32) -> Option<Event> {
        match self.play.signal.take() {
            Delivery::AtOnce => self.hit_by_signal(now, signal),
            Delivery::Late(time) => self.late.push((now.saturating_add(time), Blow::Signal(signal))),
            Delivery::Lost => {}
            Delivery::Fails(_) => {
                return Some(Event::SignalFailed { name: self.name.clone(), generation: self.generation });
            }
        }
        None
    }

    pub(super) fn kill(&mut self, now: Duration) -> Option<Event> {
        match self.play.kill.take() {
            Delivery::AtOnce => self.hit_by_kill(now),
            Delivery::Late(time) => self.late.push((now.saturating_add(time), Blow::Kill)),
            Delivery::Lost => {}
            Delivery::Fails(_) => {
                let (name, text) = (self.name.clone(), "cgroup.kill: Input/output error".to_string());
                return Some(Event::KillFailed { name, generation: self.generation, text });
            }
        }
        None
    }

    fn hit_by_signal(&mut self, now: Duration, signal: i32) {
        if signal == SIGKILL {
            self.hit_by_kill(now);
        } else if let Some(time) = self.play.obeys {
            self.end_by(now.saturating_add(time), Exit::Signal(signal), false);
        }
    }

    fn hit_by_kill(&mut self, now: Duration) {
        let Some(time) = self.play.dies else { return };
        let by = now.saturating_add(time);
        self.end_by(by, Exit::Signal(SIGKILL), false);
        if let Stage::Setup { answer_at, .. } | Stage::Created { answer_at } = self.stage {
            self.stage = Stage::Killed { answer_at: answer_at.min(by) };
        }
    }

    fn end_by(&mut self, time: Duration, how: Exit, short_of_memory: bool) {
        if let Stage::Alive { ends_at, exit, oom } = &mut self.stage
            && ends_at.is_none_or(|at| at > time)
        {
            (*ends_at, *exit, *oom) = (Some(time), how, short_of_memory);
        }
    }

    /// False: there is nothing to hit.
    pub(super) fn strike(&mut self, now: Duration, exit: Exit, oom: bool) -> bool {
        self.end_by(now, exit, oom);
        self.is_alive()
    }

    pub(super) fn clean(&mut self, now: Duration) {
        let fails = self.play.clean_failures > 0;
        self.play.clean_failures = self.play.clean_failures.saturating_sub(1);
        let until = self.play.empties.map(|time| now.saturating_add(time));
        self.stage = Stage::Cleaning { until, fails };
    }

    /// The supervisor died. A start that was under way ends with the one that made it, and what is being
    /// emptied has to be emptied by the next one.
    pub(super) fn orphaned(&mut self) {
        match self.stage {
            Stage::Alive { .. } => return,
            Stage::Created { .. } => self.ledger = Some(Found::NeverRan),
            Stage::Setup { .. }
            | Stage::Killed { .. }
            | Stage::Dead
            | Stage::Cleaning { .. }
            | Stage::Gone => {}
        }
        self.stage = Stage::Dead;
    }

    /// What the ledger shows to the next supervisor.
    pub(super) fn found(&self) -> Option<Found> {
        match self.stage {
            Stage::Alive { .. } => Some(Found::Alive { pid: self.pid(), pidfd_inode: INODE }),
            Stage::Setup { .. }
            | Stage::Created { .. }
            | Stage::Killed { .. }
            | Stage::Dead
            | Stage::Cleaning { .. }
            | Stage::Gone => self.ledger,
        }
    }
}

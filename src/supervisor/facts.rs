//! What the agent reports, in every state.
//!
//! A report carries the generation that it is about; one about another generation changes nothing.
//! Reports may cross what was decided meanwhile (a container is told to stop while it starts, and
//! `Started` is under way): that is ordinary, and each such arm says why it is ignored.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use super::Supervisor;
use super::cause::Cause;
use super::event::{Outcome, StartFailure};
use super::judge::Court;
use super::state::{Phase, Remains, State, Why};
use super::unit::{End, Moment, Process, Unit};
use crate::config::HealthCheck;

/// Between two tries to get rid of what is stuck: often enough that it is gone soon after it can be,
/// seldom enough that a machine with a dead disk hardly wakes up for it.
const RETRY: Duration = Duration::from_secs(10);

const NOT_ALIVE: Outcome = Outcome::Ignored("nothing of this generation is alive");
const END_KNOWN: Outcome = Outcome::Ignored("its end is known already");
const NOT_CLEANING: Outcome = Outcome::Ignored("it is not being emptied");
const NOT_STARTING: Outcome = Outcome::Ignored("it is not starting");

impl Supervisor {
    /// A report about one generation of one container.
    pub(super) fn about(
        &mut self,
        now: Duration,
        name: &str,
        generation: u64,
        react: impl FnOnce(&mut Unit, Moment) -> Outcome,
    ) -> Outcome {
        let moment = self.moment(now, name);
        match self.units.get_mut(name) {
            None => Outcome::Ignored("no container has this name"),
            Some(unit) if unit.generation != generation => Outcome::Ignored("it is about another generation"),
            Some(unit) => react(unit, moment),
        }
    }

    /// A person wants another one beside what is left of it, unless the machine ends.
    pub(super) fn set_aside(&mut self, now: Duration, name: &str, generation: u64) -> Outcome {
        let may_start = |unit: &Unit| !unit.undeclared && !unit.is_misdeclared();
        let again = self.shutdown.is_none() && self.units.get(name).is_some_and(may_start);
        let court = self.court(now);
        let outcome =
            self.about(now, name, generation, |unit, moment| unit.set_aside((moment, court), again));
        if outcome == Outcome::Done && again {
            self.stop_opponents(now, name);
        }
        outcome
    }

    pub(super) fn make_invalid(&mut self, now: Duration, name: &str, cause: Cause) -> Outcome {
        let moment = self.moment(now, name);
        match self.units.get_mut(name) {
            None => Outcome::Ignored("no container has this name"),
            Some(unit) if unit.is_misdeclared() => Outcome::Ignored("it is invalid already"),
            Some(unit) => unit.found_invalid(moment, cause),
        }
    }
}

impl Unit {
    /// The main process waits at its barrier. Also noted while it is being killed, so that the record
    /// names what is still there.
    pub(super) fn created(&mut self, process: Process) -> Outcome {
        match self.state {
            State::Starting { .. }
            | State::Stopping { phase: Phase::Kill { .. }, .. }
            | State::Stuck { on: Remains::Main, .. } => {
                self.process = Some(process);
                self.dirty = true;
                Outcome::Done
            }
            State::Running { .. } | State::Stopping { phase: Phase::Held | Phase::Term { .. }, .. } => {
                NOT_STARTING
            }
            State::Stopping { phase: Phase::Clean { .. }, .. } | State::Stuck { on: Remains::Cgroup, .. } => {
                END_KNOWN
            }
            State::Waiting { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Invalid => NOT_ALIVE,
        }
    }

    /// `stop_signal` and `check` are the image's.
    pub(super) fn started(
        &mut self,
        now: Duration,
        process: Process,
        stop_signal: Option<i32>,
        check: Option<Box<HealthCheck>>,
    ) -> Outcome {
        match self.state {
            State::Starting { .. } => {
                self.process = Some(process);
                self.image_stop_signal = stop_signal;
                self.started_at = Some(now);
                self.rise(now, check.map(|check| *check));
                Outcome::Done
            }
            State::Stopping { phase: Phase::Kill { .. }, .. } | State::Stuck { on: Remains::Main, .. } => {
                self.created(process)
            }
            State::Running { .. } | State::Stopping { phase: Phase::Held | Phase::Term { .. }, .. } => {
                NOT_STARTING
            }
            State::Stopping { phase: Phase::Clean { .. }, .. } | State::Stuck { on: Remains::Cgroup, .. } => {
                END_KNOWN
            }
            State::Waiting { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Invalid => NOT_ALIVE,
        }
    }

    /// Also of one that was adopted in the middle of its start and taken for running.
    pub(super) fn start_failed(&mut self, moment: Moment, failure: StartFailure) -> Outcome {
        self.ended(moment, End::NotStarted { failure, at: moment.now })
    }

    /// The main process is gone, or there never was one. What is left of the container is emptied;
    /// what follows is decided after that.
    pub(super) fn ended(&mut self, moment: Moment, end: End) -> Outcome {
        let why = match self.state {
            State::Starting { .. } | State::Running { .. } => Why::Itself,
            State::Stopping { phase: Phase::Clean { .. }, .. } | State::Stuck { on: Remains::Cgroup, .. } => {
                return END_KNOWN;
            }
            State::Stopping { phase: Phase::Held | Phase::Term { .. } | Phase::Kill { .. }, why }
            | State::Stuck { on: Remains::Main, why, .. } => why,
            State::Waiting { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Invalid => return NOT_ALIVE,
        };
        // A start that took too long was ended by us: how its process died says nothing more.
        self.end.get_or_insert(end);
        self.clean(moment, why);
        Outcome::Done
    }

    pub(super) fn emptied(&mut self, court: Court) -> Outcome {
        match self.state {
            State::Stopping { phase: Phase::Clean { .. }, why }
            | State::Stuck { on: Remains::Cgroup, why, .. } => {
                self.conclude(why, court);
                Outcome::Done
            }
            State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { phase: Phase::Held | Phase::Term { .. } | Phase::Kill { .. }, .. }
            | State::Stuck { on: Remains::Main, .. } => NOT_CLEANING,
            State::Waiting { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Invalid => NOT_ALIVE,
        }
    }

    /// What is left of it holds up the next generation no more.
    pub(super) fn set_aside(&mut self, (moment, court): (Moment, Court), again: bool) -> Outcome {
        let why = match self.state {
            State::Stuck { why, .. } => why,
            // That nothing is left in its cgroup was heard first.
            state if state.kind().is_down() && again => return self.asked_to_start(moment),
            _ => return Outcome::Ignored("it is not stuck"),
        };
        if again {
            self.want_afresh();
        }
        self.end.get_or_insert(End::Unseen { at: court.now });
        self.conclude(if again { Why::Again } else { why }, court);
        Outcome::Done
    }

    /// Its cgroup or its mounts cannot be removed: nothing may be started on top of them, so that it is
    /// stuck, and tried again.
    pub(super) fn clean_failed(&mut self, now: Duration, text: String) -> Outcome {
        match self.state {
            State::Stopping { phase: Phase::Clean { .. }, why }
            | State::Stuck { on: Remains::Cgroup, why, .. } => self.stick(now, Remains::Cgroup, why, &text),
            State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { phase: Phase::Held | Phase::Term { .. } | Phase::Kill { .. }, .. }
            | State::Stuck { on: Remains::Main, .. } => NOT_CLEANING,
            State::Waiting { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Invalid => NOT_ALIVE,
        }
    }

    /// It cannot be asked to stop, so it is not asked.
    pub(super) fn signal_failed(&mut self, moment: Moment) -> Outcome {
        match self.state {
            State::Stopping { phase: Phase::Term { .. }, why } => {
                self.kill(moment, why);
                Outcome::Done
            }
            State::Running { .. } | State::Stopping { phase: Phase::Held, .. } => {
                Outcome::Ignored("a person's signal: what was meant to follow is not ours")
            }
            State::Stopping { phase: Phase::Kill { .. } | Phase::Clean { .. }, .. } | State::Stuck { .. } => {
                Outcome::Ignored("it was killed meanwhile")
            }
            State::Starting { .. } => Outcome::Ignored("a start is never signalled"),
            State::Waiting { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Invalid => NOT_ALIVE,
        }
    }

    pub(super) fn kill_failed(&mut self, now: Duration, text: String) -> Outcome {
        match self.state {
            State::Stopping { phase: Phase::Kill { .. }, why }
            | State::Stuck { on: Remains::Main, why, .. } => self.stick(now, Remains::Main, why, &text),
            State::Stopping { phase: Phase::Clean { .. }, .. } | State::Stuck { on: Remains::Cgroup, .. } => {
                Outcome::Ignored("if anything is left, it shows when it is emptied")
            }
            State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { phase: Phase::Held | Phase::Term { .. }, .. } => {
                Outcome::Ignored("it was not to be killed")
            }
            State::Waiting { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Invalid => NOT_ALIVE,
        }
    }

    /// Running, it goes on running, and is not started again. In the middle of a start this may be its
    /// answer: while it has no process there is nothing to wait for.
    pub(super) fn found_invalid(&mut self, moment: Moment, cause: Cause) -> Outcome {
        self.invalid = Some(cause.clone());
        self.dirty = true;
        let has_process = self.process.is_some();
        match self.state {
            State::Waiting { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Invalid => {
                self.cause = Some(cause);
                self.set(State::Invalid);
            }
            State::Starting { .. } if has_process => self.kill(moment, Why::Itself),
            State::Starting { .. } => self.clean(moment, Why::Itself),
            State::Stopping { phase: Phase::Kill { .. }, why }
            | State::Stuck { on: Remains::Main, why, .. }
                if !has_process =>
            {
                self.clean(moment, why);
            }
            State::Running { .. } | State::Stopping { .. } | State::Stuck { .. } => {}
        }
        Outcome::Done
    }

    /// It is known what of it is left; what is not stuck any more needs no explanation.
    pub(super) fn hangs(&mut self, text: &str) -> Outcome {
        match self.state {
            State::Stuck { .. } => {
                self.cause = Some(Cause::stuck(text));
                self.dirty = true;
                Outcome::Done
            }
            State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Invalid => Outcome::Ignored("it is not stuck"),
        }
    }

    fn stick(&mut self, now: Duration, on: Remains, why: Why, text: &str) -> Outcome {
        self.cause = Some(Cause::stuck(text));
        self.goes(State::Stuck { on, retry: Some(now.saturating_add(RETRY)), why })
    }
}

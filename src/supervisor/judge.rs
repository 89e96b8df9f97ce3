//! What follows an end: decided when nothing of the old generation is left, and only then.

use alloc::boxed::Box;
use core::time::Duration;

use crate::config::{EndPattern, Exhausted, Restart, Sentence, StartBy};

use super::backoff;
use super::cause::{Cause, CauseKind};
use super::event::{Exit, Fault};
use super::groups::Alarm;
use super::state::{By, State, Wait, Wanted, Why};
use super::unit::{End, Unit};

/// What the decision depends on besides the container itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Court {
    pub(super) now: Duration,
    pub(super) seed: u64,
    pub(super) at_boot: Duration,
    /// Whether anybody may ask for a reboot.
    pub(super) reboots: bool,
    /// The machine ends.
    pub(super) ends: bool,
}

/// A machine that was booted a moment ago is not rebooted for what has just failed again: somebody may want to look.
const SHORTEST_UPTIME: Duration = Duration::from_secs(600);

/// What an end that nobody asked for was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Clean,
    Failure,
    /// The machine's fault.
    NoFault,
}

impl Unit {
    /// Its cgroup is empty and gone.
    pub(super) fn conclude(&mut self, why: Why, court: Court) {
        self.process = None;
        self.ran &= !is_anew(why);
        let ending = self.ending(why, court.now);
        self.cause = Some(ending.cause.clone());
        self.over = Some(Box::new(ending));
        if let Some(cause) = self.invalid.clone().filter(|_| !self.undeclared) {
            self.cause = Some(cause);
            return self.set(State::Invalid);
        }
        match why {
            Why::Itself | Why::Unhealthy | Why::NotReady | Why::Watchdog | Why::Overtime => {
                self.judge(why, court)
            }
            Why::Stop | Why::Shutdown | Why::Undeclared => self.set(State::Exited),
            Why::Dependency | Why::Group | Why::GroupFailed if self.wanted == Wanted::Down => {
                self.set(State::Exited);
            }
            Why::GroupFailed => self.set(State::Failed),
            Why::Dependency | Why::Group => {
                self.set(State::Waiting { since: court.now, by: By::Policy, on: Wait::Dependencies });
            }
            Why::Again => {
                self.set(State::Waiting { since: court.now, by: By::Person, on: Wait::Turn });
            }
            Why::Reload => self.begin_anew(court),
        }
    }

    /// It goes down to come up again, together with others: who depends on it waits for that.
    pub(super) fn comes_anew(&self) -> bool {
        match self.state {
            State::Stopping { why, .. } | State::Stuck { why, .. } => is_anew(why),
            State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Exited
            | State::Failed
            | State::Invalid => false,
        }
    }

    pub(super) fn cause_of_end(&self, why: Why) -> Cause {
        if let Some(cause) = &self.invalid
            && self.end.is_none()
            && why == Why::Itself
        {
            return cause.clone();
        }
        match (why, &self.end) {
            (Why::Stop, _) => self.cause_of_stop(self.exit()),
            (Why::Reload, _) => Cause::reloaded(self.exit()),
            (Why::Again, _) => Cause::restarted_by_person(self.exit()),
            (Why::Shutdown, _) => Cause::shutdown(self.exit()),
            (Why::Undeclared, _) => Cause::undeclared(),
            (Why::Unhealthy, _) => Cause::unhealthy(self.report.as_deref(), self.exit()),
            (Why::NotReady, _) => Cause::not_ready(self.spec.ready_timeout, self.exit()),
            (Why::Watchdog, _) => Cause::watchdog(self.spec.watchdog.unwrap_or_default(), self.exit()),
            (Why::Overtime, _) => Cause::overtime(self.spec.run_timeout.unwrap_or_default(), self.exit()),
            (Why::Dependency, _) => {
                Cause::went_with(self.followed.as_deref().unwrap_or("another"), self.exit())
            }
            (Why::Group, _) => Cause::group_restarted(self.group_name(), self.exit()),
            (Why::GroupFailed, _) => Cause::group_failed(self.group_name(), self.exit()),
            (Why::Itself, Some(End::NotStarted { failure, .. })) => Cause::start(failure),
            (Why::Itself, Some(End::Exited { exit: Exit::Code(0), .. })) => Cause::exit(Exit::Code(0)),
            (Why::Itself, Some(End::Exited { oom: Some(shortage), .. })) => Cause::oom(*shortage),
            (Why::Itself, Some(End::Exited { exit, .. })) => Cause::exit(*exit),
            (Why::Itself, Some(End::Unseen { .. }) | None) => Cause::unseen_end(),
        }
    }

    /// A person's word, about this one or about one that it is in conflict with.
    pub(super) fn cause_of_stop(&self, exit: Option<Exit>) -> Cause {
        match &self.made_way {
            Some(name) => Cause::made_way(name, exit),
            None => Cause::stopped_by_person(exit),
        }
    }

    pub(super) fn group_name(&self) -> &str {
        self.spec.group.as_ref().map_or("", |group| group.name.as_str())
    }

    fn judge(&mut self, why: Why, court: Court) {
        self.forget_after_health();
        let verdict = if why == Why::Itself { self.verdict() } else { Verdict::Failure };
        let sentence = self.sentence().filter(|_| verdict != Verdict::NoFault);
        let verdict = if sentence == Some(Sentence::Success) { Verdict::Clean } else { verdict };
        self.concluded = true;
        self.completed = match verdict {
            Verdict::Clean => true,
            Verdict::Failure => false,
            Verdict::NoFault => self.completed,
        };
        self.tell_group(verdict, court);
        if self.wanted == Wanted::Down {
            return match verdict {
                Verdict::Clean | Verdict::NoFault => self.set(State::Exited),
                Verdict::Failure => self.set(State::Failed),
            };
        }
        match sentence {
            Some(Sentence::Fail) => return self.set(State::Failed),
            Some(Sentence::Reboot) => return self.reboot(court),
            Some(Sentence::Restart) if verdict == Verdict::Clean => return self.back_off(court),
            Some(Sentence::Restart) => return self.fail(court),
            Some(Sentence::Success) | None => {}
        }
        if verdict == Verdict::Clean && self.spec.start == StartBy::Connection {
            return match self.end {
                // Whoever connected is still there, and what was in the way may be.
                Some(End::NotStarted { .. }) => self.back_off(court),
                Some(End::Exited { .. } | End::Unseen { .. }) | None => self.wait_for_connection(court.now),
            };
        }
        if let Some(table) = self.spec.timetable
            && (verdict == Verdict::Clean || verdict == Verdict::Failure && self.spec.restart == Restart::No)
        {
            return self.wait_for_time(&table, court.now, court.at_boot, court.seed);
        }
        let is_over = verdict == Verdict::Clean || self.spec.restart == Restart::No;
        if self.is_job() && is_over && !court.ends {
            return self.wait_for_the_end(court.now);
        }
        match (verdict, self.spec.restart) {
            (Verdict::Clean, Restart::No | Restart::OnFailure) => self.set(State::Exited),
            (Verdict::Failure, Restart::No) => self.set(State::Failed),
            (Verdict::Clean, Restart::Always | Restart::UnlessStopped)
            | (
                Verdict::NoFault,
                Restart::No | Restart::Always | Restart::OnFailure | Restart::UnlessStopped,
            ) => self.back_off(court),
            (Verdict::Failure, Restart::Always | Restart::OnFailure | Restart::UnlessStopped) => {
                self.fail(court);
            }
        }
    }

    /// Its failure counts there, whatever follows from it here.
    fn tell_group(&mut self, verdict: Verdict, court: Court) {
        let window = self.spec.group.as_ref().and_then(|group| group.window);
        if let (Some(window), Verdict::Failure, Wanted::Up) = (window, verdict, self.wanted) {
            self.failures.note(&self.spec.policy, Some(window), court.now);
            self.alarm = Some(Alarm::Failure);
        }
    }

    /// A person had it run before its hour.
    pub(super) fn wait_for_the_end(&mut self, now: Duration) {
        self.set(State::Waiting { since: now, by: By::Policy, on: Wait::Shutdown });
    }

    fn verdict(&self) -> Verdict {
        match &self.end {
            Some(End::Exited { exit: Exit::Code(0), .. }) => Verdict::Clean,
            Some(End::NotStarted { failure, .. }) => match failure.fault {
                Fault::Transient => Verdict::NoFault,
                Fault::Permanent => Verdict::Failure,
            },
            Some(End::Exited { .. } | End::Unseen { .. }) | None => Verdict::Failure,
        }
    }

    /// What the first rule says that fits its end.
    fn sentence(&self) -> Option<Sentence> {
        let fits = |pattern: &EndPattern| match (pattern, self.cause.as_ref().map(|cause| &cause.kind)) {
            (EndPattern::Codes(first, last), Some(CauseKind::Exit { code })) => {
                (first..=last).contains(&code)
            }
            (EndPattern::Signal(wanted), Some(CauseKind::Signal { signal })) => wanted == signal,
            (EndPattern::Oom, Some(CauseKind::Oom { .. }))
            | (EndPattern::Probe, Some(CauseKind::Probe))
            | (EndPattern::Watchdog, Some(CauseKind::Watchdog))
            | (EndPattern::Start, Some(CauseKind::Start { .. })) => true,
            (
                EndPattern::Codes(..)
                | EndPattern::Signal(_)
                | EndPattern::Oom
                | EndPattern::Probe
                | EndPattern::Watchdog
                | EndPattern::Start,
                _,
            ) => false,
        };
        self.spec.rules.iter().find(|rule| rule.on.iter().any(fits)).map(|rule| rule.then)
    }

    pub(super) fn ask_for_reboot(&mut self, court: Court) {
        self.asks_reboot = court.reboots && court.now >= SHORTEST_UPTIME;
    }

    /// Until the machine goes down it is tried on.
    fn reboot(&mut self, court: Court) {
        self.ask_for_reboot(court);
        self.held = true;
        self.back_off(court);
    }

    /// A run of `healthy_after` wipes out what went before it.
    fn forget_after_health(&mut self) {
        let ended_at = match &self.end {
            Some(End::Exited { at, .. } | End::Unseen { at }) => *at,
            Some(End::NotStarted { .. }) | None => return,
        };
        self.was_well_until(ended_at);
    }

    /// It is not any more.
    pub(super) fn was_well_until(&mut self, end: Duration) {
        let well_for = self.well_since.take().map(|since| end.saturating_sub(since));
        if well_for.is_some_and(|well_for| well_for >= self.spec.policy.healthy_after) {
            self.pardon();
        }
    }

    fn fail(&mut self, court: Court) {
        if self.alarm.is_none() {
            self.failures.note(&self.spec.policy, None, court.now);
        }
        if !self.failures.are_too_many(&self.spec.policy, court.now) {
            return self.back_off(court);
        }
        match (self.spec.policy.then, self.spec.timetable) {
            // The next time is a new one.
            (Exhausted::Fail, Some(table)) => {
                self.pardon();
                self.wait_for_time(&table, court.now, court.at_boot, court.seed);
            }
            (Exhausted::Fail, None) => self.set(State::Failed),
            (Exhausted::Reboot, _) => self.reboot(court),
            (Exhausted::RestartGroup, _) => {
                self.alarm = Some(Alarm::Restart);
                self.back_off(court);
            }
            (Exhausted::Hold, _) => {
                self.held = true;
                self.back_off(court);
            }
        }
    }

    pub(super) fn back_off(&mut self, court: Court) {
        self.streak = self.streak.saturating_add(1);
        let pause = backoff::pause(&self.spec.policy, self.streak, self.held);
        let pause = backoff::jittered(pause, court.seed, &self.name, self.generation);
        self.set(State::Backoff { until: court.now.saturating_add(pause) });
    }
}

/// Whether one that goes down for this reason was asked to start again, and has not run until it does.
fn is_anew(why: Why) -> bool {
    match why {
        Why::Again | Why::Reload | Why::Group => true,
        Why::Itself
        | Why::Stop
        | Why::Shutdown
        | Why::Unhealthy
        | Why::NotReady
        | Why::Watchdog
        | Why::Overtime
        | Why::Dependency
        | Why::Undeclared
        | Why::GroupFailed => false,
    }
}

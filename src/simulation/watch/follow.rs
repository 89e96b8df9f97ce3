//! Takes in what the core was told and what it asks for, and says whether it may.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::shadow::{Ending, Shadow, Word};
use super::{View, Watch, is_met};
use crate::config::{Exhausted, Gate, Restart};
use crate::simulation::core::Core;
use crate::simulation::promise::Promise;
use crate::supervisor::{
    Effect, Event, Exit, Fault, Notice, Outcome, Phase, Probed, START_DEADLINE, State, StateKind, Wanted,
};

const SIGTERM: i32 = 15;

impl Watch {
    pub(in crate::simulation) fn told<C: Core>(
        &mut self,
        view: &View<'_, C>,
        event: &Event,
        outcome: &Outcome,
    ) {
        self.look_at_groups(view);
        match (outcome, event) {
            (Outcome::Done | Outcome::Ignored(_), event) if self.asked_of_group(view, event) => {}
            (Outcome::Done, event) => {
                self.happened(view, event);
                if matches!(event, Event::Booted | Event::Resume) {
                    self.replace();
                }
                self.is_ready_now(view, event);
            }
            // It is down already, or so the core says.
            (Outcome::Ignored(_), Event::Stop { name }) => self.stopped(name),
            (Outcome::Ignored(why), Event::Start { name } | Event::Restart { name }) => {
                let up = self.shadows.get(name).is_some_and(|it| it.there && it.end.is_none());
                self.must(up, Promise::StartsAreKept, view.now, || format!("{name}: {why}"));
                self.opponents_stopped(name);
            }
            (Outcome::Ignored(_) | Outcome::Refused(_), _) => {}
        }
        self.see_stops_begin(view);
        self.notice_stops(view);
        self.notice_waits(view);
    }

    /// One that waits for its dependents, or was asked to end, without having been asked for by anybody: however
    /// it ends now, it was the core that stopped it.
    fn notice_stops<C: Core>(&mut self, view: &View<'_, C>) {
        let ends = |name: &&String| {
            let phase = view.core.state(name);
            matches!(phase, Some(State::Stopping { phase: Phase::Held | Phase::Term { .. }, .. }))
        };
        let names: Vec<String> = self.shadows.keys().filter(ends).cloned().collect();
        for name in names {
            self.check_stop(view, &name, false);
        }
    }

    fn happened<C: Core>(&mut self, view: &View<'_, C>, event: &Event) {
        match event {
            Event::Booted => self.booted = true,
            Event::SafeMode => self.safe = true,
            Event::Resume => self.safe = false,
            Event::Reload(reload) => self.reloaded(reload),
            Event::Shutdown { deadline } => self.shut_down(view, *deadline),
            Event::Adopted { record, found } => {
                let ready = view.core.status(&record.name).is_some_and(|status| status.ready);
                self.adopted(record, *found, ready);
            }
            Event::Start { name } | Event::Restart { name } => self.wanted_up(name),
            Event::Gates { open } => self.found_open(open),
            Event::Stop { name } => self.stopped(name),
            Event::ImageInvalid { name, .. } | Event::Quarantine { name, .. } => self.of(name, |shadow| {
                shadow.unusable = true;
                shadow.ran &= shadow.there;
                shadow.completed &= shadow.there;
                // It may be the answer to a start, in the place of an end.
                shadow.certain = false;
            }),
            Event::Started { name, .. } => self.started(view.now, name),
            Event::StartFailed { name, failure, .. } => {
                let ending = match failure.fault {
                    Fault::Transient => Ending::NoFault,
                    Fault::Permanent => Ending::Failure,
                };
                self.of(name, |shadow| shadow.end = shadow.end.or(Some(ending)));
            }
            Event::Ended { name, exit, .. } => {
                let ending = if *exit == Exit::Code(0) { Ending::Clean } else { Ending::Failure };
                self.of(name, |shadow| shadow.end = shadow.end.or(Some(ending)));
            }
            Event::Emptied { name, .. } => {
                self.emptied(view, name);
                self.declared_anew(name);
            }
            Event::SetAside { name, .. } => {
                if self.shutdown.is_none() && self.shadows.get(name).is_some_and(|it| !it.undeclared) {
                    self.wanted_up(name);
                }
                self.emptied(view, name);
                self.declared_anew(name);
            }
            Event::Notified { name, notice, .. } => {
                self.of(name, |shadow| shadow.said_ready |= *notice == Notice::Ready);
            }
            Event::Probed { name, answer, .. } => self.of(name, |shadow| match answer {
                Probed::Passed => shadow.passed = true,
                Probed::Failed { .. } => shadow.failed = true,
                Probed::NotMade { .. } => {}
            }),
            Event::Connected { name } => self.of(name, Shadow::is_wished_for),
            Event::ListenFailed { name, .. } => {
                let (state, record) = (view.kind(name), view.core.record(name));
                self.of(name, |shadow| shadow.cannot_listen(state, record));
            }
            Event::Paused { .. }
            | Event::Created { .. }
            | Event::CleanFailed { .. }
            | Event::Hangs { .. }
            | Event::SignalFailed { .. }
            | Event::KillFailed { .. }
            | Event::Kill { .. }
            | Event::Tick => {}
            // Times are found anew.
            Event::Clock { .. } => self.shadows.values_mut().for_each(|shadow| shadow.due = None),
        }
    }

    /// What makes a container ready was heard: from then on it has been.
    fn is_ready_now<C: Core>(&mut self, view: &View<'_, C>, event: &Event) {
        let (Event::Started { name, .. } | Event::Notified { name, .. } | Event::Probed { name, .. }) = event
        else {
            return;
        };
        let ready = view.core.status(name).is_some_and(|status| status.ready);
        // In the same moment its time may have run out: it was ready nevertheless.
        let ran = view.core.record(name).is_some_and(|record| record.ran);
        self.of(name, |shadow| shadow.ran |= ready || ran && shadow.has_shown_itself());
    }

    fn found_open(&mut self, open: &[Gate]) {
        for shadow in self.shadows.values_mut() {
            shadow.open |= shadow.declared.gates_of_the_machine().all(|gate| open.contains(gate));
        }
    }

    fn started(&mut self, now: Duration, name: &str) {
        let shutting_down = self.shutdown.is_some();
        self.of(name, |shadow| {
            shadow.runs_since = Some(now);
            // Otherwise it is being killed already.
            let welcome = shadow.word.is_none() && shadow.end.is_none();
            shadow.up = welcome && shadow.certain && !shutting_down;
        });
    }

    /// A person wants `name` up: what is in conflict with it is not wanted.
    pub(super) fn opponents_stopped(&mut self, name: &str) {
        let opponents =
            self.shadows.get(name).map(|shadow| shadow.declared.conflicts.clone()).unwrap_or_default();
        for other in opponents {
            if self.shadows.get(&other).is_some_and(|shadow| shadow.wanted == Wanted::Up) {
                self.stopped(&other);
            }
        }
    }

    /// A person wants it, from now on.
    pub(super) fn wanted_up(&mut self, name: &str) {
        self.of(name, |shadow| {
            shadow.word = shadow.there.then_some(Word::Again);
            (shadow.unusable, shadow.start_owed) = (false, true);
            shadow.wanted = Wanted::Up;
        });
        self.opponents_stopped(name);
    }

    pub(super) fn stopped(&mut self, name: &str) {
        self.of(name, |shadow| {
            shadow.word = shadow.there.then_some(Word::Stop);
            (shadow.wanted, shadow.start_owed) = (Wanted::Down, false);
        });
    }

    /// Before it is done.
    pub(in crate::simulation) fn asked<C: Core>(&mut self, view: &View<'_, C>, effect: &Effect) {
        match effect {
            Effect::Start { name, generation } => self.check_start(view, name, *generation),
            Effect::Signal { name, generation, signal } => {
                if *signal == SIGTERM {
                    self.check_order(view, name);
                }
                self.check_address(view.now, name, *generation);
                self.of(name, |shadow| shadow.signalled |= *signal == SIGTERM);
                if view.kind(name) == Some(StateKind::Stopping) {
                    self.check_stop(view, name, false);
                }
            }
            Effect::KillCgroup { name, generation } => {
                self.check_address(view.now, name, *generation);
                self.check_stop(view, name, true);
            }
            Effect::Clean { name, generation } => {
                self.check_address(view.now, name, *generation);
                let over = |it: &Shadow| it.end.is_some() || it.unusable || !it.certain;
                let over = self.shadows.get(name).is_none_or(over);
                self.must(over, Promise::OneGeneration, view.now, || format!("{name} is emptied alive"));
            }
            Effect::Probe { name, generation, .. } => self.check_address(view.now, name, *generation),
            Effect::Listen { name } => self.of(name, |shadow| shadow.listened = true),
            Effect::Forget { name } => self.forgotten(name),
            Effect::Reboot { name } => self.check_reboot(view, name),
            Effect::Save { .. } | Effect::Changed(_) | Effect::Noted { .. } | Effect::Over { .. } => {}
            Effect::ShutdownDone => {
                let once = self.shutdown.is_some_and(|shutdown| !shutdown.done);
                self.must(once, Promise::NothingUnasked, view.now, || "a shutdown is done".into());
                if let Some(shutdown) = &mut self.shutdown {
                    shutdown.done = true;
                }
            }
        }
    }

    fn check_start<C: Core>(&mut self, view: &View<'_, C>, name: &str, generation: u64) {
        let Some(shadow) = self.shadows.get(name) else { return };
        let its_hour = match self.shutdown {
            None => !shadow.declared.job || shadow.start_owed,
            Some(shutdown) => shadow.declared.job && shutdown.jobs.is_some(),
        };
        let asked = its_hour && (!self.safe || shadow.start_owed) && !shadow.unusable;
        let asked = asked && (shadow.may_start || shadow.start_owed);
        let asked = asked && !shadow.is_early(view.now);
        let later = generation > shadow.generation;
        let alone = !shadow.there && !view.live.contains_key(name);
        let mut edges = shadow.declared.depends_on.iter();
        let unmet = edges.find(|(on, edge)| !is_met(view, &self.shadows, on, edge));
        let said = format!("{name}, generation {generation}, {unmet:?}: {shadow:?}");
        let met = unmet.is_none();
        let (open, apart) = (shadow.open, !self.shadows.iter().any(|other| shadow.fights(name, other)));
        let said = |of: Promise| (of, said.clone());
        for (kept, (promise, text)) in [
            (asked, said(Promise::NothingUnasked)),
            (later && alone, said(Promise::OneGeneration)),
            (met, said(Promise::DependenciesFirst)),
            (open, said(Promise::GatesFirst)),
            (apart, said(Promise::NeverTogether)),
        ] {
            self.must(kept, promise, view.now, || text);
        }
        let number = self.numbers.number;
        self.of(name, |shadow| {
            (shadow.generation, shadow.started_at, shadow.made) = (generation, view.now, number);
            (shadow.there, shadow.certain, shadow.signalled) = (true, true, false);
            (shadow.end, shadow.word, shadow.start_owed) = (None, None, false);
            (shadow.up, shadow.own) = (false, false);
            (shadow.listened, shadow.may_start) = (false, !shadow.declared.by_connection);
            shadow.open = !shadow.declared.is_looked_at();
            (shadow.runs_since, shadow.due) = (None, None);
            shadow.timed = shadow.declared.comes_again();
            (shadow.said_ready, shadow.passed, shadow.failed) = (false, false, false);
        });
    }

    /// Somebody declares it, and it is not the answer to a machine that has just come up.
    fn check_reboot<C: Core>(&mut self, view: &View<'_, C>, name: &str) {
        const SHORTEST_UPTIME: Duration = Duration::from_secs(600);
        let declared =
            self.shadows.get(name).is_some_and(|it| it.declared.reboots && it.wanted == Wanted::Up);
        let may = declared && !self.safe && self.shutdown.is_none() && view.now >= SHORTEST_UPTIME;
        self.must(may, Promise::NothingUnasked, view.now, || format!("a reboot for {name}"));
    }

    fn check_address(&mut self, now: Duration, name: &str, generation: u64) {
        let there = |it: &Shadow| it.there && it.generation == generation;
        let there = self.shadows.get(name).is_none_or(there);
        let text = || format!("generation {generation} of {name}");
        self.must(there, Promise::EffectsAreAddressed, now, text);
    }

    /// One that nobody ended and nobody wants down is stopped for a reason that was seen, and then only.
    fn check_stop<C: Core>(&mut self, view: &View<'_, C>, name: &str, kill: bool) {
        let Some(shadow) = self.shadows.get(name) else { return };
        let asked = shadow.word.is_some() || self.shutdown.is_some();
        if shadow.end.is_some() || asked || shadow.unusable || !shadow.certain || shadow.own {
            return;
        }
        let is_up = |name: &str| view.kind(name) == Some(StateKind::Running);
        let lost =
            shadow.declared.depends_on.iter().any(|(on, edge)| edge.restart && edge.required && !is_up(on));
        let late = kill && !shadow.up && view.now.saturating_sub(shadow.started_at) >= START_DEADLINE;
        let may = late || shadow.may_be_stopped(view.now, lost);
        self.must(may, Promise::NothingUnasked, view.now, || format!("{name} is stopped"));
        self.of(name, |shadow| {
            shadow.own = true;
            shadow.end = late.then_some(Ending::Failure);
        });
    }

    /// Nothing is told to stop before what depends on it and stops as well.
    fn check_order<C: Core>(&mut self, view: &View<'_, C>, name: &str) {
        let Some(shadow) = self.shadows.get(name) else { return };
        let last_call = self.shutdown.is_some_and(|shutdown| view.now >= shutdown.kill_at);
        if shadow.signalled || last_call {
            return;
        }
        let all = self.shutdown.is_some() && !self.runs_jobs();
        let stops = |other: &Shadow| other.there && (all || other.word.is_some());
        let earlier = shadow.dependents.iter().find(|dependent| match view.kind(dependent) {
            Some(StateKind::Stopping) => true,
            Some(StateKind::Stuck) => false,
            _ => self.shadows.get(*dependent).is_some_and(stops),
        });
        if let Some(dependent) = earlier.cloned() {
            self.must(false, Promise::DependentsFirst, view.now, || format!("{name} before {dependent}"));
        }
    }

    fn emptied<C: Core>(&mut self, view: &View<'_, C>, name: &str) {
        let jobs = self.runs_jobs();
        use StateKind::{Backoff, Exited, Failed, Invalid, Starting, Waiting};
        let Some(shadow) = self.shadows.get_mut(name) else { return };
        shadow.there = false;
        // One that is not declared any more is forgotten at once.
        let Some(state) = view.kind(name) else { return };
        let (word, end) = (shadow.word.take(), shadow.end.take());
        let unclear = shadow.own || shadow.declared.ruled || shadow.declared.grouped || !shadow.certain;
        let well = word.is_none() && end == Some(Ending::Clean) && !unclear;
        shadow.may_start |= !well;
        match (word, end, unclear || self.shutdown.is_some()) {
            (None, Some(Ending::Clean), false) => (shadow.completed, shadow.concluded) = (true, true),
            (None, Some(Ending::Failure), false) => (shadow.completed, shadow.concluded) = (false, true),
            (None, Some(Ending::NoFault), false) => shadow.concluded = true,
            // What it was is the core's to say.
            (Some(_), ..) | (None, None, _) | (None, Some(_), true) => shadow.believe(view.core.record(name)),
        }
        let failed = matches!(state, Failed | Invalid);
        shadow.ran &= !failed && word != Some(Word::Again);
        shadow.completed &= !failed;
        let policy = &shadow.declared.policy;
        let may_fail = policy.then == Exhausted::Fail && policy.max_attempts.is_some();
        let scheduled = shadow.declared.scheduled;
        let allowed: &[StateKind] = match (word, end, shadow.declared.restart) {
            _ if shadow.unusable => &[Invalid],
            // A job waits for its hour again, and what ends while jobs run does not come up any more.
            _ if jobs || shadow.declared.job => return,
            _ if self.shutdown.is_some() => &[Exited, Failed],
            (Some(Word::Stop), ..) => &[Exited],
            (Some(Word::Again), ..) => &[Waiting, Starting],
            (None, None, _) => return,
            // It was not cut short for its new declaration, which comes now.
            _ if unclear || shadow.next.is_some() => return,
            (None, Some(Ending::Clean), _) if shadow.declared.by_connection => &[Waiting],
            // The next time may have come already.
            (None, Some(Ending::Clean), _) | (None, Some(Ending::Failure), Restart::No) if scheduled => {
                &[Waiting, Starting]
            }
            (None, Some(Ending::Failure), _) if scheduled => &[Backoff, Waiting, Starting],
            (None, Some(Ending::Clean), Restart::No | Restart::OnFailure) => &[Exited],
            (None, Some(Ending::Failure), Restart::No) => &[Failed],
            (None, Some(Ending::Failure), _) if may_fail => &[Backoff, Waiting, Starting, Failed],
            (None, Some(_), _) => &[Backoff, Waiting, Starting],
        };
        let text = || format!("{name} is {} after {end:?}, {word:?}", state.word());
        self.must(allowed.contains(&state), Promise::EndsAreJudged, view.now, text);
    }

    pub(super) fn of(&mut self, name: &str, change: impl FnOnce(&mut Shadow)) {
        if let Some(shadow) = self.shadows.get_mut(name) {
            change(shadow);
        }
    }
}

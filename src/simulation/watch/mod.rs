//! Holds the core to its promises, said without looking at how it keeps them.
//!
//! The watch follows what the core was told and what it asked for (`follow.rs`). It knows for each container
//! what is there, what a person said last, and how it ended; from that it knows what may come next. The
//! core's own words are looked at only where people would look: in its status. After every turn each state
//! has to be one that somebody will end.

mod closing;
mod crash;
mod declared;
mod edges;
mod follow;
mod groups;
mod reload;
mod shadow;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::core::Core;
use super::live::Live;
use super::promise::{Breach, Promise};
use crate::config::{Config, Dependency};
use crate::ordered::Ordered;
use crate::supervisor::{Numbers, Phase, State, StateKind, Status, Wait, Wanted};

use declared::Declared;
use shadow::Shadow;

/// Of the core, written out, for each container: some times what one takes that has been through everything.
const MOST_LETTERS: usize = 1 << 14;

/// What there is to see.
pub(super) struct View<'a, C> {
    /// What the core was told last.
    pub(super) now: Duration,
    pub(super) core: &'a C,
    pub(super) live: &'a BTreeMap<String, Live>,
    /// When the gates are looked at next, for those that wait for them.
    pub(super) look: Option<Duration>,
}

/// Whether `on` is what a dependent with this edge waits for.
fn is_met<C: Core>(
    view: &View<'_, C>,
    shadows: &BTreeMap<String, Shadow>,
    on: &str,
    edge: &Dependency,
) -> bool {
    match (shadows.get(on), view.core.status(on)) {
        (Some(shadow), Some(status)) => {
            shadow.meets(edge, &status) || !edge.required && was_tried(view, shadows, on)
        }
        (None, _) | (_, None) => !edge.required,
    }
}

/// It has shown what becomes of it, or waits for one that did, and that it requires: who does not require it goes on.
fn was_tried<C: Core>(view: &View<'_, C>, shadows: &BTreeMap<String, Shadow>, name: &str) -> bool {
    let (Some(shadow), Some(status)) = (shadows.get(name), view.core.status(name)) else { return true };
    let mut required = shadow.declared.depends_on.iter().filter(|(_, edge)| edge.required);
    let waits = status.state == StateKind::Waiting;
    shadow.has_concluded(&status)
        || waits
            && required.any(|(on, edge)| !is_met(view, shadows, on, edge) && was_tried(view, shadows, on))
}

#[derive(Debug)]
pub(super) struct Watch {
    shadows: BTreeMap<String, Shadow>,
    booted: bool,
    safe: bool,
    shutdown: Option<Closing>,
    /// Of the last configuration.
    numbers: Numbers,
    /// Who is in each.
    groups: BTreeMap<String, BTreeSet<String>>,
    breach: Option<Breach>,
}

#[derive(Debug, Clone, Copy)]
struct Closing {
    deadline: Duration,
    /// From when on everything may be killed regardless of order.
    kill_at: Duration,
    done: bool,
    /// Until when jobs may run; none once the stops have begun.
    jobs: Option<Duration>,
}

impl<C: Core> View<'_, C> {
    fn kind(&self, name: &str) -> Option<StateKind> {
        self.core.state(name).map(|state| state.kind())
    }
}

impl Watch {
    pub(super) fn new(config: &Config) -> Self {
        let declared = Declared::all(config).into_iter();
        let mut watch = Self {
            shadows: declared.map(|(name, declared)| (name, Shadow::new(declared))).ordered(),
            booted: false,
            safe: false,
            shutdown: None,
            numbers: Numbers::default(),
            groups: groups::of(config),
            breach: None,
        };
        watch.relate();
        watch
    }

    /// The first one: what follows it may be its consequence.
    pub(super) fn breach(&self) -> Option<&Breach> {
        self.breach.as_ref()
    }

    fn must(&mut self, kept: bool, promise: Promise, at: Duration, text: impl FnOnce() -> String) {
        if !kept && self.breach.is_none() {
            self.breach = Some(Breach { promise, at, text: text() });
        }
    }

    /// Who waits for others again looks at the machine again, after that.
    fn notice_waits<C: Core>(&mut self, view: &View<'_, C>) {
        for (name, shadow) in self.shadows.iter_mut().filter(|(_, shadow)| shadow.declared.is_looked_at()) {
            let on_others = matches!(
                view.core.state(name),
                Some(State::Waiting { on: Wait::Dependencies | Wait::Conflict | Wait::Shutdown, .. })
            );
            shadow.open &= !on_others;
        }
    }

    /// After every turn.
    pub(super) fn check<C: Core>(&mut self, view: &View<'_, C>) {
        self.see_stops_begin(view);
        let shadows = core::mem::take(&mut self.shadows);
        for (name, shadow) in &shadows {
            if let (Some(state), Some(status)) = (view.core.state(name), view.core.status(name)) {
                self.check_awaited(view, &shadows, state, &status);
                self.check_words(view, shadow, &status);
                self.check_run(view, shadow, state);
            }
        }
        self.shadows = shadows;
        self.note_times(view);
        self.check_shutdown(view);
        let due = view.core.poll_timeout();
        let ahead = due.is_none_or(|due| due > view.now);
        self.must(ahead, Promise::Awaited, view.now, || format!("a time in the past: {due:?}"));
    }

    /// Somebody ends this state: a time that is going to be looked at, or who is named.
    fn check_awaited<C: Core>(
        &mut self,
        view: &View<'_, C>,
        shadows: &BTreeMap<String, Shadow>,
        state: State,
        status: &Status,
    ) {
        let (name, waits_for) = (status.name.as_str(), &status.waits_for);
        let due = view.core.poll_timeout();
        let timed = |until: Duration| until > view.now && due.is_some_and(|due| due <= until);
        let alive = view.live.get(name).is_some_and(Live::is_alive);
        let meets = |other: &String| {
            let edge = shadows.get(name).and_then(|it| it.declared.depends_on.get(other));
            edge.is_some_and(|edge| is_met(view, shadows, other, edge))
        };
        let awaited = match state {
            State::Waiting { on: Wait::Boot, .. } => !self.booted,
            State::Waiting { on: Wait::Resume, .. } => self.safe,
            State::Waiting { on: Wait::Dependencies, .. } => {
                !waits_for.is_empty() && !waits_for.iter().any(meets)
            }
            State::Waiting { on: Wait::Conflict, .. } => {
                !waits_for.is_empty()
                    && waits_for.iter().all(|name| !view.kind(name).is_none_or(StateKind::is_down))
            }
            State::Waiting { on: Wait::Gates, .. } => {
                let gated = |shadow: &Shadow| shadow.is_gated() || view.look.is_some();
                shadows.get(name).is_some_and(gated)
            }
            State::Waiting { on: Wait::Turn, .. } => {
                due.is_some() || shadows.keys().any(|name| view.kind(name) == Some(StateKind::Starting))
            }
            State::Waiting { on: Wait::Time(until), .. } => timed(until),
            State::Waiting { on: Wait::Shutdown, .. } => match &self.shutdown {
                None => shadows.get(name).is_some_and(|shadow| shadow.declared.job),
                Some(shutdown) => shutdown.jobs.is_some(),
            },
            State::Waiting { on: Wait::Connection, .. } => {
                shadows.get(name).is_some_and(|shadow| shadow.declared.by_connection && shadow.listened)
            }
            State::Stopping { phase: Phase::Held, .. } => {
                let stops = |name: &String| view.kind(name) == Some(StateKind::Stopping);
                !waits_for.is_empty() && waits_for.iter().all(stops)
            }
            State::Starting { until }
            | State::Backoff { until }
            | State::Stopping {
                phase: Phase::Term { until } | Phase::Kill { until } | Phase::Clean { until },
                ..
            } => timed(until),
            State::Stuck { retry, .. } => view.live.contains_key(name) && retry.is_none_or(timed),
            // In safe mode nothing follows from what it does not do.
            State::Running { .. } if alive && !self.safe => state.deadline().is_none_or(timed),
            State::Running { .. } => alive,
            State::Exited | State::Failed | State::Invalid => true,
        };
        let dead = status.state == StateKind::Running && !alive;
        let promise = if dead { Promise::RunsInItsCgroup } else { Promise::Awaited };
        self.must(awaited, promise, view.now, || format!("{state:?}, looked at {due:?}: {status:?}"));
    }

    /// What people see of it is true.
    fn check_words<C: Core>(&mut self, view: &View<'_, C>, shadow: &Shadow, status: &Status) {
        let now = view.now;
        let wanted =
            if shadow.wanted == Wanted::Down { Promise::StopsAreKept } else { Promise::StartsAreKept };
        self.must(status.wanted == shadow.wanted, wanted, now, || format!("{status:?}"));
        let there = view.live.contains_key(&status.name);
        self.must(!status.state.is_down() || !there, Promise::DownIsGone, now, || format!("{status:?}"));
        let up = matches!(status.state, StateKind::Starting | StateKind::Running);
        let soon = matches!(status.state, StateKind::Waiting | StateKind::Backoff);
        let unwanted = status.wanted == Wanted::Down && (up || soon);
        self.must(!unwanted, Promise::NothingUnasked, now, || format!("{status:?}"));
        self.must(shadow.has_shown(status), Promise::ReadyIsTrue, now, || format!("{status:?} {shadow:?}"));
        if let Some(next) = status.next_start.filter(|_| status.state == StateKind::Backoff) {
            let most = shadow.declared.policy.max_delay;
            let longest = now.saturating_add(most).saturating_add(most / 10);
            self.must(next <= longest, Promise::PausesAreBounded, now, || format!("{status:?}"));
        }
    }

    /// Nothing runs longer than it may, unless nothing is done about what runs.
    fn check_run<C: Core>(&mut self, view: &View<'_, C>, shadow: &Shadow, state: State) {
        let State::Running { up, .. } = state else { return };
        let acts = shadow.certain && !self.safe && !up.paused;
        let kept = !acts || !shadow.has_run_out(view.now);
        self.must(kept, Promise::Awaited, view.now, || format!("it runs for too long: {state:?} {shadow:?}"));
    }

    /// What the core has told of the times that are waited for.
    fn note_times<C: Core>(&mut self, view: &View<'_, C>) {
        for (name, shadow) in &mut self.shadows {
            shadow.due = match view.core.state(name) {
                Some(State::Waiting { on: Wait::Time(due), .. }) => Some(due),
                _ => None,
            };
        }
    }

    fn check_shutdown<C: Core>(&mut self, view: &View<'_, C>) {
        let Some(shutdown) = self.shutdown.filter(|it| !it.done) else { return };
        self.must(
            shutdown.jobs.is_none_or(|until| view.now <= until),
            Promise::JobsLeaveTime,
            view.now,
            || format!("{shutdown:?}"),
        );
        let down = |name: &String| view.kind(name).is_none_or(StateKind::is_down);
        let all_down = shutdown.jobs.is_none() && self.shadows.keys().all(down);
        let over = view.now >= shutdown.deadline || all_down;
        let due = view.core.poll_timeout();
        let timed = due.is_some_and(|due| due <= shutdown.deadline);
        self.must(!over && timed, Promise::ShutdownInTime, view.now, || {
            format!("{shutdown:?}, looked at {due:?}")
        });
    }

    /// After a long time in which nobody asked for anything.
    pub(super) fn check_end<C: Core>(&mut self, view: &View<'_, C>) {
        let shadows = core::mem::take(&mut self.shadows);
        for (name, shadow) in &shadows {
            let Some(status) = view.core.status(name) else { continue };
            let given_up =
                status.state == StateKind::Stuck || !status.waits_for.is_empty() || shadow.is_gated();
            // One on its way down has a time of its own, which was checked.
            let going = status.state == StateKind::Stopping;
            let stopped = status.wanted == Wanted::Up || status.state.is_down() || given_up || going;
            self.must(stopped, Promise::StopsAreKept, view.now, || format!("{status:?}"));
            let kept = !shadow.start_owed || shadow.unusable || given_up;
            self.must(kept, Promise::StartsAreKept, view.now, || format!("{status:?} {shadow:?}"));
        }
        let (size, most) = (view.core.size(), shadows.len().saturating_add(1).saturating_mul(MOST_LETTERS));
        self.must(size <= most, Promise::StaysSmall, view.now, || format!("{size} letters, {most} at most"));
        self.shadows = shadows;
    }
}

//! What the watch knows after the death of a supervisor: what the next one is told of records and of what is there.

use super::Watch;
use super::shadow::Word;
use crate::supervisor::{CauseKind, Found, Record, StateKind, Wanted};

impl Watch {
    /// What was not written down, nobody knows any more.
    pub(in crate::simulation) fn crashed(&mut self) {
        (self.booted, self.safe, self.shutdown) = (false, false, None);
        for shadow in self.shadows.values_mut() {
            (shadow.there, shadow.ran, shadow.certain) = (false, false, false);
            (shadow.completed, shadow.concluded, shadow.own, shadow.anew) = (false, false, false, false);
            shadow.wanted = Wanted::Up;
            (shadow.word, shadow.start_owed, shadow.unusable) = (None, false, false);
            // Only one whose record says so was ever made.
            (shadow.end, shadow.generation, shadow.made) = (None, 0, 0);
            if let Some(next) = shadow.next.take() {
                shadow.declare(next);
            }
            if shadow.undeclared {
                shadow.declared.loses_ties();
                shadow.is_unwanted();
            }
            shadow.open = !shadow.declared.is_looked_at();
            (shadow.runs_since, shadow.due) = (None, None);
            (shadow.listened, shadow.may_start) = (false, !shadow.declared.by_connection);
        }
        self.relate();
    }

    pub(super) fn adopted(&mut self, record: &Record, found: Option<Found>, ready: bool) {
        let ends = self.shutdown.is_some();
        let shutting_down = ends && !self.runs_jobs();
        let safe = self.safe;
        let alive = matches!(found, Some(Found::Alive { .. }));
        let kind = StateKind::from_word(&record.state);
        self.of(&record.name, |shadow| {
            shadow.generation = record.generation;
            if !shutting_down {
                shadow.wanted = record.wanted;
            }
            shadow.word = match record.why.as_deref() {
                Some("stop") => Some(Word::Stop),
                Some("undeclared") => Some(Word::Stop),
                Some("again" | "reload") => Some(Word::Again),
                Some(_) | None => None,
            };
            shadow.timed = record.timed;
            // Of one that runs at its times, or at the end of the machine, only a person's word is.
            let owed = record.why.as_deref() == Some("again") || !shadow.declared.comes_again();
            shadow.start_owed = shadow.word == Some(Word::Again) && owed && !ends;
            let waited = kind == Some(StateKind::Waiting) && record.until().is_none();
            let by = record.by.as_deref().filter(|_| waited && record.wanted == Wanted::Up);
            shadow.start_owed |= by == Some("person") && !safe && !ends;
            shadow.unusable = record.invalid.as_ref().is_some_and(|cause| cause.kind != CauseKind::Config);
            shadow.made = record.made;
            shadow.there = alive || !kind.is_some_and(StateKind::is_down);
            let goes_down = matches!(kind, Some(StateKind::Stopping | StateKind::Stuck));
            (shadow.completed, shadow.concluded) = (record.completed, record.concluded);
            shadow.ran = record.ran || ready;
            shadow.own = goes_down && shadow.word.is_none();
            // One that waited for nothing but a connection does so again; one whose time comes was connected to.
            let for_nobody = waited && by.is_none_or(|by| by == "connection");
            shadow.may_start |= !for_nobody && kind != Some(StateKind::Invalid);
            shadow.signalled |= record.phase.as_deref() == Some("term");
            if shadow.undeclared {
                shadow.is_unwanted();
            }
        });
    }
}

//! What is known of a machine while it runs; its threads write it, everybody else waits on it.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::console::Console;
use crate::end::{End, Evidence, judge};

#[derive(Default)]
pub(crate) struct State {
    pub(crate) console: Console,
    pub(crate) evidence: Evidence,
    pub(crate) stderr: String,
    /// Code and signal of QEMU's own end.
    pub(crate) exit: Option<(Option<i32>, Option<i32>)>,
    pub(crate) console_closed: bool,
    pub(crate) monitor_closed: bool,
    pub(crate) greeted: bool,
    /// It was pulled out.
    pub(crate) disk_is_out: bool,
    /// Answers of the monitor that nobody has taken yet.
    pub(crate) replies: BTreeMap<u64, Result<Value, String>>,
}

impl State {
    /// Only once everything that QEMU had said is read: its last event says why it ended.
    pub(crate) fn end(&self) -> Option<End> {
        let (code, signal) = self.exit?;
        if !(self.console_closed && self.monitor_closed) {
            return None;
        }
        let evidence = Evidence {
            shutdown: self.evidence.shutdown.clone(),
            last_words: self.console.death().is_some(),
            ..self.evidence
        };
        Some(judge(&evidence, code, signal, &self.stderr))
    }
}

#[derive(Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    /// A thread that panicked with the lock held leaves data that is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Until `check` finds something, or `None` after the deadline; `None` waits for ever.
    pub(crate) fn wait<T>(
        &self,
        deadline: Option<Instant>,
        mut check: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(found) = check(&mut state) {
                return Some(found);
            }
            let Some(deadline) = deadline else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return None;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

//! Looks at the gates while somebody waits for them, as the agent does.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::core::Core;
use crate::config::Gate;
use crate::supervisor::Event;

/// From the time that somebody waits for a gate until it is looked at.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
pub(super) struct Looks {
    /// None: nobody waits, or for what never changes.
    pub(super) next: Option<Duration>,
    /// Who waited at the last look, as the core counts.
    waits: u64,
}

impl Looks {
    pub(super) fn see_who_waits<C: Core>(&mut self, core: &C, now: Duration) {
        let waits = core.gate_waits();
        if waits != self.waits {
            self.waits = waits;
            self.next = Some(now.saturating_add(PAUSE));
        }
    }

    /// A gate opens at `now`, if anybody waits for one.
    pub(super) fn look_at<C: Core>(&mut self, core: &C, now: Duration) {
        if !core.awaited_gates().is_empty() {
            self.next = Some(self.next.map_or(now, |next| next.min(now)));
        }
    }

    /// What is open is told; the next look is when the next gate opens. `opens`: when each does.
    pub(super) fn look<C: Core>(
        &mut self,
        core: &C,
        opens: &BTreeMap<Gate, Duration>,
        now: Duration,
    ) -> Option<Event> {
        let awaited = core.awaited_gates();
        let opens = |gate: &Gate| opens.get(gate).copied().unwrap_or_default();
        self.next = awaited.iter().map(opens).filter(|at| *at > now).min();
        let open: Vec<Gate> = awaited.into_iter().filter(|gate| opens(gate) <= now).collect();
        (!open.is_empty()).then_some(Event::Gates { open })
    }
}

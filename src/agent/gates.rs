//! Looks at the machine while containers wait for it: at its network, its clock, its files and devices.
//!
//! Not all of these tell when they change, and what does can be moved, mounted over or renamed; so all are looked at
//! anew, at first often, then once a second, and never while nobody waits.

use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::Duration;

use orlop::config::Gate;
use orlop::supervisor::Event;

use super::Agent;
use crate::linux::{internet, time};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Gates {
    /// When to look; not at all while nobody waits.
    next: Option<Duration>,
    pause: Duration,
    /// Who waited at the last look, as the core counts.
    waits: u64,
}

impl Gates {
    pub fn deadline(&self) -> Option<Duration> {
        self.next
    }
}

impl Agent {
    /// After everything is settled: somebody who began to wait is seen to at once.
    pub fn see_gates(&mut self, now: Duration) {
        let waits = self.core.gate_waits();
        if waits == self.gates.waits {
            return;
        }
        (self.gates.waits, self.gates.pause) = (waits, FIRST_PAUSE);
        self.gates.next = Some(now);
        self.look_at_gates(now);
        self.settle(now);
    }

    pub fn look_at_gates(&mut self, now: Duration) {
        if self.gates.next.is_none_or(|next| next > now) {
            return;
        }
        let awaited = self.core.awaited_gates();
        if awaited.is_empty() {
            self.gates.next = None;
            return;
        }
        let pause = self.gates.pause;
        self.gates.next = Some(now.saturating_add(pause));
        self.gates.pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        let open = awaited.into_iter().filter(is_open).collect();
        self.events.push_back(Event::Gates { open });
    }
}

fn is_open(gate: &Gate) -> bool {
    match gate {
        Gate::NetworkOnline => internet::is_online(),
        Gate::TimeSynced => time::is_synchronised(),
        Gate::Path(path) => Path::new(path).exists(),
        Gate::Device(path) => Path::new(path).metadata().is_ok_and(|found| {
            let kind = found.file_type();
            kind.is_char_device() || kind.is_block_device()
        }),
        // The core knows.
        Gate::BootComplete => false,
    }
}

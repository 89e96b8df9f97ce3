//! Where records are kept, and what may be wrong with it; as `src/agent/saving.rs` has it.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use crate::supervisor::{Fault, Record, StartFailure};

/// Between two tries of what could not be written.
const RETRY: Duration = Duration::from_secs(1);

/// What becomes of a record that is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saves {
    Work,
    /// It takes the place of the old one, for want of room: nothing is started on top of that.
    InPlace,
    /// It is not written, and tried again every second.
    Lost,
}

#[derive(Debug, Clone)]
pub struct Disk {
    pub saves: Saves,
    /// How long the supervisor is held up by each.
    pub slow: Duration,
    pub records: BTreeMap<String, Record>,
    pub(super) unsaved: BTreeMap<String, Saves>,
    pub(super) retry_at: Option<Duration>,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            saves: Saves::Work,
            slow: Duration::ZERO,
            records: BTreeMap::new(),
            unsaved: BTreeMap::new(),
            retry_at: None,
        }
    }
}

impl Disk {
    /// Whether it stands there now.
    pub(super) fn write(&mut self, now: Duration, record: Record) -> bool {
        let name = record.name.clone();
        match self.saves {
            Saves::Work => self.unsaved.remove(&name),
            Saves::InPlace | Saves::Lost => self.unsaved.insert(name.clone(), self.saves),
        };
        if self.saves == Saves::Lost {
            self.retry_at = Some(now.saturating_add(RETRY));
            return false;
        }
        self.records.insert(name, record);
        true
    }

    /// Who is to be saved again.
    pub(super) fn lost(&self) -> Vec<String> {
        let lost = self.unsaved.iter().filter(|(_, saves)| **saves == Saves::Lost);
        lost.map(|(name, _)| name.clone()).collect()
    }

    /// What a supervisor knew of it, and the next one does not.
    pub(super) fn forget(&mut self) {
        self.unsaved.clear();
        self.retry_at = None;
    }

    /// Why nothing may be started on top of this record.
    pub(super) fn trouble(&self, name: &str) -> Option<StartFailure> {
        self.unsaved.get(name)?;
        Some(StartFailure {
            step: "record".to_string(),
            object: name.to_string(),
            errno: 28,
            text: "No space left on device".to_string(),
            fault: Fault::Transient,
        })
    }
}

//! Writes what must outlive this supervisor, and has PID 1 keep an end until it is written.

use std::collections::BTreeMap;
use std::time::Duration;

use orlop::keep::Mirror;

use super::ends::Ends;
use super::records::{self, Place};
use super::{Agent, say};
use crate::linux::kmsg::Level;
use crate::linux::{Errno, time};

/// Between two tries of what could not be written. What it waits for (memory, descriptors) comes back
/// with other processes, and nobody says so.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Saving {
    /// Records that could not be written as usual: what they are about is not started.
    unsaved: BTreeMap<String, Unsaved>,
    /// Ends that no record says yet.
    owed: Vec<Owed>,
    retry_at: Option<Duration>,
    pub ends: Ends,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unsaved {
    /// It stands where the old one stood, for want of room.
    InPlace,
    /// It is not written at all.
    Lost(Errno),
}

struct Owed {
    name: String,
    slot: u32,
    generation: u64,
    cookie: u64,
}

impl Saving {
    /// When it is tried again.
    pub fn deadline(&self) -> Option<Duration> {
        self.retry_at
    }

    /// Why nothing may be started on top of this record.
    pub fn trouble(&self, name: &str) -> Option<Errno> {
        self.unsaved.get(name).map(|unsaved| match unsaved {
            Unsaved::InPlace => Errno::ENOSPC,
            Unsaved::Lost(errno) => *errno,
        })
    }

    fn is_lost(&self, name: &str) -> bool {
        matches!(self.unsaved.get(name), Some(Unsaved::Lost(_)))
    }
}

impl Agent {
    /// Writes the record of a container.
    pub fn save(&mut self, name: &str) {
        let Some(mut record) = self.core.record(name) else { return };
        self.remember_pod(&mut record);
        let written =
            record.to_json().map_err(|_| Errno::EINVAL).and_then(|text| records::write(name, &text));
        let unsaved = match written {
            Ok(Place::New) => None,
            Ok(Place::Old) => Some(Unsaved::InPlace),
            Err(errno) => Some(Unsaved::Lost(errno)),
        };
        let before = match unsaved {
            None => self.saving.unsaved.remove(name),
            Some(unsaved) => self.saving.unsaved.insert(name.to_owned(), unsaved),
        };
        if let Some(unsaved) = unsaved
            && before != Some(unsaved)
        {
            let why = self.saving.trouble(name).unwrap_or(Errno::EIO).desc();
            say(Level::Error, &format!("{name}: cannot write its record: {why}"));
        }
        if let Some(Unsaved::Lost(_)) = unsaved {
            self.saving.retry_at = Some(time::since_boot().saturating_add(RETRY));
        } else {
            self.pay(name);
        }
    }

    /// An end has been judged: PID 1 may forget it, once the record says it.
    pub fn recorded(&mut self, name: &str, slot: u32, generation: u64, cookie: u64) {
        self.saving.owed.push(Owed { name: name.to_owned(), slot, generation, cookie });
        if !self.saving.is_lost(name) {
            self.pay(name);
        }
    }

    /// Nothing is kept of it any more.
    pub fn forget(&mut self, name: &str) {
        records::forget(name);
        self.mirror(Mirror::Ends(name.to_owned()));
        self.rises.forget(name);
        self.saving.unsaved.remove(name);
        self.pay(name);
    }

    fn pay(&mut self, name: &str) {
        let owed = core::mem::take(&mut self.saving.owed);
        let (payable, rest) = owed.into_iter().partition(|owed| owed.name == name);
        self.saving.owed = rest;
        let payable: Vec<Owed> = payable;
        for Owed { slot, generation, cookie, .. } in payable {
            self.logs.recorded(slot, generation, cookie, &mut self.ledger);
        }
    }

    /// Tries once more what could not be written.
    pub fn save_again(&mut self, now: Duration) {
        if self.saving.retry_at.is_none_or(|at| at > now) {
            return;
        }
        self.saving.retry_at = None;
        let lost =
            |(name, unsaved): (&String, &Unsaved)| matches!(unsaved, Unsaved::Lost(_)).then(|| name.clone());
        let lost: Vec<String> = self.saving.unsaved.iter().filter_map(lost).collect();
        for name in lost {
            self.save(&name);
        }
    }
}

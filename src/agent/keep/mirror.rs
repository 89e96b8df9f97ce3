//! Small files of the machine that are on the disk too: back to /run once in a boot, before anything is written; then a copy
//! of each that is said to be another. What cannot be written is tried again.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use orlop::keep::{FromKeeper, Mirror};

use crate::agent::lasting::mirror::Places;

/// A disk that is full, or that fails, may be well again.
const AGAIN: Duration = Duration::from_secs(10);
/// More that are waited for are all.
const MOST: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There is no disk yet.
    Waiting,
    /// It is there, and what it has is not in /run yet.
    Restoring,
    Mirroring,
}

pub(super) struct Mirroring {
    places: Places,
    stage: Stage,
    changed: BTreeSet<Mirror>,
    /// What is wrong with what was to be in force.
    in_force: String,
    /// After a failure.
    again_at: Option<Duration>,
}

impl Mirroring {
    pub(super) fn new(disk: &str) -> Self {
        Self {
            places: Places::usual(Path::new(disk)),
            stage: Stage::Waiting,
            changed: BTreeSet::new(),
            in_force: String::new(),
            again_at: None,
        }
    }

    /// The disk is mounted, and one of ours.
    pub(super) fn begin(&mut self) {
        if self.stage == Stage::Waiting {
            self.stage = Stage::Restoring;
        }
    }

    /// Said again to a supervisor that was not there.
    pub(super) fn restored(&self) -> Option<FromKeeper> {
        let why = self.in_force.clone();
        (self.stage == Stage::Mirroring).then_some(FromKeeper::Restored { why })
    }

    pub(super) fn changed(&mut self, what: Mirror) {
        self.changed.insert(what);
        if self.changed.len() > MOST || self.changed.contains(&Mirror::All) {
            self.changed = BTreeSet::from([Mirror::All]);
        }
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.again_at
    }

    /// What is to be done, as far as it can be; what there is to say of it.
    pub(super) fn work(&mut self, now: Duration) -> Vec<FromKeeper> {
        if self.again_at.is_some_and(|at| at > now) {
            return Vec::new();
        }
        let mut said = Vec::new();
        if self.stage == Stage::Restoring {
            match self.places.restore() {
                Ok(told) => {
                    self.in_force.clone_from(&told.in_force);
                    said.extend(told.lines().into_iter().map(|text| FromKeeper::Note { text }));
                    self.stage = Stage::Mirroring;
                    said.extend(self.restored());
                }
                Err(errno) => {
                    self.again_at = Some(now.saturating_add(AGAIN));
                    said.push(FromKeeper::Restored {
                        why: format!("what the disk has cannot be read: {}", errno.desc()),
                    });
                }
            }
        }
        if self.stage == Stage::Mirroring {
            self.write(now, &mut said);
        }
        said
    }

    /// The machine ends: nothing is put off.
    pub(super) fn finish(&mut self, now: Duration) -> Vec<FromKeeper> {
        self.again_at = self.again_at.map(|_| now);
        let said = self.work(now);
        self.again_at = None;
        said
    }

    fn write(&mut self, now: Duration, said: &mut Vec<FromKeeper>) {
        let failed_before = self.again_at.take().is_some();
        if !self.changed.is_empty() {
            match self.places.mirror(&self.changed) {
                Ok(number) => said.extend(number.map(|number| FromKeeper::OnDisk { number })),
                Err(errno) => {
                    if !failed_before {
                        let text = format!(
                            "what is to outlive a power-off is not written: {}; trying again",
                            errno.desc()
                        );
                        said.push(FromKeeper::Note { text });
                    }
                    self.again_at = Some(now.saturating_add(AGAIN));
                    return;
                }
            }
            self.changed.clear();
        }
        if failed_before {
            said.push(FromKeeper::Note {
                text: "what is to outlive a power-off is written again".to_owned(),
            });
        }
    }
}

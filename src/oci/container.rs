//! A container as it is found: its directory, its record, and what its process does now.

use std::os::fd::OwnedFd;
use std::time::Duration;

use super::cgroup;
use super::failure::{Failure, Result};
use super::record::Record;
use super::store::{Folder, Store};
use crate::linux::directory;

/// Where a created container waits for `start`.
pub(crate) const START_SOCKET: &str = "start.sock";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Creating,
    Created,
    Running,
    Paused,
    Stopped,
}

impl Status {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

pub(crate) struct Container {
    pub(crate) folder: Folder,
    pub(crate) record: Record,
    pub(crate) status: Status,
    /// The first process, unless it has ended.
    pub(crate) process: Option<OwnedFd>,
}

impl Container {
    /// Only looks; what it finds may change at once.
    ///
    /// # Errors
    /// There is none of this id.
    pub(crate) fn find(store: Option<&Store>, id: &str) -> Result<Self> {
        Self::look(folder(store, id)?)
    }

    /// Nobody else changes it until this is dropped.
    ///
    /// # Errors
    /// There is none of this id.
    pub(crate) fn lock(store: Option<&Store>, id: &str) -> Result<Self> {
        let folder = folder(store, id)?;
        folder.lock()?;
        Self::look_locked(folder)
    }

    /// What it is by then, and nobody else changes it until this is dropped.
    ///
    /// # Errors
    /// Somebody else changes it for longer than that; it was deleted meanwhile.
    pub(crate) fn locked_within(self, patience: Duration) -> Result<Self> {
        self.folder.lock_within(patience)?;
        Self::look_locked(self.folder)
    }

    fn look(folder: Folder) -> Result<Self> {
        // In this order: who has just finished creating has written its record before it let go.
        let is_locked = folder.is_locked();
        Self::with(folder, is_locked)
    }

    fn look_locked(folder: Folder) -> Result<Self> {
        Self::with(folder, false)
    }

    fn with(folder: Folder, somebody_is_at_it: bool) -> Result<Self> {
        let record = folder.record()?;
        let process = record.process.and_then(|identity| identity.open());
        let status = if record.creating {
            // A creation whose creator has died comes to nothing; its processes end by themselves.
            if somebody_is_at_it || process.is_some() { Status::Creating } else { Status::Stopped }
        } else if process.is_none() {
            Status::Stopped
        } else if record.cgroup.as_ref().is_some_and(|it| cgroup::is_frozen(&it.path)) {
            Status::Paused
        } else if directory::has(folder.fd(), START_SOCKET) {
            Status::Created
        } else {
            Status::Running
        };
        Ok(Self { folder, record, status, process })
    }

    /// As engines know it: 0 when there is none.
    pub(crate) fn pid(&self) -> i32 {
        match (self.status, self.record.process) {
            (Status::Stopped, _) | (_, None) => 0,
            (Status::Creating | Status::Created | Status::Running | Status::Paused, Some(it)) => it.pid,
        }
    }

    /// The first process of one that is there.
    ///
    /// # Errors
    /// It has stopped, or is being created.
    pub(crate) fn living(&self) -> Result<&OwnedFd> {
        match (self.status, &self.process) {
            (Status::Creating, _) => {
                Err(Failure::new(format!("container {:?} is being created", self.record.id)))
            }
            (Status::Stopped, _) | (_, None) => Err(Failure::not_running()),
            (Status::Created | Status::Running | Status::Paused, Some(process)) => Ok(process),
        }
    }

    /// The cgroup, for what cannot be done without.
    ///
    /// # Errors
    /// It has none.
    pub(crate) fn cgroup(&self) -> Result<OwnedFd> {
        let Some(found) = &self.record.cgroup else {
            return Err(Failure::new(format!(
                "container {:?} has no cgroup: it was created without cgroup v2",
                self.record.id
            )));
        };
        cgroup::open(&found.path).map_err(super::failure::at(format_args!("cgroup {}", found.path)))
    }
}

fn folder(store: Option<&Store>, id: &str) -> Result<Folder> {
    match store {
        Some(store) => store.find(id),
        None => {
            super::id::check_id(id)?;
            Err(Failure::does_not_exist(id))
        }
    }
}

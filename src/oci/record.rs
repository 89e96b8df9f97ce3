//! What is kept of a container between two calls: `state.json` in its directory.
//!
//! Fields are only added within a version; a version that is not known is refused.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::container::spec::Hook;
use serde::{Deserialize, Serialize};

use super::failure::{Failure, Result, at};
use crate::linux::{Errno, directory, pidfd, proc};

pub(crate) const FILE: &str = "state.json";
const VERSION: u32 = 1;
/// Annotations are somebody else's text; more than this is no record of ours.
const LIMIT: usize = 4 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) version: u32,
    pub(crate) oci_version: String,
    pub(crate) id: String,
    /// Absolute.
    pub(crate) bundle: String,
    /// Absolute.
    pub(crate) rootfs: String,
    /// RFC 3339.
    pub(crate) created: String,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
    /// `create` is at work, or died at it.
    pub(crate) creating: bool,
    /// There is a program in it.
    pub(crate) startable: bool,
    #[serde(default)]
    pub(crate) process: Option<Identity>,
    /// From the root of the hierarchy; none where there is no cgroup v2.
    #[serde(default)]
    pub(crate) cgroup: Option<Cgroup>,
    /// It shares no pid namespace with others, so that its first process takes all with it.
    #[serde(default)]
    pub(crate) own_pid_namespace: bool,
    #[serde(default)]
    pub(crate) poststart: Vec<Hook>,
    #[serde(default)]
    pub(crate) poststop: Vec<Hook>,
}

/// Where the container's processes are, and what was made for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cgroup {
    pub(crate) path: String,
    /// The cgroups above it that were not there before, the outermost first.
    #[serde(default)]
    pub(crate) made: Vec<String>,
}

/// A process, not only its number: a number is given to others later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    /// Clock ticks since boot.
    pub(crate) start_time: u64,
    /// Of the pidfd; the same for all before Linux 6.9.
    pub(crate) inode: u64,
}

impl Record {
    pub(crate) fn new(id: &str) -> Self {
        Self {
            version: VERSION,
            oci_version: String::new(),
            id: id.to_owned(),
            bundle: String::new(),
            rootfs: String::new(),
            created: String::new(),
            annotations: BTreeMap::new(),
            creating: true,
            startable: true,
            process: None,
            cgroup: None,
            own_pid_namespace: false,
            poststart: Vec::new(),
            poststop: Vec::new(),
        }
    }

    /// `None`: there is none yet.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read(folder: BorrowedFd<'_>, id: &str) -> Result<Option<Self>> {
        let bytes = match directory::read(folder, FILE, LIMIT) {
            Err(Errno::ENOENT) => return Ok(None),
            other => other.map_err(at(format_args!("the state of container {id:?}")))?,
        };
        let record: Self = serde_json::from_slice(&bytes)
            .map_err(|error| Failure::new(format!("the state of container {id:?}: {error}")))?;
        if record.version != VERSION || record.id != id {
            return Err(Failure::new(format!("the state of container {id:?} is not this orlop's")));
        }
        Ok(Some(record))
    }

    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, folder: BorrowedFd<'_>) -> Result<()> {
        let text = serde_json::to_vec(self).map_err(|error| Failure::new(format!("state.json: {error}")))?;
        directory::replace(folder, FILE, &text, 0o600)
            .map_err(at(format_args!("the state of container {:?}", self.id)))
    }
}

impl Identity {
    /// # Errors
    /// It is gone.
    pub(crate) fn of(pid: i32, pidfd: BorrowedFd<'_>) -> crate::linux::Result<Self> {
        Ok(Self { pid, start_time: proc::start_time(pid)?, inode: pidfd::inode(pidfd)? })
    }

    /// The process, if it has not ended. A zombie has.
    pub(crate) fn open(&self) -> Option<OwnedFd> {
        let pidfd = pidfd::open(self.pid).ok()?;
        // As long as it has not ended, its number is nobody else's: what is read between is its own.
        let same = Self::of(self.pid, pidfd.as_fd()).is_ok_and(|found| found == *self);
        (same && pidfd::has_ended(pidfd.as_fd()) == Ok(false)).then_some(pidfd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::forked::Forked;

    #[test]
    fn what_was_written_is_read_and_a_later_form_refused() {
        let folder = tempfile::tempdir().unwrap();
        let directory = directory::open_at(folder.path()).unwrap();
        assert_eq!(Record::read(directory.as_fd(), "web"), Ok(None));
        let mut record = Record::new("web");
        record.process = Some(Identity { pid: 1, start_time: 2, inode: 3 });
        record.write(directory.as_fd()).unwrap();
        assert_eq!(Record::read(directory.as_fd(), "web"), Ok(Some(record.clone())));
        assert!(Record::read(directory.as_fd(), "db").is_err());
        record.version = 2;
        record.write(directory.as_fd()).unwrap();
        assert!(Record::read(directory.as_fd(), "web").is_err());
    }

    #[test]
    fn a_process_is_known_again_until_it_ends_and_nobody_else_is_taken_for_it() {
        let child = Forked::run(|| {
            loop {
                crate::linux::process::pause();
            }
        });
        let pidfd = pidfd::open(child.pid()).unwrap();
        let identity = Identity::of(child.pid(), pidfd.as_fd()).unwrap();
        assert!(identity.open().is_some());
        assert!(Identity { start_time: identity.start_time - 1, ..identity }.open().is_none());
        assert!(Identity { inode: identity.inode + 1, ..identity }.open().is_none());
        // A zombie has ended, though its number is still taken.
        pidfd::send_signal(pidfd.as_fd(), libc::SIGKILL).unwrap();
        assert!(pidfd::ends_within(pidfd.as_fd(), std::time::Duration::from_secs(10)).unwrap());
        assert!(identity.open().is_none());
    }
}

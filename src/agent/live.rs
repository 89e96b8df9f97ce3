//! Changes to a container that runs: `Pause`, `Unpause`, `Update`. Nothing of them is remembered here: the kernel has
//! it, for this supervisor and the next, also whose they were, and the core is told of each pause.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::config::live_limits;
use orlop::container::drift::{decode_updated, encode_updated, limit_of};
use orlop::container::{Place, Setting, changed_settings};
use orlop::control::Error;
use orlop::supervisor::{Event, StateKind};

use super::Agent;
use super::answer::state_word;
use super::cgroups;
use super::control::CallId;
use super::errands::{Answer, done};
use super::launch::Run;
use crate::engine::limits;
use crate::linux::{Errno, Result, cgroup, mark};

/// What is remembered of a container's cgroup: that the following is, by the release that made it; that a person has it
/// stand still; and what `orlop update` has written.
pub const MARKED: &CStr = c"trusted.orlop.marked";
pub const PAUSED: &CStr = c"trusted.orlop.paused";
pub const UPDATED: &CStr = c"trusted.orlop.updated";

/// For all processes to stand still: one that waits for a device does when it is answered.
const FREEZE: Duration = Duration::from_secs(10);

impl Agent {
    /// Whether it stands still, by the kernel's word. The core's, in its status, is as good and costs nothing.
    pub fn is_paused(&self, name: &str) -> bool {
        let of_it = |run: &&Run| run.name == name && !run.cleaning;
        let run = self.runs.values().find(of_it);
        run.and_then(|run| run.cgroups.as_ref()).is_some_and(cgroups::Cgroups::is_frozen)
    }

    /// Those that stood still under the supervisor before.
    pub fn adopt_paused(&mut self) {
        let paused = self.runs.values().map(|run| run.name.clone()).filter(|name| self.is_paused(name));
        let paused: Vec<String> = paused.collect();
        self.events.extend(paused.into_iter().map(|name| Event::Paused { name, paused: true }));
    }

    /// Those that somebody let go on who did not say so.
    pub fn see_who_goes_on(&mut self) {
        let names = self.runs.values().map(|run| run.name.clone());
        let is_said = |name: &String| self.core.status(name).is_some_and(|status| status.paused);
        // Who is about to stand still does not yet.
        let goes_on =
            |name: &String| is_said(name) && !self.errands.is_being_paused(name) && !self.is_paused(name);
        let goes_on: Vec<String> = names.filter(goes_on).collect();
        self.events.extend(goes_on.into_iter().map(|name| Event::Paused { name, paused: false }));
    }

    /// `None`: it runs; else it was answered that it does not.
    pub fn running(&mut self, call: CallId, name: &str, now: Duration) -> Option<()> {
        let Some(status) = self.core.status(name) else {
            self.unknown(call, name.to_owned(), now);
            return None;
        };
        if status.state == StateKind::Running && status.pid.is_some() {
            return Some(());
        }
        let error = Error::NotRunning { name: name.to_owned(), state: state_word(status.state) };
        self.server.fail(now, call, &error);
        None
    }

    pub fn pause(&mut self, call: CallId, name: String, now: Duration) {
        if self.running(call, &name, now).is_some() {
            // At once: while it comes to stand still it need not answer any more.
            self.events.push_back(Event::Paused { name: name.clone(), paused: true });
            self.errand_of_pause(call, name.clone(), now, move || freeze(&name));
        }
    }

    pub fn unpause(&mut self, call: CallId, name: String, now: Duration) {
        if self.running(call, &name, now).is_some() {
            self.errand_of_pause(call, name.clone(), now, move || match thaw(&name) {
                Ok(()) => done(),
                Err(errno) => Err(failed(&name, errno)),
            });
        }
    }

    pub fn update(&mut self, call: CallId, name: String, changes: &BTreeMap<String, String>, now: Duration) {
        if self.running(call, &name, now).is_none() {
            return;
        }
        match live_limits(changes) {
            Ok(limits) => match changed_settings(&limits, changes.keys()) {
                Ok(settings) => self.errand(call, now, move || update(&name, &settings)),
                Err(refused) => {
                    self.server.fail(now, call, &Error::BadLimit { key: refused.field, reason: refused.why });
                }
            },
            Err(bad) => {
                self.server.fail(now, call, &Error::BadLimit { key: bad.key, reason: bad.reason });
            }
        }
    }
}

fn failed(name: &str, errno: Errno) -> Error {
    Error::Failed { reason: format!("{name}: {}", errno.desc()) }
}

fn freeze(name: &str) -> Answer {
    let frozen = cgroup::open_path(&cgroups::path(name)).and_then(|group| {
        // First: who is found frozen without it was frozen by somebody else.
        mark::set(group.as_fd(), PAUSED, "")?;
        cgroup::freeze(group.as_fd())?;
        cgroup::wait_for(group.as_fd(), "frozen", 1, FREEZE)
    });
    match frozen {
        Ok(()) => done(),
        Err(errno) => {
            // Half frozen is neither.
            let _ = thaw(name);
            let reason = match errno {
                Errno::ETIMEDOUT => {
                    format!("{name}: not all processes stand still after {} s", FREEZE.as_secs())
                }
                errno => format!("{name}: {}", errno.desc()),
            };
            Err(Error::Failed { reason })
        }
    }
}

/// Lets it go on, if it was paused.
///
/// # Errors
/// ENOENT when it has no cgroup.
pub fn thaw(name: &str) -> Result<()> {
    let group = cgroup::open_path(&cgroups::path(name))?;
    cgroup::thaw(group.as_fd())?;
    mark::remove(group.as_fd(), PAUSED)
}

/// As [`change`], and remembers what was written, so that it is known as ours.
fn update(name: &str, settings: &[Setting]) -> Answer {
    let group = cgroup::open_path(&cgroups::path(name)).map_err(|errno| failed(name, errno))?;
    let before = mark::get(group.as_fd(), UPDATED).map_err(|errno| failed(name, errno))?.unwrap_or_default();
    let mut updated = decode_updated(&before);
    updated.extend(settings.iter().map(|it| (it.file.clone(), it.value.trim().to_owned())));
    let keep = |text: &str| mark::set(group.as_fd(), UPDATED, text).map_err(|errno| failed(name, errno));
    keep(&encode_updated(&updated))?;
    change(name, settings).inspect_err(|_| drop(keep(&before)))
}

/// A file of a cgroup, and what was in it before.
struct Written<'a> {
    group: BorrowedFd<'a>,
    file: &'a str,
    before: String,
}

/// Writes all of them, or puts back what was there.
pub fn change(name: &str, settings: &[Setting]) -> Answer {
    let path = cgroups::path(name);
    let open = |path: &str| -> core::result::Result<OwnedFd, Error> {
        cgroup::open_path(path).map_err(|errno| failed(name, errno))
    };
    let (outer, main) = (open(&path)?, open(&format!("{path}/main"))?);
    let mut written: Vec<Written<'_>> = Vec::new();
    for setting in settings {
        let Setting { place, file, value, .. } = setting;
        let both = [Some(&outer), Some(&main).filter(|_| *place == Place::Both)];
        for group in both.into_iter().flatten().map(AsFd::as_fd) {
            let before = cgroup::read(group, file);
            if let Err(errno) = before.and_then(|before| {
                written.push(Written { group, file, before });
                limits::write_or_instead(group, setting)
            }) {
                for Written { group, file, before } in written.into_iter().rev() {
                    // What cannot be put back was not changed either.
                    let _ = cgroup::write(group, file, &before);
                }
                let reason = format!("the kernel refuses {file} = {value}: {}", errno.desc());
                return Err(Error::BadLimit { key: limit_of(file), reason });
            }
        }
    }
    done()
}

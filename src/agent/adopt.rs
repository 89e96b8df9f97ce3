//! A supervisor takes over what the one before it left: the table is right, the records explain it.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::ledger::{Ended, Frame, Kind};
use orlop::supervisor::{Event, Found, Record};

use super::cgroups::Cgroups;
use super::launch::{Run, Stage, cookie, parts};
use super::ledger::Table;
use super::logs::{Rings, slot_of};
use super::{Agent, exit_of, records, say};
use crate::linux::kmsg::Level;
use crate::linux::{Errno, pidfd};

/// Setup and the container end with one of these when they cannot go on.
const NEVER_RAN: [i32; 2] = [126, 127];

struct Entry {
    pid: i32,
    ended: Option<Ended>,
    pidfd: Option<OwnedFd>,
}

impl Agent {
    pub fn adopt(&mut self, table: Table, now: Duration) {
        if table.safe {
            self.events.push_back(Event::SafeMode);
            say(
                Level::Error,
                "safe mode: three supervisors in a row died before they served; `orlop resume` leaves it",
            );
        }
        if let Some((action, deadline_us)) = table.power {
            self.shut_down(action, Duration::from_micros(deadline_us), now);
        }
        for name in self.blamed.quarantined() {
            let reason = "three supervisors died while they handled it".to_owned();
            self.events.push_back(Event::Quarantine { name, reason });
        }
        let mut entries: BTreeMap<u64, Entry> = BTreeMap::new();
        let mut rings = Rings::new();
        for (child, ended, fds) in table.entries {
            match child.kind {
                Kind::Container => {
                    let [pidfd, out, err, _] = fds;
                    if let (Some(out), Some(err)) = (out, err) {
                        let (slot, generation) = parts(child.cookie);
                        self.logs.add_pipes(slot, generation, [out, err]);
                    }
                    entries.insert(child.cookie, Entry { pid: child.pid, ended, pidfd });
                }
                Kind::Helper if ended.is_some() => self.ledger.send(Frame::Recorded { cookie: child.cookie }),
                Kind::Helper if child.label.as_str() == self.consoles.helper().name() => {
                    self.consoles.adopt(&child, fds, now);
                }
                Kind::Helper => self.logs.adopt_logger(&child, fds, now),
                Kind::Ring => rings.extend(fds.into_iter().flatten().map(|fd| (slot_of(child.cookie), fd))),
                Kind::Listener => {}
            }
        }
        self.logs.make_rings(&self.config, &self.slots, &mut rings, &mut self.ledger);
        self.log_adopted();
        for (name, text) in records::read_all() {
            let record = text.map_err(|errno| errno.desc().to_owned());
            match record.and_then(|text| Record::parse(&text).map_err(|error| error.to_string())) {
                Ok(record) => self.adopt_one(record, &mut entries),
                Err(reason) => {
                    let aside = records::set_aside(&name);
                    say(Level::Error, &format!("{name}: {reason}; its record is now {aside}"));
                }
            }
        }
        for (cookie, entry) in entries {
            self.without_record(cookie, &entry);
        }
        self.events.push_back(Event::Booted);
    }

    fn log_adopted(&self) {
        match self.watch_log() {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => say(Level::Error, &format!("log: {}", errno.desc())),
        }
    }

    fn adopt_one(&mut self, record: Record, entries: &mut BTreeMap<u64, Entry>) {
        let Some(slot) = self.slots.get(&record.name).copied() else { return };
        let (name, generation) = (record.name.clone(), record.generation);
        let cookie = cookie(slot, generation);
        let cgroups = Cgroups::open(&name).ok();
        let oom = cgroups.as_ref().is_some_and(Cgroups::has_oom_kill);
        let mut stage = Stage::Over;
        let entry = entries.remove(&cookie);
        let was_ended = entry.as_ref().is_some_and(|entry| entry.ended.is_some());
        let found = entry.and_then(|entry| {
            let pidfd = entry.pidfd?;
            let pidfd_inode = pidfd::inode(pidfd.as_fd()).ok()?;
            Some(match entry.ended {
                None => {
                    stage = Stage::Running { pidfd };
                    Found::Alive { pid: entry.pid, pidfd_inode }
                }
                Some(ended) if never_ran(&record, ended) => Found::NeverRan,
                Some(ended) => {
                    Found::Ended { exit: exit_of(ended), oom, at: Duration::from_micros(ended.at_us) }
                }
            })
        });
        // An end that was recorded before waits only for its pipes to be emptied.
        let found = if record.end.is_some() { None } else { found };
        let key = self.next_run;
        self.next_run = self.next_run.wrapping_add(1);
        let stop_signal = record.image_stop_signal;
        self.runs.insert(
            key,
            Run { name, generation, cookie, slot, cgroups, stage, cleaning: false, stop_signal },
        );
        self.events.push_back(Event::Adopted { record: Box::new(record), found });
        if was_ended {
            let now = crate::linux::time::since_boot();
            self.settle(now);
            self.logs.recorded(slot, generation, cookie, &mut self.ledger);
        }
    }

    /// Nobody knows what it is: it must not run on unseen.
    fn without_record(&mut self, cookie: u64, entry: &Entry) {
        match (entry.ended, &entry.pidfd) {
            (Some(_), _) => {
                let (slot, generation) = parts(cookie);
                self.logs.recorded(slot, generation, cookie, &mut self.ledger);
            }
            (None, Some(pidfd)) => {
                say(Level::Error, &format!("pid {} has no record and is killed", entry.pid));
                if let Err(errno) = pidfd::send_signal(pidfd.as_fd(), libc::SIGKILL) {
                    say(Level::Error, &format!("pid {}: {}", entry.pid, errno.desc()));
                }
            }
            (None, None) => {}
        }
    }
}

/// It was still before its program when the last record was written, and ended as one that
/// cannot go on ends.
fn never_ran(record: &Record, ended: Ended) -> bool {
    record.state == "starting" && ended.code == libc::CLD_EXITED && NEVER_RAN.contains(&ended.status)
}

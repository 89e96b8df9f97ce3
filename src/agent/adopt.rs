//! A supervisor takes over what the one before it left: the table is right, the records explain it.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::ledger::{Child, Ended, Frame, Kind};
use orlop::supervisor::{Event, Found, Record};

use super::blame::Handling;
use super::cgroups::{self, Cgroups};
use super::launch::{Run, START, Stage, cookie, never_ran, parts};
use super::ledger::exit_of;
use super::ledger::{Fds, Table};
use super::logs::{self, Rings, of_syslog, slot_of, syslog_of};
use super::notices;
use super::sockets;
use super::stdio::{Ends, Input};
use super::{Agent, pods, records, say};
use crate::linux::kmsg::Level;
use crate::linux::{Errno, pidfd, process};

struct Entry {
    name: String,
    pid: i32,
    ended: Option<Ended>,
    pidfd: Option<OwnedFd>,
}

impl Agent {
    pub fn take_over(&mut self, table: Table, waits_for: Option<Duration>, now: Duration) {
        self.keep_takeover(table.safe, now);
        self.adopt(table, waits_for, now);
        self.watch_buttons();
        self.settle(now);
        self.resume_reload(now);
    }

    /// Takes over what there is. With `waits_for`, only what the machine cannot be without: the rest follows once it is known
    /// which configuration is in force.
    pub fn adopt(&mut self, mut table: Table, waits_for: Option<Duration>, now: Duration) {
        self.adopt_mode(table.safe);
        if let Some((action, deadline_us)) = table.power {
            self.go_on_shutting_down(action, Duration::from_micros(deadline_us), now);
        }
        if let Some((code, status)) = table.upgrade_failed {
            self.upgrade_failed(code, status);
        }
        let mut places = None;
        for (child, ended, fds) in core::mem::take(&mut table.entries) {
            match child.kind {
                Kind::Helper => self.adopt_helper(&child, ended, fds, now),
                Kind::Ring if slot_of(child.cookie) == logs::KEPT => {
                    places = fds.into_iter().flatten().next()
                }
                Kind::Container | Kind::Ring | Kind::Listener | Kind::Exec => {
                    table.entries.push((child, ended, fds))
                }
            }
        }
        self.keeping.begin_disk(&self.config, places, &mut self.ledger);
        self.keeper_adopted();
        match waits_for.filter(|_| self.power.is_none()) {
            Some(timeout) => self.lasting.wait(table, timeout, now),
            None => self.adopt_rest(table, now),
        }
    }

    pub fn adopt_rest(&mut self, table: Table, now: Duration) {
        self.boot.containers_begin();
        self.adopt_watchdog();
        for name in self.blamed.quarantined() {
            let reason = "three supervisors died while they handled it".to_owned();
            self.events.push_back(Event::Quarantine { name, reason });
        }
        let mut entries: BTreeMap<u64, Entry> = BTreeMap::new();
        let mut rings = Rings::new();
        let mut pipes = Vec::new();
        let mut syslogs = BTreeMap::new();
        let mut said = BTreeMap::new();
        for (child, ended, fds) in table.entries {
            match child.kind {
                Kind::Container => {
                    let [pidfd, kept @ ..] = fds;
                    pipes.push((child.cookie, kept));
                    let name = child.label.as_str().to_owned();
                    entries.insert(child.cookie, Entry { name, pid: child.pid, ended, pidfd });
                }
                // Taken over before all else.
                Kind::Helper => {}
                Kind::Ring => rings.extend(fds.into_iter().flatten().map(|fd| (slot_of(child.cookie), fd))),
                Kind::Listener if let Some(key) = sockets::of(&child) => {
                    self.sockets.adopt(key, fds, &mut self.ledger);
                }
                Kind::Listener => match of_syslog(child.cookie) {
                    Some(cookie) => {
                        syslogs.extend(fds.into_iter().flatten().next().map(|socket| (cookie, socket)))
                    }
                    None => said.extend(notices::of(&child).map(|cookie| (cookie, fds))),
                },
                Kind::Exec => self.adopt_session(&child, ended, fds),
            }
        }
        self.logs.make_rings(&self.config, &self.slots, &mut rings, &mut self.ledger);
        let config = (&self.config, self.boot.config_dir.as_str());
        self.forwarding.begin(config, &self.slots, &mut rings, &mut self.ledger);
        self.forwarder_adopted();
        self.keeping.begin(&self.config, &self.slots, &self.logs);
        // A logger of an earlier supervisor may not know every ring yet, and refuses pipes without one.
        let mut inputs = self.adopt_streams(pipes, syslogs);
        self.adopt_containers(entries, now);
        for run in self.runs.values_mut() {
            run.input = inputs.remove(&run.cookie).flatten();
        }
        self.adopt_notices(said);
        self.open_sockets();
        self.leave_pods();
        self.adopt_paused();
        for run in self.runs.values() {
            self.sessions.left_in(run.name.clone(), now);
        }
        self.tell_clock();
        self.events.push_back(Event::Booted);
    }

    /// Three supervisors in a row died before they served: of one container, or of anything.
    fn adopt_mode(&mut self, is_safe: bool) {
        match (is_safe, self.blamed.culprit()) {
            (false, _) => {}
            (true, None) if self.lasting.fell_back => {
                say(
                    Level::Error,
                    "no safe mode: supervisors died with the configuration of the disk, which is gone",
                );
                self.blamed.resume();
                self.ledger.send(Frame::Resume);
            }
            (true, Some(name)) => {
                say(Level::Error, &format!("no safe mode: {name} is left alone, and the others go on"));
                self.ledger.send(Frame::Resume);
            }
            (true, None) => {
                self.blamed.safe_mode();
                self.events.push_back(Event::SafeMode);
                say(
                    Level::Error,
                    "safe mode: three supervisors in a row died before they served; `orlop resume` leaves it",
                );
            }
        }
    }

    /// Gives out what PID 1 kept of runs' streams and sockets for syslog(3), by their cookies: what runs read.
    fn adopt_streams(
        &mut self,
        pipes: Vec<(u64, [Option<OwnedFd>; 3])>,
        mut syslogs: BTreeMap<u64, OwnedFd>,
    ) -> BTreeMap<u64, Option<Input>> {
        let mut inputs = BTreeMap::new();
        for (cookie, kept) in pipes {
            let (slot, generation) = parts(cookie);
            let Some(ends) = Ends::adopt(kept, syslogs.remove(&cookie)) else { continue };
            match ends.hand_out(&mut self.logs, slot, generation) {
                Ok(input) => drop(inputs.insert(cookie, input)),
                Err(errno) => say(Level::Error, &format!("terminal: {}", errno.desc())),
            }
        }
        // Its container was never kept, or is forgotten.
        for cookie in syslogs.into_keys() {
            self.ledger.send(Frame::Release { cookie: syslog_of(cookie) });
        }
        inputs
    }

    fn adopt_helper(&mut self, child: &Child, ended: Option<Ended>, fds: Fds, now: Duration) {
        let name = child.label.as_str();
        let (forwarder, keeper) = (&mut self.forwarding.reader, &mut self.keeping.reader);
        match ended {
            Some(ended) => {
                self.keep_helpers_end(name, ended, Duration::from_micros(ended.at_us));
                self.ledger.send(Frame::Recorded { cookie: child.cookie });
            }
            None if name == self.consoles.helper().name() => self.consoles.adopt(child, fds, now),
            None if name == forwarder.helper.name() => forwarder.adopt(child, fds, now),
            None if name == keeper.helper.name() => keeper.adopt(child, fds, now),
            None => {
                self.logs.adopt_logger(child, fds, now);
                self.log_adopted();
            }
        }
    }

    fn adopt_containers(&mut self, mut entries: BTreeMap<u64, Entry>, now: Duration) {
        cgroups::forget_aside();
        let mut recorded = BTreeSet::new();
        let records = records::read_all().unwrap_or_else(|errno| {
            say(Level::Error, &format!("{}: {}", records::DIRECTORY, errno.desc()));
            // The next supervisor tries again: to this one all that runs would have no record, and be killed.
            process::exit_now(1)
        });
        for (name, text) in records {
            let deadly = self.blamed.is_too_often(Handling::Adopt, &name);
            self.handling(Handling::Adopt, &name, |agent| {
                let text = if deadly { Err("supervisors died of it".to_owned()) } else { text.map_err(desc) };
                match text.and_then(|text| Record::parse(&text).map_err(|error| error.to_string())) {
                    Ok(record) => {
                        recorded.insert(record.name.clone());
                        agent.adopt_one(record, &mut entries, now);
                    }
                    Err(reason) => {
                        let aside = records::set_aside(&name);
                        say(Level::Error, &format!("{name}: {reason}; its record is now {aside}"));
                    }
                }
            });
        }
        // The newest generation of each first: older ones have only output left to be read.
        while let Some((cookie, entry)) = entries.pop_last() {
            match self.missing_record(cookie, &entry) {
                Some(record) if recorded.insert(entry.name.clone()) => {
                    // One that ended and is not declared was forgotten, and only its output is left.
                    if entry.ended.is_none() || self.config.containers.contains_key(&entry.name) {
                        say(Level::Error, &format!("{}: pid {} has no record", entry.name, entry.pid));
                    }
                    entries.insert(cookie, entry);
                    self.adopt_one(record, &mut entries, now);
                }
                Some(_) | None => self.without_record(cookie, &entry),
            }
        }
    }

    fn log_adopted(&mut self) {
        match self.watch_log() {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => say(Level::Error, &format!("log: {}", errno.desc())),
        }
    }

    fn adopt_one(&mut self, record: Record, entries: &mut BTreeMap<u64, Entry>, now: Duration) {
        let Some(slot) = self.slots.get(&record.name).copied() else { return };
        let (name, generation) = (record.name.clone(), record.generation);
        let cookie = cookie(slot, generation);
        let cgroups = Cgroups::open(&name).ok();
        let oom = cgroups.as_ref().and_then(Cgroups::shortage);
        let mut stage = Stage::Over;
        let was_starting = record.state == "starting";
        let entry = entries.remove(&cookie);
        let ended = entry.as_ref().and_then(|entry| entry.ended);
        if let (Some(ended), None) = (ended, &record.end) {
            self.keep_end(&name, generation, ended);
        }
        let found = entry.and_then(|entry| {
            let pidfd = entry.pidfd?;
            let pidfd_inode = pidfd::inode(pidfd.as_fd()).ok()?;
            Some(match entry.ended {
                None => {
                    stage = Stage::Running { pidfd };
                    Found::Alive { pid: entry.pid, pidfd_inode }
                }
                Some(ended) if was_starting && never_ran(ended) => Found::NeverRan,
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
            Run {
                name: name.clone(),
                generation,
                cookie,
                slot,
                cgroups,
                stage,
                cleaning: false,
                stop_signal,
                check: None,
                pod: pods::of_record(&record, &self.config),
                notices: None,
                input: None,
                starting_until: was_starting.then(|| now.saturating_add(START)),
            },
        );
        self.events.push_back(Event::Adopted { record: Box::new(record), found });
        // Now: who dies of what follows from it dies of this record.
        self.settle(now);
        if ended.is_some() {
            self.recorded(&name, slot, generation, cookie);
        }
    }

    /// What the lost record of a container must have said, so that nothing of it is left before its
    /// next generation starts: one that lives is killed as a start that was cut off, an end is judged.
    fn missing_record(&self, cookie: u64, entry: &Entry) -> Option<Record> {
        let (slot, generation) = parts(cookie);
        if self.slots.get(&entry.name) != Some(&slot) {
            return None;
        }
        let state = if entry.ended.is_some() { "running" } else { "starting" };
        let fields = serde_json::json!({
            "version": 1, "name": entry.name, "generation": generation, "wanted": "up", "state": state,
        });
        Record::parse(&fields.to_string()).ok()
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

fn desc(errno: Errno) -> String {
    errno.desc().to_owned()
}

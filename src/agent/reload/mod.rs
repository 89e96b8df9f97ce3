//! `Plan`, `Reload`, `ConfirmReload`, `Rollback`: another configuration in the place of the one in force.
//!
//! In this order: everything about it is looked at, it is kept for the next supervisor, the core is told, what can be
//! changed live is changed. Whoever dies in between is followed by a supervisor that reads what was kept, and goes on.

mod drift;
mod judged;
mod kernel;
mod live;
pub mod versions;

use std::time::Duration;

use orlop::config::{Config, read};
use orlop::control::{ConfigFile, ConfigReply, Empty, Error, PlanReply};
use orlop::ledger::Frame;
use orlop::supervisor::{Action, Event, Plan, Reload, plan};

use crate::agent::configuration::{Kept, Origin, Previous, read_folder, sources};
use crate::agent::control::CallId;
use crate::agent::sent::Sent;
use crate::agent::{Agent, files, say};
use crate::linux::kmsg::Level;

use kernel::Beside;
use live::Changed;

/// What is known of the configuration as text, and the one that a client sends.
pub struct Reloading {
    pub current: Kept,
    pub sent: Option<Sent>,
}

impl Reloading {
    pub fn new(current: Kept) -> Self {
        Self { current, sent: None }
    }

    /// Its number, and whether a disk keeps it.
    pub fn done(&self) -> (u64, bool) {
        (self.current.number, self.current.built_in.is_some())
    }

    /// When it has to be confirmed at the latest.
    pub fn deadline(&self) -> Option<Duration> {
        self.current.confirm_by_us.map(Duration::from_micros)
    }
}

/// Which configuration is asked for, and until when it has to be confirmed.
struct Wish {
    files: Vec<ConfigFile>,
    config: Config,
    plan: Plan,
    confirm_by: Option<Duration>,
    /// What it comes by, for the history.
    by: String,
}

impl Agent {
    pub fn plan_reload(&mut self, call: CallId, sent: bool, now: Duration) {
        match self.wished(call, sent) {
            Ok(files) => {
                let (_, reply) = self.judge(&files);
                self.server.reply(now, call, &reply);
            }
            Err(error) => self.server.fail(now, call, &error),
        }
    }

    /// `base`: the one that the client has seen, if it matters to it.
    pub fn reload(
        &mut self,
        (call, sent): (CallId, bool),
        confirm: Option<Duration>,
        base: Option<u64>,
        now: Duration,
    ) {
        let done = self.wished(call, sent).and_then(|files| {
            self.may_reload()?;
            let number = self.reloading.current.number;
            if base.is_some_and(|base| base != number) {
                let reason = format!("the configuration was changed meanwhile; it is number {number} now");
                return Err(Error::NotNow { reason });
            }
            let (judged, reply) = self.judge(&files);
            let (config, plan) = judged.ok_or_else(|| refused(&reply))?;
            let confirm_by = confirm.map(|time| now.saturating_add(time));
            self.put_in_force(Wish { files, config, plan, confirm_by, by: "reload".into() }, now)
        });
        self.answer_reload(call, done, now);
    }

    /// What was before, even if it had mistakes: it is known what it does.
    pub fn roll_back(&mut self, call: CallId, number: Option<u64>, built_in: bool, now: Duration) {
        let done = self.may_reload().and_then(|()| match number {
            _ if built_in => {
                let files = self.built_in_files()?;
                self.go_back_to(files, "rollback, to the built-in one".into(), now)
            }
            None => self.go_back("rollback", now),
            Some(number) => {
                let files = self.earlier_files(number)?;
                self.go_back_to(files, format!("rollback, to {number}"), now)
            }
        });
        self.answer_reload(call, done, now);
    }

    fn answer_reload(&mut self, call: CallId, done: Result<Changed, Error>, now: Duration) {
        match done {
            Ok(changed) => self.change_live(Some(call), changed, now),
            Err(error) => self.server.fail(now, call, &error),
        }
    }

    pub fn confirm_reload(&mut self, call: CallId, now: Duration) {
        if self.reloading.current.confirm_by_us.is_none() {
            let reason = "no reload waits to be confirmed".into();
            return self.server.fail(now, call, &Error::NotNow { reason });
        }
        let confirmed = Kept { confirm_by_us: None, ..self.reloading.current.clone() };
        match confirmed.write() {
            Ok(()) => {
                self.reloading.current = confirmed;
                match self.make_lasting() {
                    None => self.server.reply(now, call, &Empty {}),
                    Some(reason) => self.server.fail(now, call, &Error::Failed { reason }),
                }
            }
            Err(errno) => self.server.fail(now, call, &not_kept(errno.desc())),
        }
    }

    pub fn tell_config(&mut self, call: CallId, now: Duration) {
        let Kept { number, files, previous, .. } = &self.reloading.current;
        let left = self.reloading.deadline().map(|by| by.saturating_sub(now).as_millis() as u64);
        let previous = previous.as_ref().map(|previous| previous.number);
        let reply = ConfigReply { number: *number, previous, confirm_ms: left, files: files.clone() };
        self.server.reply(now, call, &reply);
    }

    /// Nobody has confirmed the last reload in time.
    pub fn late_reload(&mut self, now: Duration) {
        if self.reloading.deadline().is_none_or(|by| now < by) || self.power.is_some() {
            return;
        }
        // Tried once: what cannot be kept now is not tried with every wake-up.
        self.reloading.current.confirm_by_us = None;
        say(Level::Warning, "the reload was not confirmed in time; the configuration before it comes back");
        match self.go_back("not confirmed", now) {
            Ok(changed) => self.change_live(None, changed, now),
            Err(error) => say(Level::Error, &format!("reload: {error}")),
        }
    }

    /// What an earlier supervisor put in force may not be in force everywhere.
    pub fn resume_reload(&mut self, now: Duration) {
        if self.reloading.current.number > 0 {
            let mut problems = self.change_host();
            if self.owes_lasting() {
                problems.extend(self.make_lasting());
            }
            self.change_live(None, Changed { problems, ..Changed::default() }, now);
        }
    }

    fn wished(&self, call: CallId, sent: bool) -> Result<Vec<ConfigFile>, Error> {
        if sent {
            return self.sent_files(call.client);
        }
        let (files, errors) = read_folder(&self.boot.config_dir);
        match errors.into_iter().next() {
            Some(reason) => Err(Error::BadConfiguration { reason }),
            None => Ok(files),
        }
    }

    fn may_reload(&self) -> Result<(), Error> {
        let reason = if self.power.is_some() {
            "the machine is shutting down"
        } else if self.lasting.is_waiting() {
            "the boot still waits for the disk"
        } else if self.reloading.current.confirm_by_us.is_some() {
            "the last reload waits to be confirmed: `orlop reload --confirmed`"
        } else {
            return Ok(());
        };
        Err(Error::NotNow { reason: reason.into() })
    }

    fn go_back(&mut self, by: &str, now: Duration) -> Result<Changed, Error> {
        let Some(Previous { number, files }) = self.reloading.current.previous.clone() else {
            let reason = "there is none before it".into();
            return Err(Error::NotNow { reason });
        };
        self.go_back_to(files, format!("{by}, to {number}"), now)
    }

    fn go_back_to(&mut self, files: Vec<ConfigFile>, by: String, now: Duration) -> Result<Changed, Error> {
        let config = read(&sources(&files)).config;
        let plan = plan(&self.config, &config);
        self.put_in_force(Wish { files, config, plan, confirm_by: None, by }, now)
    }

    /// It says the same: comments may differ.
    fn change_comments(&mut self, files: Vec<ConfigFile>) -> Result<Changed, Error> {
        let kept = Kept { files, notice: None, ..self.reloading.current.clone() };
        // Before the first reload there is nothing to keep them in.
        if kept.number > 0 || kept.built_in.is_some() {
            kept.write().map_err(|errno| not_kept(errno.desc()))?;
        }
        self.reloading.current = kept;
        // Somebody else may have changed what it declares.
        let found = self.changed_of_the_machine();
        let mut problems = self.change_host();
        problems.extend(self.make_lasting());
        Ok(Changed { problems, righted: self.righted_of_the_machine(found), before: Beside::default() })
    }

    /// Keeps it, then has the core go by it.
    fn put_in_force(&mut self, wish: Wish, now: Duration) -> Result<Changed, Error> {
        let Wish { files, mut config, plan, confirm_by, by } = wish;
        // That of the boot, until the next one.
        config.host.disk.clone_from(&self.config.host.disk);
        let before = &self.reloading.current;
        if plan.is_empty() {
            return self.change_comments(files);
        }
        let number = before.number.max(versions::highest().unwrap_or_default()).saturating_add(1);
        let mut since = before.since.clone();
        since.retain(|name, _| config.containers.contains_key(name));
        since.extend(plan.replaced().map(|name| (name.to_owned(), number)));
        let previous = Some(Previous { number: before.number, files: before.files.clone() });
        let confirm_by_us = confirm_by.map(|by| by.as_micros() as u64);
        let mut unwritten: Vec<String> = limited(&plan).chain(before.unwritten.iter().cloned()).collect();
        // What an earlier one was still to write is nobody else's.
        let written: Vec<String> = limited(&plan).filter(|name| !before.unwritten.contains(name)).collect();
        unwritten.retain(|name| config.containers.contains_key(name));
        let origin = Origin::new(now, by, drift::summary(&plan));
        let built_in = before.built_in.clone();
        let kept = Kept {
            number,
            since,
            files,
            previous,
            confirm_by_us,
            unwritten,
            origin,
            built_in,
            ..Kept::default()
        };
        versions::keep(before).map_err(|errno| not_kept(errno.desc()))?;
        kept.write().map_err(|errno| not_kept(errno.desc()))?;
        self.step();
        self.reloading.current = kept;
        // Starts that are asked for already are of the configuration before.
        self.settle(now);
        let was_safe = self.core.is_safe();
        if was_safe {
            // What supervisors died of may be gone with the old one.
            self.blamed.resume();
            self.ledger.send(Frame::Resume);
        }
        let numbers = self.reloading.current.numbers();
        for name in config.containers.keys().filter(|name| !self.config.containers.contains_key(*name)) {
            self.rises.declared(name, now);
        }
        let (before, found) = (self.beside_the_kernel().only(&written), self.changed_of_the_machine());
        self.slots = files::load_slots(&config);
        self.config = config.clone();
        self.logs.follow_config(&self.config, &self.slots, &mut self.ledger);
        self.forwarding.follow_config(&self.config, &self.slots, &self.logs);
        self.keeping.follow_config(&self.config, &self.slots, &self.logs);
        say(Level::Info, &format!("configuration {number} is in force"));
        let mut problems = self.change_host();
        problems.extend(self.make_lasting());
        self.open_sockets();
        self.leave_pods();
        self.events.push_back(Event::Reload(Box::new(Reload { config, numbers })));
        self.events.extend(was_safe.then_some(Event::Resume));
        self.settle(now);
        // It may be the first with times of the clock.
        self.tell_clock();
        self.settle(now);
        Ok(Changed { problems, righted: self.righted_of_the_machine(found), before })
    }
}

/// Those that go on running under other limits.
fn limited(plan: &Plan) -> impl Iterator<Item = String> {
    let changes = plan.containers.iter().filter(|it| it.action == Action::Change);
    let limited = changes.filter(|it| it.keys.iter().any(|change| change.key.starts_with("limits.")));
    limited.map(|it| it.name.clone())
}

fn refused(reply: &PlanReply) -> Error {
    let errors: Vec<&str> =
        reply.mistakes.iter().filter(|it| it.is_error()).map(|it| it.message.as_str()).collect();
    Error::BadConfiguration { reason: errors.join("; ") }
}

fn not_kept(why: &str) -> Error {
    Error::Failed { reason: format!("the configuration cannot be kept: {why}") }
}

//! What outlives a power-off on a machine with a disk: how containers ended, the configuration, the report of the
//! machine's end.
//!
//! The supervisor never opens a path on the disk. All of this is files in /run, which `orlop keep` copies there and, once in a
//! boot, back; the containers of a boot wait for that, for so long at most, and everything else goes on. Without a
//! disk nothing is different.

mod batch;
mod deaths;
pub mod mirror;
pub mod pointer;
pub mod report;
pub mod restore;

use std::collections::BTreeSet;
use std::time::Duration;

use orlop::config::{InForce, OnDisk, in_force};
use orlop::control::Logs;
use orlop::keep::Mirror;
use orlop::supervisor::{Event, Supervisor};

pub use deaths::after_deaths;

use crate::agent::boot::{Phase, read_config};
use crate::agent::configuration::{Kept, Origin, Previous};
use crate::agent::control::CallId;
use crate::agent::ledger::Table;
use crate::agent::reload::versions;
use crate::agent::{Agent, files, records, say, serving};
use crate::linux::kmsg::Level;
use pointer::Pointer;
use report::Report;

/// Between two copies of ends: who crashes all the time is not to wear the disk out.
const PAUSE: Duration = Duration::from_secs(1);

pub struct Lasting {
    /// There is a disk for it, or will be.
    is_on: bool,
    waiting: Option<Waiting>,
    /// The number of the configuration that is safely there.
    pub on_disk: Option<u64>,
    /// What the keeper has not been told yet.
    changed: BTreeSet<Mirror>,
    /// Ends are not copied before.
    ends_at: Duration,
    /// It was not there in time.
    is_late: bool,
    /// This supervisor has gone back to the built-in configuration.
    pub fell_back: bool,
}

/// The disk has not said yet what is in force.
struct Waiting {
    since: Duration,
    until: Duration,
    table: Table,
    /// Who asked for logs: their memory is made as the configuration that is in force has it.
    asked: Vec<(CallId, Logs)>,
}

impl Lasting {
    pub fn new(current: &Kept, waits: bool, fell_back: bool) -> Self {
        Self {
            is_on: waits || current.built_in.is_some(),
            waiting: None,
            on_disk: None,
            changed: BTreeSet::new(),
            ends_at: Duration::ZERO,
            is_late: false,
            fell_back,
        }
    }

    pub fn is_on(&self) -> bool {
        self.is_on
    }

    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// What is left to be adopted waits with it.
    pub fn wait(&mut self, table: Table, timeout: Duration, now: Duration) {
        let until = now.saturating_add(timeout);
        self.waiting = Some(Waiting { since: now, until, table, asked: Vec::new() });
    }

    /// Logs that there are not yet are read when there are; given back when nobody waits. Who has gone waits no longer, so that
    /// there are never more than clients may ask at once.
    pub fn hold(&mut self, call: CallId, asked: Logs, waits: impl Fn(CallId) -> bool) -> Option<Logs> {
        match &mut self.waiting {
            Some(waiting) => {
                waiting.asked.retain(|(call, _)| waits(*call));
                waiting.asked.push((call, asked));
                None
            }
            None => Some(asked),
        }
    }

    /// When the boot waits no longer.
    pub fn deadline(&self) -> Option<Duration> {
        self.waiting.as_ref().map(|waiting| waiting.until)
    }

    /// When [`Lasting::due`] has more to say.
    pub fn next_due(&self) -> Option<Duration> {
        self.changed.iter().any(|what| matches!(what, Mirror::Ends(_))).then_some(self.ends_at)
    }

    /// What the keeper is to be told now.
    pub fn due(&mut self, now: Duration) -> Vec<Mirror> {
        let are_ends_due = now >= self.ends_at;
        let is_due = |what: &Mirror| are_ends_due || !matches!(what, Mirror::Ends(_));
        let (due, later): (BTreeSet<Mirror>, BTreeSet<Mirror>) =
            core::mem::take(&mut self.changed).into_iter().partition(is_due);
        self.changed = later;
        if due.iter().any(|what| matches!(what, Mirror::Ends(_))) {
            self.ends_at = now.saturating_add(PAUSE);
        }
        // The order matters to nobody: each is looked at anew.
        due.into_iter().collect()
    }

    /// The machine ends: nothing is put off, and of many it is one word that all are looked at.
    pub fn all(&mut self) -> Vec<Mirror> {
        /// The keeper hears so many, and that the machine ends, in one turn: it has nothing else to do first.
        const A_TURN: usize = 32;
        let changed = core::mem::take(&mut self.changed);
        if changed.len() > A_TURN { vec![Mirror::All] } else { changed.into_iter().collect() }
    }

    /// Which configuration a boot has. With one that too many supervisors have died with, also the disk is told so.
    fn judge(&mut self, built_in: &str, on_disk: &OnDisk, are_too_many: bool) -> InForce {
        match on_disk {
            OnDisk::Is(lasting) if are_too_many => {
                self.changed.insert(Mirror::Configuration);
                let lasting = orlop::config::Lasting { is_doubted: true, ..lasting.clone() };
                in_force(built_in, &OnDisk::Is(lasting))
            }
            OnDisk::Is(_) | OnDisk::Nothing | OnDisk::Unread(_) => in_force(built_in, on_disk),
        }
    }

    /// A keeper that knows nothing, or of whom it is not known what it knows.
    pub fn tell_all(&mut self) {
        if self.is_on {
            self.changed = BTreeSet::from([Mirror::All]);
        }
    }
}

impl Agent {
    /// What /run has of this is another now.
    pub fn mirror(&mut self, what: Mirror) {
        if self.lasting.is_on && !self.lasting.changed.contains(&Mirror::All) {
            self.lasting.changed.insert(what);
        }
    }

    /// The keeper has brought back what the disk had, or why it could not.
    pub fn restored(&mut self, why: &str, now: Duration) {
        if !why.is_empty() {
            return self.decide(&OnDisk::Unread(why.to_owned()), None, now);
        }
        if self.lasting.is_waiting() {
            let read = pointer::read();
            let on_disk = pointer::on_disk(&read);
            self.decide(&on_disk, read.ok().flatten(), now);
        } else if core::mem::take(&mut self.lasting.is_late) {
            say(Level::Info, "the disk is there; the configuration stays as it is in this boot");
        }
    }

    /// It did not come in time.
    pub fn late_disk(&mut self, now: Duration) {
        let Some(waiting) = self.lasting.waiting.as_ref().filter(|waiting| waiting.until <= now) else {
            return;
        };
        let why = match waiting.until == waiting.since {
            true => "three supervisors in a row died".to_owned(),
            false => self.disk_is_late(),
        };
        self.decide(&OnDisk::Unread(why), None, now);
    }

    /// Which configuration this boot has; then the containers begin.
    fn decide(&mut self, on_disk: &OnDisk, pointer: Option<Pointer>, now: Duration) {
        self.settle(now);
        let Some(Waiting { since, table, asked, .. }) = self.lasting.waiting.take() else { return };
        let error = match on_disk {
            OnDisk::Unread(why) => Some(why.clone()),
            OnDisk::Nothing | OnDisk::Is(_) => None,
        };
        self.lasting.is_late = error.is_some();
        self.boot.ended(Phase { name: "disk".into(), start: since, end: now, error });
        let built_in = &self.reloading.current.files;
        let digest = pointer::digest(built_in);
        let verdict = self.lasting.judge(&digest, on_disk, deaths::are_too_many());
        let kept =
            chosen(&verdict, pointer, Kept { built_in: Some(digest), ..self.reloading.current.clone() });
        if let Some(notice) = &kept.notice {
            say(Level::Warning, notice);
        }
        if let Err(errno) = kept.write() {
            say(
                Level::Error,
                &format!("the configuration cannot be kept for another supervisor: {}", errno.desc()),
            );
        }
        self.reloading.current = kept;
        if verdict == InForce::Lasting {
            self.have_lasting();
        }
        if self.boot.is_half_prepared {
            self.boot.prepare_rest(&self.config);
        }
        self.adopt_rest(table, now);
        self.forget_undeclared();
        self.settle(now);
        asked.into_iter().for_each(|(call, asked)| self.open_stream(call, asked, now));
    }

    /// The one from the disk takes the place of the built-in one, before anything was done by it that matters.
    fn have_lasting(&mut self) {
        let current = &self.reloading.current;
        let (mut config, _) = read_config(&current.sources());
        // That of the boot.
        config.host.disk.clone_from(&self.config.host.disk);
        let now = crate::linux::time::since_boot();
        let was_safe = self.core.is_safe();
        self.core = Supervisor::reloaded(now, &config, now.as_nanos() as u64, &current.numbers());
        self.events.extend(was_safe.then_some(Event::SafeMode));
        self.slots = files::load_slots(&config);
        self.config = config;
        say(Level::Info, &format!("configuration {} of the disk is in force", self.reloading.current.number));
        for problem in self.change_host() {
            say(Level::Error, &format!("boot: {problem}"));
        }
        if !self.config.host.control_ports {
            self.server.drop_ports();
        } else if let Err(error) = serving::open_ports(&self.config, &mut self.server) {
            say(Level::Error, &format!("control ports: {error}"));
        }
    }

    /// What waits for the disk waits no longer: the machine ends.
    pub fn release(&mut self, now: Duration) {
        if let Some(Waiting { table, asked, .. }) = self.lasting.waiting.take() {
            self.adopt_rest(table, now);
            asked.into_iter().for_each(|(call, asked)| self.open_stream(call, asked, now));
        }
    }

    /// Ends of containers that nothing declares any more have come back too.
    fn forget_undeclared(&mut self) {
        let mut names = records::names();
        names.retain(|name| !self.config.containers.contains_key(name) && self.core.status(name).is_none());
        for name in names {
            records::forget(&name);
            self.mirror(Mirror::Ends(name));
        }
    }

    /// What is in force is what the next boot is to have, unless it is to be confirmed first; what went wrong.
    pub fn make_lasting(&mut self) -> Option<String> {
        let current = &self.reloading.current;
        let made_from = current.built_in.clone().filter(|_| current.confirm_by_us.is_none())?;
        let files = (pointer::digest(&current.files) != made_from).then(|| current.files.clone());
        let (number, origin) = (current.number, current.origin.clone());
        let pointer = Pointer { made_from, number, files, origin, is_doubted: false };
        self.lasting.on_disk = None;
        if let Err(why) = pointer.is_bounded() {
            return Some(format!("the next boot does not have it: {why}"));
        }
        match pointer.write() {
            Ok(()) => self.mirror(Mirror::Configuration),
            Err(errno) => return Some(format!("the next boot does not have it: {}", errno.desc())),
        }
        None
    }

    /// Whether a supervisor died between having something in force and saying so to the next boot.
    pub fn owes_lasting(&self) -> bool {
        pointer::is_owed(&self.reloading.current, &pointer::read())
    }

    /// The disk has this one for the next boot.
    pub fn is_on_disk(&mut self, number: u64) {
        if self.lasting.on_disk != Some(number) && self.reloading.current.number == number {
            self.lasting.on_disk = Some(number);
            say(Level::Info, &format!("configuration {number} is on the disk, for the next boot"));
        }
    }

    pub fn report_begins(&mut self, line: String) {
        if self.lasting.is_on && report::this().is_none() {
            self.keep_report(&Report::begin(line));
        }
    }

    pub fn report_ends(&mut self, lines: Vec<String>) {
        if let Some(mut report) = report::this().filter(|_| self.lasting.is_on) {
            report.lines.extend(lines);
            self.keep_report(&report);
        }
    }

    fn keep_report(&mut self, report: &Report) {
        match report.write() {
            Ok(()) => self.mirror(Mirror::End),
            Err(errno) => say(Level::Error, &format!("the report of this end is not kept: {}", errno.desc())),
        }
    }
}

/// What is in force, and under which number: none that another one has had, on this machine or on the disk.
fn chosen(verdict: &InForce, pointer: Option<Pointer>, built_in: Kept) -> Kept {
    let highest = versions::highest().into_iter().chain(pointer.as_ref().map(|it| it.number)).max();
    let boot = || Origin::new(Duration::ZERO, "boot".into(), Vec::new());
    match (verdict, pointer) {
        (InForce::Lasting, Some(Pointer { number, files: Some(files), origin, .. })) => {
            let previous = before(number).or(Some(Previous { number: 0, files: built_in.files }));
            Kept {
                number,
                files,
                previous,
                origin,
                built_in: built_in.built_in,
                is_from_disk: true,
                ..Kept::default()
            }
        }
        (InForce::BuiltIn, Some(pointer)) if Some(&pointer.made_from) == built_in.built_in.as_ref() => {
            let (number, previous) = (pointer.number, before(pointer.number));
            Kept { number, previous, origin: pointer.origin, ..built_in }
        }
        (InForce::Lasting | InForce::BuiltIn | InForce::BuiltInFor(_), pointer) => {
            let number = highest.map_or(0, |highest| highest.saturating_add(1));
            let notice = match verdict {
                InForce::BuiltInFor(doubt) => Some(doubt.sentence()),
                InForce::Lasting | InForce::BuiltIn => None,
            };
            let left = pointer.and_then(|Pointer { number, files, origin, .. }| {
                let left = Kept { number, files: files?, origin, ..Kept::default() };
                // Nobody has it in a list otherwise; without it there is one less to go back to.
                let _ = versions::keep(&left);
                Some(Previous { number: left.number, files: left.files })
            });
            Kept { number, previous: left.or_else(|| before(number)), origin: boot(), notice, ..built_in }
        }
    }
}

/// What a bare `rollback` goes back to.
fn before(number: u64) -> Option<Previous> {
    versions::before(number).map(|it| Previous { number: it.number, files: it.files })
}

#[cfg(test)]
mod test;

//! The supervisor process: one loop that waits, tells the deciding rooms what happened, and does
//! what they ask for.
//!
//! One thread, one clock read a wake-up, nothing that blocks. What may block or parse what others
//! wrote is done by processes of its own: setup, `orlop log`, `orlop console`.

mod adopt;
mod answer;
mod apparmor;
mod asked;
mod blame;
mod boot;
mod boot_id;
mod button;
mod cgroups;
mod clock;
mod compile;
mod configuration;
pub mod console;
mod consoles;
mod control;
pub mod copier;
mod copying;
mod devices;
mod ending;
mod ends;
mod errands;
mod exec;
mod failing;
mod fault;
mod figures;
mod files;
pub mod forward;
mod forwarding;
mod gates;
mod helpers;
mod history;
pub mod keep;
mod keeping;
mod lasting;
mod launch;
mod ledger;
mod live;
pub mod log;
mod log_level;
mod logs;
mod modules;
mod network;
mod notices;
mod past;
mod places;
mod pods;
mod power;
pub mod probe;
mod probes;
mod records;
pub mod relay;
mod reload;
mod remains;
mod ring_reader;
mod rises;
mod role;
mod saving;
mod sent;
mod serving;
mod sessions;
mod sockets;
mod stdio;
mod store;
mod streams;
mod telling;
mod tending;
mod times;
mod token;
mod top;
mod upgrade;
mod watchdog;
mod why;

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::config::Config;
use orlop::control::Upgrade;
use orlop::ledger::Frame;
use orlop::supervisor::{Effect, Event, Outcome, Supervisor};

use crate::linux::epoll::{Epoll, Interest};
use crate::linux::kmsg::{self, Level};
use crate::linux::{Errno, Result, process, signal, time};

use asked::Refusals;
use blame::{Blame, Handling};
use boot::{Boot, Read};
use clock::Clock;
use compile::Compiled;
use consoles::Consoles;
use control::{CallId, Server};
use errands::Errands;
use forwarding::Forwarding;
use gates::Gates;
use history::History;
use keeping::Keeping;
use lasting::Lasting;
use launch::Run;
use ledger::Ledger;
use logs::Logs;
use past::Past;
use power::Ending;
use probes::{Asked, Probes};
use reload::Reloading;
use rises::Rises;
use saving::Saving;
use sessions::Sessions;
use sockets::Sockets;
use streams::LogStream;
use telling::EventStream;
use tending::Backlogs;
use token::Token;
use upgrade::Upload;

pub use role::run;

struct Agent {
    epoll: Epoll,
    backlogs: Backlogs,
    ledger: Ledger,
    config: Config,
    core: Supervisor,
    boot: Boot,
    /// Living, starting and not yet cleaned containers; the key is in their tokens.
    runs: BTreeMap<u32, Run>,
    sockets: Sockets,
    next_run: u32,
    compiled: Compiled,
    /// Slots of the id ranges, by name.
    slots: BTreeMap<String, u32>,
    /// What is still to be told to the core, in order.
    events: VecDeque<Event>,
    power: Option<Ending>,
    blamed: Blame,
    /// Steps until it dies, as it was told, and of which signal.
    dies_after: Option<(u32, i32)>,
    saving: Saving,
    rises: Rises,
    server: Server,
    refusals: Refusals,
    history: History,
    logs: Logs,
    forwarding: Forwarding,
    keeping: Keeping,
    consoles: Consoles,
    streams: Vec<LogStream>,
    /// Who hears what happens.
    told: Vec<EventStream>,
    errands: Errands,
    past: Past,
    sessions: Sessions,
    probes: Probes,
    buttons: Vec<OwnedFd>,
    reloading: Reloading,
    lasting: Lasting,
    upload: Option<Upload>,
    upgrade: Option<Upgrade>,
    clock: Clock,
    gates: Gates,
    /// Who asked for the version, in the order in which PID 1 will answer.
    versions: VecDeque<CallId>,
}

/// Says something in the kernel's log, and thereby on the consoles.
pub fn say(level: Level, text: &str) {
    kmsg::write(level, text.as_bytes());
}

impl Agent {
    fn start() -> Result<Self> {
        let now = time::since_boot();
        // 64 clients, and a few descriptors for each of a thousand containers.
        process::set_limit(0, process::NOFILE, 16_384, 16_384)?;
        signal::reset();
        signal::ignore(libc::SIGPIPE);
        let (mut ledger, table) = Ledger::open()?;
        let epoll = Epoll::new()?;
        epoll.add(ledger.socket(), Interest::EPOLLIN, Token::Ledger.number())?;
        let mut boot = Boot::begin(&table, now);
        let blamed = Blame::open()?;
        let Read { config, current, waits_for, fell_back } = boot.configure(&table, &blamed);
        // What went before took long enough to see in what is shown from here on.
        let now = time::since_boot();
        fault::before_serving(&config);
        let helpers = boot.helpers_first(now);
        let kmsg = serving::kept(&table, consoles::KMSG)?;
        let level = log_level::begin(&boot.words);
        let history = History::open(serving::kept(&table, history::HISTORY)?, &mut ledger);
        let consoles = Consoles::new(kmsg, level, &mut ledger, helpers)?;
        let (server, has_busy_ports) = serving::open(&table, &config, &mut ledger)?;
        epoll.add(server.as_fd(), Interest::EPOLLIN, Token::Control.number())?;
        let seed = now.as_nanos() as u64;
        let mut agent = Self {
            core: Supervisor::reloaded(now, &config, seed, &current.numbers()),
            slots: files::load_slots(&config),
            epoll,
            backlogs: Backlogs::default(),
            ledger,
            config,
            boot,
            runs: BTreeMap::new(),
            sockets: Sockets::default(),
            next_run: 0,
            compiled: Compiled::default(),
            events: VecDeque::new(),
            power: None,
            blamed,
            dies_after: None,
            saving: Saving::default(),
            rises: Rises::begin(now),
            server,
            refusals: Refusals::default(),
            history,
            logs: Logs::new(helpers)?,
            forwarding: Forwarding::new(helpers)?,
            keeping: Keeping::new()?,
            consoles,
            streams: Vec::new(),
            told: Vec::new(),
            errands: Errands::default(),
            past: Past::default(),
            sessions: Sessions::new(has_busy_ports, now),
            probes: Probes::default(),
            buttons: Vec::new(),
            lasting: Lasting::new(&current, waits_for.is_some(), fell_back),
            reloading: Reloading::new(current),
            upload: None,
            upgrade: upgrade::last(),
            clock: Clock::new(),
            gates: Gates::default(),
            versions: VecDeque::new(),
        };
        agent.take_over(table, waits_for, now);
        // Whoever dies of what waits for it has not served.
        agent.turn_within(Some(Duration::ZERO))?;
        agent.ledger.send(Frame::Alive);
        Ok(agent)
    }

    /// Waits once and handles what came.
    fn turn(&mut self) -> Result<()> {
        let now = time::since_boot();
        let timeout = if self.streams_have_work() || self.told_have_work() {
            Some(Duration::ZERO)
        } else {
            self.deadline().map(|at| at.saturating_sub(now))
        };
        self.turn_within(timeout)
    }

    fn turn_within(&mut self, timeout: Option<Duration>) -> Result<()> {
        self.watch_backlogs()?;
        let ready = self.epoll.wait(timeout)?;
        let now = time::since_boot();
        for (number, _) in ready.iter() {
            match Token::from_number(number) {
                Some(Token::Ledger) => self.hear(now),
                Some(Token::Report(run)) => self.report(run),
                Some(Token::Cgroup(run)) => self.cgroup_changed(run),
                Some(Token::Socket(socket)) => self.connected(socket),
                Some(Token::Control) => self.serve(now),
                Some(Token::Log) => self.hear_logger(),
                Some(Token::Forward) => self.forwarding.hear(&mut self.logs),
                Some(Token::Keep) => self.hear_keeper(now),
                Some(Token::Modules) => self.devices_loaded(now),
                Some(Token::Past(reading)) => self.past.ready(reading),
                Some(Token::Errand(errand)) => self.errand_ready(errand, now),
                Some(Token::SessionReport(session)) => self.session_report(session, now),
                Some(Token::Session(session)) => self.session_ready(session),
                Some(Token::Notices(run)) => self.hear_notices(run, now),
                Some(Token::Line(run)) => self.hear_line(run, now),
                Some(Token::Clock) => self.clock_was_set(),
                Some(Token::Probe(probe)) => self.probe_ready(probe),
                Some(Token::Button(button)) => self.pressed(button, now),
                None => {}
            }
        }
        if self.server.poll_timeout().is_some_and(|at| at <= now) {
            self.serve(now);
        }
        self.look_after_helpers(now);
        self.serve_streams(now);
        self.times_have_come(now);
        self.settle(now);
        self.see_gates(now);
        if self.boot.is_starting_containers() && self.core.have_come_up() {
            let next = self.boot.containers_end(now);
            self.hurry_helpers(next);
        }
        self.load_devices(now);
        self.boot.complete_if_done(now);
        self.keep_phases(now);
        self.tell_changes(now);
        self.tell_events(now);
        Ok(())
    }

    /// Tells the core everything and does what it asks, until nothing is left of either.
    fn settle(&mut self, now: Duration) {
        loop {
            if let Some(event) = self.events.pop_front() {
                self.tell(event, now);
            } else if let Some(effect) = self.core.poll_effect() {
                self.perform(effect, now);
            } else {
                return;
            }
        }
    }

    fn tell(&mut self, event: Event, now: Duration) {
        // Said to who wants to know it, and then only.
        let told = kmsg::is_said(Level::Debug).then(|| format!("{event:?}"));
        match self.core.handle(now, event) {
            Outcome::Done => {}
            Outcome::Ignored(reason) => {
                told.iter().for_each(|told| say(Level::Debug, &format!("{told}: ignored: {reason}")));
            }
            Outcome::Refused(refusal) => say(Level::Warning, &refusal.to_string()),
        }
    }

    /// Reads what PID 1 has to say, a portion of it.
    fn hear(&mut self, now: Duration) {
        self.ledger.flush();
        for _ in ledger::a_turn(now) {
            let frame = match self.ledger.receive() {
                Ok(frame) => frame,
                Err(Errno::EBADMSG) => continue,
                // PID 1 is gone, as one inside another system can be, and nobody would know our children.
                Err(Errno::EPIPE | Errno::ECONNRESET) => process::exit_now(1),
                Err(_) => return,
            };
            if self.is_of_a_helper(&frame, now) || self.is_of_a_session(&frame, now) {
                continue;
            }
            self.step();
            match frame {
                Frame::Registered { cookie } => self.registered(cookie),
                Frame::Gone { cookie } => self.not_registered(cookie, "it ended before it was ready"),
                Frame::Refused { cookie } => self.not_registered(cookie, "the table of children is full"),
                Frame::Ended { cookie, ended } => self.ended(cookie, ended),
                // By a signal: PID 1 does not know how long the configuration gives.
                Frame::Power { action, .. } => self.shut_down(action, power::SIGNAL, Duration::MAX, now),
                Frame::UpgradeFailed { code, status } => self.upgrade_failed(code, status),
                Frame::Counted { orphans } => self.counted(orphans, now),
                Frame::Ping => self.ledger.send(Frame::Alive),
                Frame::Hello { .. }
                | Frame::Welcome { .. }
                | Frame::Phase(_)
                | Frame::Entry { .. }
                | Frame::Register(_)
                | Frame::Release { .. }
                | Frame::Recorded { .. }
                | Frame::Alive
                | Frame::PowerDone
                | Frame::Upgrade
                | Frame::Watchdog { .. }
                | Frame::Resume
                | Frame::Count
                | Frame::Unknown { .. } => {}
            }
        }
    }

    fn perform(&mut self, effect: Effect, now: Duration) {
        self.step();
        match effect {
            Effect::Start { name, generation } => {
                self.handling(Handling::Launch, &name, |agent| agent.launch(&name, generation, now));
            }
            Effect::Signal { name, generation, signal } => self.signal(&name, generation, signal),
            Effect::KillCgroup { name, generation } => self.kill(&name, generation),
            Effect::Clean { name, generation } => self.clean(&name, generation),
            Effect::Save { name } => self.save(&name),
            Effect::Forget { name } => self.forget(&name),
            Effect::Changed(change) => self.changed(change, now),
            Effect::Probe { name, generation, number, probe, timeout } => {
                self.probe(Asked { name, generation, number }, &probe, timeout, now);
            }
            Effect::Over { name, ending } => self.keep_ending(&name, *ending),
            Effect::Reboot { name } => self.reboot_for(&name, now),
            Effect::Noted { name, note } => self.noted(name, &note, now),
            Effect::Listen { name } => self.listen(&name),
            Effect::ShutdownDone => self.shutdown_done(now),
        }
    }
}

//! Answers what people ask: words of the interface ↔ the core's values.

use std::collections::BTreeSet;
use std::time::Duration;

use orlop::container::arguments;
use orlop::control::{self, BootReply, Details, Empty, Error, ListReply, Request, StatusReply, VersionReply};
use orlop::ledger::Frame;
use orlop::supervisor::{self, CauseKind, Event, Outcome, Refusal, Shortage, StateKind, Status};

use super::control::{CallId, Event as ControlEvent, Peer};
use super::copying::Way;
use super::{Agent, cgroups, figures, say, top};
use crate::linux::kmsg::Level;
use crate::linux::{Errno, cgroup};

/// Of the frames between PID 1 and the supervisor.
const PROTOCOL: u16 = orlop::ledger::VERSION;

impl Agent {
    /// Hears the clients and answers what can be answered now.
    pub fn serve(&mut self, now: Duration) {
        if let Err(error) = self.server.work(now) {
            say(Level::Error, &format!("control: {error}"));
            return;
        }
        self.clock.look();
        while let Some(event) = self.server.next_event() {
            match event {
                ControlEvent::Call(call, request, peer) => {
                    self.say_asked(&peer, &request, now);
                    self.answer(call, request, &peer, now);
                }
                ControlEvent::Denied(peer, request) => self.say_denied(&peer, request.as_ref(), now),
                ControlEvent::Failed(peer, error) => self.say_failed(&peer, &error, now),
                ControlEvent::Gone(client) => {
                    self.streams.retain(|stream| stream.call.client != client);
                    self.told.retain(|stream| stream.call.client != client);
                    self.forget_upload(client);
                    self.forget_sent(client);
                    self.forget_sessions_of(client);
                }
            }
        }
    }

    fn answer(&mut self, call: CallId, request: Request, peer: &Peer, now: Duration) {
        match request {
            Request::List => self.list(call, now),
            Request::Status { name } => self.tell_status(call, name, now),
            Request::Logs(asked) => self.open_stream(call, asked, now),
            Request::Boots => self.tell_boots(call, now),
            Request::Events(asked) => self.open_events(call, asked, now),
            Request::Start { name } => self.person(call, Event::Start { name }, now),
            Request::Stop { name } => self.person(call, Event::Stop { name }, now),
            Request::Restart { name } => self.person(call, Event::Restart { name }, now),
            Request::Replace { name } => self.replace(call, name, now),
            Request::Kill { name, signal } => self.person(call, Event::Kill { name, signal }, now),
            Request::Exec(exec) => self.exec(call, &exec, now),
            Request::Attach { name, stdin } => self.attach(call, &name, stdin, now),
            Request::CopyFrom { name, path, follow } => {
                self.copy(call, &name, &path, Way::From { follow }, now);
            }
            Request::CopyTo { name, path, within } => self.copy(call, &name, &path, Way::To { within }, now),
            Request::Stats { names } => self.stats(call, names, now),
            Request::Top { name } => self.top(call, name, now),
            Request::Spec { name, bundle } => self.tell_spec(call, name, bundle, now),
            Request::Pause { name } => self.pause(call, name, now),
            Request::Unpause { name } => self.unpause(call, name, now),
            Request::Update { name, limits } => self.update(call, name, &limits, now),
            Request::ConfigBegin { size } => self.config_begin(call, size, now),
            Request::ConfigChunk { data } => self.config_chunk(call, &data, now),
            Request::Plan { sent } => self.plan_reload(call, sent, now),
            Request::Reload { sent, confirm_ms, base } => {
                self.reload((call, sent), confirm_ms.map(Duration::from_millis), base, now);
            }
            Request::ConfirmReload => self.confirm_reload(call, now),
            Request::Rollback { number, built_in } => {
                self.roll_back(call, number, built_in == Some(true), now);
            }
            Request::ConfigHistory => self.tell_history(call, now),
            Request::ConfigDrift => self.tell_drift(call, now),
            Request::Config => self.tell_config(call, now),
            Request::Boot => self.tell_boot(call, now),
            Request::Why { name } => self.tell_why(call, name, now),
            Request::WhyBoot => self.tell_why_boot(call, now),
            Request::WhyShutdown => self.tell_why_shutdown(call, now),
            // Answered when PID 1 has said how many orphans there were.
            Request::Version => {
                self.versions.push_back(call);
                self.ledger.send(Frame::Count);
            }
            Request::Power { action } => self.asked_to_end(call, action, peer, now),
            Request::Shutdown => self.tell_shutdown(call, now),
            Request::Resume => {
                self.blamed.resume();
                self.ledger.send(Frame::Resume);
                self.person(call, Event::Resume, now);
            }
            Request::LogLevel { level } => self.log_level(call, level, now),
            Request::DebugCrash { process, signal, starts, steps } => {
                self.crash(call, process, (signal, starts, steps), now);
            }
            Request::DebugOrphans { count } => self.make_orphans(call, count, now),
            Request::UpgradeBegin { size, sha256 } => self.upgrade_begin(call, size, sha256, now),
            Request::UpgradeChunk { data } => self.upgrade_chunk(call, &data, now),
            Request::UpgradeCommit => self.upgrade_commit(call, now),
        }
    }

    fn tell_boot(&mut self, call: CallId, now: Duration) {
        let (phases, complete) = (self.boot.phase_words(), self.boot.complete);
        self.server.reply(now, call, &BootReply { phases, complete, containers: self.rises() });
    }

    fn list(&mut self, call: CallId, now: Duration) {
        let containers = self.core.statuses().map(|status| self.container(&status, now)).collect();
        self.server.reply(now, call, &ListReply { containers });
    }

    fn tell_status(&mut self, call: CallId, name: String, now: Duration) {
        let Some(status) = self.core.status(&name) else { return self.unknown(call, name, now) };
        let (container, details) = (self.container(&status, now), self.details(&status));
        self.server.reply(now, call, &StatusReply { container, details });
    }

    fn stats(&mut self, call: CallId, names: Vec<String>, now: Duration) {
        if !self.errand_has_room(call, now) {
            return;
        }
        // One that is named again has no other figures.
        let mut names: BTreeSet<String> = names.into_iter().collect();
        if let Some(name) = names.iter().find(|name| self.core.state(name).is_none()) {
            return self.unknown(call, name.clone(), now);
        }
        if names.is_empty() {
            let running = self.core.statuses().filter(|it| it.state == StateKind::Running);
            names.extend(running.map(|it| it.name));
        }
        self.errand(call, now, move || figures::stats(&names));
    }

    /// Also of one that is being stopped: a person wants to see what is in the way.
    fn top(&mut self, call: CallId, name: String, now: Duration) {
        let Some(status) = self.core.status(&name) else { return self.unknown(call, name, now) };
        if status.pid.is_none() {
            let error = Error::NotRunning { name, state: state_word(status.state) };
            return self.server.fail(now, call, &error);
        }
        self.errand(call, now, move || top::top(&name, status.pid));
    }

    pub fn unknown(&mut self, call: CallId, name: String, now: Duration) {
        let names: Vec<String> = self.core.statuses().map(|status| status.name).collect();
        // Of a family, one of it.
        let instance = names.iter().find(|known| orlop::config::family(known) == Some(&name)).cloned();
        let near = || orlop::config::nearest(&name, names.iter().map(String::as_str)).map(str::to_owned);
        let nearest = instance.or_else(near);
        self.server.fail(now, call, &Error::UnknownContainer { name, nearest });
    }

    /// What a person asks of one container: told to the core at once, answered by its verdict.
    fn person(&mut self, call: CallId, event: Event, now: Duration) {
        let outcome = self.core.handle(now, event);
        self.settle(now);
        match outcome {
            Outcome::Done | Outcome::Ignored(_) => self.server.reply(now, call, &Empty {}),
            Outcome::Refused(refusal) => {
                let error = match refusal {
                    Refusal::Unknown { name } => return self.unknown(call, name, now),
                    Refusal::Invalid { name, text } => Error::InvalidContainer { name, problems: vec![text] },
                    Refusal::TakingOver => {
                        Error::NotNow { reason: "running containers are being taken over".into() }
                    }
                    Refusal::ShuttingDown => Error::NotNow { reason: "the machine is shutting down".into() },
                    Refusal::NotRunning { name, state } => {
                        Error::NotRunning { name, state: state_word(state) }
                    }
                    Refusal::BadSignal { .. } => Error::InvalidParameter { parameter: "signal".into() },
                };
                self.server.fail(now, call, &error);
            }
        }
    }

    fn container(&self, status: &Status, now: Duration) -> control::Container {
        let at = |when: Duration| self.clock.wall(when);
        let running =
            matches!(status.state, StateKind::Running | StateKind::Stopping) && status.pid.is_some();
        control::Container {
            name: status.name.clone(),
            group: status.group.clone(),
            wanted: wanted_word(status.wanted),
            state: state_word(status.state),
            ready: status.ready,
            health: health_word(status.health),
            pid: status.pid.and_then(|pid| u32::try_from(pid).ok()),
            restarts: u64::from(status.restarts),
            cause: status.cause.as_ref().map(cause_word),
            image: self.config.containers.get(&status.name).map(|container| container.image.to_string()),
            started_at: status.started_at.map(at),
            next_start: status.next_start.map(at),
            exit_code: status.exit_code,
            uptime_ms: status
                .started_at
                .filter(|_| running)
                .map(|started| now.saturating_sub(started).as_millis() as u64),
            paused: status.paused,
            listens: status.listens,
        }
    }

    fn details(&mut self, status: &Status) -> Details {
        let name = status.name.as_str();
        let problems = self.config.invalid.get(name).cloned().unwrap_or_default();
        let waits_for = status.waits_for.clone();
        let mut details = Details { problems, waits_for, ..Details::default() };
        (details.health_report, details.says) = (status.report.clone(), status.says.clone());
        if let Some(container) = self.config.containers.get(name) {
            details.declared_at = Some(container.declared_at.clone()).filter(|place| !place.is_empty());
            details.depends_on = container.depends_on.keys().cloned().collect();
            // What is said of an image that is not there is its cause's business.
            let image =
                self.compiled.images.find(&container.image).map(|image| image.defaults).unwrap_or_default();
            details.command = arguments(container, &image);
            details.labels = container.labels.clone();
            details.sockets = container.sockets.iter().map(|it| it.listen.to_string()).collect();
            (details.tty, details.stdin_open) = (container.tty, container.stdin_open);
            details.memory_limit_bytes = container.limits.memory;
        }
        if let Ok(group) = cgroup::open_path(&cgroups::path(name)) {
            use std::os::fd::AsFd;
            let read = |file: &str| cgroup::read(group.as_fd(), file).ok();
            let number = |file: &str| read(file).and_then(|text| text.trim().parse().ok());
            details.memory_bytes = number("memory.current");
            details.memory_peak_bytes = number("memory.peak");
            // A person may have changed it.
            details.memory_limit_bytes = number("memory.max");
            details.processes = number("pids.current");
            details.cpu_us = read("cpu.stat").and_then(|text| cgroup::keyed(&text, "usage_usec"));
        }
        details
    }

    /// PID 1 has counted: who asked is told.
    pub fn counted(&mut self, orphans: u64, now: Duration) {
        let Some(call) = self.versions.pop_front() else { return };
        let reply = VersionReply { orphans, ..self.version(now) };
        self.server.reply(now, call, &reply);
    }

    fn version(&self, now: Duration) -> VersionReply {
        VersionReply {
            version: env!("CARGO_PKG_VERSION").into(),
            interface: Some(control::INTERFACE_VERSION.into()),
            commit: option_env!("ORLOP_COMMIT").filter(|commit| !commit.is_empty()).map(str::to_owned),
            protocol: u32::from(PROTOCOL),
            uptime_ms: now.as_millis() as u64,
            supervisor_starts: u64::from(self.boot.starts),
            orphans: 0,
            safe: self.core.is_safe(),
            kernel: nix::sys::utsname::uname()
                .map(|uname| uname.release().to_string_lossy().into_owned())
                .unwrap_or_default(),
            upgrade: self.upgrade.clone(),
        }
    }
}

pub fn wanted_word(wanted: supervisor::Wanted) -> control::Wanted {
    match wanted {
        supervisor::Wanted::Up => control::Wanted::Up,
        supervisor::Wanted::Down => control::Wanted::Down,
    }
}

pub fn health_word(health: supervisor::Health) -> control::Health {
    match health {
        supervisor::Health::None => control::Health::None,
        supervisor::Health::Starting => control::Health::Starting,
        supervisor::Health::Healthy => control::Health::Healthy,
        supervisor::Health::Unhealthy => control::Health::Unhealthy,
    }
}

pub fn state_word(state: StateKind) -> control::State {
    match state {
        StateKind::Waiting => control::State::Waiting,
        StateKind::Starting => control::State::Starting,
        StateKind::Running => control::State::Running,
        StateKind::Stopping => control::State::Stopping,
        StateKind::Backoff => control::State::Backoff,
        StateKind::Exited => control::State::Exited,
        StateKind::Failed => control::State::Failed,
        StateKind::Stuck => control::State::Stuck,
        StateKind::Invalid => control::State::Invalid,
    }
}

pub fn cause_word(cause: &supervisor::Cause) -> control::Cause {
    let base = |kind| control::Cause::new(kind, cause.text.clone());
    match &cause.kind {
        CauseKind::Exit { code } => control::Cause { code: Some(*code), ..base(control::CauseKind::Exit) },
        CauseKind::Signal { signal } => control::Cause {
            signal: Some(orlop::config::signal::name(*signal)),
            ..base(control::CauseKind::Signal)
        },
        CauseKind::Oom { shortage: Shortage::Own { limit } } => control::Cause {
            scope: Some(control::OomScope::Container),
            limit_bytes: *limit,
            ..base(control::CauseKind::Oom)
        },
        CauseKind::Oom { shortage: Shortage::Machine } => {
            control::Cause { scope: Some(control::OomScope::Machine), ..base(control::CauseKind::Oom) }
        }
        CauseKind::Start { step, object, errno } => control::Cause {
            step: Some(step.clone()),
            object: Some(object.clone()),
            errno: (*errno != 0).then(|| format!("{:?}", Errno::from_raw(*errno))),
            ..base(control::CauseKind::Start)
        },
        CauseKind::Dependency { name } => {
            control::Cause { name: Some(name.clone()), ..base(control::CauseKind::Dependency) }
        }
        CauseKind::Conflict { name } => {
            control::Cause { name: Some(name.clone()), ..base(control::CauseKind::Conflict) }
        }
        CauseKind::Gate => base(control::CauseKind::Gate),
        CauseKind::Group { name } => {
            control::Cause { name: Some(name.clone()), ..base(control::CauseKind::Group) }
        }
        CauseKind::Probe => base(control::CauseKind::Probe),
        CauseKind::Watchdog => base(control::CauseKind::Watchdog),
        CauseKind::User => base(control::CauseKind::User),
        CauseKind::Config => base(control::CauseKind::Config),
        CauseKind::Image => base(control::CauseKind::Image),
        CauseKind::Shutdown => base(control::CauseKind::Shutdown),
        CauseKind::Unknown => base(control::CauseKind::Unknown),
    }
}

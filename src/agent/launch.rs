//! One generation of a container, from the effect that starts it to the end of its main process.

use std::borrow::Cow;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::config::HealthCheck;
use orlop::ledger::Ended;
use orlop::supervisor::Event;

use super::blame::Handling;
use super::cgroups::Cgroups;
use super::compile::Machine;
use super::ledger::exit_of;
use super::notices::Notices;
use super::stdio::{Ends, Input};
use super::{Agent, Token, failing, files, records, say, store};
use crate::engine::{self, Environment, Failure, Further, Gate, Job, Report, Starting, Work};
use crate::linux::clone::Parent;
use crate::linux::epoll::NEWS;
use crate::linux::kmsg::Level;
use crate::linux::{Errno, pidfd};

/// Setup and the container's own steps, loaded machines and slow disks included.
pub const START: Duration = Duration::from_secs(60);

pub struct Run {
    pub name: String,
    pub generation: u64,
    pub cookie: u64,
    pub slot: u32,
    pub cgroups: Option<Cgroups>,
    pub stage: Stage,
    /// `Clean` was asked for: tell when the cgroup is empty.
    pub cleaning: bool,
    pub stop_signal: Option<i32>,
    /// The image's.
    pub check: Option<Box<HealthCheck>>,
    /// Of what group it shares namespaces: as it was started, whatever is declared by now.
    pub pod: Option<String>,
    /// What it says of itself.
    pub notices: Option<Notices>,
    /// What it reads, for who attaches.
    pub input: Option<Input>,
    /// Taken over in the middle of its start: until then it may still end without its program.
    pub starting_until: Option<Duration>,
}

pub enum Stage {
    /// Setup works.
    Setup {
        starting: Starting,
        until: Duration,
        ends: Ends,
        /// The container, when its terminal has not come yet.
        made: Option<(i32, OwnedFd)>,
    },
    /// PID 1 has been asked to keep it.
    Registering {
        starting: Starting,
        until: Duration,
        pid: i32,
        pidfd: OwnedFd,
    },
    /// The barrier is open; the report closes when the program runs.
    Executing {
        starting: Starting,
        until: Duration,
        pid: i32,
        pidfd: OwnedFd,
    },
    Running {
        pidfd: OwnedFd,
    },
    /// No process of its own any more.
    Over,
}

impl Run {
    pub fn deadline(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Setup { until, .. }
            | Stage::Registering { until, .. }
            | Stage::Executing { until, .. } => Some(*until),
            Stage::Running { .. } | Stage::Over => None,
        }
    }
}

/// Names a generation for PID 1: the slot of its name, which is its own while the machine runs.
pub fn cookie(slot: u32, generation: u64) -> u64 {
    (u64::from(slot) + 1) << 40 | (generation & 0xff_ffff_ffff)
}

/// The slot and generation that a cookie names.
pub fn parts(cookie: u64) -> (u32, u64) {
    (((cookie >> 40) as u32).wrapping_sub(1), cookie & 0xff_ffff_ffff)
}

impl Agent {
    pub fn find(&mut self, name: &str, generation: u64) -> Option<&mut Run> {
        self.runs.values_mut().find(|run| run.name == name && run.generation == generation)
    }

    fn by_cookie(&mut self, cookie: u64) -> Option<(u32, &mut Run)> {
        self.runs.iter_mut().find(|(_, run)| run.cookie == cookie).map(|(key, run)| (*key, run))
    }

    pub fn launch(&mut self, name: &str, generation: u64, now: Duration) {
        if let Some(errno) = self.saving.trouble(name) {
            let failure = Failure::new("record", records::directory(name), errno);
            return self.start_failed(name, generation, failure);
        }
        let Some(container) = self.config.containers.get(name) else {
            let failure = Failure::said("configuration", "it is not declared any more");
            return self.start_failed(name, generation, failure);
        };
        let image = match self.compiled.images.find(&container.image) {
            Ok(image) => image,
            Err(reason) => {
                return self.events.push_back(Event::ImageInvalid { name: name.into(), reason });
            }
        };
        self.forget_earlier_runs(name);
        if let Err(failure) = self.try_launch(name, generation, &image, now) {
            self.start_failed(name, generation, failure);
        }
    }

    fn try_launch(
        &mut self,
        name: &str,
        generation: u64,
        image: &store::Image,
        now: Duration,
    ) -> Result<(), Failure> {
        let Some(container) = self.config.containers.get(name) else { return Ok(()) };
        let slot = self.slots.get(name).copied().unwrap_or_default();
        let machine = Machine { config: &self.config, boot: &self.boot, slots: &self.slots };
        let known = machine.look_up(container, image, slot, &mut self.compiled.programs)?;
        let (cgroups, entrance) = Cgroups::make(name, &known, &mut self.compiled.filters)?;
        let (stdio, ends) = Ends::open(container)?;
        let mut further = self.sockets.given(container, &mut self.ledger)?;
        let (notices, line) = Notices::open(container)?;
        further.extend(line);
        let job = Job {
            stdio,
            further: Further::Given(further),
            cgroup: Some(entrance),
            parent: Parent::CallersParent,
            gate: Gate::Report,
            joins: None,
        };
        let programs = &mut self.compiled.programs;
        let starting = engine::start(job, || {
            engine::may_be_killed()?;
            let (spec, plan) = machine.plan(container, image, known, programs)?;
            let base = spec.process.map_or_else(Vec::new, |process| process.env);
            let files = files::env_files(container, &self.boot.config_dir);
            let environment =
                Environment { base: base.into(), files: files.into(), over: &container.environment };
            Ok(Work { plan: Cow::Owned(plan), environment })
        });
        let starting = starting.map_err(|errno| Failure::new("clone", "setup", errno))?;
        let key = self.next_run;
        self.next_run = self.next_run.wrapping_add(1);
        let watched = self.epoll.add(starting.report.as_fd(), NEWS, Token::Report(key).number());
        let stage = Stage::Setup { starting, until: now.saturating_add(START), ends, made: None };
        let run = Run {
            name: name.into(),
            generation,
            cookie: cookie(slot, generation),
            slot,
            cgroups: Some(cgroups),
            stage,
            cleaning: false,
            stop_signal: image.stop_signal,
            check: image.check.clone().map(Box::new),
            pod: container.pod.as_ref().map(|pod| pod.group.clone()),
            notices,
            input: None,
            starting_until: None,
        };
        self.runs.insert(key, run);
        if let Err(errno) = watched {
            // Setup lives, and is waited for as any other.
            self.fail(key, Failure::new("epoll", "report", errno));
            return Ok(());
        }
        self.look_away(name);
        self.watch_notices(key);
        self.step();
        Ok(())
    }

    /// Something came from a start.
    pub fn report(&mut self, key: u32) {
        loop {
            let Some(run) = self.runs.get(&key) else { return };
            let starting = match &run.stage {
                Stage::Setup { starting, .. }
                | Stage::Registering { starting, .. }
                | Stage::Executing { starting, .. } => starting,
                Stage::Running { .. } | Stage::Over => return,
            };
            let (received, name) = (starting.receive(), run.name.clone());
            if received.is_ok() {
                self.step();
            }
            match received {
                Ok(Report::Failed(failure)) => return self.fail(key, failure),
                Ok(Report::Container { pid, pidfd }) => {
                    self.handling(Handling::Created, &name, |agent| agent.created(key, pid, pidfd));
                }
                // Nobody asks for these of a container of ours, and Started says more than Ready.
                Ok(Report::Meets | Report::Ready | Report::Listener(_)) => {}
                Ok(Report::Terminal(terminal)) => self.terminal_opened(key, terminal),
                Ok(Report::Closed) => {
                    return self.handling(Handling::Started, &name, |agent| agent.report_closed(key));
                }
                Err(Errno::EAGAIN) => return,
                Err(errno) => return self.fail(key, Failure::new("report", "setup", errno)),
            }
        }
    }

    /// Gives a start up: kills what there is of it and says why.
    fn fail(&mut self, key: u32, failure: Failure) {
        let Some(run) = self.runs.get_mut(&key) else { return };
        if let Some(cgroups) = &run.cgroups
            && let Err(errno) = cgroups.kill()
        {
            say(Level::Error, &format!("{}: cgroup.kill: {}", run.name, errno.desc()));
        }
        // Closing the report also closes the barrier.
        run.stage = Stage::Over;
        let (name, generation) = (run.name.clone(), run.generation);
        self.start_failed(&name, generation, failure);
    }

    /// Has PID 1 keep it, once there is all that is to be kept.
    pub fn created(&mut self, key: u32, pid: i32, pidfd: OwnedFd) {
        let Some(run) = self.runs.get_mut(&key) else { return };
        if let Some(Err(failure)) = run.cgroups.as_mut().map(Cgroups::limit_processes) {
            return self.fail(key, failure);
        }
        match core::mem::replace(&mut run.stage, Stage::Over) {
            Stage::Setup { starting, until, ends, .. } if !ends.are_whole() => {
                run.stage = Stage::Setup { starting, until, ends, made: Some((pid, pidfd)) };
            }
            Stage::Setup { starting, until, ends, .. } => {
                run.stage = Stage::Registering { starting, until, pid, pidfd };
                if let Err(errno) = self.register(key, ends) {
                    self.fail(key, Failure::new("register", "PID 1", errno));
                }
            }
            // One container a start; a second report changes nothing.
            other @ (Stage::Registering { .. }
            | Stage::Executing { .. }
            | Stage::Running { .. }
            | Stage::Over) => run.stage = other,
        }
    }

    /// PID 1 keeps it.
    pub fn registered(&mut self, cookie: u64) {
        let Some((key, run)) = self.by_cookie(cookie) else { return };
        let name = run.name.clone();
        self.handling(Handling::Registered, &name, |agent| agent.let_go(key));
    }

    /// Records it, then opens the barrier.
    fn let_go(&mut self, key: u32) {
        let Some(run) = self.runs.get_mut(&key) else { return };
        let Stage::Registering { pid, pidfd, .. } = &run.stage else { return };
        let (pid, pidfd_inode) = (*pid, pidfd::inode(pidfd.as_fd()).unwrap_or_default());
        let (name, generation) = (run.name.clone(), run.generation);
        let created = Event::Created { name, generation, pid, pidfd_inode };
        let now = crate::linux::time::since_boot();
        self.tell(created, now);
        self.settle(now);
        self.step();
        let Some(run) = self.runs.get_mut(&key) else { return };
        match core::mem::replace(&mut run.stage, Stage::Over) {
            Stage::Registering { starting, until, pid, pidfd } => {
                let sent = starting.go();
                run.stage = Stage::Executing { starting, until, pid, pidfd };
                // EPIPE: it failed meanwhile, and its report says how.
                if let Err(errno) = sent
                    && errno != Errno::EPIPE
                {
                    self.fail(key, Failure::new("barrier", "setup", errno));
                }
            }
            other @ (Stage::Setup { .. } | Stage::Executing { .. } | Stage::Running { .. } | Stage::Over) => {
                run.stage = other;
            }
        }
    }

    pub fn not_registered(&mut self, cookie: u64, why: &str) {
        self.logs.not_kept(cookie, why, &mut self.ledger);
        if let Some((key, _)) = self.by_cookie(cookie) {
            // A report of the failed step may be waiting; it says more than we know.
            self.report(key);
            if self.runs.get(&key).is_some_and(|run| !matches!(run.stage, Stage::Over)) {
                self.fail(key, Failure::said("register", why));
            }
        }
    }

    /// Nobody holds the report any more: the program runs, or all are dead.
    fn report_closed(&mut self, key: u32) {
        let Some(run) = self.runs.get_mut(&key) else { return };
        match core::mem::replace(&mut run.stage, Stage::Over) {
            Stage::Executing { pid, pidfd, .. } => {
                let pidfd_inode = pidfd::inode(pidfd.as_fd()).unwrap_or_default();
                run.stage = Stage::Running { pidfd };
                let (name, generation, stop_signal) = (run.name.clone(), run.generation, run.stop_signal);
                let check = run.check.take();
                let started = Event::Started { name, generation, pid, pidfd_inode, stop_signal, check };
                self.events.push_back(started);
            }
            stage @ (Stage::Setup { .. } | Stage::Registering { .. }) => {
                run.stage = stage;
                let oom = run.cgroups.as_ref().and_then(Cgroups::shortage);
                let why = if oom.is_some() { "it ran out of memory" } else { "it was killed" };
                self.fail(key, Failure::said("setup", why));
            }
            Stage::Running { pidfd } => run.stage = Stage::Running { pidfd },
            Stage::Over => {}
        }
    }

    /// A main process is reaped, and its end is in PID 1's table until we have recorded it.
    pub fn ended(&mut self, cookie: u64, ended: Ended) {
        let (slot, generation) = parts(cookie);
        let Some((key, run)) = self.by_cookie(cookie) else {
            return self.logs.recorded(slot, generation, cookie, &mut self.ledger);
        };
        let name = run.name.clone();
        self.logs.ended(slot, generation);
        self.attached_ended(slot, generation, ended);
        self.keep_end(&name, generation, ended);
        self.handling(Handling::Ended, &name, |agent| agent.judge_end(key, ended));
        self.step();
        self.recorded(&name, slot, generation, cookie);
    }

    fn judge_end(&mut self, key: u32, ended: Ended) {
        let at = Duration::from_micros(ended.at_us);
        // The report first: that the program was executed, or which step failed.
        let running = |run: &Run| matches!(run.stage, Stage::Running { .. } | Stage::Over);
        if self.runs.get(&key).is_some_and(|run| !running(run)) {
            self.report(key);
        }
        // Setup may hold the report a moment longer than the container lived.
        if self.runs.get(&key).is_some_and(|run| run.deadline().is_some()) {
            self.report_closed(key);
        }
        // What it said before its end came before it.
        self.hear_notices(key, at);
        self.hear_line(key, at);
        if let Some(run) = self.runs.get_mut(&key)
            && matches!(run.stage, Stage::Running { .. })
        {
            let oom = run.cgroups.as_ref().and_then(Cgroups::shortage);
            let (name, generation) = (run.name.clone(), run.generation);
            run.stage = Stage::Over;
            let exit = exit_of(ended);
            self.events.push_back(
                if run.starting_until.is_some_and(|until| at <= until) && never_ran(ended) {
                    Event::StartFailed { name, generation, failure: failing::cut_off() }
                } else {
                    Event::Ended { name, generation, exit, oom, at }
                },
            );
        }
        let now = crate::linux::time::since_boot();
        self.settle(now);
    }

    pub fn start_deadlines(&mut self, now: Duration) {
        let late: Vec<u32> = self
            .runs
            .iter()
            .filter(|(_, run)| run.deadline().is_some_and(|at| at <= now))
            .map(|(key, _)| *key)
            .collect();
        for key in late {
            self.fail(key, Failure::said("deadline", format!("not started within {} s", START.as_secs())));
        }
    }
}

/// Ended as setup and the container end when they cannot go on: before the program.
pub fn never_ran(ended: Ended) -> bool {
    ended.code == libc::CLD_EXITED && [126, 127].contains(&ended.status)
}

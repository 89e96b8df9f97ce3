//! Asks containers how they are, for the core: a program of theirs, or a question of ours (`probe.rs`).
//!
//! Each is a process in a cgroup of its own, `probe-N`, within the container's limits and with some of its own, and
//! killed whole when its time is over. Its parent is this supervisor: if that dies, the probe means nothing any more.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::config::Probe;
use orlop::container::{Names, plan_exec};
use orlop::supervisor::{Event, Exit, Fault, Probed};

use super::compile::Machine;
use super::failing::fault;
use super::{Agent, Token, cgroups, files, probe, say};
use crate::engine::{self, Environment, Failure, Further, Gate, Job, Report, Work};
use crate::linux::clone::Parent;
use crate::linux::epoll::{Interest, NEWS};
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result, cgroup, fd, memfd, wait};

/// What a probe may take. It is to look, not to work.
const LIMITS: [(&str, &str); 2] = [("pids.max", "64"), ("memory.max", "134217728")];
/// Of what it says the last so much is kept.
const OUTPUT: usize = 512;
/// From a kill to the next look at who was killed; twice as long each time, and this at most.
const REAP: Duration = Duration::from_millis(50);
const LONGEST_REAP: Duration = Duration::from_secs(1);
/// The name of its cgroup, but for its number.
const GROUP: &str = "probe-";

/// The question that an answer belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub name: String,
    pub generation: u64,
    pub number: u64,
}

#[derive(Default)]
pub struct Probes {
    running: BTreeMap<u32, Running>,
    next: u32,
    /// Killed, and not reaped yet, each with its container: looked at again then, and after which pause.
    dying: Vec<(String, OwnedFd)>,
    reap_at: Option<(Duration, Duration)>,
}

struct Running {
    asked: Asked,
    group: String,
    /// What it has printed.
    output: OwnedFd,
    until: Duration,
    timeout: Duration,
    /// It is a question of ours, and not a program of the container's.
    is_ours: bool,
    stage: Stage,
}

enum Stage {
    /// What makes it, and the way to it.
    Making {
        setup: OwnedFd,
        report: OwnedFd,
        made: Option<OwnedFd>,
    },
    Running {
        pidfd: OwnedFd,
    },
}

impl Probes {
    pub fn deadline(&self) -> Option<Duration> {
        self.running.values().map(|running| running.until).chain(self.reap_at.map(|(at, _)| at)).min()
    }

    /// Our children, who end in milliseconds, unless the kernel holds them.
    fn reap(&mut self, now: Duration) {
        self.dying.retain(|(_, pidfd)| matches!(wait::reap_one(pidfd.as_fd()), Ok(None)));
        let pause = match self.reap_at {
            Some((at, _)) if at > now && !self.dying.is_empty() => return,
            Some((_, pause)) => pause.saturating_mul(2).min(LONGEST_REAP),
            None => REAP,
        };
        self.reap_at = (!self.dying.is_empty()).then(|| (now.saturating_add(pause), pause));
    }

    /// One at a time: what an earlier one takes is the container's.
    fn is_one_left(&mut self, name: &str, now: Duration) -> bool {
        self.reap(now);
        self.dying.iter().any(|(of, _)| of == name)
    }
}

impl Agent {
    pub fn probe(&mut self, asked: Asked, probe: &Probe, timeout: Duration, now: Duration) {
        if self.probes.is_one_left(&asked.name, now) {
            // It hangs on what the container hangs on.
            let text = "the one before it was killed, and is still there".to_owned();
            return self.tell_probed(asked, Probed::Failed { text });
        }
        let made = if self.is_paused(&asked.name) {
            Err(Failure::said("pause", "it is paused"))
        } else {
            self.try_probe(&asked, probe, timeout, now)
        };
        if let Err(failure) = made {
            self.answer_failure(asked, &failure);
        }
    }

    fn try_probe(
        &mut self,
        asked: &Asked,
        probe: &Probe,
        timeout: Duration,
        now: Duration,
    ) -> core::result::Result<(), Failure> {
        let fail = |step: &'static str| move |errno| Failure::new(step, "", errno);
        let key = self.probes.next;
        self.probes.next = key.wrapping_add(1);
        let group = format!("{GROUP}{}-{key}", self.boot.starts);
        let entrance = self.probes.make_group(&asked.name, &group)?;
        let main = self.main_process(&asked.name).map_err(fail("join"))?;
        let output = memfd::with_contents(c"probe", b"").map_err(fail("output"))?;
        let copy = || fd::copy(output.as_fd()).map_err(fail("output"));
        let stdio = [fd::null().map_err(fail("input"))?, copy()?, copy()?];
        let shell = |line: &String| vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()];
        let program = match probe {
            Probe::Exec(words) => Some(words.clone()),
            Probe::Shell(line) => Some(shell(line)),
            Probe::Http { .. } | Probe::Tcp(_) | Probe::Unix(_) | Probe::Grpc { .. } | Probe::File(_) => None,
        };
        let is_ours = program.is_none();
        let stage = match program {
            Some(words) => self.execute_probe(&asked.name, words, stdio, (entrance, main))?,
            None => {
                let pidfd = probe::start(probe, stdio, &entrance, &main).map_err(fail("clone"))?;
                Stage::Running { pidfd }
            }
        };
        let token = Token::Probe(key).number();
        let watched = match &stage {
            Stage::Making { report, .. } => self.epoll.add(report.as_fd(), NEWS, token),
            Stage::Running { pidfd } => self.epoll.add(pidfd.as_fd(), Interest::EPOLLIN, token),
        };
        let until = now.saturating_add(timeout);
        let running = Running { asked: asked.clone(), group, output, until, timeout, is_ours, stage };
        if let Err(errno) = watched {
            running.kill();
            self.forget_probe(running);
            return Err(Failure::new("epoll", "", errno));
        }
        self.probes.running.insert(key, running);
        Ok(())
    }

    /// With what the container's own program has.
    fn execute_probe(
        &mut self,
        name: &str,
        words: Vec<String>,
        stdio: [OwnedFd; 3],
        (entrance, main): (OwnedFd, OwnedFd),
    ) -> core::result::Result<Stage, Failure> {
        let Some(container) = self.config.containers.get(name) else {
            return Err(Failure::said("configuration", "it is not declared any more"));
        };
        let slot = self.slots.get(name).copied().unwrap_or_default();
        let image = self.compiled.images.find(&container.image);
        let image = image.map_err(|reason| Failure::said("image", reason))?;
        let machine = Machine { config: &self.config, boot: &self.boot, slots: &self.slots };
        // Planned by who is to do it: the supervisor has others to serve.
        let work = || {
            engine::may_be_killed()?;
            let (spec, names): (_, Names) = machine.spec(container, &image, slot)?;
            let mut process = spec.process.clone().unwrap_or_default();
            process.args = words;
            process.terminal = false;
            let plan = plan_exec(&spec, &process, &names)
                .map_err(|refused| Failure::said(refused.field, refused.why))?;
            let files = files::env_files(container, &self.boot.config_dir);
            let environment =
                Environment { base: process.env.into(), files: files.into(), over: &container.environment };
            Ok(Work { plan: Cow::Owned(plan), environment })
        };
        let job = Job {
            stdio,
            further: Further::none(),
            cgroup: Some(entrance),
            parent: Parent::Caller,
            gate: Gate::Report,
            joins: Some(main),
        };
        let starting = engine::start(job, work).map_err(|errno| Failure::new("clone", "setup", errno))?;
        Ok(Stage::Making { setup: starting.setup, report: starting.report, made: None })
    }

    /// It has ended, or what makes it reports.
    pub fn probe_ready(&mut self, key: u32) {
        loop {
            let Some(running) = self.probes.running.get_mut(&key) else { return };
            let Stage::Making { report, made, .. } = &mut running.stage else {
                return self.probe_ended(key);
            };
            match engine::receive(report.as_fd()) {
                Ok(Report::Container { pidfd, .. }) => *made = Some(pidfd),
                Ok(Report::Ready) => drop(engine::send_go(report.as_fd(), b"")),
                Ok(Report::Failed(failure)) => return self.give_probe_up(key, &failure),
                Ok(Report::Meets | Report::Listener(_) | Report::Terminal(_)) => {}
                Ok(Report::Closed) => {
                    let Some(pidfd) = made.take() else {
                        return self.give_probe_up(key, &Failure::said("setup", "it was killed"));
                    };
                    let _ = self.epoll.remove(report.as_fd());
                    let watched =
                        self.epoll.add(pidfd.as_fd(), Interest::EPOLLIN, Token::Probe(key).number());
                    let setup = core::mem::replace(&mut running.stage, Stage::Running { pidfd });
                    let name = running.asked.name.clone();
                    self.probes.dying.extend(setup.into_processes().map(|pidfd| (name.clone(), pidfd)));
                    if let Err(errno) = watched {
                        self.give_probe_up(key, &Failure::new("epoll", "", errno));
                    }
                    return;
                }
                Err(Errno::EAGAIN) => return,
                Err(errno) => return self.give_probe_up(key, &Failure::new("report", "", errno)),
            }
        }
    }

    fn probe_ended(&mut self, key: u32) {
        let Some(Running { stage: Stage::Running { pidfd }, .. }) = self.probes.running.get(&key) else {
            return;
        };
        let exit = match wait::reap_one(pidfd.as_fd()) {
            Ok(Some(reaped)) if reaped.code == libc::CLD_EXITED => Exit::Code(reaped.status),
            Ok(Some(reaped)) => Exit::Signal(reaped.status),
            Ok(None) => return,
            Err(errno) => return self.give_probe_up(key, &Failure::new("wait", "", errno)),
        };
        let Some(running) = self.take_probe(key) else { return };
        let said = said(&running.output);
        let answer = match (exit, said.as_str()) {
            (Exit::Code(0), _) => Probed::Passed,
            (Exit::Code(probe::NOT_MADE), text) if running.is_ours => Probed::NotMade { text: text.into() },
            (Exit::Code(_), text) if running.is_ours => Probed::Failed { text: text.into() },
            (Exit::Code(code), "") => Probed::Failed { text: format!("exit code {code}") },
            (Exit::Code(code), text) => Probed::Failed { text: format!("exit code {code}: {text}") },
            (Exit::Signal(signal), _) => {
                Probed::Failed { text: format!("killed by {}", orlop::config::signal::name(signal)) }
            }
        };
        self.tell_probed(running.asked, answer);
    }

    /// Those that take too long; and those that were killed are reaped.
    pub fn late_probes(&mut self, now: Duration) {
        let late = self.probes.running.iter().filter(|(_, running)| running.until <= now);
        let late: Vec<u32> = late.map(|(key, _)| *key).collect();
        for key in late {
            let Some(running) = self.take_probe(key) else { continue };
            let text = format!("no answer within {} s", running.timeout.as_secs_f32());
            let asked = self.forget_probe(running);
            self.tell_probed(asked, Probed::Failed { text });
        }
        if !self.probes.dying.is_empty() {
            self.probes.reap(now);
        }
    }

    fn give_probe_up(&mut self, key: u32, failure: &Failure) {
        if let Some(running) = self.take_probe(key) {
            let asked = self.forget_probe(running);
            self.answer_failure(asked, failure);
        }
    }

    /// What the machine is short of says nothing of a container; what is wrong with the probe itself does.
    fn answer_failure(&mut self, asked: Asked, failure: &Failure) {
        let text = failure.to_string();
        let is_its_own = failure.errno != 0 && fault(failure.errno) == Fault::Permanent;
        let answer = if is_its_own { Probed::Failed { text } } else { Probed::NotMade { text } };
        self.tell_probed(asked, answer);
    }

    fn tell_probed(&mut self, asked: Asked, answer: Probed) {
        let Asked { name, generation, number } = asked;
        if let Probed::NotMade { text } = &answer {
            say(Level::Debug, &format!("{name}: it could not be asked: {text}"));
        }
        self.events.push_back(Event::Probed { name, generation, number, answer });
    }

    /// Over, with all that it started.
    fn take_probe(&mut self, key: u32) -> Option<Running> {
        let running = self.probes.running.remove(&key)?;
        match &running.stage {
            Stage::Making { report, .. } => drop(self.epoll.remove(report.as_fd())),
            Stage::Running { pidfd } => drop(self.epoll.remove(pidfd.as_fd())),
        }
        running.kill();
        Some(running)
    }

    /// Its main process is not to be asked for any more.
    fn forget_probe(&mut self, running: Running) -> Asked {
        let of = running.asked.name.clone();
        self.probes.dying.extend(running.stage.into_processes().map(|pidfd| (of.clone(), pidfd)));
        running.asked
    }
}

impl Stage {
    fn into_processes(self) -> impl Iterator<Item = OwnedFd> {
        let (first, second) = match self {
            Self::Making { setup, made, .. } => (Some(setup), made),
            Self::Running { pidfd } => (Some(pidfd), None),
        };
        first.into_iter().chain(second)
    }
}

impl Running {
    fn kill(&self) {
        let group = format!("{}/{}", cgroups::path(&self.asked.name), self.group);
        let killed = cgroup::open_path(&group).and_then(|group| cgroup::kill(group.as_fd()));
        match killed {
            // With its container.
            Ok(()) | Err(Errno::ENOENT | Errno::ENODEV) => {}
            Err(errno) => say(Level::Error, &format!("{group}: cgroup.kill: {}", errno.desc())),
        }
    }
}

impl Probes {
    /// Those of probes before it go, also of the supervisor before this one.
    fn make_group(&self, name: &str, group: &str) -> core::result::Result<OwnedFd, Failure> {
        let fail = |errno| Failure::new("cgroup", group, errno);
        let outer = cgroup::open_path(&cgroups::path(name)).map_err(fail)?;
        for old in cgroup::below(outer.as_fd()).map_err(fail)?.iter().filter(|old| old.starts_with(GROUP)) {
            let is_in_use = |running: &Running| running.asked.name == name && running.group == *old;
            if self.running.values().any(is_in_use) {
                continue;
            }
            if cgroup::remove(outer.as_fd(), old) == Err(Errno::EBUSY) {
                let killed =
                    cgroup::open_below(outer.as_fd(), old).and_then(|group| cgroup::kill(group.as_fd()));
                killed.map_err(fail)?;
            }
        }
        let made = cgroup::make(outer.as_fd(), group).map_err(fail)?;
        for (file, value) in LIMITS {
            cgroup::write(made.as_fd(), file, value).map_err(|errno| Failure::new("cgroup", file, errno))?;
        }
        Ok(made)
    }
}

/// The end of what was printed, fit to be shown in a line.
fn said(output: &OwnedFd) -> String {
    let read = || -> Result<Vec<u8>> {
        let (_, size) = memfd::identity_and_size(output.as_fd())?;
        let length = size.min(OUTPUT as u64);
        let mut bytes = vec![0; length as usize];
        memfd::read_exact_at(output.as_fd(), size - length, &mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    line.split_whitespace().collect::<Vec<&str>>().join(" ")
}

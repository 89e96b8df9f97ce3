//! What a reload changes while containers run: parameters of the machine here, limits by an errand.

use std::os::fd::AsFd;
use std::time::Duration;

use orlop::container::{Setting, all_settings};
use orlop::control::{Error, ReloadReply, encode_reply};
use orlop::supervisor::StateKind;

use super::kernel::Beside;
use crate::agent::control::CallId;
use crate::agent::errands::Answer;
use crate::agent::launch::Run;
use crate::agent::live::{UPDATED, change};
use crate::agent::{Agent, cgroups, say, serving};
use crate::linux::kmsg::Level;
use crate::linux::{cgroup, mark, sysctl};

/// What came of a reload before limits are written.
#[derive(Default)]
pub struct Changed {
    /// What could not be changed.
    pub problems: Vec<String>,
    /// What others had changed, and is right again.
    pub righted: Vec<String>,
    /// Those whose limits are to be others, as they were declared.
    pub before: Beside,
}

impl Agent {
    /// The machine as it is declared, as far as it can be made so without another boot; what cannot.
    pub fn change_host(&mut self) -> Vec<String> {
        let host = &self.config.host;
        let mut problems = Vec::new();
        if let Err(errno) = nix::unistd::sethostname(&host.hostname) {
            problems.push(format!("host.hostname: {}", errno.desc()));
        }
        self.server.admit(&host.control);
        if let Err(error) = serving::admit(&host.control) {
            problems.push(format!("host.control: {error}"));
        }
        for (key, value) in &host.sysctls {
            if let Err(error) = sysctl::write_sysctl(key, value) {
                problems.push(format!("host.sysctls: {key}: {error}"));
            }
        }
        problems
    }

    /// Writes the limits that are to be written, and for who asked for a reload also what others changed of them; answers
    /// him. The kernel may take its time: it takes memory from who has more than a new limit.
    pub fn change_live(&mut self, call: Option<CallId>, changed: Changed, now: Duration) {
        self.end_limits_errands(now);
        let (number, lasts) = self.reloading.done();
        let limits = self.limits_to_write();
        let Changed { mut problems, righted, before } = changed;
        let has_room = call.is_none_or(|call| self.errands_have_room(call));
        if !has_room {
            problems
                .push("what others changed of containers was not looked for: too much is under way".into());
        }
        let beside = call.filter(|_| has_room).map(|_| self.beside_the_kernel()).unwrap_or_default();
        say_all(&problems, &righted);
        let told = ReloadReply { number, problems, righted, lasts };
        if limits.is_empty() {
            self.limits_written();
            if beside.has_no_containers() {
                if let Some(call) = call {
                    self.server.reply(now, call, &told);
                }
                return;
            }
        }
        self.errand_of_limits(call, told.clone(), now, move || {
            let (mut problems, mut over) = (Vec::new(), before.written_over());
            for (name, settings) in &limits {
                if let Err(error) = write(name, settings) {
                    problems.push(format!("container.{name}.limits: {error}"));
                    over.retain(|(of, _)| of != name);
                }
            }
            let mut righted: Vec<String> = over.into_iter().map(|(_, line)| line).collect();
            righted.extend(beside.put_right(&mut problems));
            say_all(&problems, &righted);
            let mut told = told;
            told.problems.extend(problems);
            told.righted.extend(righted);
            Ok(encode_reply(&told))
        });
    }

    /// Of those that run, and of those that are being started by the configuration before.
    fn limits_to_write(&mut self) -> Vec<(String, Vec<Setting>)> {
        let mut found = Vec::new();
        for name in &self.reloading.current.unwritten {
            let Some(state) = self.core.status(name).map(|status| status.state) else { continue };
            let Some(container) = self.config.containers.get(name) else { continue };
            let Ok(settings) = all_settings(&container.limits) else { continue };
            let settings = match state {
                StateKind::Running => settings,
                StateKind::Starting => {
                    let generation = self.core.record(name).map(|record| record.generation);
                    let of_it = |run: &&mut Run| run.name == *name && Some(run.generation) == generation;
                    let run = self.runs.values_mut().find(of_it);
                    let Some(cgroups) = run.and_then(|run| run.cgroups.as_mut()) else { continue };
                    cgroups.change_limits(settings)
                }
                StateKind::Waiting
                | StateKind::Stopping
                | StateKind::Backoff
                | StateKind::Exited
                | StateKind::Failed
                | StateKind::Stuck
                | StateKind::Invalid => continue,
            };
            found.push((name.clone(), settings));
        }
        found
    }

    /// A later supervisor need not write them once more.
    pub fn limits_written(&mut self) {
        if !self.reloading.current.unwritten.is_empty() {
            self.reloading.current.unwritten.clear();
            if let Err(errno) = self.reloading.current.write() {
                say(Level::Error, &format!("reload: {}", errno.desc()));
            }
        }
    }
}

fn say_all(problems: &[String], righted: &[String]) {
    for problem in problems {
        say(Level::Error, &format!("reload: {problem}"));
    }
    for line in righted {
        say(Level::Warning, &format!("reload: {line}"));
    }
}

/// What is declared, and nothing of `orlop update` any more.
fn write(name: &str, settings: &[Setting]) -> Answer {
    let written = change(name, settings)?;
    let forgotten =
        cgroup::open_path(&cgroups::path(name)).and_then(|group| mark::remove(group.as_fd(), UPDATED));
    match forgotten {
        Ok(()) => Ok(written),
        Err(errno) => Err(Error::Failed { reason: errno.desc().to_owned() }),
    }
}

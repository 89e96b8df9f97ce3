//! What a reload changes while containers run: parameters of the machine here, limits by an errand.

use std::os::fd::AsFd;
use std::time::Duration;

use orlop::container::{Setting, all_settings};
use orlop::control::Error;
use orlop::supervisor::StateKind;

use super::answer;
use crate::agent::control::CallId;
use crate::agent::errands::Answer;
use crate::agent::live::{UPDATED, change};
use crate::agent::{Agent, cgroups, say, serving};
use crate::linux::kmsg::Level;
use crate::linux::{cgroup, mark, sysctl};

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
    pub fn change_live(&mut self, call: Option<CallId>, problems: Vec<String>, now: Duration) {
        self.end_limits_errands(now);
        let done = self.reloading.done();
        let runs =
            |name: &&String| self.core.status(name).is_some_and(|status| status.state == StateKind::Running);
        let unwritten = self.reloading.current.unwritten.iter().filter(runs);
        let limits = unwritten.filter_map(|name| {
            let limits = &self.config.containers.get(name)?.limits;
            Some((name.clone(), all_settings(limits).ok()?))
        });
        let limits: Vec<(String, Vec<Setting>)> = limits.collect();
        for problem in &problems {
            say(Level::Error, &format!("reload: {problem}"));
        }
        let has_room = call.is_none_or(|call| self.errands_have_room(call));
        let mut beside = call.filter(|_| has_room).map(|_| self.beside_the_kernel()).unwrap_or_default();
        beside.leave_out(&limits);
        if limits.is_empty() {
            self.limits_written();
            if beside.has_no_containers() {
                if let Some(call) = call {
                    self.server.reply_message(now, call, &answer(done, problems, Vec::new()));
                }
                return;
            }
        }
        let told = problems.clone();
        self.errand_of_limits(call, (done, told), now, move || {
            let (mut problems, mut new) = (problems, Vec::new());
            for (name, settings) in &limits {
                if let Err(error) = write(name, settings) {
                    new.push(format!("container.{name}.limits: {error}"));
                }
            }
            let righted = beside.put_right(&mut new);
            for problem in &new {
                say(Level::Error, &format!("reload: {problem}"));
            }
            for line in &righted {
                say(Level::Warning, &format!("reload: {line}"));
            }
            problems.extend(new);
            Ok(answer(done, problems, righted))
        });
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

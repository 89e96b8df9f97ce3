//! What a reload changes while containers run: parameters of the machine here, limits by an errand.

use std::time::Duration;

use orlop::container::{Setting, all_settings};
use orlop::supervisor::StateKind;

use super::answer;
use crate::agent::control::CallId;
use crate::agent::live::change;
use crate::agent::{Agent, say, serving};
use crate::linux::kmsg::Level;
use crate::linux::sysctl;

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

    /// Writes the limits that are to be written, and answers who asked. The kernel may take its time: it takes memory
    /// from who has more than a new limit.
    pub fn change_live(&mut self, call: Option<CallId>, problems: Vec<String>, now: Duration) {
        let done = self.reloading.done();
        let runs =
            |name: &&String| self.core.status(name).is_some_and(|status| status.state == StateKind::Running);
        let unwritten = self.reloading.current.unwritten.iter().filter(runs);
        let limits = unwritten.filter_map(|name| {
            let limits = &self.config.containers.get(name)?.limits;
            Some((name.clone(), all_settings(limits).ok()?))
        });
        let limits: Vec<(String, Vec<Setting>)> = limits.collect();
        if limits.is_empty() {
            self.limits_written();
            for problem in &problems {
                say(Level::Error, &format!("reload: {problem}"));
            }
            if let Some(call) = call {
                self.server.reply_message(now, call, &answer(done, problems));
            }
            return;
        }
        self.errand_of_limits(call, now, move || {
            let mut problems = problems;
            for (name, settings) in &limits {
                if let Err(error) = change(name, settings) {
                    problems.push(format!("container.{name}.limits: {error}"));
                }
            }
            for problem in &problems {
                say(Level::Error, &format!("reload: {problem}"));
            }
            Ok(answer(done, problems))
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

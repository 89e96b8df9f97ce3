//! What ends a container: signals, `cgroup.kill`, and the cgroup that must be empty before the next start.

use std::os::fd::AsFd;

use orlop::supervisor::{Event, StateKind};

use super::blame::Handling;
use super::cgroups::{self, Cgroups};
use super::launch::Stage;
use super::{Agent, Token, live, say};
use crate::linux::epoll::Interest;
use crate::linux::kmsg::Level;
use crate::linux::{Errno, pidfd};

/// Of a file in a cgroup, told once each.
const CHANGES: Interest = Interest::EPOLLPRI.union(Interest::EPOLLET);

impl Agent {
    pub fn signal(&mut self, name: &str, generation: u64, number: i32) {
        let Some(run) = self.find(name, generation) else { return };
        let sent = match &run.stage {
            Stage::Running { pidfd } | Stage::Executing { pidfd, .. } => {
                pidfd::send_signal(pidfd.as_fd(), number)
            }
            Stage::Setup { .. } | Stage::Registering { .. } | Stage::Over => Ok(()),
        };
        // It could not hear that it is to end. A person's signal waits until it goes on.
        if self.core.status(name).is_some_and(|status| status.state == StateKind::Stopping)
            && self.is_paused(name)
            && let Err(errno) = live::thaw(name)
        {
            say(Level::Error, &format!("{name}: cgroup.freeze: {}", errno.desc()));
        }
        match sent {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(_) => self.events.push_back(Event::SignalFailed { name: name.into(), generation }),
        }
    }

    pub fn kill(&mut self, name: &str, generation: u64) {
        let killed =
            self.find(name, generation).and_then(|run| run.cgroups.as_ref()).map_or(Ok(()), Cgroups::kill);
        if let Err(errno) = killed {
            let text = format!("cgroup.kill: {}", errno.desc());
            self.events.push_back(Event::KillFailed { name: name.into(), generation, text });
        }
    }

    /// Waits for the empty cgroup, then removes it; or leaves it, and the container stuck, when
    /// supervisors died of that: else they would for ever, at each adoption.
    pub fn clean(&mut self, name: &str, generation: u64) {
        if self.blamed.is_too_often(Handling::Clean, name) {
            let (name, text) = (name.to_owned(), "three supervisors died of it".to_owned());
            return self.events.push_back(Event::CleanFailed { name, generation, text });
        }
        self.handling(Handling::Clean, name, |agent| agent.clean_up(name, generation));
    }

    fn clean_up(&mut self, name: &str, generation: u64) {
        let key = self
            .runs
            .iter()
            .find(|(_, run)| run.name == name && run.generation == generation)
            .map(|(key, _)| *key);
        let Some(key) = key else {
            return self.remove(name, generation);
        };
        let Some(run) = self.runs.get_mut(&key) else { return };
        run.cleaning = true;
        if let Some(cgroups) = &run.cgroups {
            // The main process is gone; whatever it left behind goes as well.
            let killed = cgroups.kill();
            let watched = self.epoll.add(cgroups.events.as_fd(), CHANGES, Token::Cgroup(key).number());
            if let Err(errno) = killed.and(watched.or_else(already_there)) {
                let (name, text) = (name.to_owned(), format!("cgroup: {}", errno.desc()));
                return self.events.push_back(Event::CleanFailed { name, generation, text });
            }
        }
        self.cgroup_changed(key);
    }

    /// A cgroup's events changed, or it is time to look.
    pub fn cgroup_changed(&mut self, key: u32) {
        let Some(run) = self.runs.get(&key) else { return };
        if !run.cleaning || run.cgroups.as_ref().is_some_and(Cgroups::is_populated) {
            return;
        }
        let (name, generation) = (run.name.clone(), run.generation);
        self.forget_run(key);
        self.remove(&name, generation);
    }

    /// Nothing of it is there any more, or nothing that the next one would meet.
    pub fn forget_run(&mut self, key: u32) {
        let Some(run) = self.runs.remove(&key) else { return };
        self.forget_notices(&run);
        if let Some(group) = run.pod {
            self.leave_pod(&group);
        }
    }

    /// An earlier supervisor's, of which only the end was left: it would be taken for the one that starts.
    pub fn forget_earlier_runs(&mut self, name: &str) {
        let earlier = self.runs.iter().filter(|(_, run)| run.name == name).map(|(key, _)| *key);
        for key in earlier.collect::<Vec<u32>>() {
            self.forget_run(key);
        }
    }

    fn remove(&mut self, name: &str, generation: u64) {
        let name = name.to_owned();
        self.saving.ends.used(&name, generation, cgroups::usage(&name));
        self.events.push_back(match cgroups::remove(&name) {
            Ok(()) => Event::Emptied { name, generation },
            Err(errno) => Event::CleanFailed { name, generation, text: format!("rmdir: {}", errno.desc()) },
        });
    }
}

fn already_there(errno: Errno) -> crate::linux::Result<()> {
    if errno == Errno::EEXIST { Ok(()) } else { Err(errno) }
}

//! Lets go of the namespaces that a group shares once nothing of it is up any more.
//!
//! What is let go of are mounts of nsfs, whose end waits for nothing: what becomes of the namespaces themselves is the
//! kernel's own work. And nobody can start meanwhile, who would find half of them.

use std::collections::BTreeSet;
use std::path::Path;

use super::launch::Run;
use super::{Agent, say};
use crate::engine;
use crate::linux::directory;
use crate::linux::kmsg::Level;

impl Agent {
    /// After another configuration, and of what an earlier supervisor left.
    pub fn leave_pods(&self) {
        let up: BTreeSet<&str> = self.runs.values().filter_map(|run| self.pod_of(run)).collect();
        for group in directory::names(engine::PODS).unwrap_or_default() {
            if !up.contains(group.as_str()) {
                dissolve(&group);
            }
        }
    }

    /// After the end of a run of this group.
    pub fn leave_pod(&self, group: &str) {
        let is_up = self.runs.values().any(|run| self.pod_of(run) == Some(group));
        if !is_up && Path::new(engine::PODS).join(group).is_dir() {
            dissolve(group);
        }
    }

    fn pod_of(&self, run: &Run) -> Option<&str> {
        let container = self.config.containers.get(&run.name)?;
        container.pod.as_ref().map(|pod| pod.group.as_str())
    }
}

fn dissolve(group: &str) {
    match engine::pod::dissolve(&Path::new(engine::PODS).join(group)) {
        Ok(()) => {
            say(Level::Info, &format!("group {group}: nothing of it is up, and its namespaces are let go"));
        }
        Err(errno) => say(Level::Error, &format!("{}/{group}: {}", engine::PODS, errno.desc())),
    }
}

//! Lets go of the namespaces that a group shares once nothing is up any more that was started in them: what the group is
//! by now says nothing of that, and so each run's group is remembered with it.
//!
//! What is let go of are mounts of nsfs, whose end waits for nothing: what becomes of the namespaces themselves is the
//! kernel's own work. And nobody can start meanwhile, who would find half of them.

use std::collections::BTreeSet;
use std::path::Path;

use orlop::config::Config;
use orlop::supervisor::Record;

use super::launch::Run;
use super::{Agent, say};
use crate::engine;
use crate::linux::directory;
use crate::linux::kmsg::Level;

/// Where a record has it.
const POD: &str = "pod";

impl Agent {
    /// After another configuration, and of what an earlier supervisor left.
    pub fn leave_pods(&self) {
        let up: BTreeSet<&str> = self.runs.values().filter_map(|run| run.pod.as_deref()).collect();
        for group in directory::names(engine::PODS).unwrap_or_default() {
            if !up.contains(group.as_str()) {
                dissolve(&group);
            }
        }
    }

    /// After the end of a run of this group.
    pub fn leave_pod(&self, group: &str) {
        let is_up = self.runs.values().any(|run| run.pod.as_deref() == Some(group));
        if !is_up && Path::new(engine::PODS).join(group).is_dir() {
            dissolve(group);
        }
    }

    /// Adds to what is remembered of a generation whose namespaces it is in.
    pub fn remember_pod(&self, record: &mut Record) {
        let of_it = |run: &&Run| run.name == record.name && run.generation == record.generation;
        match self.runs.values().find(of_it).and_then(|run| run.pod.as_ref()) {
            Some(group) => drop(record.rest.insert(POD.into(), group.as_str().into())),
            None => drop(record.rest.insert(POD.into(), serde_json::Value::Null)),
        }
    }
}

/// Whose namespaces a generation was started in; of a record of before that was written down, what is declared.
pub fn of_record(record: &Record, config: &Config) -> Option<String> {
    match record.rest.get(POD) {
        Some(known) => known.as_str().map(str::to_owned),
        None => Some(config.containers.get(&record.name)?.pod.as_ref()?.group.clone()),
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

#[cfg(test)]
mod tests {
    use orlop::config::{Source, read};

    use super::*;

    #[test]
    fn a_record_that_says_nothing_of_a_group_is_of_the_one_that_is_declared() {
        let text = "[group.shop]\ncontainers = [\"web\"]\nshare = [\"network\"]\n\
                    [container.web]\nimage = \"dir:a\"\n[container.db]\nimage = \"dir:a\"\n";
        let reading = read(&[Source { path: "a.toml".into(), text: text.into() }]);
        assert!(!reading.has_errors(), "{:?}", reading.diagnostics);
        let of = |name: &str, more: &str| {
            let text = format!(
                "{{\"version\":1,\"name\":\"{name}\",\"generation\":1,\"wanted\":\"up\",\"state\":\"running\"{more}}}"
            );
            of_record(&Record::parse(&text).unwrap(), &reading.config)
        };
        assert_eq!(of("web", ""), Some("shop".to_owned()));
        assert_eq!(of("web", ",\"pod\":null"), None);
        assert_eq!(of("web", ",\"pod\":\"before\""), Some("before".to_owned()));
        assert_eq!((of("db", ""), of("gone", "")), (None, None));
    }
}

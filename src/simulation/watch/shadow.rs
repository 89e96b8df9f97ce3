//! What the watch knows of one container: what it was told, and nothing of how the core keeps it.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{Condition, Config, Container, Restart, RestartPolicy};
use crate::supervisor::Wanted;

#[derive(Debug)]
pub(super) struct Shadow {
    pub(super) depends_on: Vec<(String, Condition)>,
    pub(super) restart: Restart,
    pub(super) policy: RestartPolicy,
    /// All that depend on it, through others too.
    pub(super) dependents: BTreeSet<String>,
    pub(super) generation: u64,
    pub(super) started_at: Duration,
    /// Asked to start, and not emptied.
    pub(super) there: bool,
    pub(super) ran: bool,
    pub(super) wanted: Wanted,
    /// Started before its deadline.
    pub(super) up: bool,
    pub(super) signalled: bool,
    pub(super) end: Option<Ending>,
    /// No supervisor died since this generation was started.
    pub(super) certain: bool,
    pub(super) word: Option<Word>,
    /// A person wants it up, and it was not started since.
    pub(super) start_owed: bool,
    pub(super) unusable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ending {
    Clean,
    Failure,
    NoFault,
}

/// A person's last one about what is there now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Word {
    Stop,
    Again,
}

impl Shadow {
    pub(super) fn new(config: &Config, name: &str, declared: &Container) -> Self {
        let depends_on = declared.depends_on.iter();
        Self {
            depends_on: depends_on.map(|(name, edge)| (name.clone(), edge.condition)).collect(),
            restart: declared.restart,
            policy: declared.restart_policy,
            dependents: dependents(config, name),
            generation: 0,
            started_at: Duration::ZERO,
            there: false,
            ran: false,
            wanted: Wanted::Up,
            up: false,
            signalled: false,
            end: None,
            certain: true,
            word: None,
            start_owed: false,
            unusable: false,
        }
    }

    /// Whether a dependent that asks for `condition` may start.
    pub(super) fn meets(&self, condition: Condition) -> bool {
        match condition {
            Condition::Started => self.ran,
        }
    }
}

fn dependents(config: &Config, name: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = Vec::from([name]);
    while let Some(name) = open.pop() {
        for (dependent, container) in &config.containers {
            if container.depends_on.contains_key(name) && found.insert(dependent.clone()) {
                open.push(dependent);
            }
        }
    }
    found
}

//! Configurations that follow one another in a history.

use alloc::string::ToString;
use core::time::Duration;

use super::{Change, History, NAMES};
use crate::config::{Config, Restart};
use crate::simulation::core::Core;
use crate::simulation::machine::Machine;

impl History {
    /// The configuration in force, but for one thing of this container.
    pub(super) fn changed<C: Core>(&self, machine: &Machine<C>, change: Change, name: &str) -> Config {
        let mut config = machine.config.clone();
        let Some(container) = config.containers.get_mut(name) else {
            self.declare(&mut config, machine, name);
            return config;
        };
        match change {
            Change::Program => container.tty = !container.tty,
            Change::Restart if container.restart == Restart::No => container.restart = Restart::Always,
            Change::Restart => container.restart = Restart::No,
            Change::Grace if container.stop_grace_period.is_zero() => {
                container.stop_grace_period = Duration::from_secs(5);
            }
            Change::Grace => container.stop_grace_period = Duration::ZERO,
            Change::Edges if container.depends_on.is_empty() => self.relate(&mut config, name),
            Change::Edges => container.depends_on.clear(),
            Change::Declared => {
                config.containers.remove(name);
                for other in config.containers.values_mut() {
                    other.depends_on.remove(name);
                    other.conflicts.remove(name);
                }
                config.groups.values_mut().for_each(|group| group.containers.retain(|member| member != name));
            }
        }
        config
    }

    /// As at first.
    fn declare<C: Core>(&self, config: &mut Config, machine: &Machine<C>, name: &str) {
        if let Some(container) = machine.first.containers.get(name) {
            let mut container = container.clone();
            container.depends_on.clear();
            container.conflicts.retain(|other| config.containers.contains_key(other));
            config.containers.insert(name.to_string(), container);
            self.relate(config, name);
        }
    }

    /// On those that were its dependencies at first, and are declared.
    fn relate(&self, config: &mut Config, name: &str) {
        let Some(unit) = NAMES.iter().position(|known| *known == name).and_then(|at| self.units.get(at))
        else {
            return;
        };
        let on = NAMES.iter().enumerate().take_while(|(_, on)| **on < name);
        let on =
            on.filter(|(bit, on)| unit.depends_on & (1 << bit) != 0 && config.containers.contains_key(**on));
        let edges = on.map(|(_, on)| (on.to_string(), unit.edge)).collect();
        if let Some(container) = config.containers.get_mut(name) {
            container.depends_on = edges;
        }
    }
}

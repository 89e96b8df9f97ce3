//! Another configuration in the place of the one before, as an agent has it.

use alloc::boxed::Box;
use alloc::string::ToString;

use super::core::Core;
use super::machine::Machine;
use crate::config::Config;
use crate::supervisor::{Event, Reload, plan};

impl<C: Core> Machine<C> {
    /// What is decided is kept before anything is done, and no more than `effects` things are. False: nothing was
    /// planned, or the machine goes down.
    pub fn reload(&mut self, config: Config, effects: usize) -> bool {
        let planned = plan(&self.config, &config);
        if planned.is_empty() || self.shutdown.is_some() {
            return false;
        }
        self.numbers.number = self.numbers.number.saturating_add(1);
        let number = self.numbers.number;
        self.numbers.since.retain(|name, _| config.containers.contains_key(name));
        self.numbers.since.extend(planned.replaced().map(|name| (name.to_string(), number)));
        self.config = config.clone();
        let reload = Reload { config, numbers: self.numbers.clone() };
        self.tell_and_do(Event::Reload(Box::new(reload)), effects);
        true
    }
}

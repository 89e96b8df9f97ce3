//! An hour of a machine's life: what grows with time, runs out or drifts apart shows only in a long one.

use core::time::Duration;

use super::draw::act;
use super::{Act, History};
use crate::config::{Exhausted, Sentence};
use crate::simulation::lot::Lot;

const HOUR: Duration = Duration::from_secs(3600);

impl History {
    /// Begins as the short one of this seed does, and goes on: nobody ends the machine before the hour is over.
    pub fn draw_hour(seed: u64) -> Self {
        let mut history = Self::draw(seed);
        let mut lot = Lot::new(history.seed);
        let mut passed = Duration::ZERO;
        while passed < HOUR {
            let act = act(&mut lot);
            match act {
                Act::Shutdown(..) => continue,
                Act::Pass(time) => passed = passed.saturating_add(time),
                _ => {}
            }
            history.acts.push(act);
        }
        history.acts.retain(|act| !matches!(act, Act::Shutdown(..)));
        for unit in &mut history.units {
            unit.rules.retain(|rule| rule.then != Sentence::Reboot);
            if unit.policy.then == Exhausted::Reboot {
                unit.policy.then = Exhausted::Hold;
            }
        }
        history
    }
}

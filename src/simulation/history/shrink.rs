//! Makes a history that breaks a promise shorter, for as long as it breaks that promise.

use super::draw::simpler;
use super::{Breach, Container, Core, History};

/// Lives that are spent on it: enough to go through all that can be left out some ten times.
const MOST_LIVES: usize = 3000;

pub(super) fn shrink<C: Core>(blank: &Container, history: History, breach: Breach) -> (History, Breach) {
    let (mut history, mut breach) = (history, breach);
    let mut lives = MOST_LIVES;
    loop {
        let mut candidates = simpler(&history).into_iter().take(lives);
        let found = candidates.find_map(|candidate| {
            lives = lives.saturating_sub(1);
            let next = candidate.live::<C>(blank).err().filter(|next| next.promise == breach.promise)?;
            Some((candidate, next))
        });
        match found {
            Some(shorter) => (history, breach) = shorter,
            None => return (history, breach),
        }
    }
}

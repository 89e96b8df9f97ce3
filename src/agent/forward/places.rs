//! How far each ring was sent to each collector.

use std::os::fd::OwnedFd;

use orlop::config::Collector;
use orlop::log::{Cursor, Place};

use crate::agent::places::{self, Words};
use crate::linux::Result;

/// # Errors
/// EMFILE, ENOMEM.
pub(crate) fn memory() -> Result<OwnedFd> {
    places::memory(c"orlop-forward")
}

/// By the rings' numbers, and those of collectors.
pub(super) type Places = places::Places<(u64, u64), Place, 2>;

/// A collector as a number: by what it is called, not by its place in a list. FNV-1a's constants.
pub(super) fn number(to: &Collector) -> u64 {
    to.to_string().bytes().fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl Words for Place {
    fn words(self) -> impl Iterator<Item = u64> {
        self.from.words().into_iter().chain(self.sent)
    }

    fn of_words(word: &mut dyn FnMut() -> u64) -> Self {
        let from = Cursor::of_words([word(), word(), word(), word()]);
        Self { from, sent: [word(), word(), word()] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_it_was_kept() {
        let memory = memory().unwrap();
        let mut places = Places::adopt(memory.try_clone().unwrap()).unwrap();
        let place = Place { from: Cursor::of_words([1, 2, 3, 4]), sent: [5, 6, 7] };
        places.set((7, 8), 9, place).unwrap();
        assert_eq!(Places::adopt(memory).unwrap().get((7, 8), 9), Some(place));
    }
}

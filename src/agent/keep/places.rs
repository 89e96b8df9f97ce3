//! How far each ring is on the disk.

use std::os::fd::OwnedFd;

use orlop::log::Cursor;

use crate::agent::places::{self, Words};
use crate::linux::Result;

/// # Errors
/// EMFILE, ENOMEM.
pub(crate) fn memory() -> Result<OwnedFd> {
    places::memory(c"orlop-keep")
}

/// By the rings' numbers.
pub(super) type Places = places::Places<u64, Place, 1>;

/// Where a ring is to be read from next, and what was written last of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    pub(super) from: Cursor,
    /// The segment's number, and its bytes up to there.
    pub(super) segment: u64,
    pub(super) bytes: u64,
}

impl Words for Place {
    fn words(self) -> impl Iterator<Item = u64> {
        self.from.words().into_iter().chain([self.segment, self.bytes])
    }

    fn of_words(word: &mut dyn FnMut() -> u64) -> Self {
        let from = Cursor::of_words([word(), word(), word(), word()]);
        Self { from, segment: word(), bytes: word() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_it_was_kept() {
        let memory = memory().unwrap();
        let mut places = Places::adopt(memory.try_clone().unwrap()).unwrap();
        let place = Place { from: Cursor::of_words([1, 2, 3, 4]), segment: 5, bytes: 6 };
        places.set(7, 9, place).unwrap();
        assert_eq!(Places::adopt(memory).unwrap().get(7, 9), Some(place));
    }
}

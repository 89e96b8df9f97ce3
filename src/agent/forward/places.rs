//! How far each ring was sent to each collector, in a memory of fixed size that PID 1 keeps: whoever is killed is
//! followed by one who goes on from there.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use orlop::config::Forward;
use orlop::log::{Cursor, Place};

use crate::linux::{Errno, Result, memfd};

/// A few collectors of the logs of as many containers as a machine may have.
const RECORDS: u64 = 4200;
/// Bytes of a record. Pages are a multiple, so that a kill cuts none: the kernel looks for it between pages only.
const RECORD: u64 = 128;
const WORDS: usize = RECORD as usize / 8;

/// A new memory of places. It takes pages as rings are sent.
///
/// # Errors
/// EMFILE, ENOMEM.
pub(crate) fn memory() -> Result<OwnedFd> {
    memfd::create_of_size(c"orlop-forward", RECORDS * RECORD)
}

/// Which ring, to whom.
pub(super) type Key = (u64, u64);

pub(super) struct Places {
    memfd: OwnedFd,
    known: BTreeMap<Key, (u64, Place)>,
}

/// A collector as a number: by what it is called, not by its place in a list. FNV-1a's constants.
pub(super) fn number(to: &Forward) -> u64 {
    let name = format!("{to:?}");
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl Places {
    /// # Errors
    /// EINVAL when it is no such memory.
    pub(super) fn adopt(memfd: OwnedFd) -> Result<Self> {
        let (_, size) = memfd::identity_and_size(memfd.as_fd())?;
        if !memfd::keeps_its_size(memfd.as_fd())? || size != RECORDS * RECORD {
            return Err(Errno::EINVAL);
        }
        let mut known = BTreeMap::new();
        for record in 0..RECORDS {
            let mut bytes = [0; RECORD as usize];
            memfd::read_exact_at(memfd.as_fd(), record * RECORD, &mut bytes)?;
            // They are used one after the other.
            let Some((key, place)) = decode(&bytes) else { break };
            known.insert(key, (record, place));
        }
        Ok(Self { memfd, known })
    }

    /// The beginning, for what was never sent.
    pub(super) fn get(&self, key: Key) -> Place {
        self.known.get(&key).map_or_else(Place::default, |(_, place)| *place)
    }

    /// # Errors
    /// ENOSPC when there is no room for one more; ENOMEM.
    pub(super) fn set(&mut self, key: Key, place: Place) -> Result<()> {
        let next = self.known.len() as u64;
        let (record, known) = self.known.entry(key).or_insert((next, place));
        if *record >= RECORDS {
            return Err(Errno::ENOSPC);
        }
        *known = place;
        memfd::write_all_at(self.memfd.as_fd(), *record * RECORD, &encode(key, place))
    }
}

fn encode((ring, to): Key, place: Place) -> [u8; RECORD as usize] {
    let words = [1, ring, to].into_iter().chain(place.from.words()).chain(place.sent);
    let mut bytes = [0; RECORD as usize];
    bytes.iter_mut().zip(words.flat_map(u64::to_le_bytes)).for_each(|(into, byte)| *into = byte);
    bytes
}

/// `None`: it was never written.
fn decode(bytes: &[u8; RECORD as usize]) -> Option<(Key, Place)> {
    let mut words = bytes.as_chunks().0.iter().take(WORDS).map(|word| u64::from_le_bytes(*word));
    let mut word = || words.next().unwrap_or_default();
    if word() != 1 {
        return None;
    }
    let key = (word(), word());
    let from = Cursor::of_words([word(), word(), word(), word()]);
    Some((key, Place { from, sent: [word(), word(), word()] }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_by_whoever_comes_next() {
        let memory = memory().unwrap();
        let mut places = Places::adopt(memory.try_clone().unwrap()).unwrap();
        let place = |byte| Place { from: Cursor::of_words([1, byte, 3, 4]), sent: [5, 6, 7] };
        for (key, byte) in [((1, 1), 10), ((1, 2), 20), ((2, 1), 30), ((1, 1), 11)] {
            places.set(key, place(byte)).unwrap();
        }
        let again = Places::adopt(memory).unwrap();
        assert_eq!([(1, 1), (1, 2), (2, 1)].map(|key| again.get(key)), [place(11), place(20), place(30)]);
        assert_eq!(again.get((2, 2)), Place::default());
        assert!(Places::adopt(memfd::create_of_size(c"x", 4096).unwrap()).is_err());
    }
}

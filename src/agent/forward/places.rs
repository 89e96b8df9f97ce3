//! How far each ring was sent to each collector, in a memory of fixed size that PID 1 keeps: whoever is killed is
//! followed by one who goes on from there.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use orlop::config::Collector;
use orlop::log::{Cursor, Place};

use crate::linux::{Errno, Result, memfd};

/// A few collectors of the logs of as many containers as a machine may have. One of another size is as good.
const RECORDS: u64 = 4200;
/// The first word of a record. One with another was written by a later release, or by none.
const VERSION: u64 = 2;
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
    records: u64,
    known: BTreeMap<Key, Known>,
}

struct Known {
    record: u64,
    /// The identity of the ring: another one may have taken its number.
    ring: u64,
    place: Place,
}

/// A collector as a number: by what it is called, not by its place in a list. FNV-1a's constants.
pub(super) fn number(to: &Collector) -> u64 {
    to.to_string().bytes().fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl Places {
    /// # Errors
    /// EINVAL when it is no such memory.
    pub(super) fn adopt(memfd: OwnedFd) -> Result<Self> {
        let (_, size) = memfd::identity_and_size(memfd.as_fd())?;
        let records = size / RECORD;
        if !memfd::keeps_its_size(memfd.as_fd())? || records == 0 {
            return Err(Errno::EINVAL);
        }
        let mut known = BTreeMap::new();
        for record in 0..records {
            let mut bytes = [0; RECORD as usize];
            memfd::read_exact_at(memfd.as_fd(), record * RECORD, &mut bytes)?;
            // They are used one after the other.
            let Some((key, ring, place)) = decode(&bytes) else { break };
            known.insert(key, Known { record, ring, place });
        }
        Ok(Self { memfd, records, known })
    }

    /// Of the ring that is this; the beginning, for what was never sent.
    pub(super) fn get(&self, key: Key, ring: u64) -> Place {
        let known = self.known.get(&key).filter(|known| known.ring == ring);
        known.map_or_else(Place::default, |known| known.place)
    }

    /// # Errors
    /// ENOSPC when there is no room for one more, which is known to us alone; ENOMEM.
    pub(super) fn set(&mut self, key: Key, ring: u64, place: Place) -> Result<()> {
        let record = self.known.len() as u64;
        let known = self.known.entry(key).or_insert(Known { record, ring, place });
        (known.ring, known.place) = (ring, place);
        if known.record >= self.records {
            return Err(Errno::ENOSPC);
        }
        memfd::write_all_at(self.memfd.as_fd(), known.record * RECORD, &encode(key, ring, place))
    }
}

fn encode((id, to): Key, ring: u64, place: Place) -> [u8; RECORD as usize] {
    let words = [VERSION, id, to, ring].into_iter().chain(place.from.words()).chain(place.sent);
    let mut bytes = [0; RECORD as usize];
    bytes.iter_mut().zip(words.flat_map(u64::to_le_bytes)).for_each(|(into, byte)| *into = byte);
    bytes
}

/// `None`: it was never written.
fn decode(bytes: &[u8; RECORD as usize]) -> Option<(Key, u64, Place)> {
    let mut words = bytes.as_chunks().0.iter().take(WORDS).map(|word| u64::from_le_bytes(*word));
    let mut word = || words.next().unwrap_or_default();
    if word() != VERSION {
        return None;
    }
    let (key, ring) = ((word(), word()), word());
    let from = Cursor::of_words([word(), word(), word(), word()]);
    Some((key, ring, Place { from, sent: [word(), word(), word()] }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(byte: u64) -> Place {
        Place { from: Cursor::of_words([1, byte, 3, 4]), sent: [5, 6, 7] }
    }

    #[test]
    fn places_are_found_by_whoever_comes_next() {
        let memory = memory().unwrap();
        let mut places = Places::adopt(memory.try_clone().unwrap()).unwrap();
        for (key, byte) in [((1, 1), 10), ((1, 2), 20), ((2, 1), 30), ((1, 1), 11)] {
            places.set(key, 9, place(byte)).unwrap();
        }
        let again = Places::adopt(memory).unwrap();
        assert_eq!([(1, 1), (1, 2), (2, 1)].map(|key| again.get(key, 9)), [place(11), place(20), place(30)]);
        assert_eq!(again.get((2, 2), 9), Place::default());
    }

    #[test]
    fn another_ring_of_the_same_number_begins_at_its_beginning() {
        let mut places = Places::adopt(memory().unwrap()).unwrap();
        places.set((1, 1), 9, place(10)).unwrap();
        assert_eq!(places.get((1, 1), 10), Place::default());
        places.set((1, 1), 10, place(1)).unwrap();
        assert_eq!([9, 10].map(|ring| places.get((1, 1), ring)), [Place::default(), place(1)]);
    }

    #[test]
    fn a_memory_of_another_size_is_taken_and_what_it_has_no_room_for_is_known_until_death() {
        let memory = memfd::create_of_size(c"small", 2 * RECORD).unwrap();
        let mut places = Places::adopt(memory.try_clone().unwrap()).unwrap();
        let set = |places: &mut Places, id, byte| places.set((id, 1), 9, place(byte));
        assert_eq!([1, 2, 3].map(|id| set(&mut places, id, id)), [Ok(()), Ok(()), Err(Errno::ENOSPC)]);
        assert_eq!(set(&mut places, 3, 33), Err(Errno::ENOSPC));
        assert_eq!(places.get((3, 1), 9), place(33));
        let again = Places::adopt(memory).unwrap();
        assert_eq!([1, 2, 3].map(|id| again.get((id, 1), 9)), [place(1), place(2), Place::default()]);
        let none = memfd::create_of_size(c"none", RECORD - 1).unwrap();
        assert!(Places::adopt(none).is_err());
    }
}

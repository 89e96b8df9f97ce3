//! How far helpers are with each ring, in a memory of fixed size that PID 1 keeps: whoever is killed is followed by one
//! who goes on from there.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use crate::linux::{Errno, Result, memfd};

/// A few for each of the logs of as many containers as a machine may have. A memory of another size is as good.
const RECORDS: u64 = 4200;
/// Bytes of a record. Pages are a multiple, so that a kill cuts none: the kernel looks for it between pages only.
const RECORD: u64 = 128;

/// A new memory of places. It takes pages as they are filled.
///
/// # Errors
/// EMFILE, ENOMEM.
pub(crate) fn memory(name: &CStr) -> Result<OwnedFd> {
    memfd::create_of_size(name, RECORDS * RECORD)
}

/// What a record is made of: as many words each time.
pub(crate) trait Words: Copy {
    fn words(self) -> impl Iterator<Item = u64>;
    /// The reverse, of the words that are next.
    fn of_words(word: &mut dyn FnMut() -> u64) -> Self;
}

/// Of each key the place in a ring. `VERSION` is the first word of a record: one with another was written by a release
/// that has others, or by none.
pub(crate) struct Places<K, P, const VERSION: u64> {
    memfd: OwnedFd,
    records: u64,
    known: BTreeMap<K, Known<P>>,
}

struct Known<P> {
    record: u64,
    /// The identity of the ring: another one may have taken its number.
    ring: u64,
    place: P,
}

impl<K: Words + Ord, P: Words, const VERSION: u64> Places<K, P, VERSION> {
    /// # Errors
    /// EINVAL when it is no such memory.
    pub(crate) fn adopt(memfd: OwnedFd) -> Result<Self> {
        let (_, size) = memfd::identity_and_size(memfd.as_fd())?;
        let records = size / RECORD;
        if !memfd::keeps_its_size(memfd.as_fd())? || records == 0 {
            return Err(Errno::EINVAL);
        }
        let mut known = BTreeMap::new();
        for record in 0..records {
            let mut bytes = [0; RECORD as usize];
            memfd::read_exact_at(memfd.as_fd(), record * RECORD, &mut bytes)?;
            let mut words = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
            let mut word = || words.next().unwrap_or_default();
            // They are used one after the other.
            if word() != VERSION {
                break;
            }
            let (key, ring) = (K::of_words(&mut word), word());
            known.insert(key, Known { record, ring, place: P::of_words(&mut word) });
        }
        Ok(Self { memfd, records, known })
    }

    /// Of the ring that is this; `None`: nothing of it was kept.
    pub(crate) fn get(&self, key: K, ring: u64) -> Option<P> {
        self.known.get(&key).filter(|known| known.ring == ring).map(|known| known.place)
    }

    /// # Errors
    /// ENOSPC when there is no room for one more, which is known to us alone; ENOMEM.
    pub(crate) fn set(&mut self, key: K, ring: u64, place: P) -> Result<()> {
        let record = self.known.len() as u64;
        let known = self.known.entry(key).or_insert(Known { record, ring, place });
        (known.ring, known.place) = (ring, place);
        if known.record >= self.records {
            return Err(Errno::ENOSPC);
        }
        let words = [VERSION].into_iter().chain(key.words()).chain([ring]).chain(place.words());
        let mut bytes = [0; RECORD as usize];
        bytes.iter_mut().zip(words.flat_map(u64::to_le_bytes)).for_each(|(into, byte)| *into = byte);
        memfd::write_all_at(self.memfd.as_fd(), known.record * RECORD, &bytes)
    }
}

impl Words for u64 {
    fn words(self) -> impl Iterator<Item = u64> {
        [self].into_iter()
    }

    fn of_words(word: &mut dyn FnMut() -> u64) -> Self {
        word()
    }
}

impl Words for (u64, u64) {
    fn words(self) -> impl Iterator<Item = u64> {
        [self.0, self.1].into_iter()
    }

    fn of_words(word: &mut dyn FnMut() -> u64) -> Self {
        (word(), word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = Places<(u64, u64), u64, 3>;

    #[test]
    fn places_are_found_by_whoever_comes_next_and_by_no_other_release() {
        let memory = memory(c"places").unwrap();
        let mut places = Pairs::adopt(memory.try_clone().unwrap()).unwrap();
        for (key, place) in [((1, 1), 10), ((1, 2), 20), ((2, 1), 30), ((1, 1), 11)] {
            places.set(key, 9, place).unwrap();
        }
        let again = Pairs::adopt(memory.try_clone().unwrap()).unwrap();
        let keys = [(1, 1), (1, 2), (2, 1), (2, 2)];
        assert_eq!(keys.map(|key| again.get(key, 9)), [Some(11), Some(20), Some(30), None]);
        let later = Places::<(u64, u64), u64, 4>::adopt(memory).unwrap();
        assert_eq!(keys.map(|key| later.get(key, 9)), [None; 4]);
    }

    #[test]
    fn another_ring_of_the_same_number_has_no_place_before_it_is_given_one() {
        let mut places = Pairs::adopt(memory(c"places").unwrap()).unwrap();
        places.set((1, 1), 9, 10).unwrap();
        assert_eq!(places.get((1, 1), 10), None);
        places.set((1, 1), 10, 1).unwrap();
        assert_eq!([9, 10].map(|ring| places.get((1, 1), ring)), [None, Some(1)]);
    }

    #[test]
    fn a_memory_of_another_size_is_taken_and_what_it_has_no_room_for_is_known_until_death() {
        let memory = memfd::create_of_size(c"small", 2 * RECORD).unwrap();
        let mut places = Pairs::adopt(memory.try_clone().unwrap()).unwrap();
        let set = |places: &mut Pairs, id, place| places.set((id, 1), 9, place);
        assert_eq!([1, 2, 3].map(|id| set(&mut places, id, id)), [Ok(()), Ok(()), Err(Errno::ENOSPC)]);
        assert_eq!(set(&mut places, 3, 33), Err(Errno::ENOSPC));
        assert_eq!(places.get((3, 1), 9), Some(33));
        let again = Pairs::adopt(memory).unwrap();
        assert_eq!([1, 2, 3].map(|id| again.get((id, 1), 9)), [Some(1), Some(2), None]);
        let none = memfd::create_of_size(c"none", RECORD - 1).unwrap();
        assert!(Pairs::adopt(none).is_err());
    }
}

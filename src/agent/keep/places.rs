//! How far each ring is on the disk, in a memory of fixed size that PID 1 keeps: whoever is killed is followed by one
//! who goes on from there.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use orlop::log::Cursor;

use crate::linux::{Errno, Result, memfd};

/// The logs of as many containers as a machine may have.
const RECORDS: u64 = 4200;
/// The first word of a record. One with another was written by a later release, or by none.
const VERSION: u64 = 1;
/// Bytes of a record. Pages are a multiple, so that a kill cuts none: the kernel looks for it between pages only.
const RECORD: u64 = 128;

/// A new memory of places. It takes pages as rings are written.
///
/// # Errors
/// EMFILE, ENOMEM.
pub(crate) fn memory() -> Result<OwnedFd> {
    memfd::create_of_size(c"orlop-keep", RECORDS * RECORD)
}

/// Where a ring is to be read from next, and what was written last of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// The identity of the ring: another one may have taken its number.
    pub(super) ring: u64,
    pub(super) from: Cursor,
    /// The segment's number, and its bytes up to there.
    pub(super) segment: u64,
    pub(super) bytes: u64,
}

pub(super) struct Places {
    memfd: OwnedFd,
    records: u64,
    /// By the rings' numbers, with the record's.
    known: BTreeMap<u64, (u64, Place)>,
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
            let Some((id, place)) = decode(&bytes) else { break };
            known.insert(id, (record, place));
        }
        Ok(Self { memfd, records, known })
    }

    /// Of the ring that is this; `None`: nothing of it was written.
    pub(super) fn get(&self, id: u64, ring: u64) -> Option<Place> {
        self.known.get(&id).map(|(_, place)| *place).filter(|place| place.ring == ring)
    }

    /// # Errors
    /// ENOSPC when there is no room for one more, which is known to us alone; ENOMEM.
    pub(super) fn set(&mut self, id: u64, place: Place) -> Result<()> {
        let record = self.known.len() as u64;
        let known = self.known.entry(id).or_insert((record, place));
        known.1 = place;
        if known.0 >= self.records {
            return Err(Errno::ENOSPC);
        }
        memfd::write_all_at(self.memfd.as_fd(), known.0 * RECORD, &encode(id, place))
    }
}

fn encode(id: u64, place: Place) -> [u8; RECORD as usize] {
    let words = [VERSION, id, place.ring].into_iter().chain(place.from.words());
    let words = words.chain([place.segment, place.bytes]);
    let mut bytes = [0; RECORD as usize];
    bytes.iter_mut().zip(words.flat_map(u64::to_le_bytes)).for_each(|(into, byte)| *into = byte);
    bytes
}

/// `None`: it was never written.
fn decode(bytes: &[u8; RECORD as usize]) -> Option<(u64, Place)> {
    let mut words = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
    let mut word = || words.next().unwrap_or_default();
    if word() != VERSION {
        return None;
    }
    let (id, ring) = (word(), word());
    let from = Cursor::of_words([word(), word(), word(), word()]);
    Some((id, Place { ring, from, segment: word(), bytes: word() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_by_whoever_comes_next_and_another_ring_has_none() {
        let memory = memory().unwrap();
        let mut places = Places::adopt(memory.try_clone().unwrap()).unwrap();
        let place = |byte| Place { ring: 9, from: Cursor::of_words([1, byte, 3, 4]), segment: 5, bytes: 6 };
        for (id, byte) in [(1, 10), (2, 20), (1, 11)] {
            places.set(id, place(byte)).unwrap();
        }
        let again = Places::adopt(memory).unwrap();
        assert_eq!([1, 2, 3].map(|id| again.get(id, 9)), [Some(place(11)), Some(place(20)), None]);
        assert_eq!(again.get(1, 8), None);
    }

    #[test]
    fn what_there_is_no_room_for_is_known_until_death() {
        let memory = memfd::create_of_size(c"small", RECORD).unwrap();
        let mut places = Places::adopt(memory.try_clone().unwrap()).unwrap();
        let place = Place { ring: 9, ..Place::default() };
        assert_eq!([1, 2].map(|id| places.set(id, place)), [Ok(()), Err(Errno::ENOSPC)]);
        assert_eq!(places.get(2, 9), Some(place));
        assert_eq!(Places::adopt(memory).unwrap().get(2, 9), None);
    }
}

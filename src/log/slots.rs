//! A ring of small records, each in a slot of its own and made by one write: for what happens seldom and is to be
//! known after a crash. The oldest go first, and how many are gone is known to whoever reads.
//!
//! Slots do not cross pages, and a small write within a page is never cut by a kill (`layout`): a record is there
//! or not. Where the next one goes is found by looking at all slots once, so that nothing else is kept.

use super::entry::Stamp;
use super::{Source, Store};

/// Bytes of a slot; a page has a whole number of them.
pub const SLOT: u64 = 512;
/// number, order, both stamps, version, length.
const HEAD: usize = 8 + 8 + 8 + 8 + 2 + 2;
/// Bytes of a record.
pub const RECORD_MAX: usize = SLOT as usize - HEAD;

/// A part of a file, and where the next record goes. One process at a time writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    base: u64,
    count: u64,
    /// Of the next record; the first is 1, so that zeros are none.
    next: u64,
}

/// What a slot has: see [`Slots::read`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slotted<'b> {
    /// Counts the records of this ring.
    pub number: u64,
    /// The writer's, over several rings.
    pub order: u64,
    pub stamp: Stamp,
    /// Of what is in `bytes`; the writer's.
    pub version: u16,
    pub bytes: &'b [u8],
}

impl Slots {
    /// With nothing in it. `base` and `count`: bytes from the file's beginning, a multiple of [`SLOT`], and a number
    /// of slots, at least one.
    #[must_use]
    pub fn new(base: u64, count: u64) -> Self {
        Self { base, count: count.max(1), next: 1 }
    }

    /// Goes on where the last writer stopped; also the highest `order` that is there.
    ///
    /// # Errors
    /// The store's.
    pub fn recover<S: Source>(store: &S, base: u64, count: u64) -> Result<(Self, u64), S::Error> {
        let mut slots = Self::new(base, count);
        let mut highest = 0;
        let mut slot = [0; HEAD];
        for at in 0..slots.count {
            store.read_at(slots.place(at), &mut slot)?;
            let Some(head) = Head::decode(&slot) else { continue };
            // One that stands where it cannot be is none of ours.
            if head.number % slots.count == at {
                slots.next = slots.next.max(head.number.saturating_add(1));
                highest = highest.max(head.order);
            }
        }
        Ok((slots, highest))
    }

    /// One more; of more bytes than [`RECORD_MAX`] the first.
    ///
    /// # Errors
    /// The store's: nothing was entered then.
    pub fn write<S: Store>(
        &mut self,
        store: &S,
        order: u64,
        stamp: Stamp,
        version: u16,
        bytes: &[u8],
    ) -> Result<(), S::Error> {
        let bytes = bytes.get(..bytes.len().min(RECORD_MAX)).unwrap_or_default();
        let len = u16::try_from(bytes.len()).unwrap_or(0);
        let head = Head { number: self.next, order, stamp, version, len };
        let mut slot = [0; SLOT as usize];
        let parts = head.encode().into_iter().chain(bytes.iter().copied());
        slot.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        let used = slot.get(..HEAD.saturating_add(bytes.len())).unwrap_or_default();
        store.write_at(self.place(self.next), used)?;
        self.next = self.next.saturating_add(1);
        Ok(())
    }

    /// The number that the next record will have.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The number of the oldest record that there may be.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.next.saturating_sub(self.count).max(1)
    }

    /// The record of this number; `None`: it is not there any more, or not yet, or cannot be read.
    ///
    /// # Errors
    /// The source's.
    pub fn read<'b, S: Source>(
        &self,
        source: &S,
        number: u64,
        buffer: &'b mut [u8; SLOT as usize],
    ) -> Result<Option<Slotted<'b>>, S::Error> {
        if number < self.first() || number >= self.next {
            return Ok(None);
        }
        source.read_at(self.place(number), buffer)?;
        let head = Head::decode(buffer).filter(|head| head.number == number);
        let end = |head: &Head| HEAD.saturating_add(usize::from(head.len));
        let record = head.and_then(|head| {
            let bytes = buffer.get(HEAD..end(&head))?;
            let Head { number, order, stamp, version, .. } = head;
            Some(Slotted { number, order, stamp, version, bytes })
        });
        Ok(record)
    }

    fn place(&self, number: u64) -> u64 {
        let slot = number.checked_rem(self.count).unwrap_or(0);
        self.base.saturating_add(slot.saturating_mul(SLOT))
    }
}

struct Head {
    number: u64,
    order: u64,
    stamp: Stamp,
    version: u16,
    len: u16,
}

impl Head {
    fn encode(&self) -> [u8; HEAD] {
        let fields: [&[u8]; 6] = [
            &self.number.to_le_bytes(),
            &self.order.to_le_bytes(),
            &self.stamp.boot_us.to_le_bytes(),
            &self.stamp.wall_ns.to_le_bytes(),
            &self.version.to_le_bytes(),
            &self.len.to_le_bytes(),
        ];
        let mut out = [0; HEAD];
        out.iter_mut().zip(fields.into_iter().flatten()).for_each(|(to, from)| *to = *from);
        out
    }

    /// `None`: an empty slot.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk()?;
        let (order, rest) = rest.split_first_chunk()?;
        let (boot_us, rest) = rest.split_first_chunk()?;
        let (wall_ns, rest) = rest.split_first_chunk()?;
        let (version, rest) = rest.split_first_chunk()?;
        let (len, _) = rest.split_first_chunk()?;
        let number = u64::from_le_bytes(*number);
        let stamp = Stamp { boot_us: u64::from_le_bytes(*boot_us), wall_ns: i64::from_le_bytes(*wall_ns) };
        let (version, len) = (u16::from_le_bytes(*version), u16::from_le_bytes(*len));
        let order = u64::from_le_bytes(*order);
        (number > 0).then_some(Self { number, order, stamp, version, len })
    }
}

#[cfg(test)]
mod tests {
    use core::cell::RefCell;

    use proptest::prelude::*;

    use super::*;

    struct Memory(RefCell<Vec<u8>>);

    impl Source for Memory {
        type Error = ();
        fn read_at(&self, at: u64, into: &mut [u8]) -> Result<(), ()> {
            let bytes = self.0.borrow();
            let part = bytes.get(at as usize..at as usize + into.len()).ok_or(())?;
            into.copy_from_slice(part);
            Ok(())
        }
    }

    impl Store for Memory {
        fn write_at(&self, at: u64, from: &[u8]) -> Result<(), ()> {
            let mut bytes = self.0.borrow_mut();
            let part = bytes.get_mut(at as usize..at as usize + from.len()).ok_or(())?;
            part.copy_from_slice(from);
            Ok(())
        }
        fn position(&self) -> Result<u64, ()> {
            Err(())
        }
        fn seek(&self, _: u64) -> Result<(), ()> {
            Err(())
        }
    }

    fn memory() -> Memory {
        Memory(RefCell::new(vec![0; 8192]))
    }

    fn all(slots: &Slots, store: &Memory) -> Vec<(u64, Vec<u8>)> {
        let mut buffer = [0; SLOT as usize];
        let mut found = Vec::new();
        for number in slots.first()..slots.next() {
            let record = slots.read(store, number, &mut buffer).unwrap().unwrap();
            assert_eq!(record.number, number);
            found.push((record.order, record.bytes.to_vec()));
        }
        found
    }

    proptest! {
        /// Whatever is written, and whenever the writer dies: the newest are there, and the others are counted.
        #[test]
        fn the_newest_are_kept_over_any_number_of_writers(
            lives in proptest::collection::vec(proptest::collection::vec(0usize..600, 0..20), 1..6),
        ) {
            let store = memory();
            let (mut written, mut order) = (Vec::new(), 0);
            for life in lives {
                let (mut slots, highest) = Slots::recover(&store, 1024, 4).unwrap();
                prop_assert_eq!(highest, order);
                for len in life {
                    order += 3;
                    let bytes = vec![order as u8; len];
                    slots.write(&store, order, Stamp::default(), 1, &bytes).unwrap();
                    written.push((order, bytes[..len.min(RECORD_MAX)].to_vec()));
                }
                let kept = written.len().saturating_sub(4);
                prop_assert_eq!(all(&slots, &store), written[kept..].to_vec());
                prop_assert_eq!(slots.next(), written.len() as u64 + 1);
            }
        }
    }

    #[test]
    fn what_is_gone_or_to_come_is_none_and_garbage_is_no_record() {
        let store = memory();
        let (mut slots, _) = Slots::recover(&store, 0, 2).unwrap();
        for order in 1..=3 {
            slots.write(&store, order, Stamp::default(), 1, b"x").unwrap();
        }
        let mut buffer = [0; SLOT as usize];
        for (number, there) in [(0, false), (1, false), (2, true), (3, true), (4, false)] {
            assert_eq!(slots.read(&store, number, &mut buffer).unwrap().is_some(), there, "{number}");
        }
        // Longer than a slot, and one that belongs elsewhere.
        store.write_at(34, &[0xff, 0xff]).unwrap();
        assert_eq!(slots.read(&store, 2, &mut buffer), Ok(None));
        store.write_at(512, &9u64.to_le_bytes()).unwrap();
        assert_eq!(slots.read(&store, 3, &mut buffer), Ok(None));
        let garbage = Memory(RefCell::new(vec![0xa5; 8192]));
        let (slots, _) = Slots::recover(&garbage, 0, 2).unwrap();
        assert_eq!(slots.read(&garbage, slots.first(), &mut buffer), Ok(None));
    }
}

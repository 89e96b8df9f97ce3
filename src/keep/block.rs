//! What is in a frame: where its log was read up to, and records with the exact bytes and times of a ring's items.
#![deny(clippy::arithmetic_side_effects)]

use alloc::vec::Vec;

use crate::log::{Cursor, Gone, Item, Stamp, Stream};

/// Bytes of a block, the most.
pub const BLOCK_MAX: usize = 64 << 10;
/// Which ring, and where to go on in it.
const HEAD: usize = 40;
/// Before the bytes of a record.
const RECORD_HEAD: usize = 21;
/// Of a gap.
const GAP: usize = 33;

/// A block that is being filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    bytes: Vec<u8>,
}

impl Default for Block {
    fn default() -> Self {
        Self::new()
    }
}

impl Block {
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: Vec::from([0; HEAD]) }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() <= HEAD
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// How many bytes of output there is room for in the next record; a gap fits too when there are some.
    #[must_use]
    pub fn room(&self) -> usize {
        BLOCK_MAX.saturating_sub(self.bytes.len()).saturating_sub(GAP)
    }

    /// Enters what fits its [`Self::room`].
    pub fn push(&mut self, item: &Item<'_>) {
        let (stamp, letter) = match item {
            Item::Output { stamp, stream: Stream::Stdout, .. } => (stamp, b'o'),
            Item::Output { stamp, stream: Stream::Stderr, .. } => (stamp, b'e'),
            Item::Output { stamp, stream: Stream::Syslog, .. } => (stamp, b's'),
            Item::Gap { stamp, gone: Gone::Overwritten { .. } } => (stamp, b'w'),
            Item::Gap { stamp, gone: Gone::Refused { .. } } => (stamp, b'r'),
        };
        self.bytes.push(letter);
        self.bytes.extend_from_slice(&stamp.boot_us.to_le_bytes());
        self.bytes.extend_from_slice(&stamp.wall_ns.to_le_bytes());
        match item {
            Item::Output { bytes, .. } => {
                let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                self.bytes.extend_from_slice(&len.to_le_bytes());
                self.bytes.extend_from_slice(bytes);
            }
            Item::Gap {
                gone: Gone::Overwritten { bytes, reads } | Gone::Refused { bytes, reads }, ..
            } => {
                self.bytes.extend_from_slice(&bytes.to_le_bytes());
                self.bytes.extend_from_slice(&reads.to_le_bytes());
            }
        }
    }

    /// All of it, with where the ring is to be read from next.
    #[must_use]
    pub fn finish(&mut self, ring: u64, end: Cursor) -> &[u8] {
        let words = [ring].into_iter().chain(end.words());
        let head = self.bytes.iter_mut().zip(words.flat_map(u64::to_le_bytes));
        head.for_each(|(into, byte)| *into = byte);
        &self.bytes
    }
}

/// Which ring a block was read from, and where that is to be read from next; and its records.
#[must_use]
pub fn open(block: &[u8]) -> Option<(u64, Cursor, Records<'_>)> {
    let (head, records) = block.split_at_checked(HEAD)?;
    let mut words = head.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
    let ring = words.next()?;
    let end = Cursor::of_words([words.next()?, words.next()?, words.next()?, words.next()?]);
    Some((ring, end, Records { rest: records }))
}

/// The records of a block, up to the first that makes no sense.
#[derive(Debug)]
pub struct Records<'b> {
    rest: &'b [u8],
}

impl<'b> Iterator for Records<'b> {
    type Item = Item<'b>;

    fn next(&mut self) -> Option<Item<'b>> {
        let (letter, rest) = self.rest.split_first()?;
        let (boot_us, rest) = rest.split_first_chunk()?;
        let (wall_ns, rest) = rest.split_first_chunk()?;
        let stamp = Stamp { boot_us: u64::from_le_bytes(*boot_us), wall_ns: i64::from_le_bytes(*wall_ns) };
        let stream = match letter {
            b'o' => Stream::Stdout,
            b'e' => Stream::Stderr,
            b's' => Stream::Syslog,
            b'w' | b'r' => {
                let (bytes, rest) = rest.split_first_chunk()?;
                let (reads, rest) = rest.split_first_chunk()?;
                let (bytes, reads) = (u64::from_le_bytes(*bytes), u64::from_le_bytes(*reads));
                self.rest = rest;
                let gone = match letter {
                    b'w' => Gone::Overwritten { bytes, reads },
                    _ => Gone::Refused { bytes, reads },
                };
                return Some(Item::Gap { stamp, gone });
            }
            _ => return None,
        };
        let (len, rest) = rest.split_first_chunk()?;
        let (bytes, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
        self.rest = rest;
        Some(Item::Output { stamp, stream, bytes })
    }
}

// A gap takes no more than a record and a few bytes, so that what has room for a gap has room for a record's head.
const _: () = assert!(RECORD_HEAD < GAP);

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "in tests")]
mod tests {
    use alloc::vec;

    use proptest::collection::vec as vec_of;
    use proptest::prelude::*;

    use super::*;

    const STAMP: Stamp = Stamp { boot_us: 1 << 40, wall_ns: -7 };

    fn items() -> Vec<Item<'static>> {
        vec![
            Item::Output { stamp: STAMP, stream: Stream::Stdout, bytes: b"out\n" },
            Item::Output { stamp: STAMP, stream: Stream::Stderr, bytes: b"" },
            Item::Gap { stamp: STAMP, gone: Gone::Overwritten { bytes: 1, reads: 2 } },
            Item::Output { stamp: STAMP, stream: Stream::Syslog, bytes: b"<30>a" },
            Item::Gap { stamp: STAMP, gone: Gone::Refused { bytes: u64::MAX, reads: 0 } },
        ]
    }

    #[test]
    fn a_block_reads_back_as_it_was_filled() {
        let mut block = Block::new();
        assert!(block.is_empty());
        items().iter().for_each(|item| block.push(item));
        let end = Cursor::of_words([1, 2, 3, 4]);
        let bytes = block.finish(9, end).to_vec();
        let (ring, found_end, records) = open(&bytes).unwrap();
        assert_eq!((ring, found_end), (9, end));
        assert_eq!(records.collect::<Vec<_>>(), items());
    }

    #[test]
    fn what_has_room_fits() {
        let mut block = Block::new();
        let text = vec![b'x'; block.room()];
        block.push(&Item::Output { stamp: STAMP, stream: Stream::Stdout, bytes: &text });
        assert!(block.len() <= BLOCK_MAX && block.room() < GAP, "{} {}", block.len(), block.room());
        let mut block = Block::new();
        while block.room() > 0 {
            block.push(&Item::Gap { stamp: STAMP, gone: Gone::Refused { bytes: 1, reads: 1 } });
        }
        assert!(block.len() <= BLOCK_MAX);
    }

    proptest! {
        #[test]
        fn nonsense_gives_a_beginning_and_no_panic(cut in 0usize..200, bytes in vec_of(any::<u8>(), 0..60)) {
            let mut block = Block::new();
            items().iter().for_each(|item| block.push(item));
            let whole = block.finish(9, Cursor::default()).to_vec();
            let cut = &whole[..cut.min(whole.len())];
            if let Some((_, _, records)) = open(cut) {
                let found: Vec<_> = records.collect();
                prop_assert_eq!(&items()[..found.len()], &found[..]);
            }
            let mut nonsense = vec![0; HEAD];
            nonsense.extend_from_slice(&bytes);
            prop_assert!(open(&nonsense).unwrap().2.count() <= 3);
        }
    }
}

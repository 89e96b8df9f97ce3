//! LZ4 blocks that are filled: as much input as fits into a number of bytes. Libraries go the other way
//! and tell how large a given input becomes, which would have to be tried several times for each block.
//!
//! Matches are looked for through chains of positions that begin alike, and put off while the next bytes
//! offer a longer one. How a block ends is prescribed by the format (LZ4's `lz4_Block_format.md`): the last
//! five bytes are literals, and the last match begins twelve bytes before the end or earlier.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// The shortest match.
const MIN: usize = 4;
const LAST_LITERALS: usize = 5;
const LAST_MATCH: usize = 12;
/// A distance has two bytes.
const FARTHEST: usize = 65_535;

/// With so many literals behind it, a block may end after any match.
const CLOSING: usize = LAST_MATCH - MIN;

/// What a length keeps in the token; more of it follows in bytes.
const IN_TOKEN: usize = 15;

const HASH_BITS: u32 = 15;
/// The bits of a position that the chains keep apart: as far as a distance reaches.
const CHAIN_MASK: usize = FARTHEST;
const NOWHERE: u32 = u32::MAX;

/// Four times as many make blocks 0.3 % smaller and the search half as fast again; a quarter of them, 0.8 % larger.
const ATTEMPTS: usize = 64;

/// A match of this length is taken without a look at others: in long runs every position offers one.
const ENOUGH: usize = 512;

/// One LZ4 block.
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    /// How much of the input it holds.
    pub(super) len: usize,
}

/// Cuts one input into blocks.
pub(super) struct Encoder<'a> {
    input: &'a [u8],
    /// By hash: the last position that has it.
    heads: Box<[u32; 1 << HASH_BITS]>,
    /// By the low bits of a position: the one before it with the same hash.
    earlier: Box<[u32; CHAIN_MASK + 1]>,
    /// All positions before this one are in the two tables.
    known: usize,
}

#[derive(Clone, Copy)]
struct Match {
    at: usize,
    len: usize,
    distance: u16,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { input, heads: table(), earlier: table(), known: 0 }
    }

    /// A block that begins at `start`, holds nothing from `end` on, and has `room` bytes at most. Those
    /// must be a few dozen: a block holds some literals in any case.
    pub(super) fn block(&mut self, start: usize, end: usize, room: usize) -> Block {
        let mut out = Out { bytes: Vec::with_capacity(room), room };
        let (mut anchor, mut at) = (start, start);
        while at + LAST_MATCH <= end {
            let Some(found) = self.best(at, start, end) else {
                // The longer nothing is found, the larger the steps.
                at += 1 + ((at - anchor) >> 8);
                continue;
            };
            if !out.sequence(self.input.get(anchor..found.at).unwrap_or_default(), found) {
                break;
            }
            at = found.at + found.len;
            anchor = at;
        }
        let len = out.close(self.input.get(anchor..end).unwrap_or_default());
        Block { bytes: out.bytes, len: anchor + len - start }
    }

    /// The match here, or a longer one that begins a little later.
    fn best(&mut self, at: usize, start: usize, end: usize) -> Option<Match> {
        let mut found = self.find(at, start, end, MIN - 1)?;
        while found.len < ENOUGH {
            let one_later = self.find(found.at + 1, start, end, found.len);
            match one_later.or_else(|| self.find(found.at + 2, start, end, found.len + 1)) {
                Some(better) => found = better,
                None => break,
            }
        }
        Some(found)
    }

    /// The longest match at a position that is longer than `len`.
    fn find(&mut self, at: usize, start: usize, end: usize, mut len: usize) -> Option<Match> {
        if at + LAST_MATCH > end {
            return None;
        }
        self.learn(at);
        let here = self.input.get(at..end - LAST_LITERALS)?;
        let mut best = None;
        let mut candidate = *self.heads.get(hash(here)?)?;
        for _ in 0..ATTEMPTS {
            let position = candidate as usize;
            if candidate == NOWHERE || position < start || position + FARTHEST < at {
                break;
            }
            // A block that was filled early leaves positions in the tables that are still to come.
            if position < at && self.input.get(position + len) == here.get(len) {
                let common = common(self.input.get(position..)?, here);
                if common > len {
                    len = common;
                    best = Some(Match { at, len, distance: u16::try_from(at - position).ok()? });
                }
                if len >= ENOUGH || len == here.len() {
                    break;
                }
            }
            let next = *self.earlier.get(position & CHAIN_MASK)?;
            if next >= candidate {
                break; // overwritten since
            }
            candidate = next;
        }
        best
    }

    /// Enters the positions before `at`.
    fn learn(&mut self, at: usize) {
        while self.known < at {
            let head = self.input.get(self.known..).and_then(hash).and_then(|hash| self.heads.get_mut(hash));
            if let (Some(head), Ok(position)) = (head, u32::try_from(self.known)) {
                if let Some(earlier) = self.earlier.get_mut(self.known & CHAIN_MASK) {
                    *earlier = *head;
                }
                *head = position;
            }
            self.known += 1;
        }
    }
}

/// Large, and made where it stays: not on the stack.
fn table<const N: usize>() -> Box<[u32; N]> {
    vec![NOWHERE; N].into_boxed_slice().try_into().unwrap_or_else(|_| Box::new([NOWHERE; N]))
}

/// Of the next four bytes, by a multiplication with the golden ratio.
fn hash(bytes: &[u8]) -> Option<usize> {
    let word = u32::from_le_bytes(*bytes.first_chunk()?);
    Some((word.wrapping_mul(0x9e37_79b1) >> (u32::BITS - HASH_BITS)) as usize)
}

/// How many bytes are the same, eight at a time.
fn common(mut a: &[u8], mut b: &[u8]) -> usize {
    let mut len = 0;
    while let (Some((x, after_a)), Some((y, after_b))) =
        (a.split_first_chunk::<8>(), b.split_first_chunk::<8>())
    {
        let differs = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differs != 0 {
            return len + (differs.trailing_zeros() / 8) as usize;
        }
        len += 8;
        (a, b) = (after_a, after_b);
    }
    len + a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

struct Out {
    bytes: Vec<u8>,
    room: usize,
}

impl Out {
    /// Literals and a match, unless the block could not be closed after them.
    fn sequence(&mut self, literals: &[u8], found: Match) -> bool {
        let extra = found.len - MIN;
        let len = 1 + further(literals.len()) + literals.len() + 2 + further(extra);
        if self.bytes.len() + len + 1 + CLOSING > self.room {
            return false;
        }
        self.literals(literals, extra);
        self.bytes.extend(found.distance.to_le_bytes());
        self.length(extra);
        true
    }

    /// Closes the block with as many literals as fit; how many.
    fn close(&mut self, literals: &[u8]) -> usize {
        let room = self.room.saturating_sub(self.bytes.len() + 1);
        let mut len = literals.len().min(room);
        while len + further(len) > room {
            len -= 1;
        }
        self.literals(literals.get(..len).unwrap_or_default(), 0);
        len
    }

    fn literals(&mut self, literals: &[u8], extra: usize) {
        let token = literals.len().min(IN_TOKEN) << 4 | extra.min(IN_TOKEN);
        self.bytes.push(u8::try_from(token).unwrap_or(u8::MAX));
        self.length(literals.len());
        self.bytes.extend_from_slice(literals);
    }

    /// What a token could not hold of a length.
    fn length(&mut self, len: usize) {
        let Some(rest) = len.checked_sub(IN_TOKEN) else {
            return;
        };
        self.bytes.resize(self.bytes.len() + rest / 255, 255);
        self.bytes.push(u8::try_from(rest % 255).unwrap_or(u8::MAX));
    }
}

/// Bytes behind the token that a length needs.
fn further(len: usize) -> usize {
    len.checked_sub(IN_TOKEN).map_or(0, |rest| 1 + rest / 255)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    /// Goes through a block as the kernel's decoder does, and as strictly.
    pub(in super::super) fn decode(block: &[u8], len: usize) -> Vec<u8> {
        let (mut out, mut rest): (Vec<u8>, _) = (Vec::new(), block);
        let mut last_match = 0;
        loop {
            let token = usize::from(take(&mut rest, 1)[0]);
            let literals = length(token >> 4, &mut rest);
            out.extend_from_slice(take(&mut rest, literals));
            if rest.is_empty() {
                assert!(last_match == 0 || out.len() >= last_match + LAST_MATCH, "a match too late");
                assert!(last_match == 0 || literals >= LAST_LITERALS, "too few literals at the end");
                assert_eq!(out.len(), len);
                return out;
            }
            let distance = usize::from(u16::from_le_bytes(take(&mut rest, 2).try_into().unwrap()));
            assert!((1..=out.len()).contains(&distance), "a match before the block");
            last_match = out.len();
            (0..length(token & 15, &mut rest) + MIN).for_each(|_| out.push(out[out.len() - distance]));
        }
    }

    fn take<'a>(rest: &mut &'a [u8], len: usize) -> &'a [u8] {
        let (taken, after) = rest.split_at(len);
        *rest = after;
        taken
    }

    fn length(mut len: usize, rest: &mut &[u8]) -> usize {
        let mut more = len == IN_TOKEN;
        while more {
            let byte = take(rest, 1)[0];
            len += usize::from(byte);
            more = byte == 255;
        }
        len
    }

    /// All of an input as blocks of one size, back again; how many there were.
    fn check(input: &[u8], room: usize) -> usize {
        let (mut encoder, mut at, mut count) = (Encoder::new(input), 0, 0);
        while at < input.len() {
            let block = encoder.block(at, input.len(), room);
            assert!(block.bytes.len() <= room && block.len > 0);
            assert_ne!(block.bytes[0], 0, "could not be told from padding");
            assert!(decode(&block.bytes, block.len) == input[at..at + block.len]);
            at += block.len;
            count += 1;
        }
        count
    }

    #[test]
    fn fills_blocks_and_gives_back_what_went_in() {
        let text: Vec<u8> = (0..20_000_u32).flat_map(|i| (i / 3).to_string().into_bytes()).collect();
        for room in [64, 100, 4096, 16_384] {
            let blocks = check(&text, room);
            assert!(blocks * room < text.len(), "{room}: {blocks}");
        }
        assert_eq!(check(&[0; 100_000], 4096), 1);
        assert_eq!(check(&[7; 1], 4096), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(
            pieces in prop::collection::vec((any::<u8>(), 1..40_usize, 1..400_usize, any::<bool>()), 0..60),
            room in 40..5000_usize,
        ) {
            let mut input = Vec::new();
            for (byte, step, len, is_copy) in pieces {
                for _ in 0..len {
                    let copied = input.len().checked_sub(step).filter(|_| is_copy).map(|from| input[from]);
                    input.push(copied.unwrap_or_else(|| byte.wrapping_mul(input.len() as u8)));
                }
            }
            check(&input, room);
        }
    }
}

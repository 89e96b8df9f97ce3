//! The state of a ring, written to its two slots in turn: whatever moment a writer is killed or a
//! reader looks, one of the two is whole.

use super::Source;
use super::entry::{Stamp, Stream};
use super::layout::SLOT_LEN;

/// Of the format. Words are added behind the others, then a reader of the previous release still
/// reads these; a change of meaning is a new number.
const VERSION: u64 = 1;

/// All words of a slot but the last, which is their checksum; those not used yet are zero.
const WORDS: usize = SLOT_LEN as usize / 8 - 1;

/// Positions count from the ring's beginning and never go back: `byte % data_len` is a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct State {
    /// Grows by one with every write of the state; its parity chooses the slot.
    pub(super) seq: u64,
    /// The oldest entry of which something is kept = entries overwritten.
    pub(super) tail_entry: u64,
    /// The oldest byte kept = bytes overwritten.
    pub(super) tail_byte: u64,
    /// The next entry = entries ever made.
    pub(super) head_entry: u64,
    /// The next byte = bytes ever kept.
    pub(super) head_byte: u64,
    /// Refused so far.
    pub(super) lost_bytes: u64,
    pub(super) lost_reads: u64,
    /// When something was refused last.
    pub(super) lost_at: Stamp,
    pub(super) pending: Pending,
    /// The writer's own: how far it has read what its messages come from.
    pub(super) mark: u64,
}

/// What is under way. How far it got is in the file position alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Pending {
    #[default]
    Nothing,
    /// Bytes go to the head of the ring.
    Keep(Stamp, Stream),
    /// Bytes go to the scratch space.
    Refuse(Stamp),
}

impl State {
    pub(super) fn encode(&self) -> [u8; SLOT_LEN as usize] {
        let (kind, stamp) = match self.pending {
            Pending::Nothing => (0, Stamp::default()),
            Pending::Keep(stamp, Stream::Stdout) => (1, stamp),
            Pending::Keep(stamp, Stream::Stderr) => (2, stamp),
            Pending::Refuse(stamp) => (3, stamp),
            Pending::Keep(stamp, Stream::Syslog) => (4, stamp),
        };
        let words = [
            VERSION,
            self.seq,
            self.tail_entry,
            self.tail_byte,
            self.head_entry,
            self.head_byte,
            self.lost_bytes,
            self.lost_reads,
            self.lost_at.boot_us,
            self.lost_at.wall_ns.cast_unsigned(),
            kind,
            stamp.boot_us,
            stamp.wall_ns.cast_unsigned(),
            self.mark,
        ];
        let mut out = [0; SLOT_LEN as usize];
        let bytes = words.into_iter().flat_map(u64::to_le_bytes);
        out.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        let sum = checksum(&out);
        if let Some(last) = out.last_chunk_mut() {
            *last = sum.to_le_bytes();
        }
        out
    }

    /// `None`: neither a whole state nor a slot that was never written.
    pub(super) fn decode(slot: &[u8; SLOT_LEN as usize]) -> Option<Self> {
        if slot.iter().all(|byte| *byte == 0) {
            return Some(Self::default());
        }
        if slot.last_chunk() != Some(&checksum(slot).to_le_bytes()) {
            return None;
        }
        let mut words = slot.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
        let mut word = || words.next();
        if word()? != VERSION {
            return None;
        }
        let state = Self {
            seq: word()?,
            tail_entry: word()?,
            tail_byte: word()?,
            head_entry: word()?,
            head_byte: word()?,
            lost_bytes: word()?,
            lost_reads: word()?,
            lost_at: Stamp { boot_us: word()?, wall_ns: word()?.cast_signed() },
            pending: Pending::Nothing,
            mark: 0,
        };
        let kind = word()?;
        let stamp = Stamp { boot_us: word()?, wall_ns: word()?.cast_signed() };
        let pending = match kind {
            0 => Pending::Nothing,
            1 => Pending::Keep(stamp, Stream::Stdout),
            2 => Pending::Keep(stamp, Stream::Stderr),
            3 => Pending::Refuse(stamp),
            4 => Pending::Keep(stamp, Stream::Syslog),
            _ => return None,
        };
        Some(Self { pending, mark: word()?, ..state })
    }

    /// The newer whole one of the two slots, for who writes them and so sees no half of one. `None`:
    /// neither is whole.
    pub(super) fn read<S: Source>(source: &S) -> Result<Option<Self>, S::Error> {
        Ok(read_slots(source)?.into_iter().flatten().max_by_key(|state| state.seq))
    }

    /// For who reads beside the writer: at least as new as it was when this was called. One slot alone
    /// could be older than that: the other, read half, may have been whole and newer by then.
    pub(super) fn look<S: Source>(source: &S) -> Result<Look, S::Error> {
        let mut look = Look::Damaged;
        for _ in 0..LOOKS {
            match read_slots(source)? {
                [Some(one), Some(other)] if one.seq > other.seq => return Ok(Look::State(one)),
                [Some(_), Some(other)] => return Ok(Look::State(other)),
                [Some(_), None] | [None, Some(_)] => look = Look::Busy,
                [None, None] => {}
            }
        }
        Ok(look)
    }
}

/// What a reader sees of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    State(State),
    /// It is being written.
    Busy,
    /// No slot makes sense.
    Damaged,
}

/// A slot is written within some nanoseconds; a writer that loses its CPU just then is not waited for.
const LOOKS: u32 = 4;

fn read_slots<S: Source>(source: &S) -> Result<[Option<State>; 2], S::Error> {
    let mut slots = [0; 2 * SLOT_LEN as usize];
    source.read_at(0, &mut slots)?;
    let mut slots = slots.as_chunks().0.iter().map(State::decode);
    Ok([slots.next().flatten(), slots.next().flatten()])
}

/// Tells a slot that is being written from a whole one; not a defence against an enemy. FNV-1a's
/// constants, over words.
fn checksum(slot: &[u8; SLOT_LEN as usize]) -> u64 {
    let (words, _) = slot.as_chunks();
    words.iter().take(WORDS).fold(0xcbf2_9ce4_8422_2325, |sum: u64, word| {
        (sum ^ u64::from_le_bytes(*word)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(pending: Pending) -> State {
        State {
            seq: 9,
            tail_entry: 1,
            tail_byte: 2,
            head_entry: 3,
            head_byte: 4,
            lost_bytes: 5,
            lost_reads: 6,
            lost_at: Stamp { boot_us: 7, wall_ns: -8 },
            pending,
            mark: 12,
        }
    }

    #[test]
    fn a_state_reads_back_as_it_was_written() {
        let stamp = Stamp { boot_us: 10, wall_ns: 11 };
        for pending in [
            Pending::Nothing,
            Pending::Keep(stamp, Stream::Stdout),
            Pending::Keep(stamp, Stream::Stderr),
            Pending::Keep(stamp, Stream::Syslog),
            Pending::Refuse(stamp),
        ] {
            assert_eq!(State::decode(&state(pending).encode()), Some(state(pending)));
        }
    }

    #[test]
    fn a_slot_never_written_is_an_empty_ring() {
        assert_eq!(State::decode(&[0; 128]), Some(State::default()));
    }

    #[test]
    fn a_torn_slot_is_not_believed() {
        let old = State { seq: 11, ..state(Pending::Nothing) }.encode();
        let new = State { seq: 13, head_byte: 500, ..state(Pending::Nothing) }.encode();
        let whole = [State::decode(&old), State::decode(&new)];
        for cut in 0..128 {
            let mut torn = old;
            torn[..cut].copy_from_slice(&new[..cut]);
            let decoded = State::decode(&torn);
            assert!(decoded.is_none() || whole.contains(&decoded), "cut at {cut}");
        }
    }
}

//! The writer of a ring. A read of a pipe is three steps: `keep` (or `refuse`) makes room, says in the
//! file what is under way and where the position stands; the caller has the kernel move bytes from
//! the pipe to the file position; `moved` enters how many. The kernel advances the position in the
//! same call that takes the bytes out of the pipe, so that a writer killed between any two of these
//! has lost nothing: `recover` finds what was under way in the state, and how far it got in the
//! position. A message that the writer has in its hands (`append`) is entered in one step; how far its source was read
//! is kept with it, as the writer's mark. One process at a time may do this: end the old one before a new one begins.

use super::entry::{ENTRY_LEN, Entry, Stamp, Stream};
use super::layout::{Layout, MESSAGE_MAX, READ_MAX, SCRATCH_AT, SCRATCH_LEN};
use super::state::{Pending, State};
use super::{Source, Store};

/// Entries looked at together when the oldest make room: 1.3 KiB of stack.
const BATCH: usize = 32;

#[derive(Debug)]
pub struct Ring {
    layout: Layout,
    state: State,
    /// The file position, as far as we moved it.
    position: u64,
}

/// The position stands where bytes may go, this many at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub len: u64,
}

/// What `recover` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovered {
    /// Nothing was under way.
    Whole,
    /// A read was under way; this many bytes of it had been moved and are entered now.
    Completed(u64),
    /// Neither copy of the state makes sense. The ring begins anew.
    Reset,
}

impl Ring {
    /// Takes up a ring where its last writer left it. A file of zeros is an empty ring.
    pub fn recover<S: Store>(store: &S, layout: Layout) -> Result<(Self, Recovered), S::Error> {
        let position = store.position()?;
        let found = State::read(store)?.filter(|state| sound(&layout, state));
        let Some(state) = found else {
            // Readers must see a change, and both slots have to be whole again.
            let mut ring = Self { layout, state: State::default(), position };
            ring.publish(store, State::default())?;
            ring.publish(store, ring.state)?;
            return Ok((ring, Recovered::Reset));
        };
        let mut ring = Self { layout, state, position };
        let from = match state.pending {
            Pending::Nothing => return Ok((ring, Recovered::Whole)),
            Pending::Keep(..) => layout.byte_at(state.head_byte),
            Pending::Refuse(_) => SCRATCH_AT,
        };
        // A position outside of what was under way cannot be: nobody else moves it. Nothing is
        // entered then.
        let count = position.checked_sub(from).filter(|count| *count <= READ_MAX).unwrap_or(0);
        ring.enter(store, count)?;
        Ok((ring, Recovered::Completed(count)))
    }

    /// Makes room for up to `wanted` bytes of `stream` and moves the position to it.
    pub fn keep<S: Store>(
        &mut self,
        store: &S,
        stamp: Stamp,
        stream: Stream,
        wanted: u64,
    ) -> Result<Target, S::Error> {
        let head = self.state.head_byte;
        let len = wanted.min(READ_MAX).min(self.layout.bytes_in_a_row(head));
        self.seek(store, self.layout.byte_at(head))?;
        let mut state = self.make_room(store, len)?;
        state.pending = Pending::Keep(stamp, stream);
        self.publish(store, state)?;
        Ok(Target { len })
    }

    /// Moves the position to where up to `wanted` bytes can be moved to be forgotten, but counted.
    pub fn refuse<S: Store>(&mut self, store: &S, stamp: Stamp, wanted: u64) -> Result<Target, S::Error> {
        self.seek(store, SCRATCH_AT)?;
        self.publish(store, State { pending: Pending::Refuse(stamp), ..self.state })?;
        Ok(Target { len: wanted.min(SCRATCH_LEN) })
    }

    /// Enters that `count` bytes were moved to the position that `keep` or `refuse` set.
    pub fn moved<S: Store>(&mut self, store: &S, count: u64) -> Result<(), S::Error> {
        self.position = self.position.saturating_add(count);
        self.enter(store, count)
    }

    /// Enters a message of at most [`MESSAGE_MAX`] bytes that the caller has in its hands, and its mark with it:
    /// whoever is killed meanwhile has entered neither.
    pub fn append<S: Store>(
        &mut self,
        store: &S,
        stamp: Stamp,
        stream: Stream,
        bytes: &[u8],
        mark: u64,
    ) -> Result<(), S::Error> {
        let len = bytes.len().min(MESSAGE_MAX);
        if len == 0 {
            return self.set_mark(store, mark);
        }
        let head = self.state.head_byte;
        let room = self.make_room(store, len as u64)?;
        if room != self.state {
            self.publish(store, room)?;
        }
        let row = usize::try_from(self.layout.bytes_in_a_row(head)).unwrap_or(len).min(len);
        let (row, rest) = bytes.split_at(len).0.split_at(row);
        store.write_at(self.layout.byte_at(head), row)?;
        if !rest.is_empty() {
            store.write_at(self.layout.byte_at(head.saturating_add(row.len() as u64)), rest)?;
        }
        let mut state = State { pending: Pending::Keep(stamp, stream), mark, ..self.state };
        self.entered(store, &mut state, len as u64)?;
        self.publish(store, state)
    }

    /// Counts what was not kept of messages, and their mark with it.
    pub fn append_refused<S: Store>(
        &mut self,
        store: &S,
        stamp: Stamp,
        (bytes, reads): (u64, u64),
        mark: u64,
    ) -> Result<(), S::Error> {
        let state = State {
            lost_bytes: self.state.lost_bytes.saturating_add(bytes),
            lost_reads: self.state.lost_reads.saturating_add(reads),
            lost_at: stamp,
            mark,
            ..self.state
        };
        self.publish(store, state)
    }

    /// How far the writer has come, by its own count; 0 at first.
    #[must_use]
    pub fn mark(&self) -> u64 {
        self.state.mark
    }

    pub fn set_mark<S: Store>(&mut self, store: &S, mark: u64) -> Result<(), S::Error> {
        self.publish(store, State { mark, ..self.state })
    }

    /// Grows with every change, for readers that wait for one.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.state.seq
    }

    fn enter<S: Store>(&mut self, store: &S, count: u64) -> Result<(), S::Error> {
        if self.state.pending == Pending::Nothing {
            return Ok(());
        }
        let mut state = self.state;
        self.entered(store, &mut state, count)?;
        self.publish(store, state)
    }

    /// What was pending is done: `count` bytes of it.
    fn entered<S: Store>(&self, store: &S, state: &mut State, count: u64) -> Result<(), S::Error> {
        match core::mem::take(&mut state.pending) {
            Pending::Nothing => {}
            Pending::Keep(..) | Pending::Refuse(_) if count == 0 => {}
            Pending::Keep(stamp, stream) => {
                let entry = Entry {
                    start: state.head_byte,
                    len: u32::try_from(count.min(READ_MAX)).unwrap_or(0),
                    stream,
                    stamp,
                    lost_bytes: state.lost_bytes,
                    lost_reads: low_half(state.lost_reads),
                };
                store.write_at(self.layout.entry_at(state.head_entry), &entry.encode())?;
                state.head_entry = state.head_entry.saturating_add(1);
                state.head_byte = entry.end();
            }
            Pending::Refuse(stamp) => {
                state.lost_bytes = state.lost_bytes.saturating_add(count);
                state.lost_reads = state.lost_reads.saturating_add(1);
                state.lost_at = stamp;
            }
        }
        Ok(())
    }

    fn publish<S: Store>(&mut self, store: &S, state: State) -> Result<(), S::Error> {
        let state = State { seq: self.state.seq.saturating_add(1), ..state };
        store.write_at(Layout::slot_at(state.seq), &state.encode())?;
        self.state = state;
        Ok(())
    }

    fn seek<S: Store>(&mut self, store: &S, position: u64) -> Result<(), S::Error> {
        if self.position != position {
            store.seek(position)?;
            self.position = position;
        }
        Ok(())
    }

    /// The state with the oldest bytes given up, until `len` more and one entry more have room. Says
    /// so to readers with the next `publish`, before anything is overwritten.
    fn make_room<S: Store>(&self, store: &S, len: u64) -> Result<State, S::Error> {
        let mut state = self.state;
        let keep_from = state.head_byte.saturating_add(len).saturating_sub(self.layout.data_len);
        let keep_entry = state.head_entry.saturating_add(1).saturating_sub(self.layout.entries);
        let mut batch = [0; BATCH * ENTRY_LEN as usize];
        while state.tail_byte < keep_from || state.tail_entry < keep_entry {
            let known = state.head_entry.saturating_sub(state.tail_entry);
            let row = known.min(self.layout.entries_in_a_row(state.tail_entry));
            let count = usize::try_from(row).unwrap_or(BATCH).min(BATCH);
            let (batch, _) = batch.split_at_mut(count.saturating_mul(ENTRY_LEN as usize));
            store.read_at(self.layout.entry_at(state.tail_entry), batch)?;
            let before = state.tail_entry;
            for entry in batch.chunks_exact(ENTRY_LEN as usize).filter_map(Entry::decode) {
                if entry.end() <= state.tail_byte || entry.end() > state.head_byte {
                    break;
                }
                let whole = entry.end() <= keep_from || state.tail_entry < keep_entry;
                if !whole {
                    state.tail_byte = state.tail_byte.max(keep_from);
                    return Ok(state);
                }
                state.tail_byte = entry.end();
                state.tail_entry = state.tail_entry.saturating_add(1);
            }
            if state.tail_entry == before {
                // The index is damaged: give up all of it, rather than stop.
                state.tail_entry = state.head_entry;
                state.tail_byte = state.head_byte;
            }
        }
        Ok(state)
    }
}

/// What the rest relies on, checked once for a file that comes from elsewhere.
fn sound(layout: &Layout, state: &State) -> bool {
    let entries = state.head_entry.checked_sub(state.tail_entry);
    let bytes = state.head_byte.checked_sub(state.tail_byte);
    entries.is_some_and(|entries| entries <= layout.entries)
        && bytes.is_some_and(|bytes| bytes <= layout.data_len)
        && (entries == Some(0)) == (bytes == Some(0))
}

/// Entries hold half of the count of refused reads: readers use differences only.
pub(super) fn low_half(count: u64) -> u32 {
    (count & u64::from(u32::MAX)) as u32
}

/// An entry of the index, by its number.
pub(super) fn read_entry<S: Source>(
    source: &S,
    layout: &Layout,
    entry: u64,
) -> Result<Option<Entry>, S::Error> {
    let mut bytes = [0; ENTRY_LEN as usize];
    source.read_at(layout.entry_at(entry), &mut bytes)?;
    Ok(Entry::decode(&bytes))
}

//! Where the parts of a ring stand in its file: header, index, bytes. A function of the size alone,
//! so that nobody has to be told, and no two can disagree.

use super::entry::ENTRY_LEN;

/// The smallest ring: header, 204 entries, 16 KiB of bytes.
pub const MIN_MEMORY: u64 = 32 << 10;

/// One read, at most: what a pipe holds unless somebody enlarges it (pipe(7)), so that one writer
/// cannot hold the logger for longer than that.
pub const READ_MAX: u64 = 64 << 10;

/// One message, at most: what the smallest ring has room for.
pub const MESSAGE_MAX: usize = 16 << 10;

/// Parts begin on pages: then what was never written takes no memory, and a small write is never
/// cut by a kill (the kernel looks for fatal signals between pages only).
const PAGE: u64 = 4 << 10;

/// Two pages: the first is the only one that an ordinary ring touches here; the second is scratch.
const HEADER_LEN: u64 = 2 * PAGE;

/// The two copies of the state, one after the other.
pub(super) const SLOT_LEN: u64 = 128;

/// Refused bytes are moved here, over one another: the position then counts them as it does kept
/// ones, which moving them to /dev/null would not.
pub(super) const SCRATCH_AT: u64 = 2 * SLOT_LEN;
pub(super) const SCRATCH_LEN: u64 = HEADER_LEN - SCRATCH_AT;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Length of the index, in entries.
    pub(super) entries: u64,
    pub(super) data_at: u64,
    pub(super) data_len: u64,
}

impl Layout {
    /// The layout of a file of `size` bytes. `None`: too small, or not whole pages.
    #[must_use]
    pub fn of(size: u64) -> Option<Self> {
        if size < MIN_MEMORY || !size.is_multiple_of(PAGE) {
            return None;
        }
        let rest = size.checked_sub(HEADER_LEN)?;
        // A quarter for the index: reads of 120 bytes, about a line of log, then fill both alike.
        let index = (rest / 4).next_multiple_of(PAGE);
        Some(Self {
            entries: index / ENTRY_LEN,
            data_at: HEADER_LEN + index,
            data_len: rest.checked_sub(index)?,
        })
    }

    /// The size of the file that keeps to `memory`: whole pages, and no less than the smallest ring.
    #[must_use]
    pub fn file_size(memory: u64) -> u64 {
        (memory / PAGE * PAGE).max(MIN_MEMORY)
    }

    pub(super) fn slot_at(seq: u64) -> u64 {
        seq % 2 * SLOT_LEN
    }

    pub(super) fn entry_at(&self, entry: u64) -> u64 {
        HEADER_LEN + entry % self.entries * ENTRY_LEN
    }

    /// How many entries stand in a row in the file from `entry` on.
    pub(super) fn entries_in_a_row(&self, entry: u64) -> u64 {
        self.entries - entry % self.entries
    }

    pub(super) fn byte_at(&self, byte: u64) -> u64 {
        self.data_at + byte % self.data_len
    }

    /// How many bytes stand in a row in the file from `byte` on.
    pub(super) fn bytes_in_a_row(&self, byte: u64) -> u64 {
        self.data_len - byte % self.data_len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_one_another_and_fill_the_file() {
        assert_eq!(Layout::of(MIN_MEMORY).unwrap().data_len, MESSAGE_MAX as u64);
        for size in [MIN_MEMORY, 36 << 10, 256 << 10, 8 << 20] {
            let layout = Layout::of(size).unwrap();
            assert!(layout.entry_at(layout.entries - 1) + ENTRY_LEN <= layout.data_at);
            assert_eq!(layout.data_at + layout.data_len, size);
            assert_eq!(layout.data_at % PAGE, 0);
            assert!(layout.data_len >= layout.entries * ENTRY_LEN);
        }
    }

    #[test]
    fn refuses_a_file_that_cannot_hold_a_ring() {
        for size in [0, 1, MIN_MEMORY - PAGE, MIN_MEMORY + 1] {
            assert_eq!(Layout::of(size), None, "{size}");
        }
    }

    #[test]
    fn a_file_never_takes_more_than_its_memory() {
        for (memory, size) in [(0, MIN_MEMORY), (256 << 10, 256 << 10), (100_000, 98_304)] {
            assert_eq!(Layout::file_size(memory), size, "{memory}");
            assert!(Layout::of(size).is_some());
        }
    }
}

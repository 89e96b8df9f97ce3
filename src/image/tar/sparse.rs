//! Where the stored bytes of a sparse file belong.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::header::BLOCK;
use super::pax::decimal;

/// A file with more pieces than this would take longer to describe than to copy.
pub(super) const MAX_SEGMENTS: usize = 1 << 20;

/// No file system of Linux makes a larger file with 4 KiB blocks (ext4's limit, 16 TiB).
pub(super) const MAX_SIZE: u64 = 1 << 44;

/// `len` stored bytes that belong at `at` in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) at: u64,
    pub(super) len: u64,
}

/// The map must ascend, stay within the file and take all that is stored.
pub(super) fn check_map(map: &[Segment], size: u64, stored: u64) -> Result<(), String> {
    if size > MAX_SIZE {
        return Err(format!("a file of {size} bytes, more than the {MAX_SIZE} that are taken"));
    }
    let (mut end, mut sum) = (0_u64, 0_u64);
    for segment in map {
        let next = segment.at.checked_add(segment.len).filter(|next| segment.at >= end && *next <= size);
        end = next.ok_or_else(|| {
            format!("a piece of a sparse file at {} overlaps or leaves the file", segment.at)
        })?;
        sum = sum.saturating_add(segment.len);
    }
    if sum != stored {
        return Err(format!("the map of a sparse file has {sum} bytes, {stored} are stored"));
    }
    Ok(())
}

/// The map of format 1.0 stands before the data: a count, then offsets and lengths, one number a
/// line, filled up to whole blocks.
#[derive(Debug, Default)]
pub(super) struct MapReader {
    text: Vec<u8>,
    lines: usize,
}

impl MapReader {
    /// Takes one block; gives the map once it is whole.
    pub(super) fn block(&mut self, block: &[u8; BLOCK]) -> Result<Option<Vec<Segment>>, String> {
        const LONGEST_LINE: usize = 21; // 2^64 and a newline
        self.text.extend_from_slice(block);
        self.lines = self.lines.saturating_add(block.iter().filter(|byte| **byte == b'\n').count());
        let mut lines = self.text.split(|byte| *byte == b'\n');
        let count = lines.next().and_then(decimal).and_then(|count| usize::try_from(count).ok());
        let count = count.filter(|count| *count <= MAX_SEGMENTS).ok_or("a damaged map of a sparse file")?;
        let wanted = count.saturating_mul(2).saturating_add(1);
        if self.lines < wanted {
            if self.text.len() > wanted.saturating_mul(LONGEST_LINE) {
                return Err(String::from("a damaged map of a sparse file"));
            }
            return Ok(None);
        }
        let mut map = Vec::with_capacity(count);
        for _ in 0..count {
            let (at, len) = (lines.next().and_then(decimal), lines.next().and_then(decimal));
            let (Some(at), Some(len)) = (at, len) else {
                return Err(String::from("a damaged map of a sparse file"));
            };
            map.push(Segment { at, len });
        }
        Ok(Some(map))
    }
}

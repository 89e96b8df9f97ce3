//! The form of packets between the supervisor and those who read logs: a letter, a number and a text.

use alloc::vec::Vec;

/// Before the text.
const HEAD: usize = 9;

/// Of at most so many bytes: longer texts are cut.
pub(crate) fn packet(letter: u8, number: u64, text: &str, most: usize) -> Vec<u8> {
    let mut bytes = Vec::from([letter]);
    bytes.extend_from_slice(&number.to_le_bytes());
    let mut end = text.len().min(most.saturating_sub(HEAD));
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    bytes.extend_from_slice(text.as_bytes().get(..end).unwrap_or_default());
    bytes
}

/// `None`: it is none.
pub(crate) fn parts(bytes: &[u8]) -> Option<(u8, u64, &str)> {
    let (letter, rest) = bytes.split_first()?;
    let (number, text) = rest.split_first_chunk()?;
    Some((*letter, u64::from_le_bytes(*number), core::str::from_utf8(text).ok()?))
}

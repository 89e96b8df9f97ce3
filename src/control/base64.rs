//! Bytes ↔ base64 with padding (RFC 4648 §4), for output that is not UTF-8 and for uploads.
//!
//! Decoding refuses everything but the one canonical form: no white space, no missing padding, no
//! bits left over.
#![deny(clippy::arithmetic_side_effects)]

use alloc::string::String;
use alloc::vec::Vec;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .chain(core::iter::repeat(&0))
            .take(3)
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        for place in 0..4u32 {
            let sextet = bits >> 18u32.saturating_sub(place.saturating_mul(6)) & 0x3f;
            // Two characters stand for one byte, three for two.
            text.push(if place as usize > group.len() { '=' } else { letter(sextet) });
        }
    }
    text
}

/// `None` when it is not base64.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let (groups, rest) = text.as_bytes().as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    let mut bytes = Vec::with_capacity(groups.len().saturating_mul(3));
    let last = groups.len().saturating_sub(1);
    for (index, group) in groups.iter().enumerate() {
        let padding = group.iter().rev().take_while(|byte| **byte == b'=').count();
        if padding > 2 || (padding > 0 && index != last) {
            return None;
        }
        let kept = 4usize.saturating_sub(padding);
        let mut bits = 0u32;
        for (place, character) in group.iter().enumerate() {
            bits = bits << 6 | if place < kept { value(*character)? } else { 0 };
        }
        let [_, quantum @ ..] = bits.to_be_bytes();
        let (whole, beyond) = quantum.split_at_checked(3usize.saturating_sub(padding))?;
        if beyond.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(whole);
    }
    Some(bytes)
}

fn letter(sextet: u32) -> char {
    ALPHABET.get(sextet as usize).map_or('=', |byte| char::from(*byte))
}

fn value(character: u8) -> Option<u32> {
    let (first, offset) = match character {
        b'A'..=b'Z' => (b'A', 0),
        b'a'..=b'z' => (b'a', 26),
        b'0'..=b'9' => (b'0', 52),
        b'+' => return Some(62),
        b'/' => return Some(63),
        _ => return None,
    };
    Some(u32::from(character.saturating_sub(first)).saturating_add(offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], text: &str) {
        assert_eq!(encode(bytes), text);
        assert_eq!(decode(text).as_deref(), Some(bytes));
    }

    #[test]
    fn encodes_and_decodes_the_vectors_of_the_rfc() {
        check(b"", "");
        check(b"f", "Zg==");
        check(b"fo", "Zm8=");
        check(b"foo", "Zm9v");
        check(b"foob", "Zm9vYg==");
        check(b"fooba", "Zm9vYmE=");
        check(b"foobar", "Zm9vYmFy");
        check(&[0xfb, 0xff, 0x00], "+/8A");
    }

    #[test]
    fn every_byte_survives_in_every_place() {
        let all: Vec<u8> = (0..=255).collect();
        for skip in 0..3 {
            assert_eq!(decode(&encode(&all[skip..])).as_deref(), Some(&all[skip..]));
        }
    }

    #[test]
    fn refuses_what_is_not_canonical() {
        for text in
            ["Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "====", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "Zm9-", "é==="]
        {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}

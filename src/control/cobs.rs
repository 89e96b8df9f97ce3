//! Bytes without a NUL: consistent overhead byte stuffing (Cheshire and Baker, 1997).
//!
//! Every stretch of up to 254 bytes without a NUL is preceded by its length and one; the NUL that ends a
//! shorter stretch is left out. It costs one byte in 254 at most.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use alloc::vec::Vec;

/// The longest stretch.
const STRETCH: usize = 254;

/// Appends `bytes` to `out`, without a NUL.
pub fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    loop {
        let head = rest.get(..STRETCH.min(rest.len())).unwrap_or_default();
        let length = head.iter().position(|byte| *byte == 0);
        let stretch = head.get(..length.unwrap_or(head.len())).unwrap_or_default();
        out.push(u8::try_from(stretch.len().saturating_add(1)).unwrap_or(u8::MAX));
        out.extend_from_slice(stretch);
        let taken = stretch.len().saturating_add(usize::from(length.is_some()));
        rest = rest.get(taken..).unwrap_or_default();
        // The end stands for a last NUL, which must not be left out when it is one of ours.
        if rest.is_empty() && length.is_none() {
            return;
        }
    }
}

/// What was encoded. `None`: that is not how it could have come about.
#[must_use]
pub fn decode(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    loop {
        let (code, behind) = rest.split_first()?;
        let length = usize::from(code.checked_sub(1)?);
        let stretch = behind.get(..length)?;
        if stretch.contains(&0) {
            return None;
        }
        out.extend_from_slice(stretch);
        rest = behind.get(length..)?;
        if rest.is_empty() {
            return Some(out);
        }
        if length < STRETCH {
            out.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8]) {
        let mut encoded = Vec::new();
        encode(bytes, &mut encoded);
        assert!(!encoded.contains(&0), "{encoded:?}");
        assert!(encoded.len() <= bytes.len() + bytes.len() / STRETCH + 1, "{}", encoded.len());
        assert_eq!(decode(&encoded).as_deref(), Some(bytes));
    }

    #[test]
    fn any_bytes_come_back_and_no_nul_is_on_the_way() {
        for length in [0, 1, 2, 253, 254, 255, 256, 507, 508, 509, 1000] {
            check(&vec![0; length]);
            check(&vec![7; length]);
            let mixed: Vec<u8> = (0..length).map(|index| (index % 256) as u8).collect();
            check(&mixed);
            for nul in [0, 253, 254, 255, length.saturating_sub(1)].into_iter().filter(|nul| *nul < length) {
                let mut bytes = vec![1; length];
                bytes[nul] = 0;
                check(&bytes);
            }
        }
    }

    #[test]
    fn what_nobody_encoded_is_nothing() {
        for wrong in [&b""[..], b"\x00", b"\x03a", b"\x02", b"\x03a\x00", b"\x02a\x00"] {
            assert_eq!(decode(wrong), None, "{wrong:?}");
        }
        assert_eq!(decode(b"\x01"), Some(vec![]));
        assert_eq!(decode(b"\x01\x01"), Some(vec![0]));
    }
}

//! Bytes as they come → messages, which end with a NUL.
//!
//! Holds at most the limit and what the last push brought. A message over the limit is skipped
//! to its end and told as one, so that the messages behind it are still understood. Empty messages
//! mean nothing and are left out.
#![deny(clippy::arithmetic_side_effects)]

use alloc::vec::Vec;

/// What stood between two NULs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Message(Vec<u8>),
    /// It was longer than the limit; its bytes are gone.
    TooLarge,
}

/// Puts messages together from pieces of any size.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    buffer: Vec<u8>,
    /// Where the first message not yet taken begins.
    start: usize,
    /// Up to here there is no NUL after `start`, so that slow senders cost no second look.
    scanned: usize,
    /// The message at `start` is over the limit: what comes of it is not kept.
    skipping: bool,
}

impl Decoder {
    /// `limit`: bytes of a message, its NUL left out.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, buffer: Vec::new(), start: 0, scanned: 0, skipping: false }
    }

    /// Takes what was read. The caller takes the messages out before it pushes more, if memory
    /// matters to it.
    pub fn push(&mut self, bytes: &[u8]) {
        self.compact();
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, if there is one.
    pub fn next_frame(&mut self) -> Option<Frame> {
        loop {
            let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
            let Some(offset) = unseen.iter().position(|byte| *byte == 0) else {
                self.scanned = self.buffer.len();
                self.forget_what_is_too_large();
                return None;
            };
            let end = self.scanned.saturating_add(offset);
            let begin = core::mem::replace(&mut self.start, end.saturating_add(1));
            self.scanned = self.start;
            let message = self.buffer.get(begin..end).unwrap_or_default();
            if core::mem::take(&mut self.skipping) || message.len() > self.limit {
                return Some(Frame::TooLarge);
            }
            if !message.is_empty() {
                return Some(Frame::Message(message.to_vec()));
            }
        }
    }

    /// Whether a message has begun and not ended, once [`Self::next_frame`] has nothing more.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.skipping || self.buffer.len() > self.start
    }

    /// Bytes held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.buffer.len().saturating_sub(self.start)
    }

    /// Drops everything, half a message too.
    pub fn clear(&mut self) {
        *self = Self::new(self.limit);
    }

    fn forget_what_is_too_large(&mut self) {
        if self.skipping || self.held() > self.limit {
            self.skipping = true;
            self.buffer.clear();
            self.start = 0;
            self.scanned = 0;
        }
    }

    /// Moves what is left to the front. Called once a push, not once a message: a flood of tiny
    /// messages must not move the rest of the buffer for each of them.
    fn compact(&mut self) {
        if self.start == 0 {
            return;
        }
        self.buffer.drain(..self.start.min(self.buffer.len()));
        self.scanned = self.scanned.saturating_sub(self.start);
        self.start = 0;
        if self.buffer.is_empty() {
            // An idle client costs nothing.
            self.buffer = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 8;

    fn frames(decoder: &mut Decoder) -> Vec<String> {
        core::iter::from_fn(|| decoder.next_frame())
            .map(|frame| match frame {
                Frame::Message(bytes) => String::from_utf8(bytes).unwrap(),
                Frame::TooLarge => String::from("<too large>"),
            })
            .collect()
    }

    /// The same messages, however the bytes are cut.
    #[track_caller]
    fn check(input: &[u8], expected: &[&str], partial: bool) {
        for size in 1..=input.len().max(1) {
            let mut decoder = Decoder::new(LIMIT);
            let mut seen = Vec::new();
            for piece in input.chunks(size) {
                decoder.push(piece);
                seen.extend(frames(&mut decoder));
            }
            assert_eq!(seen, expected, "in pieces of {size}");
            assert_eq!(decoder.is_partial(), partial, "in pieces of {size}");
        }
    }

    #[test]
    fn messages_are_the_same_however_the_bytes_are_cut() {
        check(b"", &[], false);
        check(b"one\0", &["one"], false);
        check(b"one\0two\0", &["one", "two"], false);
        check(b"one\0tw", &["one"], true);
        check(b"\0\0one\0\0", &["one"], false);
        check(b"12345678\0", &["12345678"], false);
    }

    #[test]
    fn a_message_over_the_limit_is_told_once_and_the_next_is_understood() {
        check(b"123456789\0ok\0", &["<too large>", "ok"], false);
        check(b"ok\0xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", &["ok"], true);
        check(b"123456789012345678901234567890\0\0ok\0", &["<too large>", "ok"], false);
    }

    #[test]
    fn an_endless_message_holds_no_more_than_the_limit_and_one_push() {
        let mut decoder = Decoder::new(LIMIT);
        for _ in 0..1000 {
            decoder.push(b"xxxx");
            assert_eq!(decoder.next_frame(), None);
            assert!(decoder.held() <= LIMIT);
        }
        assert!(decoder.buffer.capacity() <= 64, "{}", decoder.buffer.capacity());
        assert!(decoder.is_partial());
        decoder.clear();
        assert!(!decoder.is_partial());
    }

    #[test]
    fn an_idle_decoder_gives_its_memory_back() {
        let mut decoder = Decoder::new(1000);
        decoder.push(&[b'x'; 900]);
        decoder.push(b"\0");
        assert!(decoder.next_frame().is_some());
        decoder.push(b"");
        assert_eq!(decoder.buffer.capacity(), 0);
    }
}

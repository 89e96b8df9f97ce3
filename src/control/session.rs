//! One client at a time on a byte channel that never says that clients changed.
//!
//! A virtio-serial port shows no hang-up when one client leaves and the next comes quickly, and half
//! a message of the first stands before the first message of the second. So a client begins a
//! session: it sends a NUL (which ends whatever half message is in the way), then
//! `{"method":"org.orlop.Session.Begin","parameters":{"nonce":"<hex>"}}` and a NUL. The machine drops
//! all it had for the client before, and answers with a NUL, `{"parameters":{"nonce":"<same>"}}`
//! and a NUL. Both throw away what precedes these. A client sends nothing more until it has the
//! answer, and begins again when none comes or it hears that there is no session. Within a session both speak as on the socket.
//!
//! A machine that has no session (it was restarted, or it gave the client up) says so to whoever
//! speaks to it: a NUL, [`CLOSED`] and a NUL.
#![deny(clippy::arithmetic_side_effects)]

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Call, Decoder, Frame, Reply};

const BEGIN: &str = "org.orlop.Session.Begin";

/// The error in [`CLOSED`]: to a client that sees it as an answer, its connection is over.
pub const CLOSED_ERROR: &str = "org.orlop.Session.Closed";

/// The machine's word that there is no session, without its NULs. Always these very bytes.
pub const CLOSED: &str = r#"{"error":"org.orlop.Session.Closed","parameters":{}}"#;

/// A nonce is this many hex digits at least, so that it is not guessed or met by chance…
const MIN_NONCE: usize = 16;
/// …and at most, so that a message longer than [`MAX_FRAME`] cannot be part of the handshake.
const MAX_NONCE: usize = 64;

/// Bytes of the longest message of the handshake, with room for white space.
const MAX_FRAME: usize = 256;

/// The machine's half.
#[derive(Debug)]
pub struct ServerSession {
    decoder: Decoder,
    limit: usize,
    is_open: bool,
    /// Messages of the open session that were not taken yet.
    waiting: VecDeque<Frame>,
    waiting_bytes: usize,
}

/// What the bytes of one push mean for the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// No change.
    Nothing,
    /// A session began: drop what was unfinished for the one before, its output too, and send this.
    Begun(Vec<u8>),
    /// Somebody speaks outside of a session.
    Stray,
    /// The client sent more than the limit without waiting for answers; the session is over.
    Flooded,
}

impl ServerSession {
    /// `limit`: bytes of a message, and of all messages that wait to be taken.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            decoder: Decoder::new(limit),
            limit,
            is_open: false,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
        }
    }

    /// One that goes on elsewhere: it has begun, and nothing of it waits.
    #[must_use]
    pub fn opened(limit: usize) -> Self {
        Self { is_open: true, ..Self::new(limit) }
    }

    /// Takes what was read. Never holds more than twice the limit and this push.
    pub fn push(&mut self, bytes: &[u8]) -> Heard {
        self.decoder.push(bytes);
        let mut heard = Heard::Nothing;
        while let Some(frame) = self.decoder.next_frame() {
            if let Some(nonce) = begin_nonce(&frame) {
                self.drop_messages();
                self.is_open = true;
                heard = Heard::Begun(answer(&nonce));
            } else if self.is_open {
                self.waiting_bytes = self.waiting_bytes.saturating_add(size(&frame));
                self.waiting.push_back(frame);
                if self.waiting_bytes > self.limit.saturating_add(1) {
                    self.drop_messages();
                    self.is_open = false;
                    heard = Heard::Flooded;
                }
            } else if heard == Heard::Nothing {
                heard = Heard::Stray;
            }
        }
        heard
    }

    /// The next message of the open session.
    pub fn next_frame(&mut self) -> Option<Frame> {
        let frame = self.waiting.pop_front()?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(size(&frame));
        Some(frame)
    }

    #[must_use]
    pub fn has_frame(&self) -> bool {
        !self.waiting.is_empty()
    }

    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether a message has begun and not ended.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.decoder.is_partial()
    }

    /// Ends the session and drops what it had sent, half a message too.
    pub fn end(&mut self) {
        *self = Self::new(self.limit);
    }

    fn drop_messages(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
    }
}

/// What the machine sends when it has no session.
#[must_use]
pub fn closed_notice() -> Vec<u8> {
    between_nuls(CLOSED)
}

/// What a client that waits for its session has heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened<'a> {
    /// No answer yet.
    Waiting,
    /// The machine has no session, and perhaps never heard of ours: begin again.
    Closed,
    /// It has begun; these bytes are its first.
    Begun(&'a [u8]),
}

/// The client's half, until its session has begun. After that both speak plain Varlink; a client
/// whose session ends meanwhile is told so by [`CLOSED_ERROR`].
#[derive(Debug)]
pub struct Opening {
    nonce: String,
    message: Vec<u8>,
    /// The message is too long to be the answer: skip to its end.
    skip: bool,
}

impl Opening {
    /// `nonce`: not used before.
    #[must_use]
    pub fn new(nonce: u64) -> Self {
        Self { nonce: format!("{nonce:016x}"), message: Vec::new(), skip: false }
    }

    /// What to send first.
    #[must_use]
    pub fn hello(&self) -> Vec<u8> {
        between_nuls(&format!(r#"{{"method":"{BEGIN}","parameters":{{"nonce":"{}"}}}}"#, self.nonce))
    }

    /// Takes what came from the port.
    pub fn receive<'a>(&mut self, bytes: &'a [u8]) -> Opened<'a> {
        let mut left = bytes;
        let mut opened = Opened::Waiting;
        while let Some((byte, rest)) = left.split_first() {
            left = rest;
            if *byte != 0 {
                self.skip |= self.message.len() >= MAX_FRAME;
                if !self.skip {
                    self.message.push(*byte);
                }
                continue;
            }
            if !self.skip && is_answer(&self.message, &self.nonce) {
                return Opened::Begun(rest);
            }
            if !self.skip && self.message == CLOSED.as_bytes() {
                opened = Opened::Closed;
            }
            self.message.clear();
            self.skip = false;
        }
        opened
    }
}

fn between_nuls(message: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(message.len().saturating_add(2));
    bytes.push(0);
    bytes.extend_from_slice(message.as_bytes());
    bytes.push(0);
    bytes
}

fn answer(nonce: &str) -> Vec<u8> {
    between_nuls(&format!(r#"{{"parameters":{{"nonce":"{nonce}"}}}}"#))
}

fn is_answer(message: &[u8], nonce: &str) -> bool {
    let Ok(reply) = Reply::parse(message) else {
        return false;
    };
    let found = reply.parameters.as_ref().and_then(|parameters| parameters.get("nonce")?.as_str());
    reply.error.is_none() && found == Some(nonce)
}

/// The nonce, if this message begins a session.
fn begin_nonce(frame: &Frame) -> Option<String> {
    let Frame::Message(message) = frame else {
        return None;
    };
    if message.len() > MAX_FRAME {
        return None;
    }
    let call = Call::parse(message).ok().filter(|call| call.method == BEGIN)?;
    let nonce = call.parameters.as_ref()?.get("nonce")?.as_str()?;
    let is_nonce =
        (MIN_NONCE..=MAX_NONCE).contains(&nonce.len()) && nonce.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_nonce.then(|| String::from(nonce))
}

/// With its NUL, so that even a flood of the smallest is bounded.
fn size(frame: &Frame) -> usize {
    match frame {
        Frame::Message(message) => message.len().saturating_add(1),
        Frame::TooLarge => 1,
    }
}

#[cfg(test)]
#[path = "session_test.rs"]
mod tests;

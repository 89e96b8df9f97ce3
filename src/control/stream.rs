//! Frames of an upgraded connection: input, output, signals, sizes and the end of a process.
//!
//! A frame is a letter, its bytes without a NUL ([`super::cobs`]), and a NUL. So it ends as the messages
//! before the upgrade do, and whoever begins a session on the same virtio port (see [`super::session`]) is
//! heard in the midst of it: no letter is a brace.
//!
//! A client sends no more bytes of input than it was given credit for: [`WINDOW`] at the beginning, and what each
//! [`FromMachine::Credit`] adds. So a process that does not read holds up its input and nothing else, and
//! neither side ever keeps more than a window.
#![deny(clippy::arithmetic_side_effects)]

use alloc::string::String;
use alloc::vec::Vec;

use super::cobs;

/// Bytes of input that may be on their way: some round trips' worth through a virtual machine's port.
pub const WINDOW: usize = 128 << 10;

/// Bytes of input or output in one frame: half of what a pipe holds.
pub const MAX_DATA: usize = 32 << 10;

/// Bytes of the longest frame, its NUL left out.
pub const MAX_FRAME: usize = MAX_DATA + MAX_DATA / 254 + 2;

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToMachine {
    Input(Vec<u8>),
    /// Nothing follows: the process reads to the end.
    EndOfInput,
    /// Of the terminal.
    Resize {
        rows: u16,
        columns: u16,
    },
    /// For the process, 1–64.
    Signal(i32),
}

/// What the machine says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromMachine {
    Output(Vec<u8>),
    /// What went to the standard error; a terminal has none.
    ErrorOutput(Vec<u8>),
    /// So many bytes of input have found their place.
    Credit(u32),
    /// The last frame: it ended by itself.
    Exited(i32),
    /// The last frame: a signal ended it.
    Killed(i32),
    /// The last frame: why there is no end that could be told.
    Failed(String),
}

/// These bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// A frame of any data, its NUL included.
fn frame(letter: u8, data: &[u8], out: &mut Vec<u8>) {
    out.push(letter);
    cobs::encode(data, out);
    out.push(0);
}

fn number<const N: usize>(data: &[u8]) -> Result<[u8; N], Malformed> {
    data.try_into().map_err(|_| Malformed)
}

impl ToMachine {
    /// Appends the frame, its NUL included. Longer input is the caller's to cut.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Input(data) => frame(b'i', data, out),
            Self::EndOfInput => frame(b'n', &[], out),
            Self::Resize { rows, columns } => {
                let [[a, b], [c, d]] = [rows.to_be_bytes(), columns.to_be_bytes()];
                frame(b'w', &[a, b, c, d], out);
            }
            Self::Signal(signal) => frame(b's', &signal.to_be_bytes(), out),
        }
    }

    /// One message, its NUL left out.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let (letter, data) = split(message)?;
        Ok(match letter {
            b'i' => Self::Input(data),
            b'n' => Self::EndOfInput,
            b'w' => {
                let [a, b, c, d] = number(&data)?;
                Self::Resize { rows: u16::from_be_bytes([a, b]), columns: u16::from_be_bytes([c, d]) }
            }
            b's' => {
                let signal = i32::from_be_bytes(number(&data)?);
                Self::Signal(Some(signal).filter(|signal| (1..=64).contains(signal)).ok_or(Malformed)?)
            }
            _ => return Err(Malformed),
        })
    }
}

impl FromMachine {
    /// Appends the frame, its NUL included. Longer output is the caller's to cut.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Output(data) => frame(b'o', data, out),
            Self::ErrorOutput(data) => frame(b'e', data, out),
            Self::Credit(bytes) => frame(b'c', &bytes.to_be_bytes(), out),
            Self::Exited(code) => frame(b'x', &code.to_be_bytes(), out),
            Self::Killed(signal) => frame(b'k', &signal.to_be_bytes(), out),
            Self::Failed(reason) => frame(b'f', reason.as_bytes(), out),
        }
    }

    /// One message, its NUL left out.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let (letter, data) = split(message)?;
        Ok(match letter {
            b'o' => Self::Output(data),
            b'e' => Self::ErrorOutput(data),
            b'c' => Self::Credit(u32::from_be_bytes(number(&data)?)),
            b'x' => Self::Exited(i32::from_be_bytes(number(&data)?)),
            b'k' => Self::Killed(i32::from_be_bytes(number(&data)?)),
            b'f' => Self::Failed(String::from_utf8_lossy(&data).into_owned()),
            _ => return Err(Malformed),
        })
    }
}

fn split(message: &[u8]) -> Result<(u8, Vec<u8>), Malformed> {
    let (letter, encoded) = message.split_first().ok_or(Malformed)?;
    let data = cobs::decode(encoded).filter(|data| data.len() <= MAX_DATA).ok_or(Malformed)?;
    Ok((*letter, data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::session::{Heard, Opening, ServerSession};
    use crate::control::{Decoder, Frame};

    /// As it comes out of a stream, however that is cut.
    fn messages(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut decoder = Decoder::new(MAX_FRAME);
        let mut found = Vec::new();
        for piece in bytes.chunks(7) {
            decoder.push(piece);
            while let Some(Frame::Message(message)) = decoder.next_frame() {
                found.push(message);
            }
        }
        assert!(!decoder.is_partial());
        found
    }

    #[test]
    fn frames_come_back_in_order() {
        let to = [
            ToMachine::Input(b"a\0b\n".to_vec()),
            ToMachine::Input(vec![0; MAX_DATA]),
            ToMachine::Input(vec![]),
            ToMachine::Resize { rows: 0, columns: 65_535 },
            ToMachine::Signal(64),
            ToMachine::EndOfInput,
        ];
        let mut bytes = Vec::new();
        to.iter().for_each(|frame| frame.encode(&mut bytes));
        let found: Vec<_> = messages(&bytes).iter().map(|message| ToMachine::decode(message)).collect();
        assert_eq!(found, to.map(Ok));
        let from = [
            FromMachine::Output(vec![7; MAX_DATA]),
            FromMachine::ErrorOutput(b"\0".to_vec()),
            FromMachine::Credit(0),
            FromMachine::Exited(-1),
            FromMachine::Killed(9),
            FromMachine::Failed("größer".into()),
        ];
        let mut bytes = Vec::new();
        from.iter().for_each(|frame| frame.encode(&mut bytes));
        let found: Vec<_> = messages(&bytes).iter().map(|message| FromMachine::decode(message)).collect();
        assert_eq!(found, from.map(Ok));
    }

    #[test]
    fn what_is_no_frame_is_told() {
        let mut long = vec![b'i'];
        cobs::encode(&vec![1; MAX_DATA + 1], &mut long);
        for wrong in [
            &b""[..],
            b"i",
            b"q\x01",
            b"{}",
            b"w\x03ab",
            b"s\x02\x01",
            b"s\x01\x01\x01\x02\x41",
            b"i\x09ab",
            &long,
        ] {
            assert_eq!(ToMachine::decode(wrong), Err(Malformed), "{wrong:?}");
        }
        for wrong in [&b""[..], b"x\x02a", b"c\x01", b"i\x01"] {
            assert_eq!(FromMachine::decode(wrong), Err(Malformed), "{wrong:?}");
        }
    }

    #[test]
    fn the_next_client_of_a_port_is_heard_in_the_midst_of_a_frame() {
        let mut session = ServerSession::new(MAX_FRAME);
        session.push(&Opening::new(1).hello());
        let mut bytes = Vec::new();
        ToMachine::Input(Opening::new(2).hello()).encode(&mut bytes);
        assert_eq!(session.push(&bytes), Heard::Nothing, "what is typed begins no session");
        assert!(session.next_frame().is_some());
        session.push(&bytes[..bytes.len() / 2]);
        assert!(matches!(session.push(&Opening::new(3).hello()), Heard::Begun(_)));
    }
}

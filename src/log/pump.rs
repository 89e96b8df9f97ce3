//! What a pump, the program that speaks TLS with one collector, and the forwarder agree on: where it finds what it is given,
//! and the lines that it says. What is to be sent goes to it by the same socket, as it is.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The pump's end of the socket.
pub const PUMP_LINK: i32 = 3;
/// Who may have signed the collector's certificate; then its own, and the key to it, where there are any.
pub const PUMP_CA: i32 = 4;
pub const PUMP_CERT: i32 = 5;
pub const PUMP_KEY: i32 = 6;

/// Bytes of a reason, the most.
const REASON_MAX: usize = 200;
/// Of a line, with the word before it.
const LINE_MAX: usize = REASON_MAX + 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromPump {
    /// The session is made; what is written from now on is sent.
    Up,
    /// So many of the bytes that it was given are known to have arrived.
    Arrived(u64),
    /// It has ended, and why: one line, without control characters.
    Ended(String),
}

impl FromPump {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Up => Vec::from(*b"up\n"),
            Self::Arrived(bytes) => format!("has {bytes}\n").into_bytes(),
            Self::Ended(why) => format!("end {}\n", plain(why)).into_bytes(),
        }
    }

    fn decode(line: &[u8]) -> Option<Self> {
        let line = core::str::from_utf8(line).ok()?;
        Some(match line.split_once(' ') {
            None if line == "up" => Self::Up,
            Some(("has", bytes)) => Self::Arrived(bytes.parse().ok()?),
            Some(("end", why)) => Self::Ended(plain(why)),
            _ => return None,
        })
    }
}

/// It may hold what a stranger wrote.
fn plain(text: &str) -> String {
    let letter = |letter: char| if letter.is_control() { '?' } else { letter };
    let mut plain = String::new();
    for letter in text.chars().map(letter) {
        if plain.len() + letter.len_utf8() > REASON_MAX {
            break;
        }
        plain.push(letter);
    }
    plain
}

/// Puts lines together again.
#[derive(Debug, Default)]
pub struct PumpWords {
    line: Vec<u8>,
}

/// It says what no pump says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonsense;

impl PumpWords {
    /// # Errors
    /// [`Nonsense`], after which there is nothing to hear any more.
    pub fn hear(&mut self, bytes: &[u8]) -> Result<Vec<FromPump>, Nonsense> {
        let mut heard = Vec::new();
        for byte in bytes {
            if *byte == b'\n' {
                heard.push(FromPump::decode(&self.line).ok_or(Nonsense)?);
                self.line.clear();
            } else if self.line.len() < LINE_MAX {
                self.line.push(*byte);
            } else {
                return Err(Nonsense);
            }
        }
        Ok(heard)
    }
}

/// What a pump is called with, beside its name.
#[must_use]
pub fn pump_arguments(host: &str, port: u16, name: &str) -> [String; 3] {
    [host.to_string(), port.to_string(), name.to_string()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pump_says_is_heard_however_it_comes() {
        let said = [
            FromPump::Up,
            FromPump::Arrived(u64::MAX),
            FromPump::Ended("the certificate has expired".into()),
        ];
        let bytes: Vec<u8> = said.iter().flat_map(FromPump::encode).collect();
        let mut words = PumpWords::default();
        assert_eq!(words.hear(&bytes).as_deref(), Ok(&said[..]));
        let each: Vec<FromPump> = bytes.iter().flat_map(|byte| words.hear(&[*byte]).unwrap()).collect();
        assert_eq!(each, said);
    }

    #[test]
    fn a_reason_is_one_short_line() {
        let long = FromPump::Ended(format!("a\nb\u{1b}[2J{}", "é".repeat(1000)));
        let Ok(heard) = PumpWords::default().hear(&long.encode()) else { panic!() };
        let [FromPump::Ended(why)] = &heard[..] else { panic!("{heard:?}") };
        assert!(why.starts_with("a?b?[2Jé") && why.len() <= REASON_MAX, "{why}");
    }

    #[test]
    fn nonsense_is_none() {
        for bytes in [&b"\n"[..], b"up \n", b"has\n", b"has -1\n", b"has 1 2\n", b"\xff\n", &[b'x'; 1000]] {
            assert_eq!(PumpWords::default().hear(bytes), Err(Nonsense), "{bytes:?}");
        }
    }
}

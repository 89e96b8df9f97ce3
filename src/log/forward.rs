//! What the supervisor and `orlop forward` say to one another: one packet each. All but [`Wake`](ToForwarder::Wake) is said
//! again to a new forwarder, and by a new supervisor.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::config::{Forward, Transport};

/// Bytes of a packet, the most: a letter, a number and a name.
pub const FORWARD_FRAME_MAX: usize = 300;
/// Bytes of what the forwarder says.
pub const FOLLOW_LEN: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToForwarder {
    /// The machine's name.
    Host(String),
    /// The memory of places, as the fd. Comes before the destinations.
    Places,
    /// One more collector.
    To(Forward),
    /// A log by its name and, as the fd, its ring, to be read only. Comes after the destinations.
    Ring { id: u64, name: String },
    /// There is more to read than the forwarder had seen.
    Wake { id: u64 },
}

/// What the forwarder asks: one [`ToForwarder::Wake`], when the ring's `seq` is above `after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follow {
    pub id: u64,
    pub after: u64,
}

impl ToForwarder {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (letter, number, text) = match self {
            Self::Host(name) => (b'h', 0, name.clone()),
            Self::Places => (b'p', 0, String::new()),
            Self::To(Forward { transport, to }) => {
                let scheme = match transport {
                    Transport::Udp => "udp",
                    Transport::Tcp => "tcp",
                };
                (b't', 0, format!("{scheme} {to}"))
            }
            Self::Ring { id, name } => (b'r', *id, name.clone()),
            Self::Wake { id } => (b'w', *id, String::new()),
        };
        let mut bytes = Vec::from([letter]);
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
        bytes.truncate(FORWARD_FRAME_MAX);
        bytes
    }

    /// `None`: one that we do not know.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (letter, rest) = bytes.split_first()?;
        let (number, text) = rest.split_first_chunk()?;
        let id = u64::from_le_bytes(*number);
        let text = core::str::from_utf8(text).ok()?;
        Some(match letter {
            b'h' => Self::Host(text.to_string()),
            b'p' => Self::Places,
            b't' => {
                let (scheme, to) = text.split_once(' ')?;
                let transport = match scheme {
                    "udp" => Transport::Udp,
                    "tcp" => Transport::Tcp,
                    _ => return None,
                };
                Self::To(Forward { transport, to: to.parse().ok()? })
            }
            b'r' => Self::Ring { id, name: text.to_string() },
            b'w' => Self::Wake { id },
            _ => return None,
        })
    }
}

impl Follow {
    #[must_use]
    pub fn encode(self) -> [u8; FOLLOW_LEN] {
        let mut bytes = [0; FOLLOW_LEN];
        let words = [self.id.to_le_bytes(), self.after.to_le_bytes()];
        bytes.iter_mut().zip(words.iter().flatten()).for_each(|(to, from)| *to = *from);
        bytes
    }

    /// `None`: it is none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; FOLLOW_LEN] = bytes.try_into().ok()?;
        let (id, after) = bytes.split_first_chunk()?;
        Some(Self { id: u64::from_le_bytes(*id), after: u64::from_le_bytes(after.try_into().ok()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_reads_back_as_it_was_sent() {
        for packet in [
            ToForwarder::Host("gateway-7".into()),
            ToForwarder::Places,
            ToForwarder::To(Forward { transport: Transport::Udp, to: "192.0.2.1:514".parse().unwrap() }),
            ToForwarder::To(Forward { transport: Transport::Tcp, to: "[2001:db8::1]:601".parse().unwrap() }),
            ToForwarder::Ring { id: u64::MAX, name: "web".into() },
            ToForwarder::Wake { id: 7 },
        ] {
            assert_eq!(ToForwarder::decode(&packet.encode()), Some(packet));
        }
        let follow = Follow { id: 1 << 40, after: 3 };
        assert_eq!(Follow::decode(&follow.encode()), Some(follow));
    }

    #[test]
    fn what_is_no_packet_is_passed_over() {
        for bytes in [&b""[..], b"h", b"q12345678", b"t12345678udp nowhere", b"t12345678quic 192.0.2.1:1"] {
            assert_eq!(ToForwarder::decode(bytes), None, "{bytes:?}");
        }
        assert_eq!(Follow::decode(&[0; 15]), None);
    }
}

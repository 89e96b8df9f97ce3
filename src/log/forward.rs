//! What the supervisor and `orlop forward` say to one another: one packet each. All but [`Wake`](ToForwarder::Wake) is said
//! again to a new forwarder, and by a new supervisor.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::packet;
use crate::config::{Collector, TlsCollector};

/// Bytes of a packet, the most: a letter, a number, and a collector by two names, or by one with a reason.
pub const FORWARD_FRAME_MAX: usize = 600;
/// Bytes of a question.
const FOLLOW_LEN: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToForwarder {
    /// The machine's name.
    Host(String),
    /// The memory of places, as the fd. Comes before the destinations.
    Places,
    /// One more collector.
    To(Collector),
    /// What was asked for: the fds are the program that speaks TLS, who may have signed the collector's certificate, and
    /// where there are any our own and the key to it.
    Files(Collector),
    /// What was asked for is not there, and why.
    NoFiles { to: Collector, why: String },
    /// A log by its name and, as the fd, its ring, to be read only. Comes after the destinations.
    Ring { id: u64, name: String },
    /// There is more to read than the forwarder had seen.
    Wake { id: u64 },
}

/// What the forwarder says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromForwarder {
    Follow(Follow),
    /// It is about to speak TLS with this collector, and asks for what that takes: [`ToForwarder::Files`], or none.
    Files(Collector),
    /// A collector cannot be reached, and why; with 0 it can again.
    Link {
        to: Collector,
        errno: i32,
    },
    /// As that, in the words of who speaks TLS with it.
    Said {
        to: Collector,
        why: String,
    },
    /// A ring cannot be read.
    Trouble {
        id: u64,
        errno: i32,
    },
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
            Self::To(to) => (b't', 0, collector(to)),
            Self::Files(to) => (b'f', 0, collector(to)),
            Self::NoFiles { to, why } => (b'n', 0, format!("{}\n{why}", collector(to))),
            Self::Ring { id, name } => (b'r', *id, name.clone()),
            Self::Wake { id } => (b'w', *id, String::new()),
        };
        packet(letter, number, &text)
    }

    /// `None`: one that we do not know.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (letter, id, text) = packet::parts(bytes)?;
        Some(match letter {
            b'h' => Self::Host(text.to_string()),
            b'p' => Self::Places,
            b't' => Self::To(collector_of(text)?),
            b'f' => Self::Files(collector_of(text)?),
            b'n' => {
                let (to, why) = text.split_once('\n')?;
                Self::NoFiles { to: collector_of(to)?, why: why.to_string() }
            }
            b'r' => Self::Ring { id, name: text.to_string() },
            b'w' => Self::Wake { id },
            _ => return None,
        })
    }
}

fn packet(letter: u8, number: u64, text: &str) -> Vec<u8> {
    packet::packet(letter, number, text, FORWARD_FRAME_MAX)
}

fn collector(to: &Collector) -> String {
    match to {
        Collector::Udp(to) => format!("udp {to}"),
        Collector::Tcp(to) => format!("tcp {to}"),
        Collector::Tls(TlsCollector { host, port, server_name: None }) => format!("tls {host} {port}"),
        Collector::Tls(TlsCollector { host, port, server_name: Some(name) }) => {
            format!("tls {host} {port} {name}")
        }
    }
}

fn collector_of(text: &str) -> Option<Collector> {
    let mut words = text.split(' ');
    Some(match (words.next()?, words.next()?) {
        ("udp", to) => Collector::Udp(to.parse().ok()?),
        ("tcp", to) => Collector::Tcp(to.parse().ok()?),
        ("tls", host) => {
            let port = words.next()?.parse().ok()?;
            let server_name = words.next().map(ToString::to_string);
            Collector::Tls(TlsCollector { host: host.to_string(), port, server_name })
        }
        _ => return None,
    })
}

impl FromForwarder {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Follow(follow) => follow.encode().to_vec(),
            Self::Files(to) => packet(b'f', 0, &collector(to)),
            Self::Link { to, errno } => packet(b'l', u64::from(errno.unsigned_abs()), &collector(to)),
            Self::Said { to, why } => packet(b's', 0, &format!("{}\n{why}", collector(to))),
            Self::Trouble { id, errno } => packet(b'e', *id, &errno.to_string()),
        }
    }

    /// `None`: one that we do not know. The first of them had no letter; no other is as long.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if let Some(follow) = Follow::decode(bytes) {
            return Some(Self::Follow(follow));
        }
        let (letter, number, text) = packet::parts(bytes)?;
        Some(match letter {
            b'f' => Self::Files(collector_of(text)?),
            b'l' => Self::Link { to: collector_of(text)?, errno: i32::try_from(number).ok()? },
            b's' => {
                let (to, why) = text.split_once('\n')?;
                Self::Said { to: collector_of(to)?, why: why.to_string() }
            }
            b'e' => Self::Trouble { id: number, errno: text.parse().ok()? },
            _ => return None,
        })
    }
}

impl Follow {
    fn encode(&self) -> [u8; FOLLOW_LEN] {
        let mut bytes = [0; FOLLOW_LEN];
        let words = [self.id.to_le_bytes(), self.after.to_le_bytes()];
        bytes.iter_mut().zip(words.iter().flatten()).for_each(|(to, from)| *to = *from);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
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
        let tls = |host: &str, name: Option<&str>| {
            Collector::Tls(TlsCollector { host: host.into(), port: 6514, server_name: name.map(Into::into) })
        };
        let longest = "collector.example".repeat(14);
        let tcp = Collector::Tcp("[2001:db8::1]:601".parse().unwrap());
        for packet in [
            ToForwarder::Host("gateway-7".into()),
            ToForwarder::Places,
            ToForwarder::To(Collector::Udp("192.0.2.1:514".parse().unwrap())),
            ToForwarder::To(tcp.clone()),
            ToForwarder::To(tls("2001:db8::1", None)),
            ToForwarder::To(tls(&longest, Some(&longest))),
            ToForwarder::Files(tls("collector.example", None)),
            ToForwarder::NoFiles { to: tls("a", Some("b")), why: "ca: ca.pem: there is none".into() },
            ToForwarder::Ring { id: u64::MAX, name: "web".into() },
            ToForwarder::Wake { id: 7 },
        ] {
            assert_eq!(ToForwarder::decode(&packet.encode()), Some(packet));
        }
        for packet in [
            FromForwarder::Follow(Follow { id: 1 << 40, after: 3 }),
            FromForwarder::Files(tls("2001:db8::1", Some("collector.example"))),
            FromForwarder::Link { to: tcp.clone(), errno: 0 },
            FromForwarder::Link { to: tcp, errno: 111 },
            FromForwarder::Said {
                to: tls("collector.example", None),
                why: "its certificate has expired".into(),
            },
            FromForwarder::Trouble { id: u64::MAX, errno: 84 },
        ] {
            assert_eq!(FromForwarder::decode(&packet.encode()), Some(packet));
        }
    }

    #[test]
    fn what_is_no_packet_is_passed_over_and_long_reasons_are_cut() {
        let to = Collector::Tcp("192.0.2.1:601".parse().unwrap());
        let long = FromForwarder::Said { to, why: "ä".repeat(FORWARD_FRAME_MAX) }.encode();
        let Some(FromForwarder::Said { why, .. }) = FromForwarder::decode(&long) else { panic!() };
        assert!(why.len() > FORWARD_FRAME_MAX - 32, "{why}");
        for bytes in [
            &b""[..],
            b"h",
            b"q12345678",
            b"t12345678udp nowhere",
            b"t12345678quic 192.0.2.1:1",
            b"t12345678tls a",
        ] {
            assert_eq!(ToForwarder::decode(bytes), None, "{bytes:?}");
        }
        for bytes in
            [&[0; 15][..], b"l12345678udp nowhere", b"s12345678udp 192.0.2.1:1", b"e12345678x", b"q12345678"]
        {
            assert_eq!(FromForwarder::decode(bytes), None, "{bytes:?}");
        }
    }
}

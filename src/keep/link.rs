//! What the supervisor and `orlop keep` say to one another: one packet each. All but wakes and requests is said again to a
//! new keeper, and by a new supervisor.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Mirror;
use crate::config::{Disk, DiskName};
use crate::log::packet;

/// Bytes of a packet, the most: a letter, a number and a text. Longer texts are cut.
pub const KEEP_FRAME_MAX: usize = 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToKeeper {
    /// Which disk it is, and how much of it logs may take.
    Disk { device: DiskName, kind: String, logs: u64 },
    /// The memory of places, as the fd.
    Places,
    /// A log by its name and, as the fd, its ring, to be read only. Comes after the places.
    Ring { id: u64, name: String },
    /// There is more to read than the keeper had seen.
    Wake { id: u64 },
    /// These files of /run are others now, or may be.
    Mirror(Mirror),
    /// The machine ends: all is written, and the disk let go of. Answered with [`FromKeeper::Flushed`].
    Flush,
}

/// What the keeper says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromKeeper {
    /// One [`ToKeeper::Wake`] is asked for, when the ring's `seq` is above `after`.
    Follow { id: u64, after: u64 },
    /// The disk is there, at its place, and in use.
    Mounted,
    /// What it had is in /run, and is so once in a boot; or that cannot be, and why.
    Restored { why: String },
    /// The configuration of this number is on it, for the next boot.
    OnDisk { number: u64 },
    /// It is not, and why. The keeper goes on trying.
    Missing { why: String },
    /// What should have been written could not be, and why; an empty text: it can again.
    Trouble { why: String },
    /// Something that people should know, once.
    Note { text: String },
    /// All is on the disk, and nothing of it is open any more.
    Flushed,
}

impl ToKeeper {
    #[must_use]
    pub fn disk(disk: &Disk) -> Self {
        Self::Disk { device: disk.device.clone(), kind: disk.kind.clone(), logs: disk.logs }
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Disk { device, kind, logs } => {
                packet(b'd', *logs, &[kind.as_str(), " ", &device.to_string()].concat())
            }
            Self::Places => packet(b'p', 0, ""),
            Self::Ring { id, name } => packet(b'r', *id, name),
            Self::Wake { id } => packet(b'w', *id, ""),
            Self::Mirror(what) => packet(b'c', 0, &what.word()),
            Self::Flush => packet(b'f', 0, ""),
        }
    }

    /// `None`: one that we do not know.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (letter, number, text) = packet::parts(bytes)?;
        Some(match letter {
            b'd' => {
                let (kind, device) = text.split_once(' ')?;
                Self::Disk { device: DiskName::parse(device)?, kind: kind.to_string(), logs: number }
            }
            b'p' => Self::Places,
            b'r' => Self::Ring { id: number, name: text.to_string() },
            b'w' => Self::Wake { id: number },
            b'c' => Self::Mirror(Mirror::of_word(text)?),
            b'f' => Self::Flush,
            _ => return None,
        })
    }
}

impl FromKeeper {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Follow { id, after } => packet(b'a', *id, &after.to_string()),
            Self::Mounted => packet(b'm', 0, ""),
            Self::Restored { why } => packet(b'b', 0, why),
            Self::OnDisk { number } => packet(b'o', *number, ""),
            Self::Missing { why } => packet(b'x', 0, why),
            Self::Trouble { why } => packet(b'e', 0, why),
            Self::Note { text } => packet(b'n', 0, text),
            Self::Flushed => packet(b'f', 0, ""),
        }
    }

    /// `None`: one that we do not know.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (letter, number, text) = packet::parts(bytes)?;
        Some(match letter {
            b'a' => Self::Follow { id: number, after: text.parse().ok()? },
            b'm' => Self::Mounted,
            b'b' => Self::Restored { why: text.to_string() },
            b'o' => Self::OnDisk { number },
            b'x' => Self::Missing { why: text.to_string() },
            b'e' => Self::Trouble { why: text.to_string() },
            b'n' => Self::Note { text: text.to_string() },
            b'f' => Self::Flushed,
            _ => return None,
        })
    }
}

fn packet(letter: u8, number: u64, text: &str) -> Vec<u8> {
    packet::packet(letter, number, text, KEEP_FRAME_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_reads_back_as_it_was_sent() {
        let disk = |device| ToKeeper::Disk { device, kind: "ext4".into(), logs: 1 << 40 };
        for packet in [
            disk(DiskName::Path("/dev/vda2".into())),
            disk(DiskName::Label("orlop data".into())),
            disk(DiskName::Uuid("8f14e45f-ceea-467f-a8c4-1f2b5d7e9a30".into())),
            ToKeeper::Places,
            ToKeeper::Ring { id: u64::MAX, name: "web".into() },
            ToKeeper::Wake { id: 7 },
            ToKeeper::Mirror(Mirror::Configuration),
            ToKeeper::Mirror(Mirror::Ends("worker@a".into())),
            ToKeeper::Mirror(Mirror::End),
            ToKeeper::Mirror(Mirror::All),
            ToKeeper::Flush,
        ] {
            assert_eq!(ToKeeper::decode(&packet.encode()), Some(packet));
        }
        for packet in [
            FromKeeper::Follow { id: 1 << 40, after: u64::MAX },
            FromKeeper::Mounted,
            FromKeeper::Restored { why: String::new() },
            FromKeeper::Restored { why: "full".into() },
            FromKeeper::OnDisk { number: u64::MAX },
            FromKeeper::Missing { why: "LABEL=orlop: no such file system".into() },
            FromKeeper::Trouble { why: String::new() },
            FromKeeper::Note { text: "so".into() },
            FromKeeper::Flushed,
        ] {
            assert_eq!(FromKeeper::decode(&packet.encode()), Some(packet));
        }
    }

    #[test]
    fn what_is_no_packet_is_passed_over_and_long_texts_are_cut() {
        for bytes in [
            &b""[..],
            b"w",
            b"d12345678ext4",
            b"d12345678ext4 vda",
            b"c12345678nothing",
            b"c12345678all of it",
            b"q12345678",
        ] {
            assert_eq!(ToKeeper::decode(bytes), None, "{bytes:?}");
        }
        assert_eq!(FromKeeper::decode(b"a12345678x"), None);
        let long = FromKeeper::Note { text: "ä".repeat(KEEP_FRAME_MAX) };
        let Some(FromKeeper::Note { text }) = FromKeeper::decode(&long.encode()) else { panic!() };
        assert_eq!(text.len(), (KEEP_FRAME_MAX - 9) / 2 * 2);
    }
}

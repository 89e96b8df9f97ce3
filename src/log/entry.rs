//! One entry of the index: one read of a pipe, with its time and what was refused before it.

/// Bytes of an entry in the file.
pub(super) const ENTRY_LEN: u64 = 40;

/// The top bits of the length word: the stream. Reads are far shorter.
const STDERR: u32 = 1 << 31;
const SYSLOG: u32 = 1 << 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    Stdout,
    Stderr,
    /// Messages, each whole, with its priority as syslog(3) writes it: `<30>text`.
    Syslog,
}

/// When a read was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Microseconds since boot.
    pub boot_us: u64,
    /// Nanoseconds of Unix time, as the machine had it then.
    pub wall_ns: i64,
}

/// The counts are those of the ring's whole life, so that a reader that missed entries still sees
/// exactly how much is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Bytes kept before this read.
    pub(super) start: u64,
    pub(super) len: u32,
    pub(super) stream: Stream,
    pub(super) stamp: Stamp,
    /// Bytes refused before this read.
    pub(super) lost_bytes: u64,
    /// Reads refused before this read; wraps.
    pub(super) lost_reads: u32,
}

impl Entry {
    /// Bytes kept up to and with this read.
    pub(super) fn end(&self) -> u64 {
        self.start.saturating_add(u64::from(self.len))
    }

    pub(super) fn encode(&self) -> [u8; ENTRY_LEN as usize] {
        let stream = match self.stream {
            Stream::Stdout => 0,
            Stream::Stderr => STDERR,
            Stream::Syslog => SYSLOG,
        };
        let fields: [&[u8]; 6] = [
            &self.start.to_le_bytes(),
            &self.stamp.boot_us.to_le_bytes(),
            &self.stamp.wall_ns.to_le_bytes(),
            &self.lost_bytes.to_le_bytes(),
            &self.lost_reads.to_le_bytes(),
            &(self.len | stream).to_le_bytes(),
        ];
        let mut out = [0; ENTRY_LEN as usize];
        let bytes = fields.into_iter().flatten();
        out.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        out
    }

    /// `None`: fewer bytes than an entry has.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (start, rest) = bytes.split_first_chunk()?;
        let (boot_us, rest) = rest.split_first_chunk()?;
        let (wall_ns, rest) = rest.split_first_chunk()?;
        let (lost_bytes, rest) = rest.split_first_chunk()?;
        let (lost_reads, rest) = rest.split_first_chunk()?;
        let (len, _) = rest.split_first_chunk()?;
        let len = u32::from_le_bytes(*len);
        Some(Self {
            start: u64::from_le_bytes(*start),
            len: len & !(STDERR | SYSLOG),
            stream: match (len & STDERR, len & SYSLOG) {
                (0, 0) => Stream::Stdout,
                (_, 0) => Stream::Stderr,
                (_, _) => Stream::Syslog,
            },
            stamp: Stamp { boot_us: u64::from_le_bytes(*boot_us), wall_ns: i64::from_le_bytes(*wall_ns) },
            lost_bytes: u64::from_le_bytes(*lost_bytes),
            lost_reads: u32::from_le_bytes(*lost_reads),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_back_as_it_was_written() {
        for stream in [Stream::Stdout, Stream::Stderr, Stream::Syslog] {
            let entry = Entry {
                start: 1 << 50,
                len: 65_536,
                stream,
                stamp: Stamp { boot_us: 7, wall_ns: -1 },
                lost_bytes: 1 << 41,
                lost_reads: u32::MAX,
            };
            assert_eq!(Entry::decode(&entry.encode()), Some(entry));
        }
    }

    #[test]
    fn fewer_bytes_than_an_entry_are_none() {
        assert_eq!(Entry::decode(&[0; 39]), None);
    }
}

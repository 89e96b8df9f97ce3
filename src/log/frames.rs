//! The frames between the supervisor and the logger: one packet each, of fixed size, at most two fds
//! beside it. A frame is idempotent: a new logger is sent all of them again.

use super::entry::Stream;

/// Bytes of a frame.
pub const FRAME_LEN: usize = 32;

/// Of the format. Kinds are added, fields are added where zeros are now; a receiver passes over a
/// frame that it does not know.
const VERSION: u16 = 1;

/// The ring of what the kernel says. No container has such a number.
pub const KERNEL: u64 = 1 << 32;
/// The ring of what Orlop itself says.
pub const OWN: u64 = KERNEL + 1;

/// One output pipe, or socket of messages, of one run of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PipeKey {
    /// The container, by a number that is the supervisor's choice.
    pub id: u64,
    /// Which run of it.
    pub generation: u64,
    pub stream: Stream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToLogger {
    /// A container and, as the fd, its ring. Again: a new rate, or a new ring. `rate` is bytes a
    /// second.
    Ring { id: u64, rate: Option<u64> },
    /// The read end of a pipe, or a socket of messages, as the fd. The ring comes before.
    Pipe(PipeKey),
    /// As `Pipe`, of a pipe that the logger itself fills from a terminal: the fds are both.
    Terminal(PipeKey),
    /// Nobody can write to this socket of messages any more: it is closed once it is empty.
    Drain(PipeKey),
    /// The kernel's log, as the fd. The rings [`KERNEL`] and [`OWN`] come before.
    Kmsg,
    /// One `Wake` is asked for, when the ring's `seq` is above `after`, or below it, since the ring began anew; in place of
    /// an earlier asking.
    Follow { id: u64, after: u64 },
    /// Answered with `Pong`: whoever does not is stopped or stuck.
    Ping { token: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromLogger {
    /// There is more to read.
    Wake {
        id: u64,
    },
    /// Everybody closed the pipe's write end (or, of a socket of messages, `Drain` was heard), and all that was in it is
    /// in the ring.
    PipeClosed(PipeKey),
    /// The ring cannot be written for now; the pipes are left alone and tried again. Or, with
    /// EILSEQ, it made no sense and began anew; with ENOENT, a pipe came without a ring.
    Trouble {
        id: u64,
        errno: i32,
    },
    Pong {
        token: u64,
    },
}

impl ToLogger {
    #[must_use]
    pub fn encode(&self) -> [u8; FRAME_LEN] {
        match *self {
            Self::Ring { id, rate: None } => Fields { kind: 1, id, ..Fields::default() },
            Self::Ring { id, rate: Some(value) } => {
                Fields { kind: 1, id, value, flag: 1, ..Fields::default() }
            }
            Self::Pipe(key) => Fields::of_pipe(2, key),
            Self::Follow { id, after } => Fields { kind: 3, id, value: after, ..Fields::default() },
            Self::Ping { token } => Fields { kind: 4, value: token, ..Fields::default() },
            Self::Terminal(key) => Fields::of_pipe(5, key),
            Self::Kmsg => Fields { kind: 6, ..Fields::default() },
            Self::Drain(key) => Fields::of_pipe(7, key),
        }
        .encode()
    }

    /// `None`: a frame that we do not know.
    #[must_use]
    pub fn decode(frame: &[u8]) -> Option<Self> {
        let fields = Fields::decode(frame)?;
        let Fields { kind, id, value, .. } = fields;
        match (kind, fields.flag) {
            (1, 0) => Some(Self::Ring { id, rate: None }),
            (1, 1) => Some(Self::Ring { id, rate: Some(value) }),
            (2, _) => fields.pipe().map(Self::Pipe),
            (3, _) => Some(Self::Follow { id, after: value }),
            (4, _) => Some(Self::Ping { token: value }),
            (5, _) => fields.pipe().map(Self::Terminal),
            (6, _) => Some(Self::Kmsg),
            (7, _) => fields.pipe().map(Self::Drain),
            _ => None,
        }
    }
}

impl FromLogger {
    #[must_use]
    pub fn encode(&self) -> [u8; FRAME_LEN] {
        match *self {
            Self::Wake { id } => Fields { kind: 1, id, ..Fields::default() },
            Self::PipeClosed(key) => Fields::of_pipe(2, key),
            Self::Trouble { id, errno } => {
                Fields { kind: 3, id, number: errno.cast_unsigned(), ..Fields::default() }
            }
            Self::Pong { token } => Fields { kind: 4, value: token, ..Fields::default() },
        }
        .encode()
    }

    /// `None`: a frame that we do not know.
    #[must_use]
    pub fn decode(frame: &[u8]) -> Option<Self> {
        let fields = Fields::decode(frame)?;
        let Fields { kind, id, number, value, .. } = fields;
        match kind {
            1 => Some(Self::Wake { id }),
            2 => fields.pipe().map(Self::PipeClosed),
            3 => Some(Self::Trouble { id, errno: number.cast_signed() }),
            4 => Some(Self::Pong { token: value }),
            _ => None,
        }
    }
}

/// The form that all frames have: version, kind, a 32-bit number, id, value, flag; zeros.
#[derive(Debug, Clone, Copy, Default)]
struct Fields {
    kind: u16,
    number: u32,
    id: u64,
    value: u64,
    flag: u8,
}

impl Fields {
    fn of_pipe(kind: u16, key: PipeKey) -> Self {
        let flag = match key.stream {
            Stream::Stdout => 0,
            Stream::Stderr => 1,
            Stream::Syslog => 2,
        };
        Self { kind, value: key.generation, id: key.id, flag, ..Self::default() }
    }

    fn pipe(&self) -> Option<PipeKey> {
        let stream = match self.flag {
            0 => Stream::Stdout,
            1 => Stream::Stderr,
            2 => Stream::Syslog,
            _ => return None,
        };
        Some(PipeKey { id: self.id, generation: self.value, stream })
    }

    fn encode(&self) -> [u8; FRAME_LEN] {
        let fields: [&[u8]; 6] = [
            &VERSION.to_le_bytes(),
            &self.kind.to_le_bytes(),
            &self.number.to_le_bytes(),
            &self.id.to_le_bytes(),
            &self.value.to_le_bytes(),
            &[self.flag],
        ];
        let mut out = [0; FRAME_LEN];
        let bytes = fields.into_iter().flatten();
        out.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        out
    }

    fn decode(frame: &[u8]) -> Option<Self> {
        if frame.len() != FRAME_LEN {
            return None;
        }
        let (version, rest) = frame.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        let (value, rest) = rest.split_first_chunk()?;
        (u16::from_le_bytes(*version) == VERSION).then_some(Self {
            kind: u16::from_le_bytes(*kind),
            number: u32::from_le_bytes(*number),
            id: u64::from_le_bytes(*id),
            value: u64::from_le_bytes(*value),
            flag: *rest.first()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: PipeKey = PipeKey { id: 7, generation: 8, stream: Stream::Stderr };

    #[test]
    fn every_frame_reads_back_as_it_was_sent() {
        for frame in [
            ToLogger::Ring { id: u64::MAX, rate: None },
            ToLogger::Ring { id: 1, rate: Some(u64::MAX) },
            ToLogger::Pipe(KEY),
            ToLogger::Pipe(PipeKey { stream: Stream::Stdout, ..KEY }),
            ToLogger::Follow { id: 3, after: 4 },
            ToLogger::Ping { token: 5 },
            ToLogger::Terminal(KEY),
            ToLogger::Kmsg,
            ToLogger::Drain(KEY),
            ToLogger::Pipe(PipeKey { stream: Stream::Syslog, ..KEY }),
        ] {
            assert_eq!(ToLogger::decode(&frame.encode()), Some(frame));
        }
        for frame in [
            FromLogger::Wake { id: 1 },
            FromLogger::PipeClosed(KEY),
            FromLogger::Trouble { id: 2, errno: 12 },
            FromLogger::Pong { token: 3 },
        ] {
            assert_eq!(FromLogger::decode(&frame.encode()), Some(frame));
        }
    }

    #[test]
    fn an_unknown_frame_is_passed_over() {
        let mut newer_version = ToLogger::Ping { token: 2 }.encode();
        newer_version[0] = 2;
        let mut newer_kind = ToLogger::Ping { token: 2 }.encode();
        newer_kind[2] = 99;
        let mut fourth_stream = ToLogger::Pipe(KEY).encode();
        fourth_stream[24] = 3;
        let frames: [&[u8]; 6] = [&newer_version, &newer_kind, &fourth_stream, &[], &[1; 31], &[1; 33]];
        for frame in frames {
            assert_eq!(ToLogger::decode(frame), None);
            assert_eq!(FromLogger::decode(frame).filter(|_| frame.len() != FRAME_LEN), None);
        }
    }
}

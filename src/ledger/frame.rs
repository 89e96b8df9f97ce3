//! One frame: [`FRAME_BYTES`] bytes, little-endian, `version u16 · kind u16 · fields`.
//!
//! Fields are only ever added at the end of a kind, where older releases see zeroes they ignore.

use super::label::Label;

/// Version of the frames that this release writes.
pub const VERSION: u16 = 1;
/// Every frame has this size: a whole table of 4,096 then passes in one megabyte.
pub const FRAME_BYTES: usize = 192;
/// A container has a pidfd, two pipes and one to spare.
pub const MAX_FDS: usize = 4;

/// What an entry of the table stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The first process of a container. fds: pidfd, stdout's read end, stderr's read end.
    Container,
    /// A helper such as `orlop log`. fds: pidfd, the supervisor's end of its socket.
    Helper,
    /// The memory of a container's log. fds: the memfd.
    Ring,
    /// A listening socket. fds: the socket.
    Listener,
    /// A process that was executed in a container for a client. fds: pidfd, the supervisor's end of the
    /// socket to its relay.
    Exec,
}

/// What the machine is asked to do at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    PowerOff,
    Reboot,
}

/// What is registered: the cookie names it, `pid` is 0 for what is no process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child {
    pub cookie: u64,
    pub kind: Kind,
    pub pid: i32,
    pub label: Label,
}

/// How a child ended, as waitid(2) with `__WALL` and its rusage say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ended {
    /// `CLD_EXITED`, `CLD_KILLED` or `CLD_DUMPED`.
    pub code: i32,
    /// Exit code or signal number, real-time signals too.
    pub status: i32,
    pub user_us: u64,
    pub system_us: u64,
    /// KiB.
    pub max_rss: u64,
    /// Boot time when it was reaped, µs.
    pub at_us: u64,
}

/// One step of the boot that PID 1 took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    pub start_us: u64,
    pub end_us: u64,
    /// 0, or the errno of the first thing that failed.
    pub errno: i32,
    /// The phase's name; after a blank, what failed.
    pub label: Label,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// Supervisor: I am here and speak these versions.
    Hello {
        oldest: u16,
        newest: u16,
        pid: i32,
    },
    /// PID 1's answer, followed by `phases` × Phase, `entries` × Entry. `to` is the pid of the Hello:
    /// an answer to one that died before it read it still stands in the queue.
    Welcome {
        starts: u32,
        orphans: u64,
        safe: bool,
        phases: u16,
        entries: u16,
        power: Option<(Action, u64)>,
        to: i32,
    },
    Phase(Phase),
    /// One entry of the table with its fds; `None`: alive.
    Entry {
        child: Child,
        ended: Option<Ended>,
    },
    /// Supervisor: keep this child and these fds.
    Register(Child),
    Registered {
        cookie: u64,
    },
    /// The child was dead before it could be registered.
    Gone {
        cookie: u64,
    },
    /// The table is full or the cookie is taken.
    Refused {
        cookie: u64,
    },
    /// Supervisor: forget an entry that is no process, or close what a dead one left.
    Release {
        cookie: u64,
    },
    Ended {
        cookie: u64,
        ended: Ended,
    },
    /// Supervisor: its end is in my record; forget it.
    Recorded {
        cookie: u64,
    },
    /// Supervisor: control is served; and the answer to a Ping.
    Alive,
    /// Either side: the machine ends, at the latest at this boot time.
    Power {
        action: Action,
        deadline_us: u64,
    },
    /// Supervisor: everything has been stopped in order.
    PowerDone,
    /// Supervisor: go on as this executable (1 fd: a sealed memfd).
    Upgrade,
    /// Supervisor: here is the machine's watchdog (1 fd), or you have it already; ask me, and feed it while I answer.
    Watchdog {
        timeout_ms: u64,
    },
    /// PID 1: say that you are alive.
    Ping,
    /// PID 1: the new supervisor did not serve in time or died; the old executable is back.
    UpgradeFailed {
        code: i32,
        status: i32,
    },
    /// Supervisor: leave safe mode.
    Resume,
    /// PID 1: orphans reaped so far (the answer to `Count`).
    Counted {
        orphans: u64,
    },
    Count,
    /// Of a newer release; skipped.
    Unknown {
        kind: u16,
    },
}

/// These bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

struct Writer {
    bytes: [u8; FRAME_BYTES],
    at: usize,
}

impl Writer {
    fn put(mut self, field: &[u8]) -> Self {
        for (to, from) in self.bytes.iter_mut().skip(self.at).zip(field) {
            *to = *from;
        }
        self.at = self.at.saturating_add(field.len());
        self
    }
    fn u16(self, value: u16) -> Self {
        self.put(&value.to_le_bytes())
    }
    fn u32(self, value: u32) -> Self {
        self.put(&value.to_le_bytes())
    }
    fn i32(self, value: i32) -> Self {
        self.put(&value.to_le_bytes())
    }
    fn u64(self, value: u64) -> Self {
        self.put(&value.to_le_bytes())
    }
    fn child(self, child: &Child) -> Self {
        self.u64(child.cookie).u16(child.kind.number()).i32(child.pid).put(&child.label.0)
    }
    fn ended(self, ended: &Ended) -> Self {
        self.i32(ended.code)
            .i32(ended.status)
            .u64(ended.user_us)
            .u64(ended.system_us)
            .u64(ended.max_rss)
            .u64(ended.at_us)
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*head)
    }
    fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.take()?))
    }
    fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.take()?))
    }
    fn i32(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_le_bytes(self.take()?))
    }
    fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.take()?))
    }
    fn child(&mut self) -> Result<Child, Malformed> {
        Ok(Child {
            cookie: self.u64()?,
            kind: Kind::from_number(self.u16()?)?,
            pid: self.i32()?,
            label: Label(self.take()?),
        })
    }
    fn ended(&mut self) -> Result<Ended, Malformed> {
        Ok(Ended {
            code: self.i32()?,
            status: self.i32()?,
            user_us: self.u64()?,
            system_us: self.u64()?,
            max_rss: self.u64()?,
            at_us: self.u64()?,
        })
    }
}

impl Kind {
    fn number(self) -> u16 {
        match self {
            Self::Container => 1,
            Self::Helper => 2,
            Self::Ring => 3,
            Self::Listener => 4,
            Self::Exec => 5,
        }
    }
    fn from_number(number: u16) -> Result<Self, Malformed> {
        match number {
            1 => Ok(Self::Container),
            2 => Ok(Self::Helper),
            3 => Ok(Self::Ring),
            4 => Ok(Self::Listener),
            5 => Ok(Self::Exec),
            _ => Err(Malformed),
        }
    }
}

impl Action {
    fn number(self) -> u16 {
        match self {
            Self::PowerOff => 1,
            Self::Reboot => 2,
        }
    }
    fn from_number(number: u16) -> Result<Self, Malformed> {
        match number {
            1 => Ok(Self::PowerOff),
            2 => Ok(Self::Reboot),
            _ => Err(Malformed),
        }
    }
}

impl Frame {
    #[must_use]
    pub fn encode(&self) -> [u8; FRAME_BYTES] {
        let start = |kind| Writer { bytes: [0; FRAME_BYTES], at: 0 }.u16(VERSION).u16(kind);
        match self {
            Self::Hello { oldest, newest, pid } => start(1).u16(*oldest).u16(*newest).i32(*pid),
            Self::Welcome { starts, orphans, safe, phases, entries, power, to } => {
                let (action, deadline) = power.map_or((0, 0), |(action, at)| (action.number(), at));
                let head = start(2).u32(*starts).u64(*orphans).u16(u16::from(*safe));
                head.u16(*phases).u16(*entries).u16(action).u64(deadline).i32(*to)
            }
            Self::Phase(phase) => {
                start(3).u64(phase.start_us).u64(phase.end_us).i32(phase.errno).put(&phase.label.0)
            }
            Self::Entry { child, ended } => {
                start(4).child(child).u16(u16::from(ended.is_some())).ended(&ended.unwrap_or_default())
            }
            Self::Register(child) => start(5).child(child),
            Self::Registered { cookie } => start(6).u64(*cookie),
            Self::Gone { cookie } => start(7).u64(*cookie),
            Self::Refused { cookie } => start(8).u64(*cookie),
            Self::Release { cookie } => start(9).u64(*cookie),
            Self::Ended { cookie, ended } => start(10).u64(*cookie).ended(ended),
            Self::Recorded { cookie } => start(11).u64(*cookie),
            Self::Alive => start(12),
            Self::Power { action, deadline_us } => start(13).u16(action.number()).u64(*deadline_us),
            Self::PowerDone => start(14),
            Self::Upgrade => start(15),
            Self::UpgradeFailed { code, status } => start(16).i32(*code).i32(*status),
            Self::Resume => start(17),
            Self::Counted { orphans } => start(18).u64(*orphans),
            Self::Count => start(19),
            Self::Watchdog { timeout_ms } => start(20).u64(*timeout_ms),
            Self::Ping => start(21),
            Self::Unknown { kind } => start(*kind),
        }
        .bytes
    }

    /// Reads a frame of any release.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes are too few or a field has no meaning; an unknown kind is a
    /// value, [`Frame::Unknown`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() != FRAME_BYTES {
            return Err(Malformed);
        }
        let mut from = Reader(bytes);
        let _version = from.u16()?;
        Ok(match from.u16()? {
            1 => Self::Hello { oldest: from.u16()?, newest: from.u16()?, pid: from.i32()? },
            2 => Self::Welcome {
                starts: from.u32()?,
                orphans: from.u64()?,
                safe: from.u16()? != 0,
                phases: from.u16()?,
                entries: from.u16()?,
                power: match (from.u16()?, from.u64()?) {
                    (0, _) => None,
                    (action, at) => Some((Action::from_number(action)?, at)),
                },
                to: from.i32()?,
            },
            3 => Self::Phase(Phase {
                start_us: from.u64()?,
                end_us: from.u64()?,
                errno: from.i32()?,
                label: Label(from.take()?),
            }),
            4 => {
                let child = from.child()?;
                let dead = from.u16()? != 0;
                let ended = from.ended()?;
                Self::Entry { child, ended: dead.then_some(ended) }
            }
            5 => Self::Register(from.child()?),
            6 => Self::Registered { cookie: from.u64()? },
            7 => Self::Gone { cookie: from.u64()? },
            8 => Self::Refused { cookie: from.u64()? },
            9 => Self::Release { cookie: from.u64()? },
            10 => Self::Ended { cookie: from.u64()?, ended: from.ended()? },
            11 => Self::Recorded { cookie: from.u64()? },
            12 => Self::Alive,
            13 => Self::Power { action: Action::from_number(from.u16()?)?, deadline_us: from.u64()? },
            14 => Self::PowerDone,
            15 => Self::Upgrade,
            16 => Self::UpgradeFailed { code: from.i32()?, status: from.i32()? },
            17 => Self::Resume,
            18 => Self::Counted { orphans: from.u64()? },
            19 => Self::Count,
            20 => Self::Watchdog { timeout_ms: from.u64()? },
            21 => Self::Ping,
            kind => Self::Unknown { kind },
        })
    }
}

#[cfg(test)]
#[path = "frame_test.rs"]
mod tests;

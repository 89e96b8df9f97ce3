//! Names for what the loop waits for, as epoll gives them back.

/// What wakes the loop: the kind in the upper half of a token, which one in the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    Ledger,
    /// Clients.
    Control,
    /// The logger.
    Log,
    /// Somebody pressed the power button.
    Button(u32),
    /// The modules that no container waits for are loaded.
    Modules,
    /// A start reports; the number is the run's.
    Report(u32),
    /// A cgroup emptied.
    Cgroup(u32),
    /// An errand's answer.
    Errand(u32),
    /// What is executed for a client reports.
    SessionReport(u32),
    /// A relay.
    Session(u32),
    /// A container says something of itself: a datagram, or a line. The number is the run's.
    Notices(u32),
    Line(u32),
    /// Who sends logs to collectors.
    Forward,
    /// Who reads a disk for a client has something.
    Past(u32),
    /// Who keeps logs on a disk.
    Keep,
    /// A probe has ended, or what makes it reports.
    Probe(u32),
    /// The clock was set.
    Clock,
    /// Somebody waits at a socket that is open for a container.
    Socket(u32),
}

impl Token {
    pub fn number(self) -> u64 {
        let (kind, which) = match self {
            Self::Ledger => (1u64, 0),
            Self::Report(run) => (2, run),
            Self::Cgroup(run) => (3, run),
            Self::Control => (4, 0),
            Self::Button(button) => (5, button),
            Self::Log => (6, 0),
            Self::Modules => (8, 0),
            Self::Errand(errand) => (9, errand),
            Self::SessionReport(session) => (10, session),
            Self::Session(session) => (11, session),
            Self::Notices(run) => (12, run),
            Self::Line(run) => (13, run),
            Self::Probe(probe) => (14, probe),
            Self::Clock => (15, 0),
            Self::Forward => (16, 0),
            Self::Socket(socket) => (17, socket),
            Self::Keep => (18, 0),
            Self::Past(reading) => (7, reading),
        };
        kind << 32 | u64::from(which)
    }

    pub fn from_number(number: u64) -> Option<Self> {
        let which = (number & 0xffff_ffff) as u32;
        match number >> 32 {
            1 => Some(Self::Ledger),
            2 => Some(Self::Report(which)),
            3 => Some(Self::Cgroup(which)),
            4 => Some(Self::Control),
            5 => Some(Self::Button(which)),
            6 => Some(Self::Log),
            8 => Some(Self::Modules),
            9 => Some(Self::Errand(which)),
            10 => Some(Self::SessionReport(which)),
            11 => Some(Self::Session(which)),
            12 => Some(Self::Notices(which)),
            13 => Some(Self::Line(which)),
            14 => Some(Self::Probe(which)),
            15 => Some(Self::Clock),
            16 => Some(Self::Forward),
            17 => Some(Self::Socket(which)),
            18 => Some(Self::Keep),
            7 => Some(Self::Past(which)),
            _ => None,
        }
    }
}

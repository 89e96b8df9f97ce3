//! The types of the interface, field for field: what the machine says and a client reads.
//!
//! Absent is `null`, never left out, so that every object of a kind has the same fields. They are
//! made from the supervisor's own types, never used as such.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::base64;

/// An enum of the interface: its words stand here once, for the wire and for people.
macro_rules! words {
    ($($(#[$about:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? })+) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $(#[serde(rename = $word)] $variant),+ }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word of the interface.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    )+};
}

words! {
    Wanted { Up = "up", Down = "down" }
    State {
        Waiting = "waiting",
        Starting = "starting",
        Running = "running",
        Stopping = "stopping",
        Backoff = "backoff",
        Exited = "exited",
        Failed = "failed",
        Stuck = "stuck",
        Invalid = "invalid",
    }
    Health {
        None = "none",
        Starting = "starting",
        Healthy = "healthy",
        Unhealthy = "unhealthy",
    }
    CauseKind {
        Exit = "exit",
        Signal = "signal",
        Oom = "oom",
        Start = "start",
        Probe = "probe",
        Watchdog = "watchdog",
        Dependency = "dependency",
        Conflict = "conflict",
        Gate = "gate",
        Group = "group",
        User = "user",
        Config = "config",
        Image = "image",
        Shutdown = "shutdown",
        Unknown = "unknown",
    }
    Stream { Stdout = "stdout", Stderr = "stderr", Syslog = "syslog" }
    DropReason { Overwritten = "overwritten", Refused = "refused", Damaged = "damaged" }
    /// What a reload does to a container.
    PlanAction { Start = "start", Stop = "stop", Restart = "restart", Change = "change" }
    /// What a file of the machine's folder is, beside the configuration in force.
    FileDrift { Added = "added", Removed = "removed", Changed = "changed" }
    /// What it takes for a changed key to be in force.
    ReloadClass {
        None = "none",
        Live = "live",
        Restart = "restart",
        Recreate = "recreate",
        Reboot = "reboot",
    }
    /// Whose memory ran out.
    OomScope { Container = "container", Machine = "machine" }
    /// What happens to a container next, by itself.
    NextStep {
        Nothing = "nothing",
        Person = "person",
        Declaration = "declaration",
        Boot = "boot",
        Resume = "resume",
        Dependencies = "dependencies",
        Conflict = "conflict",
        Gates = "gates",
        Connection = "connection",
        Turn = "turn",
        Time = "time",
        Shutdown = "shutdown",
        Started = "started",
        Restart = "restart",
        Dependents = "dependents",
        Kill = "kill",
        Gone = "gone",
        Retry = "retry",
    }
    /// How much Orlop says.
    LogLevel { Error = "error", Warn = "warn", Info = "info", Debug = "debug" }
    PowerAction { Poweroff = "poweroff", Reboot = "reboot" }
    /// How far a container is on its way down with the machine.
    LeavingStage {
        Up = "up",
        Waits = "waits",
        Asked = "asked",
        Killed = "killed",
        Emptied = "emptied",
        Stuck = "stuck",
        Gone = "gone",
    }
    /// What can be crashed on purpose.
    Process { Supervisor = "supervisor", Log = "log", Forward = "forward", Keep = "keep", Init = "init" }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    pub kind: CauseKind,
    pub text: String,
    pub code: Option<i32>,
    pub signal: Option<String>,
    pub step: Option<String>,
    pub object: Option<String>,
    pub errno: Option<String>,
    pub name: Option<String>,
    /// Neither of a machine that does not tell them yet.
    #[serde(default)]
    pub scope: Option<OomScope>,
    #[serde(default)]
    pub limit_bytes: Option<u64>,
}

impl Cause {
    /// A cause that has no more to say than its text.
    #[must_use]
    pub fn new(kind: CauseKind, text: String) -> Self {
        Self {
            kind,
            text,
            code: None,
            signal: None,
            step: None,
            object: None,
            errno: None,
            name: None,
            scope: None,
            limit_bytes: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    pub name: String,
    #[serde(default)]
    pub group: Option<String>,
    pub wanted: Wanted,
    pub state: State,
    pub ready: bool,
    pub health: Health,
    pub pid: Option<u32>,
    pub restarts: u64,
    pub cause: Option<Cause>,
    pub image: Option<String>,
    pub started_at: Option<String>,
    pub next_start: Option<String>,
    pub exit_code: Option<i32>,
    pub uptime_ms: Option<u64>,
    /// Never of a machine that cannot.
    #[serde(default)]
    pub paused: bool,
    /// Never of a machine that cannot.
    #[serde(default)]
    pub listens: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Details {
    pub declared_at: Option<String>,
    pub problems: Vec<String>,
    pub depends_on: Vec<String>,
    pub waits_for: Vec<String>,
    pub command: Vec<String>,
    /// None from a machine that does not tell them yet.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Neither of a machine that does not tell them yet.
    #[serde(default)]
    pub tty: bool,
    #[serde(default)]
    pub stdin_open: bool,
    #[serde(default)]
    pub sockets: Vec<String>,
    #[serde(default)]
    pub health_report: Option<String>,
    #[serde(default)]
    pub says: Option<String>,
    pub memory_bytes: Option<u64>,
    pub memory_peak_bytes: Option<u64>,
    pub memory_limit_bytes: Option<u64>,
    pub cpu_us: Option<u64>,
    pub processes: Option<u64>,
}

/// What another container has to be before this one starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    pub name: String,
    pub condition: String,
    pub restart: bool,
    pub required: bool,
}

/// How a container came up for the first time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rise {
    pub name: String,
    pub state: State,
    pub cause: Option<String>,
    pub wanted_us: u64,
    pub starting_us: Option<u64>,
    pub running_us: Option<u64>,
    pub ready_us: Option<u64>,
    #[serde(default)]
    pub next_us: Option<u64>,
    pub depends_on: Vec<Edge>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    pub reason: DropReason,
    pub bytes: u64,
    pub reads: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub name: String,
    pub stream: Option<Stream>,
    pub boot_us: u64,
    pub time: String,
    pub text: Option<String>,
    pub data: Option<String>,
    pub dropped: Option<Dropped>,
}

impl Entry {
    /// One whole read: as text when it is UTF-8, which costs a third less than base64.
    #[must_use]
    pub fn output(name: &str, stream: Stream, boot_us: u64, time: String, bytes: &[u8]) -> Self {
        let text = core::str::from_utf8(bytes).ok().map(String::from);
        let data = if text.is_none() { Some(base64::encode(bytes)) } else { None };
        let stream = Some(stream);
        Self { name: String::from(name), stream, boot_us, time, text, data, dropped: None }
    }

    /// In the place of output that is gone.
    #[must_use]
    pub fn gap(name: &str, boot_us: u64, time: String, dropped: Dropped) -> Self {
        let (text, data, dropped) = (None, None, Some(dropped));
        Self { name: String::from(name), stream: None, boot_us, time, text, data, dropped }
    }

    /// The bytes that the container wrote; none for a gap. `None`: `data` is not base64.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match (&self.text, &self.data) {
            (Some(text), _) => Some(text.as_bytes().to_vec()),
            (None, Some(data)) => base64::decode(data),
            (None, None) => Some(Vec::new()),
        }
    }
}

/// A boot of which there are logs on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptBoot {
    /// So many before this one.
    pub before: u64,
    pub id: String,
    /// As far as its newest records know; none when nothing of it can be read.
    pub began: Option<String>,
    pub last: Option<String>,
    /// Of its logs on the disk, packed.
    pub bytes: u64,
    pub logs: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    pub name: String,
    pub start_us: u64,
    pub duration_us: Option<u64>,
    pub ok: Option<bool>,
    pub error: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upgrade {
    pub number: u64,
    pub sha256: String,
    pub ok: bool,
    pub error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_that_is_text_travels_as_text_and_other_bytes_as_base64() {
        let entry = |bytes| Entry::output("web", Stream::Stdout, 7, String::from("t"), bytes);
        let text = entry("größer\n".as_bytes());
        assert_eq!((text.text.as_deref(), text.data.as_deref()), (Some("größer\n"), None));
        // Half a character, as a read of fixed size leaves it.
        let half = entry(b"gr\xc3");
        assert_eq!((half.text.as_deref(), half.data.as_deref()), (None, Some("Z3LD")));
        for bytes in [&b""[..], b"a\0b", b"\xff\xfe", "größer".as_bytes()] {
            assert_eq!(entry(bytes).bytes().as_deref(), Some(bytes));
        }
    }

    #[test]
    fn a_gap_has_no_bytes_and_says_how_many_are_gone() {
        let dropped = Dropped { reason: DropReason::Refused, bytes: 9, reads: 2 };
        let gap = Entry::gap("web", 7, String::from("t"), dropped);
        assert_eq!(gap.bytes(), Some(Vec::new()));
        assert_eq!(
            serde_json::to_string(&gap).unwrap(),
            r#"{"name":"web","stream":null,"boot_us":7,"time":"t","text":null,"data":null,"dropped":{"reason":"refused","bytes":9,"reads":2}}"#
        );
    }

    #[test]
    fn data_that_is_not_base64_is_told() {
        let mut entry = Entry::output("web", Stream::Stdout, 7, String::new(), b"\xff");
        entry.data = Some(String::from("?"));
        assert_eq!(entry.bytes(), None);
    }
}

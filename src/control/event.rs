//! What happened, as clients are told: every kind in the same fields, and a line for people.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize};

use super::parameters::{Parameters, invalid};
use super::{Asker, Cause, Error, Happening, State, When};

/// Which events are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Events {
    /// Those about these containers; none: all.
    pub names: Vec<String>,
    /// A [`When`].
    pub since: Option<String>,
    pub follow: bool,
}

impl Events {
    pub(super) fn take(parameters: &mut Parameters) -> Result<Self, Error> {
        let since: Option<String> = parameters.take("since")?;
        if since.as_deref().is_some_and(|since| When::parse(since).is_none()) {
            return Err(invalid("since"));
        }
        let follow = parameters.take::<Option<bool>>("follow")?.unwrap_or(false);
        Ok(Self { names: parameters.take("names")?, since, follow })
    }
}

/// The word of a [`Happening`]. One that this program does not know is `other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    State,
    Note,
    End,
    Asked,
    Refused,
    Phase,
    Helper,
    Supervisor,
    Shutdown,
    Other,
}

impl EventKind {
    pub const ALL: &[Self] = &[
        Self::State,
        Self::Note,
        Self::End,
        Self::Asked,
        Self::Refused,
        Self::Phase,
        Self::Helper,
        Self::Supervisor,
        Self::Shutdown,
        Self::Other,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Note => "note",
            Self::End => "end",
            Self::Asked => "asked",
            Self::Refused => "refused",
            Self::Phase => "phase",
            Self::Helper => "helper",
            Self::Supervisor => "supervisor",
            Self::Shutdown => "shutdown",
            Self::Other => "other",
        }
    }
}

impl<'de> Deserialize<'de> for EventKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Ok(Self::ALL.iter().copied().find(|kind| kind.as_str() == word).unwrap_or(Self::Other))
    }
}

/// As the interface has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub number: u64,
    pub boot_us: u64,
    pub time: String,
    pub kind: EventKind,
    pub text: String,
    pub name: Option<String>,
    pub generation: Option<u64>,
    pub from: Option<State>,
    pub to: Option<State>,
    pub cause: Option<Cause>,
    pub pid: Option<u32>,
    pub exit_code: Option<i32>,
    pub signal: Option<String>,
    pub cpu_us: Option<u64>,
    pub memory_peak_bytes: Option<u64>,
    pub by: Option<Asker>,
    pub error: Option<String>,
    pub duration_us: Option<u64>,
}

impl Event {
    #[must_use]
    pub fn of(happening: Happening, number: u64, boot_us: u64, time: String) -> Self {
        let text = line(&happening);
        let event = Self::bare(number, boot_us, time, text);
        match happening {
            Happening::State { name, generation, from, to, cause, pid } => Self {
                kind: EventKind::State,
                name: Some(name),
                generation: Some(generation),
                from: Some(from),
                to: Some(to),
                cause,
                pid,
                ..event
            },
            Happening::Note { name, .. } => Self { kind: EventKind::Note, name: Some(name), ..event },
            Happening::End { name, generation, exit_code, signal, cpu_us, memory_peak_bytes } => Self {
                kind: EventKind::End,
                name: Some(name),
                generation: Some(generation),
                exit_code,
                signal,
                cpu_us: Some(cpu_us),
                memory_peak_bytes: Some(memory_peak_bytes),
                ..event
            },
            Happening::Asked { by, name, .. } => Self { kind: EventKind::Asked, by: Some(by), name, ..event },
            Happening::Refused { by, name, why, .. } => {
                Self { kind: EventKind::Refused, by: Some(by), name, error: Some(why), ..event }
            }
            Happening::Phase { duration_us, error, .. } => {
                Self { kind: EventKind::Phase, duration_us: Some(duration_us), error, ..event }
            }
            Happening::Helper { exit_code, signal, .. } => {
                Self { kind: EventKind::Helper, exit_code, signal, ..event }
            }
            Happening::Supervisor { .. } => Self { kind: EventKind::Supervisor, ..event },
            Happening::Shutdown { within_us, .. } => {
                Self { kind: EventKind::Shutdown, duration_us: Some(within_us), ..event }
            }
            Happening::Other => event,
        }
    }

    fn bare(number: u64, boot_us: u64, time: String, text: String) -> Self {
        Self {
            number,
            boot_us,
            time,
            kind: EventKind::Other,
            text,
            name: None,
            generation: None,
            from: None,
            to: None,
            cause: None,
            pid: None,
            exit_code: None,
            signal: None,
            cpu_us: None,
            memory_peak_bytes: None,
            by: None,
            error: None,
            duration_us: None,
        }
    }
}

/// For a person; the name of a container is not in it.
fn line(happening: &Happening) -> String {
    match happening {
        Happening::State { from, to, cause, pid, .. } => {
            let cause = cause.as_ref().map(|cause| format!(": {}", cause.text)).unwrap_or_default();
            let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            format!("{} -> {}{pid}{cause}", from.as_str(), to.as_str())
        }
        Happening::Note { note, .. } => note.clone(),
        Happening::End { exit_code, signal, cpu_us, memory_peak_bytes, .. } => {
            let (millis, kib) = (cpu_us / 1000, memory_peak_bytes / 1024);
            format!(
                "ended: {}, after {millis} ms of CPU and {kib} KiB at most",
                how(*exit_code, signal.as_deref())
            )
        }
        Happening::Asked { by, what, .. } => format!("asked by {by}: {what}"),
        Happening::Refused { by, what: Some(what), why, .. } => format!("refused to {by}: {what}: {why}"),
        Happening::Refused { by, what: None, why, .. } => format!("refused to {by}: {why}"),
        Happening::Phase { name, duration_us, error } => {
            let error = error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            format!("boot: {name} took {}.{} ms{error}", duration_us / 1000, duration_us / 100 % 10)
        }
        Happening::Helper { name, exit_code, signal } => {
            format!("helper {name} ended: {}; it is started again", how(*exit_code, signal.as_deref()))
        }
        Happening::Supervisor { starts, safe } => {
            let safe = if *safe { ", in safe mode" } else { "" };
            format!("supervisor {starts} took over{safe}")
        }
        Happening::Shutdown { action, within_us } => {
            format!("{} begins, {} s at most", action.as_str(), within_us.div_ceil(1_000_000))
        }
        Happening::Other => "something that this release has no word for".to_string(),
    }
}

fn how(exit_code: Option<i32>, signal: Option<&str>) -> String {
    match (exit_code, signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => signal.to_string(),
        (None, None) => "nobody saw how".to_string(),
    }
}

impl fmt::Display for Asker {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.port, self.uid, self.pid) {
            (Some(port), ..) => write!(out, "port {port}"),
            (None, Some(uid), Some(pid)) => write!(out, "uid {uid} (pid {pid})"),
            (None, Some(uid), None) => write!(out, "uid {uid}"),
            (None, None, _) => out.write_str("the machine"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{CauseKind, PowerAction};

    #[track_caller]
    fn check(happening: Happening, kind: EventKind, text: &str) {
        let event = Event::of(happening, 7, 8, String::from("t"));
        assert_eq!((event.kind, event.text.as_str()), (kind, text));
        let wire = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&wire).unwrap(), event);
    }

    #[test]
    fn events_read_well() {
        let by = Asker { uid: Some(1000), pid: Some(77), port: None };
        let port = Asker { port: Some("org.orlop.control.0".into()), ..Asker::default() };
        let name = || String::from("web");
        let state = |to, cause, pid| {
            let from = State::Starting;
            Happening::State { name: name(), generation: 1, from, to, cause, pid }
        };
        check(state(State::Running, None, Some(7)), EventKind::State, "starting -> running (pid 7)");
        let cause = Cause::new(CauseKind::Start, "could not be started".into());
        check(
            state(State::Failed, Some(cause), None),
            EventKind::State,
            "starting -> failed: could not be started",
        );
        let note = Happening::Note { name: name(), note: "is healthy".into() };
        check(note, EventKind::Note, "is healthy");
        let end = |exit_code, signal| Happening::End {
            name: name(),
            generation: 1,
            exit_code,
            signal,
            cpu_us: 12_345,
            memory_peak_bytes: 4 << 20,
        };
        check(
            end(Some(3), None),
            EventKind::End,
            "ended: exit code 3, after 12 ms of CPU and 4096 KiB at most",
        );
        let killed = end(None, Some("SIGKILL".into()));
        check(killed, EventKind::End, "ended: SIGKILL, after 12 ms of CPU and 4096 KiB at most");
        let asked = Happening::Asked { by: by.clone(), name: Some(name()), what: "stop web".into() };
        check(asked, EventKind::Asked, "asked by uid 1000 (pid 77): stop web");
        let refused = |what| Happening::Refused { by: port.clone(), name: None, what, why: "no".into() };
        check(refused(None), EventKind::Refused, "refused to port org.orlop.control.0: no");
        check(refused(Some("x".into())), EventKind::Refused, "refused to port org.orlop.control.0: x: no");
        let phase =
            Happening::Phase { name: "mounts".into(), duration_us: 12_345, error: Some("EIO".into()) };
        check(phase, EventKind::Phase, "boot: mounts took 12.3 ms: EIO");
        let helper =
            Happening::Helper { name: "log".into(), exit_code: None, signal: Some("SIGKILL".into()) };
        check(helper, EventKind::Helper, "helper log ended: SIGKILL; it is started again");
        check(
            Happening::Supervisor { starts: 4, safe: true },
            EventKind::Supervisor,
            "supervisor 4 took over, in safe mode",
        );
        let shutdown = Happening::Shutdown { action: PowerAction::Poweroff, within_us: 59_000_001 };
        check(shutdown, EventKind::Shutdown, "poweroff begins, 60 s at most");
        check(Happening::Other, EventKind::Other, "something that this release has no word for");
    }

    #[test]
    fn a_kind_of_a_later_machine_keeps_its_text() {
        let event = Event::of(Happening::Supervisor { starts: 2, safe: false }, 7, 8, String::from("t"));
        let wire = serde_json::to_string(&event).unwrap().replace("\"supervisor\"", "\"eclipse\"");
        let read: Event = serde_json::from_str(&wire).unwrap();
        assert_eq!((read.kind, read.text.as_str()), (EventKind::Other, "supervisor 2 took over"));
    }
}

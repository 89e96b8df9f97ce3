//! Why a container is in its state: a kind for programs, a text for people.
//!
//! A text is a short sentence whose subject is the container: "web *exited with code 1*". A cause is
//! made where the fact is known and kept as it is; nothing here guesses.

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::{Exit, Shortage, StartFailure};
use crate::config::signal;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Form", from = "Form")]
pub struct Cause {
    pub kind: CauseKind,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CauseKind {
    Exit { code: i32 },
    Signal { signal: i32 },
    Oom { shortage: Shortage },
    Start { step: String, object: String, errno: i32 },
    Probe,
    Watchdog,
    Dependency { name: String },
    Conflict { name: String },
    Group { name: String },
    Gate,
    User,
    Config,
    Image,
    Shutdown,
    Unknown,
}

impl CauseKind {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Exit { .. } => "exit",
            Self::Signal { .. } => "signal",
            Self::Oom { .. } => "oom",
            Self::Start { .. } => "start",
            Self::Probe => "probe",
            Self::Watchdog => "watchdog",
            Self::Dependency { .. } => "dependency",
            Self::Conflict { .. } => "conflict",
            Self::Group { .. } => "group",
            Self::Gate => "gate",
            Self::User => "user",
            Self::Config => "config",
            Self::Image => "image",
            Self::Shutdown => "shutdown",
            Self::Unknown => "unknown",
        }
    }
}

impl Cause {
    pub(super) fn exit(exit: Exit) -> Self {
        let kind = match exit {
            Exit::Code(code) => CauseKind::Exit { code },
            Exit::Signal(signal) => CauseKind::Signal { signal },
        };
        Self { kind, text: exit_text(exit) }
    }

    pub(super) fn oom(shortage: Shortage) -> Self {
        let text = match shortage {
            Shortage::Own { limit: Some(limit) } => {
                format!("ran out of memory (its limit of {}) and was killed", size(limit))
            }
            Shortage::Own { limit: None } => "ran out of memory and was killed".to_string(),
            Shortage::Machine => "was killed because the machine ran out of memory".to_string(),
        };
        Self { kind: CauseKind::Oom { shortage }, text }
    }

    pub(super) fn start(failure: &StartFailure) -> Self {
        let StartFailure { step, object, errno, text, fault: _ } = failure;
        let why = match text.as_str() {
            // The object says it all: `user: user "nobody" is not …`.
            "" => format!("{step}: {object}"),
            text if object.is_empty() => format!("{step}: {text}"),
            text => format!("{step} {object}: {text}"),
        };
        Self {
            kind: CauseKind::Start { step: step.clone(), object: object.clone(), errno: *errno },
            text: format!("could not be started: {why}"),
        }
    }

    pub(super) fn dependency(name: &str, state: &str) -> Self {
        Self {
            kind: CauseKind::Dependency { name: name.to_string() },
            text: format!("waits for {name}, which {state}"),
        }
    }

    pub(super) fn conflict(name: &str, text: String) -> Self {
        Self { kind: CauseKind::Conflict { name: name.to_string() }, text }
    }

    /// `shut`: the gates that are, for people.
    pub(super) fn gate(shut: &str) -> Self {
        Self { kind: CauseKind::Gate, text: format!("waits for {shut}") }
    }

    /// It goes down because `name` did.
    pub(super) fn went_with(name: &str, end: Option<Exit>) -> Self {
        Self {
            kind: CauseKind::Dependency { name: name.to_string() },
            text: and_then(&format!("was stopped, because {name} went down"), end),
        }
    }

    /// `report`: what its last probe said.
    pub(super) fn unhealthy(report: Option<&str>, end: Option<Exit>) -> Self {
        let what = match report {
            Some(report) => format!("was unhealthy ({report})"),
            None => "was unhealthy".to_string(),
        };
        Self { kind: CauseKind::Probe, text: and_then(&what, end) }
    }

    pub(super) fn not_ready(limit: Duration, end: Option<Exit>) -> Self {
        let (step, object, errno) = ("ready".to_string(), String::new(), 0);
        let what = format!("did not say within {} that it is ready", seconds(limit));
        Self { kind: CauseKind::Start { step, object, errno }, text: and_then(&what, end) }
    }

    pub(super) fn watchdog(limit: Duration, end: Option<Exit>) -> Self {
        let what = format!("gave no sign of life for {}", seconds(limit));
        Self { kind: CauseKind::Watchdog, text: and_then(&what, end) }
    }

    pub(super) fn overtime(limit: Duration, end: Option<Exit>) -> Self {
        let what = format!("ran longer than {}", seconds(limit));
        Self { kind: CauseKind::Watchdog, text: and_then(&what, end) }
    }

    /// `end`: how it ended after it was asked to, if there was anything to end.
    pub(super) fn stopped_by_person(end: Option<Exit>) -> Self {
        Self { kind: CauseKind::User, text: and_then("was stopped by a person", end) }
    }

    /// A person wanted `name`, which it cannot be up together with.
    pub(super) fn made_way(name: &str, end: Option<Exit>) -> Self {
        let text = and_then(&format!("was stopped because {name} was started"), end);
        Self::conflict(name, text)
    }

    pub(super) fn group_failed(group: &str, end: Option<Exit>) -> Self {
        Self::group(group, &format!("was stopped, because its group {group} failed too often"), end)
    }

    pub(super) fn group_restarted(group: &str, end: Option<Exit>) -> Self {
        Self::group(group, &format!("was restarted with its group {group}"), end)
    }

    fn group(name: &str, what: &str, end: Option<Exit>) -> Self {
        Self { kind: CauseKind::Group { name: name.to_string() }, text: and_then(what, end) }
    }

    pub(super) fn restarted_by_person(end: Option<Exit>) -> Self {
        Self { kind: CauseKind::User, text: and_then("was restarted by a person", end) }
    }

    pub(super) fn reloaded(end: Option<Exit>) -> Self {
        Self { kind: CauseKind::Config, text: and_then("was restarted by a reload", end) }
    }

    pub(super) fn shutdown(end: Option<Exit>) -> Self {
        Self { kind: CauseKind::Shutdown, text: and_then("was stopped by the shutdown", end) }
    }

    pub(super) fn job_too_late() -> Self {
        Self { kind: CauseKind::Shutdown, text: "did not run: the machine had to end before it could".into() }
    }

    pub(super) fn config(reasons: &str) -> Self {
        Self { kind: CauseKind::Config, text: format!("cannot run: {reasons}") }
    }

    pub(super) fn undeclared() -> Self {
        Self { kind: CauseKind::Config, text: "is not declared any more".to_string() }
    }

    pub(super) fn image(reason: &str) -> Self {
        Self { kind: CauseKind::Image, text: format!("cannot run, its image is unusable: {reason}") }
    }

    pub(super) fn quarantine(reason: &str) -> Self {
        Self { kind: CauseKind::Unknown, text: format!("is left alone: {reason}") }
    }

    pub(super) fn stuck(text: &str) -> Self {
        Self { kind: CauseKind::Unknown, text: format!("was killed and is not gone: {text}") }
    }

    pub(super) fn unseen_end() -> Self {
        Self { kind: CauseKind::Unknown, text: "ended, and nobody saw how".to_string() }
    }
}

fn and_then(what: &str, end: Option<Exit>) -> String {
    match end {
        Some(exit) => format!("{what} and {}", exit_text(exit)),
        None => what.to_string(),
    }
}

fn exit_text(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exited with code {code}"),
        Exit::Signal(signal) => match signal::name(signal) {
            name if name.starts_with("SIG") => format!("was killed by {name}"),
            number => format!("was killed by signal {number}"),
        },
    }
}

/// Bytes as limits are written: `32 MiB`.
fn size(bytes: u64) -> String {
    match bytes {
        _ if bytes.is_multiple_of(1 << 30) => format!("{} GiB", bytes >> 30),
        _ if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ => format!("{} KiB", bytes >> 10),
    }
}

/// Seconds as people write them, without a fraction that says nothing: `30 s`, `0.5 s`.
pub(super) fn seconds(time: Duration) -> String {
    let (whole, tenths) = (time.as_secs(), time.subsec_millis() / 100);
    if tenths == 0 { format!("{whole} s") } else { format!("{whole}.{tenths} s") }
}

/// A cause as it is written: flat, so that fields and kinds can be added.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Form {
    kind: String,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shortage: Option<Shortage>,
}

impl From<Cause> for Form {
    fn from(Cause { kind, text }: Cause) -> Self {
        let mut form = Self { kind: kind.word().to_string(), text, ..Self::default() };
        match kind {
            CauseKind::Exit { code } => form.code = Some(code),
            CauseKind::Signal { signal } => form.signal = Some(signal),
            CauseKind::Start { step, object, errno } => {
                (form.step, form.object, form.errno) = (Some(step), Some(object), Some(errno));
            }
            CauseKind::Dependency { name } | CauseKind::Conflict { name } | CauseKind::Group { name } => {
                form.name = Some(name);
            }
            CauseKind::Oom { shortage } => form.shortage = Some(shortage),
            CauseKind::Gate
            | CauseKind::Probe
            | CauseKind::Watchdog
            | CauseKind::User
            | CauseKind::Config
            | CauseKind::Image
            | CauseKind::Shutdown
            | CauseKind::Unknown => {}
        }
        form
    }
}

impl From<Form> for Cause {
    /// A kind of a later release keeps its text and becomes `unknown`.
    fn from(form: Form) -> Self {
        let kind = match (form.kind.as_str(), form.code, form.signal) {
            ("exit", Some(code), _) => CauseKind::Exit { code },
            ("signal", _, Some(signal)) => CauseKind::Signal { signal },
            ("oom", ..) => {
                CauseKind::Oom { shortage: form.shortage.unwrap_or(Shortage::Own { limit: None }) }
            }
            ("start", ..) => CauseKind::Start {
                step: form.step.unwrap_or_default(),
                object: form.object.unwrap_or_default(),
                errno: form.errno.unwrap_or_default(),
            },
            ("dependency", ..) => CauseKind::Dependency { name: form.name.unwrap_or_default() },
            ("conflict", ..) => CauseKind::Conflict { name: form.name.unwrap_or_default() },
            ("group", ..) => CauseKind::Group { name: form.name.unwrap_or_default() },
            ("gate", ..) => CauseKind::Gate,
            ("probe", ..) => CauseKind::Probe,
            ("watchdog", ..) => CauseKind::Watchdog,
            ("user", ..) => CauseKind::User,
            ("config", ..) => CauseKind::Config,
            ("image", ..) => CauseKind::Image,
            ("shutdown", ..) => CauseKind::Shutdown,
            (_, _, _) => CauseKind::Unknown,
        };
        Self { kind, text: form.text }
    }
}

//! What a request would change, in words for the log: one line, whatever a client put into it.

use alloc::format;
use alloc::string::{String, ToString};

use super::{Access, Exec, Request};
use crate::config::signal;

/// Letters of a deed; the rest of a longer one is nothing that a log is for.
const LONGEST: usize = 240;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// The container that it is about, as it was written.
    pub name: Option<String>,
    pub text: String,
}

impl Request {
    /// Whether it is told when somebody may do it: who reads is nobody's business, an upload is told at its
    /// begin and its end, and a specification is asked for by the dozen.
    #[must_use]
    pub fn is_told(&self) -> bool {
        let is_told = !matches!(self, Self::UpgradeChunk { .. } | Self::Spec { bundle: None, .. });
        self.access() == Access::Change && is_told
    }

    #[must_use]
    pub fn deed(&self) -> Deed {
        let (name, text) = self.words();
        Deed { name: name.map(one_line), text: one_line(&text) }
    }

    fn words(&self) -> (Option<&str>, String) {
        match self {
            Self::List => (None, "list".into()),
            Self::Status { name } => of(name, "status"),
            Self::Logs(_) => (None, "logs".into()),
            Self::Boots => (None, "boots".into()),
            Self::Events(_) => (None, "events".into()),
            Self::Stats { .. } => (None, "stats".into()),
            Self::Top { name } => of(name, "top"),
            Self::Boot => (None, "boot".into()),
            Self::Why { name } => of(name, "why"),
            Self::WhyBoot => (None, "why boot".into()),
            Self::WhyShutdown => (None, "why shutdown".into()),
            Self::Version => (None, "version".into()),
            Self::Shutdown => (None, "shutdown".into()),
            Self::Spec { name, bundle: None } => of(name, "spec"),
            Self::Spec { name, bundle: Some(path) } => (Some(name), format!("bundle of {name} at {path}")),
            Self::Start { name } => of(name, "start"),
            Self::Stop { name } => of(name, "stop"),
            Self::Restart { name } => of(name, "restart"),
            Self::Replace { name } => of(name, "replace"),
            Self::Kill { name, signal } => {
                (Some(name), format!("kill {name} with {}", signal::name(*signal)))
            }
            Self::Exec(Exec { name, command, user, .. }) => {
                let user = user.as_ref().map(|user| format!(" as {user}")).unwrap_or_default();
                (Some(name), format!("execute in {name}{user}: {}", command.join(" ")))
            }
            Self::Attach { name, .. } => of(name, "attach to"),
            Self::CopyFrom { name, path, .. } => (Some(name), format!("copy {path} of {name}")),
            Self::CopyTo { name, path, .. } => (Some(name), format!("copy to {path} of {name}")),
            Self::Pause { name } => of(name, "pause"),
            Self::Unpause { name } => of(name, "unpause"),
            Self::Update { name, limits } => {
                let limits = limits.iter().map(|(key, value)| format!(" {key}={value}"));
                (Some(name), format!("update {name}{}", limits.collect::<String>()))
            }
            Self::Power { action } => (None, action.as_str().into()),
            Self::ConfigBegin { .. } | Self::ConfigChunk { .. } => (None, "send a configuration".into()),
            Self::Plan { .. } => (None, "plan a reload".into()),
            Self::Reload { .. } => (None, "reload".into()),
            Self::ConfirmReload => (None, "confirm the reload".into()),
            Self::Rollback { built_in: Some(true), .. } => {
                (None, "go back to the built-in configuration".into())
            }
            Self::Rollback { number: None, .. } => (None, "roll back the configuration".into()),
            Self::Rollback { number: Some(number), .. } => {
                (None, format!("roll back to configuration {number}"))
            }
            Self::ConfigHistory => (None, "list earlier configurations".into()),
            Self::ConfigDrift => (None, "compare the folder with the configuration".into()),
            Self::Config => (None, "show the configuration".into()),
            Self::Resume => (None, "resume".into()),
            Self::LogLevel { level: None } => (None, "log level".into()),
            Self::LogLevel { level: Some(level) } => (None, format!("log level {}", level.as_str())),
            Self::DebugCrash { process, .. } => (None, format!("crash {}", process.as_str())),
            Self::DebugOrphans { count } => (None, format!("make {count} orphans")),
            Self::UpgradeBegin { size, .. } => (None, format!("upgrade to a binary of {size} bytes")),
            Self::UpgradeChunk { .. } => (None, "upgrade: bytes".into()),
            Self::UpgradeCommit => (None, "upgrade now".into()),
        }
    }
}

/// Whether a deed, as its text says, is one that changes the state of its container.
#[must_use]
pub fn changes_state(text: &str) -> bool {
    let verbs = ["start ", "stop ", "restart ", "replace ", "kill ", "pause ", "unpause ", "update "];
    verbs.iter().any(|verb| text.starts_with(verb))
}

fn of<'a>(name: &'a str, verb: &str) -> (Option<&'a str>, String) {
    (Some(name), format!("{verb} {name}"))
}

/// Nothing that begins another line, or moves a terminal's cursor; what is too long for a log is cut.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = String::new();
    for (at, letter) in text.chars().enumerate() {
        match letter {
            _ if at == LONGEST => {
                line.push('…');
                return line;
            }
            _ if letter.is_control() => line += &letter.escape_default().to_string(),
            _ => line.push(letter),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deed_is_one_short_line_whatever_a_client_wrote() {
        let command = vec!["echo".into(), "a\norlop: asked by uid 0: poweroff\x1b[2J".into()];
        let exec = Request::Exec(Exec { name: "web".into(), command, ..Exec::default() });
        let deed = exec.deed();
        assert_eq!(deed.name.as_deref(), Some("web"));
        assert_eq!(deed.text, "execute in web: echo a\\norlop: asked by uid 0: poweroff\\u{1b}[2J");
        let long = Request::Start { name: "x".repeat(10_000) }.deed();
        assert_eq!(long.text.chars().count(), LONGEST + 1);
        assert_eq!(long.name.unwrap().chars().count(), LONGEST + 1);
    }

    #[test]
    fn what_reads_is_not_told_and_what_changes_is() {
        assert!(!Request::List.is_told() && !Request::Spec { name: "web".into(), bundle: None }.is_told());
        assert!(Request::Spec { name: "web".into(), bundle: Some("/run/web".into()) }.is_told());
        assert!(Request::Resume.is_told() && !Request::UpgradeChunk { data: vec![] }.is_told());
        let kill = Request::Kill { name: "web".into(), signal: 37 };
        assert_eq!((kill.deed().text.as_str(), kill.is_told()), ("kill web with SIGRTMIN+3", true));
    }
}

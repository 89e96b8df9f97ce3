//! The log that an engine asks for: a line for each error and warning, in logrus's two forms, which
//! is what engines read.

use std::cell::RefCell;
use std::fs::File;
use std::io::Write;

use serde::Serialize;

use super::arguments::LogFormat;
use super::failure::{Failure, Result, io_at};
use crate::linux::time;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Error,
    Warning,
    Debug,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Debug => "debug",
        }
    }
}

pub(crate) struct Log {
    file: Option<RefCell<File>>,
    format: LogFormat,
    verbose: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    level: Level,
    msg: &'a str,
    time: &'a str,
}

impl Log {
    /// # Errors
    /// The file cannot be opened.
    pub(crate) fn open(path: Option<&std::path::Path>, format: LogFormat, verbose: bool) -> Result<Self> {
        let open = |path: &std::path::Path| {
            let file = File::options().create(true).append(true).open(path);
            file.map_err(io_at(format_args!("log {}", path.display())))
        };
        let file = match path {
            Some(path) if !path.as_os_str().is_empty() => Some(RefCell::new(open(path)?)),
            Some(_) | None => None,
        };
        Ok(Self { file, format, verbose })
    }

    pub(crate) fn error(&self, failure: &Failure) {
        self.say(Level::Error, &failure.line());
    }

    pub(crate) fn warning(&self, text: &str) {
        self.say(Level::Warning, text);
    }

    /// As a warning, but a caller who asks for no log is not bothered with it at every call.
    pub(crate) fn remark(&self, text: &str) {
        if self.file.is_some() || self.verbose {
            self.say(Level::Warning, text);
        }
    }

    pub(crate) fn debug(&self, text: &str) {
        if self.verbose {
            self.say(Level::Debug, text);
        }
    }

    fn say(&self, level: Level, text: &str) {
        let now = time::wall();
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let line = line(self.format, level, text, &orlop::control::rfc3339(seconds, now.subsec_nanos()));
        // One write a line: several runtimes add to one file. When it cannot be written, nobody can be told.
        match &self.file {
            Some(file) => drop(file.borrow_mut().write_all(line.as_bytes())),
            // The error itself is printed for the caller in any case.
            None if level == Level::Warning || (self.verbose && level == Level::Debug) => {
                drop(std::io::stderr().write_all(line.as_bytes()));
            }
            None => {}
        }
    }
}

fn line(format: LogFormat, level: Level, msg: &str, time: &str) -> String {
    match format {
        LogFormat::Json => {
            let mut text = serde_json::to_string(&Line { level, msg, time }).unwrap_or_default();
            text.push('\n');
            text
        }
        LogFormat::Text => format!("time={time:?} level={} msg={}\n", level.name(), quoted(msg)),
    }
}

/// As logrus has it: a word of harmless characters as it is, anything else in quotes.
fn quoted(text: &str) -> String {
    let harmless = |it: char| it.is_ascii_alphanumeric() || "-._/@^+".contains(it);
    if !text.is_empty() && text.chars().all(harmless) { text.to_owned() } else { format!("{text:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-21T10:00:00.000000Z";

    #[track_caller]
    fn check(format: LogFormat, level: Level, msg: &str, expected: &str) {
        assert_eq!(line(format, level, msg, TIME), expected);
    }

    #[test]
    fn lines_are_those_that_engines_read() {
        let json = |level: &str, msg: &str| {
            format!("{{\"level\":\"{level}\",\"msg\":\"{msg}\",\"time\":\"2026-11-21T10:00:00.000000Z\"}}\n")
        };
        check(LogFormat::Json, Level::Error, "container \"a\"", &json("error", "container \\\"a\\\""));
        check(LogFormat::Json, Level::Warning, "x", &json("warning", "x"));
        check(
            LogFormat::Text,
            Level::Error,
            "container \"a\" is gone",
            "time=\"2026-11-21T10:00:00.000000Z\" level=error msg=\"container \\\"a\\\" is gone\"\n",
        );
        check(
            LogFormat::Text,
            Level::Debug,
            "plain",
            "time=\"2026-11-21T10:00:00.000000Z\" level=debug msg=plain\n",
        );
    }
}

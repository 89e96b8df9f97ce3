//! How much of what there is to say is said: by the kernel's command line, or as somebody asked since, which holds
//! until the next boot.

use std::os::fd::AsFd;
use std::time::Duration;

use orlop::config::{KernelWords, LogLevel};
use orlop::control::{self, Error, LogLevelReply};

use super::control::CallId;
use super::{Agent, records};
use crate::linux::fs;
use crate::linux::kmsg::{self, Level};

/// What somebody asked for, for later supervisors.
const KEPT: &str = "/run/orlop/log-level";

/// From here on no more is said than that.
pub fn begin(words: &KernelWords) -> LogLevel {
    let level = kept().map_or(words.log, level_of);
    kmsg::set_level(urgency(level));
    level
}

fn kept() -> Option<control::LogLevel> {
    let fd = fs::open_regular(KEPT).ok()?;
    let text = String::from_utf8(fs::read_regular(fd.as_fd(), 16).ok()?).ok()?;
    control::LogLevel::ALL.iter().copied().find(|level| level.as_str() == text)
}

fn level_of(word: control::LogLevel) -> LogLevel {
    match word {
        control::LogLevel::Error => LogLevel::Error,
        control::LogLevel::Warn => LogLevel::Warn,
        control::LogLevel::Info => LogLevel::Info,
        control::LogLevel::Debug => LogLevel::Debug,
    }
}

fn word_of(level: LogLevel) -> control::LogLevel {
    match level {
        LogLevel::Error => control::LogLevel::Error,
        LogLevel::Warn => control::LogLevel::Warn,
        LogLevel::Info => control::LogLevel::Info,
        LogLevel::Debug => control::LogLevel::Debug,
    }
}

/// The least urgent that is said.
pub fn urgency(level: LogLevel) -> Level {
    match level {
        LogLevel::Error => Level::Error,
        LogLevel::Warn => Level::Warning,
        LogLevel::Info => Level::Info,
        LogLevel::Debug => Level::Debug,
    }
}

impl Agent {
    pub fn log_level(&mut self, call: CallId, wanted: Option<control::LogLevel>, now: Duration) {
        if let Some(word) = wanted {
            // What would be forgotten with this supervisor is not done at all.
            if let Err(errno) = records::write_file(KEPT, word.as_str()) {
                return self.server.fail(now, call, &Error::Failed { reason: errno.desc().into() });
            }
            kmsg::set_level(urgency(level_of(word)));
            self.consoles.set_level(level_of(word));
        }
        let level = word_of(self.consoles.level());
        self.server.reply(now, call, &LogLevelReply { level });
    }
}

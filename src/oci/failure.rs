//! Why a command has not done what it was asked: one line for a person, and for engines that look
//! for words in it.

use crate::linux::Errno;

/// A line without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure(String);

pub(crate) type Result<T> = core::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What was done, and what the kernel said.
    pub(crate) fn errno(what: impl core::fmt::Display, errno: Errno) -> Self {
        Self(format!("{what}: {}", errno.desc()))
    }

    /// Engines look for these words.
    pub(crate) fn does_not_exist(id: &str) -> Self {
        Self(format!("container {id:?} does not exist"))
    }

    pub(crate) fn not_running() -> Self {
        Self(String::from("container not running"))
    }

    /// On one line, and without anything that could move a terminal's cursor.
    pub(crate) fn line(&self) -> String {
        let replaced = self.0.trim().chars().map(|character| match character {
            '\n' | '\t' | '\r' => ' ',
            _ if character.is_control() => '\u{fffd}',
            _ => character,
        });
        replaced.collect()
    }
}

/// For `map_err`: what was done when the kernel refused.
pub(crate) fn at<T: core::fmt::Display>(what: T) -> impl FnOnce(Errno) -> Failure {
    move |errno| Failure::errno(what, errno)
}

/// As [`at`], for errors of std.
pub(crate) fn io_at<T: core::fmt::Display>(what: T) -> impl FnOnce(std::io::Error) -> Failure {
    move |error| match error.raw_os_error() {
        Some(number) => Failure::errno(what, Errno::from_raw(number)),
        None => Failure(format!("{what}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_whatever_others_wrote_into_it() {
        let failure = Failure::new("create: hook said: a\nb\x1b[2J\n");
        assert_eq!(failure.line(), "create: hook said: a b\u{fffd}[2J");
    }
}

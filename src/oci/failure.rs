//! Why a command has not done what it was asked: one line for a person, and for engines that look
//! for words in it.

use crate::engine;
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

    /// Of a start, with the kernel's words in small letters, as Go has them: Docker's command line looks for `no
    /// such file or directory` and `permission denied`, and ends with 127 or 126.
    pub(crate) fn of_start(failure: &engine::Failure) -> Self {
        let engine::Failure { step, object, errno } = failure;
        let object = if object.is_empty() { String::new() } else { format!(": {object}") };
        if *errno == 0 {
            return Self(format!("{step}{object}"));
        }
        let words = Errno::from_raw(*errno).desc();
        let (first, rest) = words.split_at_checked(1).unwrap_or_default();
        Self(format!("{step}{object}: {}{rest}", first.to_lowercase()))
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
    fn of_a_start_it_has_the_words_that_engines_look_for() {
        let line = |object: &str, errno| {
            let failure = engine::Failure::new("execute", object, errno);
            Failure::of_start(&failure).line()
        };
        assert_eq!(line("/a/B", Errno::ENOENT), "execute: /a/B: no such file or directory");
        assert_eq!(line("/a", Errno::EACCES), "execute: /a: permission denied");
        assert_eq!(line("", Errno::EPERM), "execute: operation not permitted");
    }

    #[test]
    fn a_failure_is_one_line_whatever_others_wrote_into_it() {
        let failure = Failure::new("create: hook said: a\nb\x1b[2J\n");
        assert_eq!(failure.line(), "create: hook said: a b\u{fffd}[2J");
    }
}

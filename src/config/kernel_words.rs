//! The kernel's command line, as far as it is meant for us: words that begin with `orlop.`.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// How much is said on the consoles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelWords {
    /// `orlop.config=`: the folder of the configuration, an absolute path.
    pub config: String,
    /// `orlop.log=`
    pub log: LogLevel,
    /// What is wrong with some of the words; the others count.
    pub warnings: Vec<String>,
}

/// Reads /proc/cmdline. Words of others are left alone; what follows ` -- ` is init's, and we take none.
#[must_use]
pub fn kernel_words(line: &str) -> KernelWords {
    let mut words =
        KernelWords { config: "/orlop/config".to_string(), log: LogLevel::Info, warnings: Vec::new() };
    for word in split(line) {
        let Some(word) = word.strip_prefix("orlop.") else { continue };
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match (key, value) {
            ("config", path) if path.starts_with('/') => words.config = path.to_string(),
            ("config", _) => {
                words
                    .warnings
                    .push(format!("orlop.config={value}: not an absolute path; {} is used", words.config));
            }
            ("log", "error") => words.log = LogLevel::Error,
            ("log", "warn") => words.log = LogLevel::Warn,
            ("log", "info") => words.log = LogLevel::Info,
            ("log", "debug") => words.log = LogLevel::Debug,
            ("log", _) => words.warnings.push(format!("orlop.log={value}: error, warn, info or debug")),
            _ => words
                .warnings
                .push(format!("orlop.{key}: no such word; orlop.config and orlop.log are known")),
        }
    }
    words
}

/// Splits at blanks outside of double quotes, as the kernel does; quotes fall away.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for char in line.chars() {
        match char {
            '"' => quoted = !quoted,
            char if char.is_whitespace() && !quoted => words.push(core::mem::take(&mut word)),
            char => word.push(char),
        }
    }
    words.push(word);
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    words.truncate(end);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_our_words_and_leaves_others_alone() {
        let words =
            kernel_words("console=ttyS0 orlop.config=\"/a b\" quiet orlop.log=debug x.y=z -- orlop.no=1\n");
        let expected = KernelWords { config: "/a b".into(), log: LogLevel::Debug, warnings: Vec::new() };
        assert_eq!(words, expected);
    }

    #[test]
    fn warns_about_what_it_does_not_know_and_goes_on() {
        let words = kernel_words("orlop.lgo=debug orlop.log=loud orlop.config=here");
        assert_eq!((words.config.as_str(), words.log), ("/orlop/config", LogLevel::Info));
        assert_eq!(
            words.warnings,
            [
                "orlop.lgo: no such word; orlop.config and orlop.log are known",
                "orlop.log=loud: error, warn, info or debug",
                "orlop.config=here: not an absolute path; /orlop/config is used",
            ]
        );
    }
}

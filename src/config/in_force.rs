//! Which configuration is in force at a boot: the one that the machine was built with, or the one that somebody put in its
//! place before and that a disk has kept.
//!
//! The kept one counts only on the machine that it was made for, byte for byte: a machine that is built anew comes up
//! as it is built. Whatever else there is to doubt, the built-in one is in force, and why is said.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Severity, Source, read};

/// What was put in force last and is to stay: confirmed, if it had to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lasting {
    /// The digest of the built-in configuration of the machine that it was put in force on.
    pub made_from: String,
    /// `None`: the built-in one itself.
    pub files: Option<Vec<Source>>,
    /// Three supervisors in a row died with it.
    pub is_doubted: bool,
}

/// What a boot has of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnDisk {
    /// It is not there, does not answer, or cannot be read: why.
    Unread(String),
    /// Nobody has put anything in force that is to stay.
    Nothing,
    Is(Lasting),
}

/// Which one is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InForce {
    BuiltIn,
    /// The disk has another one, or may have.
    BuiltInFor(Doubt),
    Lasting,
}

/// Why one on a disk is not in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    Unread(String),
    /// The machine was built anew since.
    MadeFromAnother,
    /// The first of its mistakes.
    Mistaken(String),
    Deadly,
}

/// Of a boot of a machine whose built-in configuration has this digest.
#[must_use]
pub fn in_force(built_in: &str, on_disk: &OnDisk) -> InForce {
    let lasting = match on_disk {
        OnDisk::Nothing => return InForce::BuiltIn,
        OnDisk::Unread(why) => return InForce::BuiltInFor(Doubt::Unread(why.clone())),
        OnDisk::Is(lasting) => lasting,
    };
    match &lasting.files {
        None => InForce::BuiltIn,
        Some(_) if lasting.made_from != built_in => InForce::BuiltInFor(Doubt::MadeFromAnother),
        // Not read either: it may be its text that they died of.
        Some(_) if lasting.is_doubted => InForce::BuiltInFor(Doubt::Deadly),
        Some(files) => match first_mistake(files) {
            Some(mistake) => InForce::BuiltInFor(Doubt::Mistaken(mistake)),
            None => InForce::Lasting,
        },
    }
}

fn first_mistake(files: &[Source]) -> Option<String> {
    let reading = read(files);
    let errors = reading.diagnostics.iter().filter(|it| it.severity == Severity::Error);
    let first = errors.map(|it| format!("{}:{}: {}", it.file, it.line, it.message)).next();
    first.or_else(|| reading.has_errors().then(|| "it has mistakes".to_string()))
}

impl Doubt {
    /// For people: a sentence about the configuration that is in force.
    #[must_use]
    pub fn sentence(&self) -> String {
        let why = match self {
            Self::Unread(why) => {
                return format!(
                    "the built-in configuration is in force: what the disk has could not be read ({why}); what is \
                     there stays there until somebody reloads"
                );
            }
            Self::MadeFromAnother => "was made from another built-in one".to_string(),
            Self::Mistaken(mistake) => format!("has mistakes for this binary ({mistake})"),
            Self::Deadly => "had three supervisors in a row die".to_string(),
        };
        format!("the built-in configuration is in force: the one on the disk {why}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "sha256:ours";

    fn lasting(made_from: &str, text: Option<&str>, is_doubted: bool) -> OnDisk {
        let file = |text: &str| Source { path: "a.toml".into(), text: text.into() };
        let files = text.map(|text| Vec::from([file(text)]));
        OnDisk::Is(Lasting { made_from: made_from.into(), files, is_doubted })
    }

    #[test]
    fn the_one_on_the_disk_counts_only_without_any_doubt() {
        use Doubt::{Deadly, MadeFromAnother, Mistaken, Unread};
        use InForce::{BuiltIn, BuiltInFor};
        const GOOD: Option<&str> = Some("[host]\nhostname = \"other\"");
        const BAD: Option<&str> = Some("[host]\nhostnme = \"other\"");
        const NO_TOML: Option<&str> = Some("[host");
        let unread = || "no answer within 10 s".to_string();
        let mistaken = |line: &str| BuiltInFor(Mistaken(line.into()));
        for (on_disk, expected) in [
            (OnDisk::Nothing, BuiltIn),
            (OnDisk::Unread(unread()), BuiltInFor(Unread(unread()))),
            (lasting(OURS, GOOD, false), InForce::Lasting),
            (lasting("sha256:theirs", GOOD, false), BuiltInFor(MadeFromAnother)),
            (lasting("", GOOD, false), BuiltInFor(MadeFromAnother)),
            // Somebody went back to the built-in one: to that of whatever machine this is.
            (lasting(OURS, None, false), BuiltIn),
            (lasting("sha256:theirs", None, false), BuiltIn),
            (lasting(OURS, GOOD, true), BuiltInFor(Deadly)),
            (lasting(OURS, None, true), BuiltIn),
            // Another machine's is not even read, whatever it is.
            (lasting("sha256:theirs", BAD, false), BuiltInFor(MadeFromAnother)),
            (lasting(OURS, BAD, true), BuiltInFor(Deadly)),
            (lasting(OURS, BAD, false), mistaken("a.toml:2: [host] has no key `hostnme`")),
        ] {
            assert_eq!(in_force(OURS, &on_disk), expected, "{on_disk:?}");
        }
        assert!(matches!(in_force(OURS, &lasting(OURS, NO_TOML, false)), BuiltInFor(Mistaken(_))));
    }

    #[test]
    fn what_is_in_doubt_is_said() {
        let said = |doubt: Doubt| doubt.sentence();
        assert_eq!(
            said(Doubt::MadeFromAnother),
            "the built-in configuration is in force: the one on the disk was made from another built-in one"
        );
        let mistaken = said(Doubt::Mistaken("a.toml:2: unknown key".into()));
        assert!(mistaken.ends_with("has mistakes for this binary (a.toml:2: unknown key)"), "{mistaken}");
        assert!(said(Doubt::Deadly).ends_with("the one on the disk had three supervisors in a row die"));
        let unread = said(Doubt::Unread("no answer".into()));
        assert!(unread.contains("could not be read (no answer); what is there stays there"), "{unread}");
    }
}

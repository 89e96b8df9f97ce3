//! What of /run is to be on the disk as well.

use alloc::string::{String, ToString};

/// The files that are looked at anew.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mirror {
    /// The configuration that the next boot is to have, and those before it.
    Configuration,
    /// How a container ended.
    Ends(String),
    /// What is said of the machine's end.
    End,
    /// All of these: to a keeper of whom nobody knows what it was told.
    All,
}

impl Mirror {
    /// As a packet has it.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Configuration => "configuration".to_string(),
            Self::Ends(name) => ["ends ", name].concat(),
            Self::End => "end".to_string(),
            Self::All => "all".to_string(),
        }
    }

    /// `None`: none that we know.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        match word.split_once(' ') {
            Some(("ends", name)) => Some(Self::Ends(name.to_string())),
            Some(_) => None,
            None if word == "configuration" => Some(Self::Configuration),
            None if word == "end" => Some(Self::End),
            None if word == "all" => Some(Self::All),
            None => None,
        }
    }
}

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
    /// The configuration that the disk had for this boot does well.
    Well,
    /// It was not in force in this boot after all: the disk came late.
    Spared,
}

impl Mirror {
    /// Of what is to be looked at: [`Self::All`] stands for the others.
    #[must_use]
    pub fn is_of_files(&self) -> bool {
        match self {
            Self::Configuration | Self::Ends(_) | Self::End | Self::All => true,
            Self::Well | Self::Spared => false,
        }
    }

    /// As a packet has it.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Configuration => "configuration".to_string(),
            Self::Ends(name) => ["ends ", name].concat(),
            Self::End => "end".to_string(),
            Self::All => "all".to_string(),
            Self::Well => "well".to_string(),
            Self::Spared => "spared".to_string(),
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
            None if word == "well" => Some(Self::Well),
            None if word == "spared" => Some(Self::Spared),
            None => None,
        }
    }
}

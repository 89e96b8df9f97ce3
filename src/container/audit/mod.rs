//! What a container was opened to, and what it comes to: a spec → findings, each with its weight.
//!
//! Two measures: what is opened beyond what a container gets that says nothing, and what could still be
//! closed. The sum of the weights is the exposure, from 0 to 10. A privileged container with the machine's
//! ids has all of it: it is the machine's root.

mod judge;
mod weights;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use judge::audit;

/// One thing that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The key of the configuration that it is about.
    pub key: String,
    pub what: String,
    /// What that may lead to.
    pub why: String,
    /// Tenths of the exposure.
    pub weight: u32,
    /// Whether a container that says nothing does not have it.
    pub opened: bool,
}

/// All of one container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// The heaviest first.
    pub findings: Vec<Finding>,
    /// Tenths, from 0 to 100.
    pub exposure: u32,
    pub level: Level,
}

/// What an exposure is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Little more than the strictest.
    Closed,
    /// Some of it was opened.
    Medium,
    /// One hole in the kernel, or none, is enough.
    Exposed,
    /// Nothing keeps it from the machine.
    Open,
}

impl Level {
    fn of(exposure: u32) -> Self {
        match exposure {
            0..20 => Self::Closed,
            20..50 => Self::Medium,
            50..90 => Self::Exposed,
            _ => Self::Open,
        }
    }

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Medium => "medium",
            Self::Exposed => "exposed",
            Self::Open => "open",
        }
    }
}

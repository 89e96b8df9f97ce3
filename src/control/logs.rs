//! What output is asked for.

use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

use super::parameters::{Parameters, invalid};
use super::{Error, When};

/// As the interface has it; what is left out is not sent, so that an older machine understands the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Logs {
    /// None: of all containers.
    pub names: Vec<String>,
    /// So many of the last lines of each; `None`: all.
    pub lines: Option<u64>,
    pub follow: bool,
    /// Of the kernel and of Orlop, too.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub all: bool,
    /// A [`When`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// A [`When`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// A [`WhichBoot`]; `None`: this one, as memory has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
}

/// Which boot is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhichBoot {
    /// So many before this one: `0`, `-1`.
    Before(u32),
    /// One whose id begins so, in small letters.
    Id(String),
}

impl WhichBoot {
    /// `None`: it is none of both.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "0" {
            return Some(Self::Before(0));
        }
        if let Some(number) = text.strip_prefix('-') {
            return number.parse().ok().filter(|_| !number.starts_with('+')).map(Self::Before);
        }
        let fits = (LEAST_OF_AN_ID..=36).contains(&text.len());
        let is_id = text.bytes().all(|it| it == b'-' || it.is_ascii_hexdigit());
        (fits && is_id).then(|| Self::Id(text.to_ascii_lowercase()))
    }
}

/// Fewer letters of an id are a slip of the hand.
const LEAST_OF_AN_ID: usize = 4;

impl Logs {
    pub(super) fn take(parameters: &mut Parameters) -> Result<Self, Error> {
        let logs = Self {
            names: parameters.take("names")?,
            lines: parameters.take("lines")?,
            follow: parameters.take::<Option<bool>>("follow")?.unwrap_or(false),
            all: parameters.take::<Option<bool>>("all")?.unwrap_or(false),
            since: take_when(parameters, "since")?,
            until: take_when(parameters, "until")?,
            boot: parameters.take("boot")?,
        };
        let boot = match logs.boot.as_deref().map(WhichBoot::parse) {
            Some(None) => return Err(invalid("boot")),
            Some(Some(boot)) => boot,
            None => WhichBoot::Before(0),
        };
        // What is over says nothing more.
        if logs.follow && boot != WhichBoot::Before(0) {
            return Err(invalid("follow"));
        }
        // What comes is always later.
        if logs.follow && logs.until.is_some() {
            return Err(invalid("until"));
        }
        Ok(logs)
    }
}

fn take_when(parameters: &mut Parameters, name: &str) -> Result<Option<String>, Error> {
    let text: Option<String> = parameters.take(name)?;
    match text.as_deref().map(When::parse) {
        Some(None) => Err(invalid(name)),
        Some(Some(_)) | None => Ok(text),
    }
}

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
}

impl Logs {
    pub(super) fn take(parameters: &mut Parameters) -> Result<Self, Error> {
        let logs = Self {
            names: parameters.take("names")?,
            lines: parameters.take("lines")?,
            follow: parameters.take::<Option<bool>>("follow")?.unwrap_or(false),
            all: parameters.take::<Option<bool>>("all")?.unwrap_or(false),
            since: take_when(parameters, "since")?,
            until: take_when(parameters, "until")?,
        };
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

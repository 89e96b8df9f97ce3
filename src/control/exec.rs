//! What is to be executed in a container, as a client asks for it.

use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

use super::Error;
use super::parameters::Parameters;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Exec {
    pub name: String,
    pub command: Vec<String>,
    /// The client will send input.
    pub stdin: bool,
    pub terminal: bool,
    /// `user[:group]`. `None`: the container's own.
    pub user: Option<String>,
    pub working_dir: Option<String>,
    /// `KEY=value`.
    pub environment: Vec<String>,
    /// Of the terminal.
    pub rows: Option<u16>,
    pub columns: Option<u16>,
}

impl Exec {
    pub(super) fn take(parameters: &mut Parameters) -> Result<Self, Error> {
        Ok(Self {
            name: parameters.take("name")?,
            command: parameters.take("command")?,
            stdin: parameters.take::<Option<bool>>("stdin")?.unwrap_or(false),
            terminal: parameters.take::<Option<bool>>("terminal")?.unwrap_or(false),
            user: parameters.take("user")?,
            working_dir: parameters.take("working_dir")?,
            environment: parameters.take::<Option<Vec<String>>>("environment")?.unwrap_or_default(),
            rows: parameters.take("rows")?,
            columns: parameters.take("columns")?,
        })
    }
}

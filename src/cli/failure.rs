//! Why a command ends without having done what it was asked.

use std::io;

use orlop::control::Error;

#[derive(Debug)]
pub(crate) enum Failure {
    /// One line for a person.
    Failed(String),
    /// The reader of our output has left: nobody is interested any more, which is no failure.
    NobodyReads,
    /// The connection broke off; another one may work.
    Disconnected(String),
    /// The machine's own word.
    Refused(Error),
    /// For commands whose exit code says more than that they failed.
    Coded { code: u8, line: Option<String> },
}

impl Failure {
    /// The line; `None`: nothing is to be said.
    pub(crate) fn line(&self) -> Option<String> {
        match self {
            Self::Failed(text) | Self::Disconnected(text) => Some(text.clone()),
            Self::Refused(error) => Some(error.to_string()),
            Self::NobodyReads => None,
            Self::Coded { line, .. } => line.clone(),
        }
    }
}

/// For what is written to the screen.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::NobodyReads,
            _ => Self::Failed(format!("cannot write the output: {error}")),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// An error of the operating system, in words.
pub(crate) fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => String::from("there is no such file"),
        io::ErrorKind::PermissionDenied => String::from("permission denied"),
        // The rest reads well but for its number.
        _ => error.to_string().split(" (os error").next().unwrap_or_default().to_owned(),
    }
}

/// Texts of several containers at once: each failed by itself.
pub(crate) fn all(failures: Vec<Failure>) -> Result<(), Failure> {
    let lines: Vec<String> = failures.iter().filter_map(Failure::line).collect();
    let mut failures = failures;
    match failures.pop() {
        None => Ok(()),
        Some(only) if failures.is_empty() => Err(only),
        Some(_) => Err(Failure::Failed(lines.join("; "))),
    }
}

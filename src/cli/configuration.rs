//! Stand-in for the reader of configurations.

use std::fmt;

pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}
#[derive(PartialEq)]
pub(crate) enum Severity {
    Error,
}
impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("error")
    }
}
pub(crate) struct Diagnostic {
    pub(crate) severity: Severity,
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) key: String,
    pub(crate) message: String,
    pub(crate) notes: Vec<String>,
    pub(crate) help: Option<String>,
    pub(crate) container: Option<String>,
}
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)
    }
}
pub(crate) struct Reading {
    pub(crate) config: orlop::config::Config,
    pub(crate) diagnostics: Vec<Diagnostic>,
}
#[derive(Debug, Clone)]
pub(crate) struct FileUse {
    pub(crate) container: String,
    pub(crate) key: String,
    pub(crate) path: String,
    pub(crate) required: bool,
}
pub(crate) fn read(_: &[Source]) -> Reading {
    Reading { config: orlop::config::Config::default(), diagnostics: vec![] }
}
pub(crate) fn files(_: &orlop::config::Config) -> Vec<FileUse> {
    vec![]
}
pub(crate) fn schema() -> String {
    "{}".into()
}

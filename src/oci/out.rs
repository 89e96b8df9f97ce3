//! Standard output, written at once and never in vain: a reader who has left is an error like others.

use std::io::Write;

use serde::Serialize;

use super::failure::{Failure, Result, io_at};

pub(crate) struct Out(std::io::Stdout);

impl Out {
    pub(crate) fn new() -> Self {
        Self(std::io::stdout())
    }

    /// One line, and out with it: whoever reads events waits for each.
    pub(crate) fn line(&mut self, text: &str) -> Result<()> {
        self.text(&format!("{text}\n"))
    }

    pub(crate) fn text(&mut self, text: &str) -> Result<()> {
        let mut out = self.0.lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(io_at("standard output"))
    }

    /// Indented, a line for each field.
    pub(crate) fn pretty_json<T: Serialize>(&mut self, value: &T) -> Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Failure::new(error.to_string()))?;
        self.line(&text)
    }
}

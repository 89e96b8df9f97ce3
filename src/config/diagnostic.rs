//! A mistake as a person sees it: what, where, the line underlined, and what to write instead.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// What it stands in is not used.
    Error,
    /// It is used as written, and may not be what was meant.
    Warning,
}

/// What is wrong with a value, wherever it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub message: String,
    /// The nearest known name, or what to write.
    pub help: Option<String>,
}

/// One mistake in one place. Its text holds no control character, whatever the file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// The path of the source, as it was given.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Characters to underline, at least 1; never past the end of the line.
    pub length: usize,
    /// `container.db.limits.memory`; empty when the text is no TOML.
    pub key: String,
    pub message: String,
    /// The line, or the part of a very long one that matters.
    pub source_line: String,
    /// How many characters `source_line` leaves out at its front.
    pub cut: usize,
    /// Other places that have to do with it.
    pub notes: Vec<String>,
    pub help: Option<String>,
    /// The container that this makes invalid, or that the warning is about.
    pub container: Option<String>,
}

impl Mistake {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(out, " ({help})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}: {}", self.severity, self.message)?;
        let number = alloc::format!("{}", self.line);
        let margin = " ".repeat(number.len());
        write!(out, "{margin}--> {}:{}:{}", self.file, self.line, self.column)?;
        if !self.source_line.is_empty() {
            write!(out, "\n{margin} |\n{number} | {}", self.source_line)?;
            let before = self.column.saturating_sub(1).saturating_sub(self.cut);
            write!(out, "\n{margin} | {}{}", indent(&self.source_line, before), "^".repeat(self.length))?;
        }
        for note in &self.notes {
            write!(out, "\n{margin} = note: {note}")?;
        }
        if let Some(help) = &self.help {
            write!(out, "\n{margin} = help: {help}")?;
        }
        Ok(())
    }
}

/// White space as wide as the first `count` characters of `line`: tabs stay tabs.
fn indent(line: &str, count: usize) -> String {
    let shown = line.chars().take(count).map(|c| if c == '\t' { '\t' } else { ' ' });
    let missing = count.saturating_sub(line.chars().count());
    shown.chain(core::iter::repeat_n(' ', missing)).collect()
}

/// `text` without anything that could move a terminal's cursor.
pub(crate) fn printable(text: &str) -> String {
    if text.chars().any(is_unprintable) {
        return text.chars().map(|c| if is_unprintable(c) { '\u{fffd}' } else { c }).collect();
    }
    text.to_owned()
}

fn is_unprintable(c: char) -> bool {
    // Besides the control characters: the marks that reverse the direction of what follows.
    c.is_control() && c != '\t' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

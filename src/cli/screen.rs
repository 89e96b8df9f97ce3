//! Where a command's output goes: a terminal with colours and a width, or a pipe with neither.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::failure::Failure;
use crate::linux::terminal;

/// Standard output, standard error, and what is known of them.
pub(crate) struct Screen<'a> {
    pub(crate) out: &'a mut dyn Write,
    pub(crate) err: &'a mut dyn Write,
    pub(crate) colours: Colours,
    /// Columns, when the output is a terminal.
    pub(crate) width: Option<usize>,
    /// Whether a person watches the standard error.
    pub(crate) progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colours {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Shown,
    Hidden,
}

/// What a colour is to say. The words say the same without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Busy,
    Bad,
    Quiet,
    Strong,
    /// What keys are about.
    Chosen,
}

/// Colours of names, those first that are easily told apart. Red is for what is bad.
const NAMES: [&str; 10] = ["36", "33", "32", "35", "34", "96", "93", "92", "95", "94"];

impl Colours {
    /// Off where the output is no terminal, where it cannot colour, and where NO_COLOR asks for it.
    fn of(stdout: &io::Stdout) -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        if stdout.is_terminal() && !is_set("NO_COLOR") && !is_dumb { Self::On } else { Self::Off }
    }

    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        match tone {
            Tone::Plain => text.to_owned(),
            Tone::Good => self.with("32", text),
            Tone::Busy => self.with("33", text),
            Tone::Bad => self.with("31", text),
            Tone::Quiet => self.with("2", text),
            Tone::Strong => self.with("1", text),
            Tone::Chosen => self.with("7", text),
        }
    }

    /// The same number is the same colour; neighbours have different ones.
    pub(crate) fn paint_name(self, number: usize, text: &str) -> String {
        self.with(NAMES.get(number % NAMES.len()).copied().unwrap_or_default(), text)
    }

    fn with(self, code: &str, text: &str) -> String {
        match self {
            Self::On => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Off => text.to_owned(),
        }
    }
}

impl Screen<'_> {
    /// Runs `show` on this process's own screen.
    pub(crate) fn with_own<T>(show: impl FnOnce(&mut Screen<'_>) -> T) -> T {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let colours = Colours::of(&stdout);
        let width = if stdout.is_terminal() { terminal::columns(&stdout) } else { None };
        let progress = if stderr.is_terminal() { Progress::Shown } else { Progress::Hidden };
        let mut out = stdout.lock();
        let mut err = stderr.lock();
        show(&mut Screen { out: &mut out, err: &mut err, colours, width, progress })
    }

    pub(crate) fn line(&mut self, text: &str) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// For people and programs: indented, and a line for each field.
    pub(crate) fn json<T: Serialize>(&mut self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::Failed(format!("cannot write JSON: {error}")))?;
        self.line(&text)
    }
}

/// `text` on one line, and without anything that could move a terminal's cursor.
pub(crate) fn printable(text: &str) -> String {
    let replaced = text.chars().map(|character| match character {
        '\n' | '\t' => ' ',
        _ if character.is_control() || turns(character) => '\u{fffd}',
        _ => character,
    });
    replaced.collect()
}

/// Says in which direction text is written, and so changes the order of what stands around it; or ends a line.
fn turns(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_left_out_where_they_are_off() {
        assert_eq!(Colours::On.paint(Tone::Bad, "failed"), "\x1b[31mfailed\x1b[0m");
        assert_eq!(Colours::On.paint(Tone::Plain, "x"), "x");
        assert_eq!(Colours::Off.paint(Tone::Bad, "failed"), "failed");
    }

    #[test]
    fn nothing_from_the_machine_moves_the_cursor() {
        assert_eq!(printable("a\nb\tc\x1b[2Jd\u{85}"), "a b c\u{fffd}[2Jd\u{fffd}");
        // Nor puts it into another order.
        let turned = "\u{61c}\u{200e}\u{200f}\u{2028}\u{202a}\u{202e}\u{2066}\u{2069}";
        assert_eq!(printable(turned), "\u{fffd}".repeat(8));
        assert_eq!(printable("שלום – 日本"), "שלום – 日本");
    }
}

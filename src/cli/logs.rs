//! `orlop logs`: the bytes that containers wrote, as they wrote them.
//!
//! Of one container nothing is added, and nothing is held back: half a line is shown as it comes.
//! Of several, or with times, lines are put together for each, and begin with what was asked for.

use std::collections::BTreeMap;

use orlop::control::{DropReason, Dropped, Entry, LogsReply, Request};
use serde_json::Value;

use super::arguments::LogsArguments;
use super::client::{Client, Time, understand};
use super::failure::Failure;
use super::screen::{Screen, Tone, printable};
use super::units;

/// A line longer than this is shown in parts, each with its name, so that a container which never
/// ends a line is seen nevertheless.
const MAX_LINE: usize = 64 * 1024;

pub(crate) fn logs(
    client: &mut Client,
    screen: &mut Screen<'_>,
    arguments: &LogsArguments,
) -> Result<(), Failure> {
    let (names, lines, follow) = (arguments.names.clone(), arguments.lines, arguments.follow);
    let time = if follow { Time::Unlimited } else { Time::Limited };
    let mut lines_of = Lines::new(arguments);
    let shown = client.stream(&Request::Logs { names, lines, follow }, time, |mut answer| {
        if arguments.json {
            let entries = answer.get_mut("entries").map(Value::take);
            for entry in entries.as_ref().and_then(Value::as_array).into_iter().flatten() {
                writeln!(screen.out, "{entry}")?;
            }
        } else {
            let reply: LogsReply = understand(answer)?;
            for entry in &reply.entries {
                lines_of.show(screen, entry)?;
            }
        }
        Ok(screen.out.flush()?)
    });
    // What was begun is shown, also when the machine has left.
    lines_of.finish(screen)?;
    shown
}

/// What each container has written of a line that it has not ended.
struct Lines {
    decoration: Decoration,
    unfinished: BTreeMap<String, Line>,
    width: usize,
}

#[derive(Debug, Default)]
struct Line {
    bytes: Vec<u8>,
    /// When its first bytes were read.
    time: String,
}

/// What a line begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Decoration {
    name: bool,
    time: bool,
}

impl Lines {
    fn new(arguments: &LogsArguments) -> Self {
        let decoration = Decoration { name: arguments.names.len() != 1, time: arguments.timestamps };
        let width = arguments.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        Self { decoration, unfinished: BTreeMap::new(), width }
    }

    fn show(&mut self, screen: &mut Screen<'_>, entry: &Entry) -> Result<(), Failure> {
        if let Some(dropped) = &entry.dropped {
            writeln!(screen.err, "orlop: {}", gap(&entry.name, dropped))?;
        }
        let bytes = entry.bytes().ok_or_else(|| {
            let name = &entry.name;
            Failure::Failed(printable(&format!("the machine sent damaged output of `{name}`")))
        })?;
        if !self.decoration.name && !self.decoration.time {
            return Ok(screen.out.write_all(&bytes)?);
        }
        let mut line = self.unfinished.remove(&entry.name).unwrap_or_default();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if line.bytes.is_empty() {
                line.time.clone_from(&entry.time);
            }
            line.bytes.extend_from_slice(piece);
            if line.bytes.ends_with(b"\n") || line.bytes.len() >= MAX_LINE {
                self.write(screen, &entry.name, &line)?;
                line.bytes.clear();
            }
        }
        if !line.bytes.is_empty() {
            self.unfinished.insert(entry.name.clone(), line);
        }
        Ok(())
    }

    fn finish(&mut self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        for (name, line) in std::mem::take(&mut self.unfinished) {
            self.write(screen, &name, &line)?;
        }
        Ok(screen.out.flush()?)
    }

    fn write(&mut self, screen: &mut Screen<'_>, name: &str, line: &Line) -> Result<(), Failure> {
        if self.decoration.time {
            write!(screen.out, "{} ", screen.colours.paint(Tone::Quiet, &printable(&line.time)))?;
        }
        if self.decoration.name {
            // Names that were not given are met one by one.
            self.width = self.width.max(name.chars().count());
            let name = format!("{:<width$} |", printable(name), width = self.width);
            write!(screen.out, "{} ", screen.colours.paint(Tone::Quiet, &name))?;
        }
        screen.out.write_all(&line.bytes)?;
        if !line.bytes.ends_with(b"\n") {
            screen.out.write_all(b"\n")?;
        }
        Ok(())
    }
}

pub(crate) fn gap(name: &str, dropped: &Dropped) -> String {
    let why = match dropped.reason {
        DropReason::Overwritten => "newer output took its place",
        DropReason::Refused => "it came too fast, or memory was short",
    };
    let size = units::bytes(dropped.bytes);
    printable(&format!("{size} of output of `{name}` are gone: {why}"))
}

#[cfg(test)]
#[path = "logs_test.rs"]
mod tests;

//! Reads → lines: each container and each of its streams has its own, and a name with a colour.

use std::collections::BTreeMap;

use orlop::control::{Entry, Stream};

use crate::cli::failure::Failure;
use crate::cli::screen::{Screen, Tone, printable};

/// A line longer than this is shown in parts, each with its name, so that a container which never
/// ends a line is seen nevertheless.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// What each container has written of lines that it has not ended.
pub(super) struct Lines {
    pub(super) names: Names,
    unfinished: BTreeMap<(String, Option<Stream>), Line>,
}

/// A line, or what there is of it, with its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) stream: Option<Stream>,
    pub(super) bytes: Vec<u8>,
    /// When its first bytes were read.
    boot_us: u64,
    pub(super) time: String,
}

impl Line {
    fn begin(entry: &Entry) -> Self {
        Self {
            name: entry.name.clone(),
            stream: entry.stream,
            bytes: Vec::new(),
            boot_us: entry.boot_us,
            time: entry.time.clone(),
        }
    }

    /// As the machine would have told it, had it been one read.
    pub(super) fn entry(&self) -> Entry {
        let stream = self.stream.unwrap_or(Stream::Stdout);
        Entry::output(&self.name, stream, self.boot_us, self.time.clone(), &self.bytes)
    }
}

impl Lines {
    pub(super) fn new(names: Names) -> Self {
        Self { names, unfinished: BTreeMap::new() }
    }

    /// The lines that are whole with these bytes of an entry. A message is one.
    pub(super) fn add(&mut self, entry: &Entry, bytes: &[u8]) -> Vec<Line> {
        if entry.stream == Some(Stream::Syslog) {
            return vec![Line { bytes: bytes.to_vec(), ..Line::begin(entry) }];
        }
        let key = (entry.name.clone(), entry.stream);
        let mut begun = self.unfinished.remove(&key);
        let mut whole = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let line = begun.get_or_insert_with(|| Line::begin(entry));
            line.bytes.extend_from_slice(piece);
            if line.bytes.ends_with(b"\n") || line.bytes.len() >= MAX_LINE {
                whole.extend(begun.take());
            }
        }
        self.unfinished.extend(begun.map(|line| (key, line)));
        whole
    }

    /// Those that were never ended.
    pub(super) fn finish(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.unfinished).into_values().collect()
    }
}

/// The column of names. Those that were not asked for by name are met one by one.
pub(super) struct Names {
    width: usize,
    /// In the order of their colours: who comes next has the next one.
    met: Vec<String>,
}

impl Names {
    pub(super) fn new(asked: &[String]) -> Self {
        let width = asked.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        Self { width, met: asked.to_vec() }
    }

    /// What a line begins with: its time, its name.
    pub(super) fn head(
        &mut self,
        screen: &mut Screen<'_>,
        line: &Line,
        (name, time): (bool, bool),
    ) -> Result<(), Failure> {
        if time {
            write!(screen.out, "{} ", screen.colours.paint(Tone::Quiet, &printable(&line.time)))?;
        }
        if name {
            let number = self.number(&line.name);
            self.width = self.width.max(line.name.chars().count());
            let name = format!("{:<width$} |", printable(&line.name), width = self.width);
            write!(screen.out, "{} ", screen.colours.paint_name(number, &name))?;
        }
        Ok(())
    }

    fn number(&mut self, name: &str) -> usize {
        let known = self.met.iter().position(|met| met == name);
        known.unwrap_or_else(|| {
            self.met.push(name.to_owned());
            self.met.len() - 1
        })
    }
}

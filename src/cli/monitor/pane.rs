//! The log of one container as far as a screen needs it: its last lines, without anything that could move a cursor.

use std::collections::VecDeque;

use orlop::control::{LogsReply, Stream};

use crate::cli::screen::printable;

/// Lines that are kept to go back to, and bytes of one: what a person looks through.
pub(super) const KEPT: usize = 1000;
const LONGEST: usize = 1000;

#[derive(Debug)]
pub(super) struct Pane {
    pub(super) name: String,
    lines: VecDeque<String>,
    /// Not ended yet, on the standard output and error.
    unfinished: [Vec<u8>; 2],
    /// Lines below those that are shown.
    below: usize,
    /// Lines that were shown last.
    pub(super) height: usize,
}

impl Pane {
    pub(super) fn new(name: String) -> Self {
        Self { name, lines: VecDeque::new(), unfinished: [Vec::new(), Vec::new()], below: 0, height: 10 }
    }

    pub(super) fn take(&mut self, reply: &LogsReply) {
        for entry in &reply.entries {
            if entry.name != self.name {
                continue;
            }
            if let Some(dropped) = &entry.dropped {
                self.line(&format!("({} bytes are gone)", dropped.bytes));
            }
            let at = usize::from(entry.stream == Some(Stream::Stderr));
            self.bytes(at, &entry.bytes().unwrap_or_default());
        }
    }

    fn bytes(&mut self, stream: usize, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(line) = self.unfinished.get_mut(stream) else { return };
            let room = LONGEST.saturating_sub(line.len());
            line.extend(piece.iter().take(room));
            if piece.ends_with(b"\n") {
                let line = core::mem::take(line);
                self.line(String::from_utf8_lossy(&line).trim_end());
            }
        }
    }

    fn line(&mut self, text: &str) {
        if self.lines.len() >= KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(printable(text));
        // What is looked at stays where it is while more comes.
        if self.below > 0 {
            self.below = self.below.saturating_add(1).min(self.lines.len());
        }
    }

    pub(super) fn back(&mut self) {
        let most = self.lines.len().saturating_sub(self.height);
        self.below = self.below.saturating_add(self.height).min(most);
    }

    pub(super) fn forward(&mut self) {
        self.below = self.below.saturating_sub(self.height);
    }

    pub(super) fn go_to_end(&mut self) {
        self.below = 0;
    }

    pub(super) fn below(&self) -> usize {
        self.below
    }

    /// The lines that a screen with so many shows, and what is not ended behind them.
    pub(super) fn shown(&self, height: usize) -> Vec<String> {
        let unfinished = self.unfinished.iter().filter(|line| self.below == 0 && !line.is_empty());
        let unfinished: Vec<String> =
            unfinished.map(|line| printable(&String::from_utf8_lossy(line))).collect();
        let end = self.lines.len().saturating_sub(self.below);
        let room = height.saturating_sub(unfinished.len());
        let whole = self.lines.iter().take(end).skip(end.saturating_sub(room)).cloned();
        whole.chain(unfinished).take(height).collect()
    }
}

#[cfg(test)]
mod tests {
    use orlop::control::Entry;

    use super::*;

    fn said(stream: Stream, bytes: &[u8]) -> LogsReply {
        LogsReply { entries: vec![Entry::output("web", stream, 1, String::new(), bytes)] }
    }

    #[test]
    fn lines_of_both_streams_are_put_together_and_harmless() {
        let mut pane = Pane::new("web".into());
        pane.take(&said(Stream::Stdout, b"one\ntw"));
        pane.take(&said(Stream::Stderr, b"err\x1b[2Jor\r\n"));
        assert_eq!(pane.shown(9), ["one", "err\u{fffd}[2Jor", "tw"]);
        pane.take(&said(Stream::Stdout, b"o\n"));
        assert_eq!(pane.shown(2), ["err\u{fffd}[2Jor", "two"]);
        // A line without an end does not fill the memory.
        pane.take(&said(Stream::Stdout, &[b'x'; 100_000]));
        assert_eq!(pane.shown(1)[0].len(), LONGEST);
    }

    #[test]
    fn one_who_looks_back_sees_the_same_while_more_comes() {
        let mut pane = Pane::new("web".into());
        pane.height = 3;
        for number in 0..10 {
            pane.take(&said(Stream::Stdout, format!("{number}\n").as_bytes()));
        }
        pane.back();
        assert_eq!(pane.shown(3), ["4", "5", "6"]);
        pane.take(&said(Stream::Stdout, b"10\n"));
        assert_eq!(pane.shown(3), ["4", "5", "6"]);
        (0..9).for_each(|_| pane.back());
        assert_eq!(pane.shown(3), ["0", "1", "2"]);
        pane.go_to_end();
        assert_eq!(pane.shown(3), ["8", "9", "10"]);
        for number in 0..KEPT {
            pane.take(&said(Stream::Stdout, format!("{number}\n").as_bytes()));
        }
        assert_eq!(pane.lines.len(), KEPT);
    }
}

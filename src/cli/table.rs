//! Columns that stand below one another.

use super::failure::Failure;
use super::screen::{Screen, Tone, printable};

/// Between two columns.
const GAP: &str = "  ";

/// One place in a table.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(crate) fn new(tone: Tone, text: &str) -> Self {
        Self { text: printable(text), tone }
    }

    pub(crate) fn plain(text: &str) -> Self {
        Self::new(Tone::Plain, text)
    }

    /// `-` where there is nothing.
    pub(crate) fn maybe(text: Option<&str>) -> Self {
        text.map_or_else(|| Self::new(Tone::Quiet, "-"), Self::plain)
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }

    fn cut_to(&mut self, width: usize) {
        if self.width() > width {
            let kept = self.text.chars().take(width.saturating_sub(1));
            self.text = kept.chain(['…']).collect();
        }
    }
}

/// Writes a head and rows of as many cells. On a terminal that is too narrow, the last column is
/// cut, and no other: it is the one that explains.
pub(crate) fn show<const N: usize>(
    screen: &mut Screen<'_>,
    head: [&str; N],
    rows: Vec<[Cell; N]>,
) -> Result<(), Failure> {
    let head = head.map(|title| Cell::new(Tone::Strong, title));
    let widths: Vec<usize> = (0..N)
        .map(|column| {
            let cells = rows.iter().chain([&head]).filter_map(|row| row.get(column));
            cells.map(Cell::width).max().unwrap_or(0)
        })
        .collect();
    let before: usize = widths.iter().rev().skip(1).map(|width| width + GAP.len()).sum();
    // Even there the begin of it is worth a wrapped line.
    let rest = screen.width.map(|width| width.saturating_sub(before).max(10));
    for mut row in std::iter::once(head).chain(rows) {
        if let (Some(last), Some(rest)) = (row.last_mut(), rest) {
            last.cut_to(rest);
        }
        let mut line = String::new();
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            line += &screen.colours.paint(cell.tone, &cell.text);
            if index + 1 < N {
                line += &" ".repeat(width.saturating_sub(cell.width()) + GAP.len());
            }
        }
        screen.line(line.trim_end())?;
    }
    Ok(())
}

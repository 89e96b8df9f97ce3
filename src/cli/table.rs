//! Columns that stand below one another.

use super::failure::Failure;
use super::screen::{Screen, Tone, printable};

/// Between two columns.
const GAP: &str = "  ";

/// What the last column gets on a narrow terminal, if others can give it: a clause of a cause.
const LAST_WANTED: usize = 30;

/// What a column that gives way keeps: the name of a file, of an image.
const KEPT: usize = 16;

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

    /// The end of a path or of a reference tells it from others.
    fn cut_front_to(&mut self, width: usize) {
        if let Some(surplus) = self.width().checked_sub(width).filter(|surplus| *surplus > 0) {
            let kept = self.text.chars().skip(surplus.saturating_add(1));
            self.text = ['…'].into_iter().chain(kept).collect();
        }
    }
}

/// Writes a head and rows of as many cells. On a terminal that is too narrow, the widest column gives
/// way to the last, the one that explains; then the last is cut, and no other.
pub(crate) fn show<const N: usize>(
    screen: &mut Screen<'_>,
    head: [&str; N],
    mut rows: Vec<[Cell; N]>,
) -> Result<(), Failure> {
    let head = head.map(|title| Cell::new(Tone::Strong, title));
    if let Some(width) = screen.width {
        give_way(&head, &mut rows, width);
    }
    let widths = widths(&head, &rows);
    // Even there the begin of it is worth a wrapped line.
    let rest = screen.width.map(|width| width.saturating_sub(before_last(&widths)).max(10));
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

fn widths<const N: usize>(head: &[Cell; N], rows: &[[Cell; N]]) -> Vec<usize> {
    let widest = |column: usize| {
        let cells = rows.iter().chain([head]).filter_map(|row| row.get(column));
        cells.map(Cell::width).max().unwrap_or(0)
    };
    (0..N).map(widest).collect()
}

/// What stands before the last column, with the gap before it.
fn before_last(widths: &[usize]) -> usize {
    widths.iter().rev().skip(1).map(|width| width + GAP.len()).sum()
}

/// Cuts the widest column but the last, as far as the last has use for it.
fn give_way<const N: usize>(head: &[Cell; N], rows: &mut [[Cell; N]], width: usize) {
    let widths = widths(head, rows);
    let wanted = widths.last().map_or(0, |last| LAST_WANTED.min(*last));
    let missing = before_last(&widths).saturating_add(wanted).saturating_sub(width);
    let others = widths.iter().enumerate().take(N.saturating_sub(1));
    let Some((column, widest)) = others.max_by_key(|(_, width)| **width) else { return };
    let left = widest.saturating_sub(missing).max(KEPT);
    for cell in rows.iter_mut().filter_map(|row| row.get_mut(column)) {
        cell.cut_front_to(left);
    }
}

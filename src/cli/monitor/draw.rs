//! The live table as a screenful of text: each line no wider than the terminal, and as many as it has rows.

use std::collections::VecDeque;
use std::time::Duration;

use orlop::control::{Figures, Pressure, State};

use super::model::{Model, Row, Sort};
use crate::cli::containers::{state, tone};
use crate::cli::screen::{Colours, Tone, printable};
use crate::cli::units;

/// Between two columns.
const GAP: usize = 2;
/// Of a sparkline: five seconds a letter.
const SPARK: usize = 12;
/// What a screen must have for a pane beside the table.
const LEAST_TABLE: usize = 4;

const KEYS: &str = "q quit  ↑↓ select  ⏎ log  r reverse  sort by: n s c m t x";
const KEYS_OF_PANE: &str = "q quit  esc close  ↑↓ another  PgUp PgDn End";

/// One column: its title, how wide at least, how soon it gives way (never: 0), whether numbers stand to the
/// right, and what a row has there.
struct Column {
    title: &'static str,
    rank: u8,
    is_right: bool,
    cell: fn(&Row) -> (Tone, String),
}

const fn column(title: &'static str, rank: u8, is_right: bool, cell: fn(&Row) -> (Tone, String)) -> Column {
    Column { title, rank, is_right, cell }
}

const COLUMNS: [Column; 13] = [
    column("NAME", 0, false, |row| (Tone::Plain, printable(&row.container.name))),
    column("STATE", 0, false, |row| (tone(&row.container), state(&row.container))),
    column("READY", 4, false, |row| plain(if row.container.ready { "yes" } else { "no" })),
    column("RESTARTS", 3, true, |row| plain(&row.container.restarts.to_string())),
    column("UPTIME", 7, true, |row| {
        plain(&row.container.uptime_ms.map_or("-".into(), |it| units::duration(Duration::from_millis(it))))
    }),
    column("CPU", 0, true, |row| plain(&percent(row.cpu))),
    column("LAST MINUTE", 5, false, |row| (Tone::Quiet, spark(&row.cpus, SPARK))),
    column("MEMORY", 1, true, |row| plain(&size(row, |figures| figures.memory_bytes))),
    column("LAST MINUTE", 6, false, |row| (Tone::Quiet, spark(&row.memories, SPARK))),
    column("LIMIT", 8, true, |row| plain(&size(row, |figures| figures.memory_limit_bytes))),
    column("TASKS", 2, true, |row| {
        plain(&row.figures.as_ref().and_then(|it| it.processes).map_or("-".into(), |it| it.to_string()))
    }),
    column("WAITS CPU", 9, true, |row| plain(&waits(row, |figures| figures.cpu_pressure))),
    column("MEM IO", 10, true, |row| {
        let (memory, io) =
            (waits(row, |figures| figures.memory_pressure), waits(row, |figures| figures.io_pressure));
        plain(&format!("{memory} {io}"))
    }),
];

fn plain(text: &str) -> (Tone, String) {
    (if text == "-" { Tone::Quiet } else { Tone::Plain }, text.to_owned())
}

fn percent(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{value:.1}%"))
}

fn size(row: &Row, of: fn(&Figures) -> Option<u64>) -> String {
    row.figures.as_ref().and_then(of).map_or("-".into(), units::bytes)
}

fn waits(row: &Row, of: fn(&Figures) -> Option<Pressure>) -> String {
    percent(row.figures.as_ref().and_then(of).map(|pressure| pressure.some.avg10))
}

/// Samples as blocks, the newest to the right, the highest of each `width`-th part; the full block is the highest
/// of all, so that a shape is seen whatever the size.
fn spark(samples: &VecDeque<f64>, width: usize) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let each = super::model::MINUTE / width;
    let most = samples.iter().copied().fold(0.0, f64::max);
    let newest: Vec<f64> = samples.iter().rev().copied().collect();
    let parts = newest.chunks(each.max(1)).map(|part| part.iter().copied().fold(0.0, f64::max));
    let block = |value: f64| {
        let step = if most > 0.0 { value / most * 7.0 } else { 0.0 };
        BLOCKS.into_iter().nth(step.round().clamp(0.0, 7.0) as usize).unwrap_or(' ')
    };
    let blocks: Vec<char> = parts.take(width).map(block).collect();
    let blank = width.saturating_sub(blocks.len());
    std::iter::repeat_n(' ', blank).chain(blocks.into_iter().rev()).collect()
}

/// All lines of a screen; the model learns how large its parts are.
pub(super) fn screen(model: &mut Model, rows: usize, columns: usize, colours: Colours) -> Vec<String> {
    let pane_rows = if model.pane.is_some() && rows > LEAST_TABLE * 2 { rows / 2 } else { 0 };
    let table_rows = rows.saturating_sub(pane_rows);
    // The head line, the titles, and the keys.
    let space = table_rows.saturating_sub(3);
    model.page = space.max(1);
    if let Some(pane) = &mut model.pane {
        pane.height = pane_rows.saturating_sub(1).max(1);
    }
    let mut lines = vec![head(model, columns, colours)];
    lines.extend(table(model, space, columns, colours));
    lines.resize(table_rows.saturating_sub(1).max(1), String::new());
    if let Some(pane) = model.pane.as_ref().filter(|_| pane_rows > 0) {
        let back = if pane.below() > 0 { format!(", {} lines back", pane.below()) } else { String::new() };
        let title = format!("── log of {}{back} ", printable(&pane.name));
        let rule = columns.saturating_sub(title.chars().count());
        lines.push(colours.paint(Tone::Strong, &cut(&(title + &"─".repeat(rule)), columns)));
        lines.extend(pane.shown(pane_rows.saturating_sub(1)).iter().map(|line| cut(line, columns)));
        lines.resize(rows.saturating_sub(1), String::new());
    }
    let keys = if pane_rows > 0 { KEYS_OF_PANE } else { KEYS };
    lines.push(colours.paint(Tone::Quiet, &cut(keys, columns)));
    lines.truncate(rows);
    lines
}

fn head(model: &Model, columns: usize, colours: Colours) -> String {
    if let Some(trouble) = &model.trouble {
        return colours.paint(Tone::Bad, &cut(&printable(trouble), columns));
    }
    let rows = model.sorted();
    let count = |state: State| rows.iter().filter(|row| row.container.state == state).count();
    let states = State::ALL.iter().map(|state| (count(*state), state.as_str()));
    let states: Vec<String> =
        states.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    // A sum of nothing is -0.
    let cpu = rows.iter().filter_map(|row| row.cpu).fold(0.0, |sum, cpu| sum + cpu);
    let memory = rows.iter().filter_map(|row| row.figures.as_ref()?.memory_bytes).sum();
    let order = if model.is_reversed { ", reversed" } else { "" };
    let text = format!(
        "{} containers: {}; {cpu:.1}% CPU, {}; by {}{order}",
        rows.len(),
        states.join(", "),
        units::bytes(memory),
        model.sort.word()
    );
    cut(&text, columns)
}

/// The titles and as many rows as there is space for, the selected one among them.
fn table(model: &Model, space: usize, columns: usize, colours: Colours) -> Vec<String> {
    let rows = model.sorted();
    let chosen = model.chosen();
    let at = rows.iter().position(|row| Some(&row.container.name) == chosen.as_ref()).unwrap_or(0);
    let first = at.saturating_sub(space.saturating_sub(1));
    let cells: Vec<Vec<(Tone, String)>> =
        rows.iter().map(|row| COLUMNS.iter().map(|column| (column.cell)(row)).collect()).collect();
    // The selected row is seen without colours, too.
    let (mark, other) = (cut("▸ ", columns), cut("  ", columns));
    let columns = columns.saturating_sub(2);
    let widths = widths(&cells, columns);
    let titles: Vec<_> = COLUMNS.iter().map(|column| (Tone::Plain, column.title.to_owned())).collect();
    let titles = line(&titles, &widths, columns, Colours::Off);
    let mut lines = vec![colours.paint(Tone::Strong, &format!("{other}{titles}"))];
    for (cells, row) in cells.iter().zip(&rows).skip(first).take(space) {
        lines.push(if Some(&row.container.name) == chosen.as_ref() {
            let text = line(cells, &widths, columns, Colours::Off);
            colours.paint(Tone::Chosen, &format!("{mark}{text:<columns$}"))
        } else {
            format!("{other}{}", line(cells, &widths, columns, colours))
        });
    }
    lines
}

/// Of each column, `None` for one that gave way: those that say least go first.
fn widths(cells: &[Vec<(Tone, String)>], columns: usize) -> Vec<Option<usize>> {
    let widest = |at: usize, title: &str| {
        let cells = cells.iter().filter_map(|row| row.get(at)).map(|(_, text)| text.chars().count());
        cells.chain([title.chars().count()]).max()
    };
    let mut widths: Vec<Option<usize>> =
        COLUMNS.iter().enumerate().map(|(at, column)| widest(at, column.title)).collect();
    let taken = |widths: &[Option<usize>]| widths.iter().flatten().map(|width| width + GAP).sum::<usize>();
    while taken(&widths) > columns.saturating_add(GAP) {
        let left = COLUMNS.iter().enumerate().filter(|(at, _)| widths.get(*at).is_some_and(Option::is_some));
        let Some((at, _)) = left.filter(|(_, column)| column.rank > 0).max_by_key(|(_, column)| column.rank)
        else {
            break;
        };
        if let Some(width) = widths.get_mut(at) {
            *width = None;
        }
    }
    widths
}

fn line(cells: &[(Tone, String)], widths: &[Option<usize>], columns: usize, colours: Colours) -> String {
    let mut line = String::new();
    let mut at = 0usize;
    for ((column, (tone, text)), width) in COLUMNS.iter().zip(cells).zip(widths) {
        let Some(width) = *width else { continue };
        let room = columns.saturating_sub(at);
        let text = cut(text, width.min(room));
        let blank = width.saturating_sub(text.chars().count());
        let blanks = " ".repeat(blank.min(room));
        let painted = colours.paint(*tone, &text);
        line += &if column.is_right { blanks + &painted } else { painted + &blanks };
        at = at.saturating_add(width + GAP);
        if at < columns {
            line += &" ".repeat(GAP);
        }
    }
    line.trim_end().to_owned()
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).take(width).collect()
}

/// The table once, for a pipe: nothing cut, nothing left out but what needs a minute.
pub(super) fn plain_table(model: &Model) -> Vec<String> {
    let keeps = |column: &Column| column.title != "LAST MINUTE";
    let rows: Vec<Vec<(Tone, String)>> =
        model.sorted().iter().map(|row| COLUMNS.iter().map(|column| (column.cell)(row)).collect()).collect();
    let widths: Vec<Option<usize>> = widths(&rows, usize::MAX)
        .into_iter()
        .zip(&COLUMNS)
        .map(|(width, it)| width.filter(|_| keeps(it)))
        .collect();
    let titles: Vec<_> = COLUMNS.iter().map(|column| (Tone::Plain, column.title.to_owned())).collect();
    let all = [titles].into_iter().chain(rows);
    all.map(|cells| line(&cells, &widths, usize::MAX, Colours::Off)).collect()
}

impl Sort {
    /// For help and errors.
    pub(super) fn words() -> String {
        Self::ALL.map(|(.., word)| word).join(", ")
    }
}

#[cfg(test)]
#[path = "draw_test.rs"]
mod tests;

//! What the live table knows, and what a key does to it. Told everything, and knows no terminal.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};

use orlop::control::{Container, Figures, ListReply, StatsReply};
use orlop::ordered::Ordered;

use super::keys::Key;
use super::pane::Pane;

/// Samples of a sparkline: one a second, the last minute.
pub(super) const MINUTE: usize = 60;

/// What rows stand in the order of; a letter chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Name,
    State,
    Cpu,
    Memory,
    Tasks,
    Restarts,
}

impl Sort {
    pub(super) const ALL: [(char, Self, &str); 6] = [
        ('n', Self::Name, "name"),
        ('s', Self::State, "state"),
        ('c', Self::Cpu, "cpu"),
        ('m', Self::Memory, "memory"),
        ('t', Self::Tasks, "tasks"),
        ('x', Self::Restarts, "restarts"),
    ];

    pub(super) fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, sort, _)| *sort == self).map_or("", |(.., word)| word)
    }

    pub(super) fn of_word(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(.., word)| *word == text).map(|(_, sort, _)| sort)
    }
}

/// What a key asks of whoever has the connections.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Leave,
    /// The pane shows another container's log, or none any more.
    Log,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) container: Container,
    /// Of one that runs.
    pub(super) figures: Option<Figures>,
    /// Percent of one processor, since the look before.
    pub(super) cpu: Option<f64>,
    /// One each second, the newest last.
    pub(super) cpus: VecDeque<f64>,
    pub(super) memories: VecDeque<f64>,
}

#[derive(Debug)]
pub(super) struct Model {
    rows: BTreeMap<String, Row>,
    /// When figures were read last, by the machine's clock.
    boot_us: u64,
    pub(super) sort: Sort,
    pub(super) is_reversed: bool,
    /// By name: the row may move. None before a key was typed: the first row, whichever it is.
    selected: Option<String>,
    pub(super) pane: Option<Pane>,
    /// Why what is shown is not new.
    pub(super) trouble: Option<String>,
    /// Rows that a page has, as it was drawn last.
    pub(super) page: usize,
}

impl Model {
    pub(super) fn new(sort: Sort) -> Self {
        Self {
            rows: BTreeMap::new(),
            boot_us: 0,
            sort,
            is_reversed: false,
            selected: None,
            pane: None,
            trouble: None,
            page: 10,
        }
    }

    pub(super) fn take_list(&mut self, list: ListReply) {
        self.trouble = None;
        let mut rows = BTreeMap::new();
        for container in list.containers {
            let row = self.rows.remove(&container.name);
            let (figures, cpu, cpus, memories) =
                row.map_or_else(Default::default, |row| (row.figures, row.cpu, row.cpus, row.memories));
            rows.insert(container.name.clone(), Row { container, figures, cpu, cpus, memories });
        }
        self.rows = rows;
        let rows = &self.rows;
        self.selected = self.selected.take().filter(|name| rows.contains_key(name));
    }

    pub(super) fn take_figures(&mut self, stats: StatsReply) {
        let time = stats.boot_us.saturating_sub(self.boot_us);
        let is_first = self.boot_us == 0;
        self.boot_us = stats.boot_us;
        let mut all: BTreeMap<String, Figures> =
            stats.containers.into_iter().map(|figures| (figures.name.clone(), figures)).ordered();
        for (name, row) in &mut self.rows {
            let figures = all.remove(name);
            let of = |figures: &Option<Figures>| figures.as_ref().and_then(|it| it.cpu_us);
            // One that was started again has begun anew.
            let used = of(&figures).zip(of(&row.figures)).and_then(|(now, before)| now.checked_sub(before));
            row.cpu = used.filter(|_| time > 0 && !is_first).map(|used| used as f64 * 100.0 / time as f64);
            let memory = figures.as_ref().and_then(|it| it.memory_bytes).unwrap_or(0);
            push(&mut row.cpus, row.cpu.unwrap_or(0.0));
            push(&mut row.memories, memory as f64);
            row.figures = figures;
        }
    }

    /// In the order that was asked for; equals by their names.
    pub(super) fn sorted(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.values().collect();
        rows.sort_unstable_by(|one, other| {
            let order = order(self.sort, one, other);
            if self.is_reversed { order.reverse() } else { order }
        });
        rows
    }

    /// The container that keys are about.
    pub(super) fn chosen(&self) -> Option<String> {
        let first = || self.sorted().first().map(|row| row.container.name.clone());
        self.selected.clone().or_else(first)
    }

    /// Whose log the pane is to show.
    pub(super) fn log_of(&self) -> Option<&str> {
        self.pane.as_ref().map(|pane| pane.name.as_str())
    }

    pub(super) fn key(&mut self, key: Key) -> Wish {
        match (key, &mut self.pane) {
            (Key::Letter('q') | Key::Interrupt, _) => return Wish::Leave,
            (Key::Escape | Key::Enter, Some(_)) => {
                self.pane = None;
                return Wish::Log;
            }
            (Key::Enter, None) => return self.show_log(),
            (Key::Escape, None) => {}
            (Key::PageUp, Some(pane)) => pane.back(),
            (Key::PageDown, Some(pane)) => pane.forward(),
            (Key::End, Some(pane)) => pane.go_to_end(),
            (Key::Up | Key::Letter('k'), _) => return self.go(-1),
            (Key::Down | Key::Letter('j'), _) => return self.go(1),
            (Key::PageUp, None) => return self.go(-steps(self.page)),
            (Key::PageDown, None) => return self.go(steps(self.page)),
            (Key::Home, _) => return self.go(isize::MIN),
            (Key::End, None) => return self.go(isize::MAX),
            (Key::Letter('r'), _) => self.is_reversed = !self.is_reversed,
            (Key::Letter(letter), _) => {
                if let Some((_, sort, _)) = Sort::ALL.into_iter().find(|(key, ..)| *key == letter) {
                    (self.sort, self.is_reversed) = (sort, false);
                }
            }
        }
        Wish::Nothing
    }

    /// So many rows further down; a pane goes along.
    fn go(&mut self, rows: isize) -> Wish {
        let sorted = self.sorted();
        let before = self.chosen();
        let at = sorted.iter().position(|row| Some(&row.container.name) == before.as_ref()).unwrap_or(0);
        let to = at.saturating_add_signed(rows).min(sorted.len().saturating_sub(1));
        let name = sorted.get(to).map(|row| row.container.name.clone());
        let moved = name != before;
        self.selected = name;
        if moved && self.pane.is_some() { self.show_log() } else { Wish::Nothing }
    }

    fn show_log(&mut self) -> Wish {
        self.selected = self.chosen();
        self.pane = self.selected.clone().map(Pane::new);
        Wish::Log
    }
}

fn steps(page: usize) -> isize {
    isize::try_from(page).unwrap_or(isize::MAX)
}

fn push(samples: &mut VecDeque<f64>, sample: f64) {
    if samples.len() >= MINUTE {
        samples.pop_front();
    }
    samples.push_back(sample);
}

/// What uses most stands first, and what has no figure last.
fn order(sort: Sort, one: &Row, other: &Row) -> Ordering {
    let name = || one.container.name.cmp(&other.container.name);
    let figure = |of: fn(&Figures) -> Option<u64>| {
        let of = |row: &Row| row.figures.as_ref().and_then(of);
        of(other).cmp(&of(one))
    };
    let order = match sort {
        Sort::Name => Ordering::Equal,
        Sort::State => one.container.state.cmp(&other.container.state),
        Sort::Cpu => other.cpu.unwrap_or(-1.0).total_cmp(&one.cpu.unwrap_or(-1.0)),
        Sort::Memory => figure(|figures| figures.memory_bytes),
        Sort::Tasks => figure(|figures| figures.processes),
        Sort::Restarts => other.container.restarts.cmp(&one.container.restarts),
    };
    order.then_with(name)
}

#[cfg(test)]
#[path = "model_test.rs"]
pub(super) mod tests;

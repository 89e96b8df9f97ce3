//! Collects mistakes: turns a place in the text into file, line and column, and keeps the number bounded.

use super::diagnostic::{Diagnostic, Mistake, Severity, printable};
use super::tree::{Path, Place};
use super::{MAX_FILE, Source};
use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// More mistakes than this are counted and not shown: nobody reads them, and the machine has little memory.
const MAX_DIAGNOSTICS: usize = 256;

/// Of them, warnings: they never crowd out the first error.
const MAX_WARNINGS: usize = MAX_DIAGNOSTICS / 2;

/// Names of invalid containers that are kept: twice as many as may run.
const MAX_INVALID: usize = 2 * super::MAX_CONTAINERS;

/// Instances that are named where many have the same mistake.
const SHOWN: usize = 3;

/// Characters of a source line that are shown: two rows of a serial console.
const MAX_LINE: usize = 150;

/// Characters left of the mistake that are shown when the line is longer than that.
const MAX_BEFORE: usize = 60;

pub(crate) struct Report<'a> {
    sources: &'a [Source],
    /// For each source the byte at which each of its lines starts.
    lines: Vec<Vec<usize>>,
    found: Vec<Found>,
    /// Why each container is invalid, also when the message itself is not shown.
    pub(crate) invalid: BTreeMap<String, Vec<String>>,
    /// Volumes with a mistake: what mounts them would not get what was meant.
    pub(crate) wrong_volumes: BTreeSet<String>,
    /// Lines that are no TOML, (file, line): what else is wrong with them would only mislead.
    broken: BTreeSet<(usize, usize)>,
    broken_files: BTreeSet<usize>,
    warnings: usize,
    hidden: usize,
}

struct Found {
    at: Place,
    diagnostic: Diagnostic,
    /// Other instances of the same template, in which the same value is as wrong.
    also: Vec<String>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(sources: &'a [Source]) -> Self {
        Self {
            sources,
            lines: sources.iter().map(|source| line_starts(&source.text)).collect(),
            found: Vec::new(),
            invalid: BTreeMap::new(),
            wrong_volumes: BTreeSet::new(),
            broken: BTreeSet::new(),
            broken_files: BTreeSet::new(),
            warnings: 0,
            hidden: 0,
        }
    }

    pub(crate) fn error(&mut self, at: Place, path: &Path<'_>, mistake: Mistake) {
        self.error_with(at, path, mistake, Vec::new());
    }

    pub(crate) fn error_with(&mut self, at: Place, path: &Path<'_>, mistake: Mistake, notes: Vec<String>) {
        if self.broken.contains(&(at.file, self.line(at).0)) {
            return;
        }
        if let Some(name) = path.volume() {
            self.wrong_volumes.insert(name.to_owned());
        }
        if let Some(name) = path.container() {
            let reason = format!("{}: {mistake}", self.short(at));
            self.invalidate(name, reason);
        }
        self.add(Severity::Error, at, path, mistake, notes);
    }

    pub(crate) fn warning(&mut self, at: Place, path: &Path<'_>, mistake: Mistake) {
        self.add(Severity::Warning, at, path, mistake, Vec::new());
    }

    /// The text at `at` is no TOML.
    pub(crate) fn syntax(&mut self, at: Place, path: &Path<'_>, mistake: Mistake, notes: Vec<String>) {
        self.error_with(at, path, mistake, notes);
        self.broken.insert((at.file, self.line(at).0));
    }

    /// From here on `file` is known to be incomplete: what it lacks may have been there.
    pub(crate) fn broken_file(&mut self, file: usize) {
        self.broken_files.insert(file);
    }

    pub(crate) fn is_broken(&self, file: usize) -> bool {
        self.broken_files.contains(&file)
    }

    /// Whether further mistakes are only counted, so that nobody needs to word them well.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= MAX_DIAGNOSTICS
    }

    /// `name` cannot run, for a reason that is reported elsewhere.
    pub(crate) fn invalidate(&mut self, name: &str, reason: String) {
        if self.invalid.len() >= MAX_INVALID && !self.invalid.contains_key(name) {
            return;
        }
        let reasons = self.invalid.entry(printable(name)).or_default();
        let reason = printable(&reason);
        if reasons.len() < MAX_DIAGNOSTICS && !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }

    /// `file.toml:12`
    pub(crate) fn short(&self, at: Place) -> String {
        format!("{}:{}", self.file(at), self.line(at).0)
    }

    /// All that was found, in the order of the text.
    pub(crate) fn finish(mut self) -> (Vec<Diagnostic>, BTreeMap<String, Vec<String>>) {
        let order = |found: &Found| (found.at, found.diagnostic.severity);
        self.found.sort_by_key(order);
        let mut shown: Vec<Diagnostic> = self.found.into_iter().map(Found::told).collect();
        if let (Some(last), true) = (shown.last_mut(), self.hidden > 0) {
            last.notes.push(format!("{} more are not shown", self.hidden));
        }
        (shown, self.invalid)
    }

    fn add(&mut self, severity: Severity, at: Place, path: &Path<'_>, mistake: Mistake, notes: Vec<String>) {
        if self.is_said(severity, at, path, &mistake) {
            return;
        }
        let warning = severity == Severity::Warning;
        self.warnings = self.warnings.saturating_add(usize::from(warning));
        if self.is_full() || warning && self.warnings > MAX_WARNINGS {
            self.hidden = self.hidden.saturating_add(1);
            return;
        }
        let (line, start) = self.line(at);
        let text = self.text(at);
        let whole = text.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
        let column = text.get(start..at.start).map_or(0, |before| before.chars().count());
        let inside = text.get(at.start..at.end.min(start.saturating_add(whole.len())));
        let cut = if whole.chars().count() > MAX_LINE { column.saturating_sub(MAX_BEFORE) } else { 0 };
        let shown: String = whole.chars().skip(cut).take(MAX_LINE).collect();
        let room = shown.chars().count().saturating_sub(column.saturating_sub(cut));
        self.found.push(Found {
            at,
            also: Vec::new(),
            diagnostic: Diagnostic {
                severity,
                file: printable(self.file(at)),
                line,
                column: column.saturating_add(1),
                length: inside.map_or(1, |part| part.chars().count()).min(room).max(1),
                key: printable(&path.to_string()),
                message: printable(&mistake.message),
                source_line: printable(&shown),
                cut,
                notes: notes.iter().map(|note| printable(note)).collect(),
                help: mistake.help.as_deref().map(printable),
                container: path.container().map(printable),
            },
        });
    }

    /// Whether the same was found at the same place, in a template or in another of its instances.
    fn is_said(&mut self, severity: Severity, at: Place, path: &Path<'_>, mistake: &Mistake) -> bool {
        let Some(name) = path.container() else { return false };
        let key = of_family(&printable(&path.to_string()));
        let same = self.found.iter_mut().find(|Found { at: place, diagnostic, .. }| {
            *place == at
                && diagnostic.severity == severity
                && of_family(&diagnostic.key) == key
                && (diagnostic.container.as_deref() != Some(name)
                    || of_family(&diagnostic.message) == of_family(&mistake.message))
        });
        let Some(same) = same else { return false };
        if same.diagnostic.container.as_deref() != Some(name) && !same.also.iter().any(|other| other == name)
        {
            same.also.push(name.to_owned());
        }
        true
    }

    fn file(&self, at: Place) -> &'a str {
        self.sources.get(at.file).map_or("", |source| &source.path)
    }

    fn text(&self, at: Place) -> &'a str {
        self.sources.get(at.file).map_or("", |source| &source.text)
    }

    /// The number of the line that `at` starts in, from 1, and the byte where that line starts.
    fn line(&self, at: Place) -> (usize, usize) {
        let starts = self.lines.get(at.file).map_or(&[][..], Vec::as_slice);
        let number = starts.partition_point(|start| *start <= at.start).max(1);
        (number, starts.get(number.saturating_sub(1)).copied().unwrap_or_default())
    }
}

impl Found {
    fn told(mut self) -> Diagnostic {
        let rest = self.also.len().saturating_sub(SHOWN);
        let mut names: Vec<String> =
            self.also.iter().take(SHOWN).map(|name| format!("`{}`", printable(name))).collect();
        if rest > 0 {
            names.push(format!("{rest} more"));
        }
        if !names.is_empty() {
            self.diagnostic.notes.push(format!("the same in {}", names.join(", ")));
        }
        self.diagnostic
    }
}

/// `text` with families in the place of their instances and templates.
fn of_family(text: &str) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let mut parts = text.split('@');
    let first = parts.next().unwrap_or_default().to_owned();
    let whole = parts.fold(first, |whole, rest| whole + rest.trim_start_matches(part));
    whole.replace('"', "")
}

fn line_starts(text: &str) -> Vec<usize> {
    if text.len() > MAX_FILE {
        return Vec::new();
    }
    let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    core::iter::once(0).chain(newlines.map(|(index, _)| index.saturating_add(1))).collect()
}

//! One file's text → its tree. What is no TOML is reported with its place; what can be read beside it is kept.
//!
//! A container that stands in a file with a broken line may have lost a part of itself (a limit, a user),
//! so all containers of that file are invalid. A key given twice loses nothing: only its own container is.

use super::depth::too_deep;
use super::diagnostic::Mistake;
use super::report::Report;
use super::tree::{Entry, Map, Node, Path, Place, Step, Value};
use super::{MAX_DEPTH, MAX_FILE, Source};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Beyond this a broken file is not searched for further mistakes: each costs memory, and the machine has little.
const MAX_RECOVERED: usize = 64 << 10;

/// Levels beyond which the parser does not see the text at all; those between [`MAX_DEPTH`] and this are
/// reported with their key.
const MAX_NESTING: usize = 4 * MAX_DEPTH;

pub(crate) fn parse(report: &mut Report<'_>, file: usize, source: &Source) -> Map {
    let text = source.text.as_str();
    if let Err((at, mistake)) = bounded(text) {
        report.broken_file(file);
        report.syntax(Place { file, start: at, end: at }, &Path::default(), mistake, Vec::new());
        return Map::default();
    }
    let (table, errors) = match DeTable::parse(text) {
        Ok(table) => (table, Vec::new()),
        Err(_) if text.len() <= MAX_RECOVERED => DeTable::parse_recoverable(text),
        Err(error) => (Spanned::new(0..0, DeTable::new()), [error].into()),
    };
    let mut convert = Convert { report, file, text };
    let map = convert.table(&Path::default(), table.get_ref());
    for error in errors {
        syntax_error(report, file, text, &map, &error);
    }
    if report.is_broken(file) {
        let containers = map.get("container").and_then(Node::map);
        for name in containers.into_iter().flat_map(|map| map.entries.keys()) {
            report.invalidate(name, format!("{} cannot be read as a whole", source.path));
        }
    }
    map
}

/// Whether the parser may see `text`; else what is wrong with it, and at which byte.
fn bounded(text: &str) -> Result<(), (usize, Mistake)> {
    if text.len() > MAX_FILE {
        let message = format!("the file has {} bytes; at most {MAX_FILE} are read", text.len());
        return Err((0, Mistake::new(message).help("spread it over several files")));
    }
    match too_deep(text, MAX_NESTING) {
        Some(at) => {
            Err((at, Mistake::new(format!("this is nested more than {MAX_NESTING} levels deep; no key is"))))
        }
        None => Ok(()),
    }
}

fn syntax_error(report: &mut Report<'_>, file: usize, text: &str, map: &Map, error: &toml::de::Error) {
    let span = error.span().unwrap_or_default();
    let at = Place { file, start: span.start.min(text.len()), end: span.end.min(text.len()) };
    let (owner, table) = owner(map, at);
    let path = Path(owner.iter().map(|key| Step::Key(key)).collect());
    // The parser's two complaints about text that is TOML in each part, but says something twice.
    let said_twice = error.message() == "duplicate key";
    if !said_twice && !error.message().starts_with("cannot extend value") {
        report.broken_file(file);
        let mistake = Mistake::new(format!("this is not TOML: {}", error.message()));
        return report.syntax(at, &path, with_quotes(mistake, text, at), Vec::new());
    }
    let key = text.get(at.start..at.end).unwrap_or_default();
    let first =
        table.and_then(|table| table.entries.get(key)).map(|entry| entry.at).filter(|first| *first < at);
    let first = first.or_else(|| same_header(text, at));
    let notes = first.map(|first| format!("first declared at {}", report.short(first))).into_iter().collect();
    let name = if owner.last().is_some_and(|last| last == key) { format!("{path}") } else { key.to_owned() };
    let message = if said_twice { format!("`{name}` is declared twice") } else { error.message().to_owned() };
    report.syntax(at, &path, Mistake::new(message), notes);
}

/// The first header that reads as the one around `at`.
fn same_header(text: &str, at: Place) -> Option<Place> {
    let start = text.get(..at.start)?.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
    let header = text.get(start..)?.lines().next()?.split('#').next()?.trim();
    if !header.starts_with('[') {
        return None;
    }
    let mut from: usize = 0;
    for line in text.get(..start)?.split_inclusive('\n') {
        if line.split('#').next().map(str::trim) == Some(header) {
            return Some(Place { file: at.file, start: from, end: from.saturating_add(header.len()) });
        }
        from = from.saturating_add(line.len());
    }
    None
}

/// Text without quotes is what people forget most.
fn with_quotes(mistake: Mistake, text: &str, at: Place) -> Mistake {
    let rest = text.get(at.start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let before = text.get(..at.start).unwrap_or_default().trim_end_matches([' ', '\t']);
    let word = rest.split([',', ' ', ']', '}', '#', '"', '\'']).next().unwrap_or_default();
    if !before.ends_with('=')
        || !word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '.')
    {
        return mistake;
    }
    Mistake::new("this is not TOML: text without quotes").help(format!("write \"{word}\""))
}

/// The table whose header is the last before `at`.
fn owner(map: &Map, at: Place) -> (Vec<String>, Option<&Map>) {
    let mut found = (Vec::new(), Some(map));
    let mut best = 0;
    let mut waiting: Vec<(Vec<String>, &Map)> = [(Vec::new(), map)].into();
    while let Some((path, map)) = waiting.pop() {
        for (key, entry) in &map.entries {
            let Value::Table(inner) = &entry.node.value else { continue };
            let mut longer = path.clone();
            longer.push(key.clone());
            if entry.at.start >= best && entry.at.start <= at.start && inner.declared {
                best = entry.at.start;
                found = (longer.clone(), Some(inner));
            }
            waiting.push((longer, inner));
        }
    }
    found
}

struct Convert<'r, 'a, 't> {
    report: &'r mut Report<'a>,
    file: usize,
    text: &'t str,
}

impl Convert<'_, '_, '_> {
    fn table(&mut self, path: &Path<'_>, table: &DeTable<'_>) -> Map {
        let mut map = Map::default();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let at = self.place(&key.span());
            let node = self.node(&path.and(Step::Key(name)), value);
            map.entries.insert(name.to_owned(), Entry { at, node });
        }
        map
    }

    fn node(&mut self, path: &Path<'_>, value: &Spanned<DeValue<'_>>) -> Node {
        let at = self.place(&value.span());
        if path.0.len() > MAX_DEPTH {
            let message = format!("this is nested more than {MAX_DEPTH} levels deep; no key is");
            self.report.error(at, path, Mistake::new(message));
            return Node { at, value: Value::Wrong };
        }
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => {
                let value = i64::from_str_radix(number.as_str(), number.radix()).ok();
                Value::Integer { text: number.to_string(), value }
            }
            DeValue::Float(number) => Value::Float { text: number.to_string() },
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Datetime(_) => Value::Moment,
            DeValue::Array(items) => {
                let items = items.iter().enumerate();
                Value::List(
                    items.map(|(index, item)| self.node(&path.and(Step::Item(index)), item)).collect(),
                )
            }
            DeValue::Table(table) => {
                let mut map = self.table(path, table);
                // A table that is only passed through by a longer name has that name's key as its place.
                map.declared =
                    self.text.get(at.start..at.end).is_some_and(|text| text.starts_with(['[', '{']));
                Value::Table(map)
            }
        };
        Node { at, value }
    }

    fn place(&self, span: &core::ops::Range<usize>) -> Place {
        Place { file: self.file, start: span.start, end: span.end }
    }
}
